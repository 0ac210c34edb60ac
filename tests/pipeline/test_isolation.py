"""A failure of judgement costs the step or journey it happened in: all others are judged, remembered and told."""

from __future__ import annotations

import os

import msgspec
import pytest
from test_afterwards import SEARCH, SIGN_IN, Heard, Project, Runs, heard, project

from synthprobe import pipeline
from synthprobe.pipeline import afterwards
from synthprobe.triage.usual import USUAL

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def poison(project: Project, journey: str) -> None:
    """A state of the right form whose newest times are no times: to judge by it raises, whatever is done with it."""
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        for (journey_id, path), state in history.detector_states("demo").items():
            if journey_id == journey and path != USUAL:
                stored, *rest = msgspec.msgpack.decode(state)
                detector = msgspec.msgpack.decode(stored)
                detector[3] = ["?", "?", "?", "?", True]
                poisoned = msgspec.msgpack.encode([msgspec.msgpack.encode(detector), *rest])
                history.put_detector_states("demo", {(journey_id, path): poisoned})


def test_a_step_that_cannot_be_judged_is_a_note_and_costs_no_other(project, heard):
    for _ in range(30):
        project.run()
    poison(project, SIGN_IN.id)
    slow = [project.run(ms=1008) for _ in range(3)]
    for verdict in slow[:2]:
        (note,) = {note for note in verdict.notes if "Sign in: log in could not be judged" in note}
        assert "Its state is kept, or begun anew when that fails twice" in note
    outcomes = {judgement.journey.id: judgement.outcome for judgement in slow[-1].journeys}
    assert outcomes == {SIGN_IN.id: "passed", SEARCH.id: "degraded"}
    assert [message["title"][:6] for message in heard.messages] == ["Ticket"]
    assert heard.beats[-1] == "success"
    notes = [note for _ in range(24) for note in project.run().notes]
    assert not [note for note in notes if "could not be judged" in note], "it was begun anew"
    assert "degraded" in {project.run(ms=1008).journeys[0].outcome for _ in range(3)}, "and judges again"


def test_an_incident_that_cannot_be_judged_stays_and_a_failing_journey_is_still_told(project, heard):
    project.run(failing=(SEARCH,))
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        (incident,) = history.incidents("demo")
        history.put_incident(msgspec.structs.replace(incident, journeys=()))  # as no run would write it
    verdict = project.run(failing=(SEARCH, SIGN_IN))
    assert all(judgement.incident for judgement in verdict.journeys)
    assert [message["title"][:4] for message in heard.messages] == ["PAGE", "Wors"], "one, then both journeys"
    assert heard.beats == ["success", "success"]
    assert any("An incident of its own is opened" in note for note in verdict.notes)


def test_people_and_the_watcher_hear_of_a_blind_run_when_what_follows_it_breaks_off(project, heard, monkeypatch):
    monkeypatch.setattr(afterwards, "with_incidents", None)
    where = Project(project.root, project.config, project.environ)
    _, verdict = pipeline.end_blind(where, project.config.target("demo"), "It was cut off.", slot=1, folder=None)
    assert [message["title"][:18] for message in heard.messages] == ["Monitor blind demo"]
    assert heard.beats == ["fail"]
    assert [note for note in verdict.notes if "broke off" in note] == [verdict.notes[0]], verdict.notes


def test_a_folder_whose_name_is_no_text_costs_nothing(tmp_path, heard):
    """As every name with an umlaut is to a Python of the plain C locale."""
    (odd := tmp_path / os.fsdecode(b"gr\xf6\xdfe")).mkdir()
    verdict = Runs(odd, heard).run(failing=(SIGN_IN,))
    assert [note for note in verdict.notes if "fault of synthprobe" in note] == []
    assert [message["title"][:4] for message in heard.messages] == ["PAGE"]
