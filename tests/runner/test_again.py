"""A journey slower than usual is run again at once: a slow system is seen in one run, a hiccup is not believed."""

import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from synthprobe import pipeline
from synthprobe.config import read_config
from synthprobe.detection.suspicion import judge_probe
from synthprobe.detection.watch import watch
from synthprobe.project import Project
from synthprobe.records.journey import Journey
from synthprobe.records.result import Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.runner.machine import measure_reference_ms

BEGAN = datetime.now(UTC) - timedelta(days=1)
JOURNEY = """
import pathlib, threading, pytest
from synthprobe import step

{marker}
@pytest.mark.journey(id="look")
def test_look(api):
    with step("look"):
        api.get("/healthz").expect(200)
        seen = pathlib.Path("seen")
        if not seen.exists():
            seen.touch()
            threading.Event().wait({first_s})
"""


def remember(project, usual_ms: dict[str, float], reference_ms: float = 0.0) -> None:
    """Thirty runs in which the journeys, and the probe's own task if it was timed, took about so long."""
    states = {}
    for number in range(30):
        at, longer = BEGAN + timedelta(minutes=5 * number), 1 + number % 5 / 50
        run = Run(id=str(number), target="demo", base_url="http://x", slot=number, started_at=at,
                  reference_ms=reference_ms * longer)  # fmt: skip
        journeys = []
        for id, ms in usual_ms.items():
            journey, took = Journey(id=id, node_id=f"test_{id}", title=id), ms * longer / 1000
            steps = (Step(title="look", status="passed", started_at=at, duration_s=took),)
            result = Result(
                run_id=run.id, target="demo", journey=journey, attempt=1, outcome="passed", started_at=at,
                duration_s=took, steps=steps,
            )  # fmt: skip
            journeys.append(JourneyVerdict(journey=journey, outcome="passed", results=(result,)))
        verdict = Verdict(run=run, journeys=tuple(journeys), finished_at=at)
        states = watch(verdict, states).states | judge_probe(verdict, states).states
    config = read_config(project.root)
    with pipeline.open_history(Project(project.root, config)) as history:
        history.put_detector_states("demo", states, location=config.location)


@pytest.fixture
def run_once(project, one_centre):
    """One `synthprobe run` of what the test put there; its verdict."""

    def run(settings: str = "") -> Verdict:
        project.configure(one_centre.url)
        toml = project.root / "synthprobe.toml"
        toml.write_text(f"least_slowdown_ms = 0\n{settings}\n{toml.read_text()}")
        command = [sys.executable, "-m", "synthprobe", "run"]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250)
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = pipeline.read_verdict(pipeline.newest_run(project.root, ".synthprobe") / "verdict.json")
        shutil.rmtree(project.root / ".synthprobe")
        return verdict

    return run


@pytest.fixture
def look_again(project, one_centre, run_once):
    def run(
        usual_ms: float, *, first_s: float = 0.0, marker: str = "", settings: str = "", reference_ms: float = 0.0
    ) -> Verdict:
        project.configure(one_centre.url)
        project.journeys(JOURNEY.format(first_s=first_s, marker=marker), "test_look.py")
        remember(project, {"look": usual_ms}, reference_ms)
        return run_once(settings)

    return run


HICCUPS = """
import pathlib, threading, pytest
from synthprobe import step

def look(name):
    with step("look"):
        seen = pathlib.Path("seen-" + name)
        threading.Event().wait(0.05 if seen.exists() else 3)
        seen.touch()

@pytest.mark.journey(id="first")
def test_first():
    look("first")

@pytest.mark.journey(id="second")
def test_second():
    look("second")
"""
SLOW = """
import threading, pytest
from synthprobe import step

@pytest.mark.journey(id="slow")
def test_slow():
    with step("look"):
        threading.Event().wait(0.8)
"""


