"""A slower level is accepted by a person or by a marked change, stands on the board, and is not forgotten."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from recorded_runs import NOW, call, ran
from typer.testing import CliRunner

from synthprobe import pipeline
from synthprobe.cli.main import app
from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError
from synthprobe.pipeline.memory import open_history
from synthprobe.project import Project
from synthprobe.records.verdict import Verdict
from synthprobe.report.board import journey_page
from synthprobe.targets.changes import read_changes

STEP = "find the address"
HEALTHY = [0.5 + number % 4 / 100 for number in range(30)]


class Runs:
    """A project whose search takes so long, every five minutes, with all that follows a run."""

    def __init__(self, root):
        self.root, self.ago, self.last = root, timedelta(hours=12), None

    def see(self, seconds):
        for took in seconds:
            self.ago -= timedelta(minutes=5)
            ran(self.root, self.ago, scheduled=False, search=took)
            folder = max((self.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")).parent
            verdict = msgspec.json.decode((folder / "verdict.json").read_bytes(), type=Verdict)
            self.last = pipeline.after_run(Project(self.root, read_config(self.root), {}), folder, verdict)
        (search,) = (journey for journey in self.last.journeys if journey.journey.id == "search")
        return search

    @property
    def board(self) -> str:
        call("review", "--pages", "--only", "impact")
        return (self.root / ".synthprobe" / "site" / "board" / "demo" / journey_page("search")).read_text()

    @property
    def incident(self):
        with open_history(Project.at(self.root)) as history:
            (incident,) = history.incidents("demo")
        return incident


@pytest.fixture
def project(root):
    project = Runs(root)
    assert project.see(HEALTHY).outcome == "passed"
    return project


def test_a_level_that_a_person_accepts_is_usual_and_not_forgotten(project):
    assert project.see([1.5, 1.5]).outcome == "degraded"
    output = call("mark", "the new index is built until Friday", "--accept", "search", "--operation", STEP)
    assert f"{STEP}: 1.5 s was accepted on " in output
    assert "before it was 520 ms: the new index is built until Friday." in output
    assert project.see([1.5, 1.51, 1.52]).outcome == "passed"
    assert "Accepted level: 1.5 s was accepted on" in project.board

    beyond = project.see([15.0, 15.0])
    assert beyond.outcome == "degraded"
    assert "takes 10.0 × its usual 1500 ms" in beyond.cause
    assert "1.5 s was accepted on" in beyond.cause

    project.see([0.5] * 42)
    assert any("the new index is built until Friday; that is over" in note for note in notes(project)), notes(project)
    assert "Accepted level" not in project.board


def notes(project) -> list[str]:
    found = []
    for path in (project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json"):
        found += msgspec.json.decode(path.read_bytes(), type=Verdict).notes
    return found


def test_what_gets_worse_while_its_incident_is_open_is_told_in_it(project):
    project.see([0.8] * 3)
    worse = project.see([8.0] * 3)
    assert "takes 15.4 × its usual 520 ms" in worse.cause
    assert "worse than first told: 1.5 × since" in worse.cause
    assert any("takes 15.4 ×" in event.text for event in project.incident.events)


def test_a_change_that_was_to_make_it_slower_takes_its_level_as_usual_once(project):
    live = (NOW - project.ago + timedelta(minutes=2)).isoformat()
    call("mark", "the address is checked twice", "--operation", STEP, "--expected", "slower", "--at", live)
    assert [change.expected for change in read_changes(project.root)] == ["slower"]
    assert project.see([1.5] * 3).outcome == "passed"
    assert any("takes 2.9 × its usual" in note and "the address is checked twice" in note for note in notes(project))
    assert "Accepted level: 1.5 s" in project.board
    assert project.see([4.5] * 3).outcome == "degraded"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((" ", "--accept", "search", "--operation", STEP), "A level is accepted for a reason"),
        (("x", "--accept", "search", "--expected", "slower"), "--accept takes the level of now"),
        (("x", "--location", "fra"), "--location belongs to --accept"),
        (
            ("x", "--accept", "search", "--operation", STEP),
            "No alarm above the baseline is open for step 'find the address' of search",
        ),
        (("x", "--accept", "nobody"), "for the journey nobody as a whole.*Slower than usual: nothing"),
        (("x", "--accept", "search", "--target", "nope"), "nope"),
    ],
)
def test_a_level_is_accepted_with_a_reason_and_where_an_alarm_is_open(root, words, says):
    with pytest.raises(ConfigurationError, match=says):
        CliRunner().invoke(app, ["mark", *words], catch_exceptions=False)


def test_what_a_change_is_expected_to_do_is_slower_or_nothing(root):
    with pytest.raises(ConfigurationError, match="--expected is 'faster': slower was expected"):
        CliRunner().invoke(app, ["mark", "x", "--expected", "faster"], catch_exceptions=False)
    (root / "changes.toml").write_text("[[change]]\nat = 2026-01-01T00:00:00Z\ntitle = 'x'\nexpected = 'worse'\n")
    with pytest.raises(ConfigurationError, match="expected"):
        read_changes(root)
