"""The heartbeat tells the truth: success means that somebody knows of each failing journey, or that it is muted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from test_afterwards import SEARCH, SIGN_IN, START, Heard, Project, heard, project

from synthprobe import pipeline
from synthprobe.cli.fix import recorded_audit
from synthprobe.config import read_config
from synthprobe.firstline.audit import AuditEntry

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def without_routes(project: Project) -> None:
    (project.root / "synthprobe.toml").write_text(
        '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n[heartbeat]\nurl = "env:BEAT"\n'
    )
    project.config = read_config(project.root, {})


def for_pages_of_another_target(project: Project) -> None:
    (route,) = project.config.alerts.routes
    elsewhere = (msgspec.structs.replace(route, target=("production",)),)
    alerts = msgspec.structs.replace(project.config.alerts, routes=elsewhere)
    project.config = msgspec.structs.replace(project.config, alerts=alerts)


@pytest.mark.parametrize("untold", [without_routes, for_pages_of_another_target])
def test_a_failing_run_that_told_nobody_is_no_success(project, heard, untold):
    untold(project)
    assert project.run().notes == ()
    verdict = project.run(failing=(SIGN_IN,))
    assert heard.beats == ["success", "fail"]
    assert heard.messages == []
    assert "not everybody who must hear of it was told" in heard.told[-1]
    assert any("nobody was told or has it: sign-in" in note for note in verdict.notes)


def test_a_failing_run_that_came_late_and_changed_nothing_is_no_success(project, heard):
    project.run()
    project.run(at=START + timedelta(hours=2))
    late = project.run(failing=(SIGN_IN,))
    assert any("It is remembered, and changes no incident" in note for note in late.notes)
    assert (heard.messages, heard.beats) == ([], ["success", "success", "fail"])


def test_what_is_muted_or_taken_or_told_before_is_known(project, heard):
    project.run(failing=(SIGN_IN,))
    project.run(failing=(SIGN_IN,))
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        (incident,) = history.incidents("demo")
        history.put_incident(msgspec.structs.replace(incident, state="acknowledged"))
    with closing(sqlite3.connect(project.root / ".synthprobe" / "history.db")) as store:
        store.execute("DELETE FROM letters")
        store.commit()
    project.run(failing=(SIGN_IN,))
    until = datetime.now(UTC).date() + timedelta(days=9)
    assert isinstance(until, date)
    (project.root / "mutes.toml").write_text(
        f'[[mute]]\njourney = "search"\nowner = "records"\nreason = "known"\nuntil = {until}\n'
    )
    project.run(failing=(SIGN_IN, SEARCH), message="other words of another kind")
    assert heard.beats == ["success"] * 4


def test_the_watcher_is_told_how_the_audit_of_fixes_ends(project, heard):
    project.run()
    assert heard.told[-1] == ""
    line = AuditEntry(at=START, event="planned", fix="mend", target="demo", incident="I-1", role="engineer", who="a")
    newest = [recorded_audit(Project(project.root, project.config)).append(line) for _ in range(2)][-1]
    project.run()
    assert heard.told[-1] == f"The audit of fixes ends with line 2, {newest.hash}."