@pytest.mark.parametrize(
    ("settings", "reruns", "left_out"),
    [
        ("", [1, 1, 8], ""),
        ("suspicion_budget = 5", [1, 1, 3], "slow (after 3 times)"),
        ("suspicion_budget = 1", [1, 0, 0], "second, slow"),
        ("suspicion_reruns = 30\nsuspicion_budget = 5", [1, 1, 3], "slow (after 3 times)"),
    ],
)
def test_the_budget_counts_real_reruns_and_what_it_leaves_out_is_said(
    project, one_centre, run_once, settings, reruns, left_out
):
    project.configure(one_centre.url)
    for name, text in (("first/test_hiccups.py", HICCUPS), ("later/test_slow.py", SLOW)):
        (project.root / "journeys" / name).parent.mkdir()
        project.journeys(text, name)
    remember(project, {"first": 600.0, "second": 800.0, "slow": 500.0})
    verdict = run_once(settings)
    assert [len(judgement.reruns) for judgement in verdict.journeys] == reruns
    assert [
        again.cause for judgement in verdict.journeys for again in judgement.reruns if again.outcome != "passed"
    ] == []
    if "slow" in left_out or not left_out:
        assert verdict.journeys[-1].outcome == ("degraded" if reruns[-1] else "passed")
    notes = [note for note in verdict.notes if "as the budget of" in note]
    assert len(notes) == bool(left_out)
    assert all(f"was used up: {left_out}. " in note for note in notes)


def test_a_system_that_got_slow_is_seen_in_one_run(look_again):
    (judgement,) = look_again(1.0).journeys
    assert judgement.outcome == "degraded"
    assert "its usual 1 ms" in judgement.cause
    assert 1 < len(judgement.reruns) <= 8
    assert len(judgement.results) == 1


def test_one_hiccup_ends_after_a_run_plainly_as_usual(look_again):
    verdict = look_again(500.0, first_s=1.5)
    (judgement,) = verdict.journeys
    assert (judgement.outcome, [rerun.attempt for rerun in judgement.reruns]) == ("passed", [1])
    assert "look: slower than usual, so it was run again once; 1 of 1 was as usual." in verdict.notes


@pytest.mark.parametrize(
    ("marker", "settings", "reruns"),
    [
        ("@pytest.mark.mutates('incident')", "", 0),
        ("@pytest.mark.mutates('incident', repeatable=True)", "", 1),
        ("", "suspicion_reruns = 0", 0),
        ("", "suspicion_budget = 0", 0),
    ],
)
def test_what_changes_something_or_is_over_the_budget_is_left_alone(look_again, marker, settings, reruns):
    (judgement,) = look_again(500.0, first_s=1.5, marker=marker, settings=settings).journeys
    assert (judgement.outcome, len(judgement.reruns)) == ("passed", reruns)


def test_f74_a_slow_machine_is_the_probe_and_no_duration_is_judged(look_again):
    marker = '@pytest.mark.journey(budget="1ms")'
    verdict = look_again(1.0, marker=marker, reference_ms=0.1)
    (judgement,) = verdict.journeys
    assert verdict.run.reference_ms > 1
    assert (judgement.outcome, judgement.reruns, judgement.degradations) == ("passed", (), ())
    written = judgement.results[-1]
    assert (written.outcome, judgement.outcome_of(written), judgement.cause_of(written)) == ("degraded", "passed", "")
    (warning,) = [note for note in verdict.notes if note.startswith("Probe suspected")]
    assert f"took {verdict.run.reference_ms:.0f} ms for a fixed task that usually takes 0 ms" in warning
    (judgement,) = look_again(1.0, marker=marker, reference_ms=10_000).journeys
    assert (judgement.outcome, judgement.degradations[0].kind) == ("degraded", "over budget")


def test_what_is_as_usual_is_not_run_again(look_again):
    (judgement,) = look_again(500.0).journeys
    assert (judgement.outcome, judgement.reruns) == ("passed", ())


def test_a_machine_without_loopback_has_no_reference_and_runs_all_the_same(monkeypatch):
    def unreachable(*_):
        raise OSError("Network is unreachable")

    assert measure_reference_ms() > 0
    monkeypatch.setattr(socket, "create_connection", unreachable)
    assert measure_reference_ms() == 0
