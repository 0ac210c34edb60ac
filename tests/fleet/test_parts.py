"""`synthprobe run --part`: journeys really run, handed over once, and judged by `synthprobe run --conclude`."""

import json
import os
import subprocess
import sys
from typing import ClassVar

import pytest
from msgspec.structs import replace

from synthprobe import loopback, pipeline
from synthprobe.config import read_config
from synthprobe.fleet.slots import plan_of
from synthprobe.project import Project

JOURNEYS = """
import pytest
from synthprobe import step


@pytest.mark.journey(id="buy")
def test_buy(api):
    with step("buy"):
        api.get("/buy").expect(200)


@pytest.mark.journey(id="read")
def test_read(api):
    with step("read"):
        api.get("/read").expect(200)
"""


class Shop(loopback.Handler):
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.answer(500 if self.path == "/buy" else 200)


@pytest.fixture
def command(tmp_path):
    """Types a command in a project with two journeys, one of which fails."""
    with loopback.served(Shop) as url:
        (tmp_path / "journeys").mkdir()
        (tmp_path / "journeys" / "test_shop.py").write_text(JOURNEYS)
        (tmp_path / "synthprobe.toml").write_text(
            "default_target = 'shop'\nsecond_attempt_delay_s = 0\ninterval_s = 86400\n"
            f"[targets.shop]\nbase_url = '{url}'\nlocations = ['fra']\n"
        )

        def run(*words: str, **environ: str) -> tuple[int, dict]:
            done = subprocess.run(
                [sys.executable, "-m", "synthprobe", *words, "--json"], cwd=tmp_path, capture_output=True, text=True,
                timeout=250, env=os.environ | environ,
            )  # fmt: skip
            assert done.stdout, done.stderr
            return done.returncode, json.loads(done.stdout)

        yield run


def test_a_part_is_looked_at_once_and_nobody_is_told_before_the_conclusion(command):
    _, plan = command("run", "--plan", "2", "--slot", "now")
    assert sorted(id for part in plan["parts"] for id in part["journeys"]) == ["buy", "read"]
    first = next(part["part"] for part in plan["parts"] if part["journeys"] == ["buy"])
    part = ("run", "--slot", str(plan["slot"]), "--location", "fra", "--part")
    environ = {"JOB_COMPLETION_INDEX": str(first - 1)}
    code, printed = command(*part, "auto/2", "--plan-digest", plan["digest"], **environ)
    assert code == 0  # what it says of the target is the conclusion's matter
    assert [journey["outcome"] for journey in printed["journeys"]] == ["failed"]
    assert not printed["journeys"][0]["incident"]
    asked = len(Shop.asked)

    code, printed = command(*part, "auto/2", **environ)  # the engine hands it out again
    assert (code, len(Shop.asked)) == (0, asked)
    assert "was looked at by" in printed["nothing_run"]
    for words, why in (
        ((f"{3 - first}/2", "--plan-digest", "0" * 12), f"other plan: plan {'0' * 12} was asked for"),
        (("1/3",), "other plan: 3 parts were asked for"),
    ):
        code, printed = command(*part, *words)
        assert code == 3
        assert why in printed["nothing_run"]
    assert len(Shop.asked) == asked

    code, printed = command("run", "--conclude", "--slot", str(plan["slot"]))
    assert code == 1
    failed, unknown = printed["journeys"]
    assert (failed["journey"]["id"], failed["outcome"]) == ("buy", "failed")
    assert failed["incident"]
    assert failed["results"][-1]["failure"]["step"] == "buy"
    assert (unknown["journey"]["id"], unknown["outcome"]) == ("read", "unknown")
    assert "other plan" in unknown["cause"]  # why nobody looked


def test_a_machine_with_other_journeys_leaves_its_part_alone(command, tmp_path):
    _, plan = command("run", "--plan", "1", "--slot", "now")
    journeys = tmp_path / "journeys" / "test_shop.py"
    journeys.write_text(JOURNEYS + "\n# older\n")
    code, printed = command("run", "--part", "1/1", "--location", "fra", "--slot", str(plan["slot"]))
    assert code == 3
    assert "other journeys: the plan was made of revision" in printed["nothing_run"]
    code, printed = command("run", "--part", "1/1", "--location", "gru", "--slot", str(plan["slot"]))
    assert code == 3


def test_a_machine_with_another_version_leaves_its_part_alone(command, tmp_path):
    _, shown = command("run", "--plan", "1")
    root, config = tmp_path, read_config(tmp_path)
    with pipeline.open_history(Project(root, config)) as history:
        made = plan_of(history.fleet, Project(root, config), config.target(), shown["slot"], 1, keep=False)
        history.fleet.keep_plan(replace(made, version="0.0.1"))
    asked = len(Shop.asked)
    code, printed = command("run", "--part", "1/1", "--location", "fra", "--slot", str(shown["slot"]))
    assert (code, len(Shop.asked)) == (3, asked)
    assert "other version: the plan was made by synthprobe 0.0.1" in printed["nothing_run"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--part", "4/3"), "--part is '4/3'"),
        (("--plan-digest", "abc"), "--plan-digest belongs to --part"),
        (("--part", "1/1", "journeys"), "a part takes its journeys from the plan"),
        (("--part", "1/1", "--slot", "99999999999"), "--slot is '99999999999'"),
    ],
)
def test_bad_input_is_a_sentence(words, why, tmp_path):
    (tmp_path / "synthprobe.toml").write_text("[targets.demo]\nbase_url = 'http://127.0.0.1:9'\n")
    done = subprocess.run(
        [sys.executable, "-m", "synthprobe", "run", *words], cwd=tmp_path, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 2
    assert why in " ".join((done.stdout + done.stderr).split())
