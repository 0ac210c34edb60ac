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
        [sys.executable, "-m", "synthprobe", *words], capture_output=True, text=True, timeout=60, check=False
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
    done = subprocess.run([sys.executable, "-c", PRESSED_WHILE_IT_LOADS], capture_output=True, timeout=60, check=False)
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
        timeout=60,
    )
    assert done.stdout.split() == ["staging"]


def test_the_faults_of_the_centre_are_listed_and_switched_on_or_off():
    listed = json.loads(CliRunner().invoke(app, ["demo", "fault", "--json"]).output)["faults"]
    assert {"name", "cause", "summary", "on"} == set(listed[0])
    refused = CliRunner().invoke(app, ["demo", "fault", listed[0]["name"], "maybe"]).exception
    assert "cannot be switched 'maybe'; on or off was expected" in str(refused)
