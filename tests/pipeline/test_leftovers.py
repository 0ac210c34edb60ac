"""What a run leaves at the target is a note of that run, and an incident only when it grows from hour to hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from test_afterwards import Heard, Project, heard, project

from synthprobe import pipeline
from synthprobe.journey.ledger import closed
from synthprobe.pipeline.leftovers import left_over_incident
from synthprobe.records.testdata import LedgerEntry

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def left(project: Project, hours_ago: Sequence[float], run_id: str = "earlier") -> list[LedgerEntry]:
    """Entries whose lease was over so many hours ago."""
    now = datetime.now(UTC)
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        known = len(history.entries("demo"))
        made = [
            LedgerEntry(
                token=f"synthprobe-{known + number:032x}", kind="call", target="demo", run_id=run_id,
                at=now - timedelta(hours=hours + 1), expires_at=now - timedelta(hours=hours),
            )
            for number, hours in enumerate(hours_ago)
        ]  # fmt: skip
        for entry in made:
            history.put_entry(entry)
    return made


def test_what_a_run_left_is_its_note_and_what_stays_as_it_is_no_incident(project, heard):
    left(project, [30.0] * 20)
    left(project, [-0.2] * 2, run_id="run-001")
    (note,) = project.run().notes
    assert note.startswith("This run left test data behind: 2 × call. It is removed, once its lease is over, by: ")
    assert project.run().notes == (), "it is told by the run that left it"
    assert (project.incidents("open"), heard.messages) == ([], [])


def test_left_overs_that_grow_are_one_incident_until_they_do_not(project, heard):
    entries = left(project, [hours for hours in (3.5, 2.5, 1.5, 0.5) for _ in range(3)])
    project.run()
    (incident,) = project.incidents("open")
    assert incident.title.endswith("12 objects are left at demo beyond their lease; an hour ago there were 9.")
    assert len(heard.messages) == 1
    assert "Test data is left behind and grows" in str(heard.messages[0])
    project.run()
    assert [(incident.id, incident.occurrences) for incident in project.incidents("open")] == [(incident.id, 2)]
    assert len(heard.messages) == 1
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        for entry in entries[2:]:
            history.put_entry(closed(entry, "removed"))
    project.run()
    assert project.incidents("open") == []
    (ended,) = project.incidents("resolved")
    assert ended.events[-1].text == "Resolved: 2 objects are left, no more than 3 hours ago."


def test_left_overs_of_two_targets_at_one_moment_are_two_incidents():
    now = datetime.now(UTC)
    entries = [
        LedgerEntry(
            token=f"synthprobe-{hours:04.1f}{number}", kind="call", target="demo", run_id="r",
            at=now - timedelta(hours=9), expires_at=now - timedelta(hours=hours),
        )
        for hours in (3.5, 2.5, 1.5, 0.5)
        for number in range(3)
    ]  # fmt: skip
    found = [left_over_incident(None, target, entries, "desk", now) for target in ("here", "there")]
    assert len({incident.id for incident in found if incident is not None}) == 2


def test_a_history_that_was_lost_learns_from_the_newest_run_what_may_be_left(project):
    first, second = left(project, [5.0, 4.0], run_id="run-001")
    project.run()
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        history.put_entry(replace(closed(second, "removed")))
    project.run()
    (project.root / ".synthprobe" / "history.db").write_bytes(b"<html>Sign in</html>")
    verdict = project.run()
    assert any("was damaged" in note for note in verdict.notes)
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        assert history.entries("demo") == [first]
