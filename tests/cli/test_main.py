"""The commands as a person meets them first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from synthprobe.cli.main import app
from synthprobe.root import NO_PROJECT


def synthprobe(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "synthprobe", *words], capture_output=True, text=True, timeout=250, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_it_says_its_version():
    assert synthprobe("--version") == (0, f"synthprobe {version('synthprobe')}\n")


@pytest.mark.parametrize("words", [(), ("--help",)], ids=["nothing", "help"])
def test_it_says_what_it_can_do(words):
    _, output = synthprobe(*words)
    assert "find half-broken states before a user does." in " ".join(output.split())
    assert "Run the journeys once" in output


def test_an_unknown_command_is_refused():
    code, output = synthprobe("watch")
    assert code == 2
    assert "No such command 'watch'" in output


@pytest.mark.parametrize(
    "words",
    [
        "alert",
        "audit",
        "doctor history",
        "drill",
        "fix plan",
        "history copy --to x.db",
        "http GET /",
        "incident list",
        "mark hello",
        "report",
        "review",
        "run",
        "runbook show x",
        "serve",
        "sweep",
    ],
)
def test_where_there_is_no_project_nothing_is_said_of_one_and_nothing_written(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, words.split())
    assert str(refused.exception) == NO_PROJECT, refused.output
    assert list(tmp_path.iterdir()) == []


PRESSED_WHILE_IT_LOADS = """
import os, runpy, signal, sys

class Press:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Press())
runpy.run_module("synthprobe", run_name="__main__")
"""


def test_it_ends_without_a_word_when_it_is_interrupted_while_it_loads():
    done = subprocess.run([sys.executable, "-c", PRESSED_WHILE_IT_LOADS], capture_output=True, timeout=250, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_the_shell_completes_the_names_of_targets(tmp_path):
    (tmp_path / "synthprobe.toml").write_text('[targets.staging]\nbase_url = "http://127.0.0.1:9"\n')
    program = "from synthprobe.cli.main import main; main()"
    typed = {"_SYNTHPROBE_COMPLETE": "complete_bash", "COMP_WORDS": "synthprobe run --target st", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | typed,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.stdout.split() == ["staging"]


def test_the_faults_of_the_centre_are_listed_and_switched_on_or_off():
    listed = json.loads(CliRunner().invoke(app, ["demo", "fault", "--json"]).output)["faults"]
    assert {"name", "cause", "summary", "on"} == set(listed[0])
    refused = CliRunner().invoke(app, ["demo", "fault", listed[0]["name"], "maybe"]).exception
    assert "cannot be switched 'maybe'; on or off was expected" in str(refused)


@pytest.fixture(scope="module")
def with_incidents(new_project, tmp_path_factory):
    """A project whose lists are longer than what a pipe's reader takes."""
    project = new_project(tmp_path_factory.mktemp("lists"))
    project.journeys(
        "import pytest\n@pytest.mark.parametrize('n', range(9))\n"
        "def test_shut(target, n):\n    assert target is None, 'till ' + 'abcdefghi'[n] * 9 + ' is shut'\n"
    )
    settings = project.root / "synthprobe.toml"
    settings.write_text(f"second_attempt_delay_s = 0\n{settings.read_text()}")
    command = [sys.executable, "-m", "synthprobe", "run"]
    assert (
        subprocess.run(command, cwd=project.root, stdout=subprocess.DEVNULL, timeout=250, check=False).returncode == 1
    )
    return project.root


LISTS = ["incident list", "incident list --json", "audit", "review --json", "--help"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", LISTS)
def test_what_cannot_be_printed_is_told_in_a_sentence_and_a_reader_who_has_gone_costs_nothing(
    with_incidents, words, unbuffered
):
    def printed_to(place) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "synthprobe", *words.split()],
            cwd=with_incidents,
            stdout=place,
            stderr=subprocess.PIPE,
            text=True,
            timeout=250,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
        return done.returncode, done.stderr

    read, write = os.pipe()
    os.close(read)
    try:
        assert printed_to(write) == (0, "")
    finally:
        os.close(write)
    with open("/dev/full", "wb") as full:
        code, sentence = printed_to(full)
    assert code == 2
    assert sentence.startswith("synthprobe: Standard output"), sentence
    assert sentence.count("\n") == 1


def test_a_history_that_is_not_there_is_told_without_an_error_number(with_incidents):
    done = subprocess.run(
        [sys.executable, "-m", "synthprobe", "history", "copy", "--from", "nowhere"],
        cwd=with_incidents,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "Errno" not in done.stderr
