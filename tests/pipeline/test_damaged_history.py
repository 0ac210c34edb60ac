"""A history that was lost is filled again from the run folders: nobody is told again what they were told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from test_afterwards import SIGN_IN, Heard, Project, heard, project

from synthprobe import pipeline
from synthprobe.records.incident import IncidentEvent

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_an_incident_goes_on_over_a_damaged_history_and_is_told_once(project, heard):
    project.run()
    project.run(failing=(SIGN_IN,))
    (first,) = project.incidents("open")
    (project.root / ".synthprobe" / "history.db").write_bytes(b"<html>Sign in</html>")
    verdict = project.run(failing=(SIGN_IN,))
    assert any("was damaged" in note for note in verdict.notes)
    (second,) = project.incidents("open")
    assert (second.id, second.occurrences, second.first_seen_at) == (first.id, 2, first.first_seen_at)
    assert len(heard.messages) == 1
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        assert len(history.observations("demo", SIGN_IN.id)) == 3


def test_what_somebody_said_while_a_run_was_judged_is_not_lost(project, heard):
    project.run(failing=(SIGN_IN,))
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        (read,) = history.incidents("demo")
        event = IncidentEvent(at=read.last_seen_at, role="first-line", text="took it")
        history.put_incident(replace(read, state="acknowledged", acknowledged_by="first-line", events=(event,)))
        history.put_incident(replace(read, occurrences=2, title="Sign in: still failing"), base=read)
        (known,) = history.incidents("demo")
    assert (known.state, known.acknowledged_by, known.occurrences) == ("acknowledged", "first-line", 2)
    assert (known.title, event in known.events) == ("Sign in: still failing", True)
