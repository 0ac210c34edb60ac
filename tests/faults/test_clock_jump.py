"""F50: somebody sets the clock of the machine while a run is on. Only times change, no duration and no judgement."""

import json
import subprocess
import sys
import time

import pytest

from synthprobe import pipeline
from synthprobe.report.allure_results import write_results

from set_clock import OwnClock  # isort: skip
from synthprobe import loopback

HOUR = 3600
HEAD = """
import os, threading
from datetime import UTC, datetime
from pathlib import Path
import pytest
from synthprobe import ExpectationError, eventually, freshness, step

def set_clock(ahead_s):
    before = datetime.now(UTC)
    Path(os.environ["STEPPED_CLOCK"]).write_text(str(ahead_s))
    moved_s = (datetime.now(UTC) - before).total_seconds()
    assert abs(moved_s - ahead_s) < 1, moved_s
    return False
"""
WORKS = """
def test_it(api):
    with step("read", budget="20s"):
        api.get("/").expect(200)
    made = datetime.now(UTC)
    with step("outer", budget="20s"), step("the clock is set", budget="20s"):
        set_clock({ahead_s})
    with step("fresh by the target's clock"):
        assert abs(api.freshness("position", made, limit="60s").age_s) < 20
    with step("fresh by our own clock"):
        assert abs(freshness("position", made, limit="60s").age_s) < 20
"""
WAITS = """
def test_it():
    tried = []
    def check():
        tried.append(len(tried) or set_clock({ahead_s}))
        return len(tried) > 4
    with step("it comes true"):
        eventually(check, within="20s", every="10ms")
    with step("it never does", budget="20s"), pytest.raises(ExpectationError, match="Not within 0.2 s"):
        eventually(lambda: False, within="200ms", every="10ms")
"""
HANGS = """
def test_it():
    with step("wait for ever"):
        set_clock({ahead_s})
        threading.Event().wait()
"""


@pytest.fixture
def url():
    """A target with a clock of its own, which is right."""

    class Target(loopback.Handler):
        def do_GET(self):
            self.answer()

    with loopback.served(Target) as url:
        yield url


@pytest.fixture
def judged(project, url):
    """Runs a journey that sets the clock: the run's folder, its verdict, and how long it really took."""

    def run(journey: str, ahead_s: int, *options: str):
        project.configure(url)
        toml = project.root / "synthprobe.toml"
        toml.write_text(f"second_attempts = 0\ninterval_s = 300\n{toml.read_text()}")
        project.journeys(HEAD + journey.format(ahead_s=ahead_s))
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "synthprobe", "run", *options],
            cwd=project.root,
            env=OwnClock(project.root).environ,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        folder = pipeline.newest_run(project.root, ".synthprobe")
        return folder, pipeline.read_verdict(folder / "verdict.json"), time.monotonic() - began

    return run


def walk(steps):
    for step in steps:
        yield step
        yield from walk(step.steps)


JUMPS = pytest.mark.parametrize("ahead_s", [HOUR, -HOUR], ids=["F50 ahead", "F50 back"])


@JUMPS
def test_f50_durations_and_ages_stay_also_in_allure_and_the_jump_is_noted(judged, ahead_s):
    folder, verdict, took_s = judged(WORKS, ahead_s)
    (judgement,) = verdict.journeys
    assert (judgement.outcome, judgement.cause, verdict.run.ended) == ("passed", "", "")
    (result,) = judgement.results
    assert 0 < result.duration_s < took_s
    steps = list(walk(result.steps))
    assert len(steps) == 5
    assert all(0 <= step.duration_s < took_s for step in steps)
    assert [step.started_at for step in steps] == sorted(step.started_at for step in steps)
    assert 0 <= (steps[-1].started_at - result.started_at).total_seconds() < took_s
    assert result.notes == ()
    assert verdict.run.slot == int(verdict.run.started_at.timestamp()) // 300
    note = (
        f"The clock of this machine jumped by {ahead_s:+d} s during the run, so times in the report are off by as much"
    )
    assert any(sentence.startswith(note) for sentence in json.loads((folder / "verdict.json").read_bytes())["notes"])
    write_results(folder, verdict, folder / "allure-results")
    (shown,) = [json.loads(path.read_bytes()) for path in (folder / "allure-results").glob("*-result.json")]
    parts = [shown, *shown["steps"], *(inner for step in shown["steps"] for inner in step.get("steps", ()))]
    assert len(parts) == 6
    assert all(0 <= part["stop"] - part["start"] < took_s * 1000 for part in parts), parts


@JUMPS
def test_f50_waiting_keeps_its_own_time(judged, ahead_s):
    _, verdict, took_s = judged(WAITS, ahead_s)
    (judgement,) = verdict.journeys
    assert judgement.outcome == "passed", judgement.cause
    never = judgement.results[0].steps[1]
    assert 0.2 <= never.duration_s < took_s


@JUMPS
def test_f50_the_deadline_of_the_run_is_where_it_was(judged, ahead_s):
    _, verdict, took_s = judged(HANGS, ahead_s, "--deadline", "6")
    (judgement,) = verdict.journeys
    assert verdict.run.ended == "deadline"
    assert (judgement.outcome, "wait for ever" in judgement.cause) == ("unknown", True), judgement.cause
    assert 6 < took_s < 30


def test_f50_a_clock_that_is_corrected_a_little_is_not_worth_a_word(judged):
    _, verdict, _ = judged(WORKS, 1)
    assert verdict.journeys[0].outcome == "passed"
    assert not any("clock" in note for note in verdict.notes)
