"""While the history is away, locked or newer, failures are told once, go on as incidents and wait for nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from test_afterwards import SIGN_IN, Project, heard, project

from synthprobe import pipeline
from synthprobe.alerts import sending
from synthprobe.alerts.channels import AppriseChannel
from synthprobe.alerts.outbox import Outbox
from synthprobe.config import HistoryConfig
from synthprobe.history import database
from synthprobe.verdict.judge import exit_code

__all__ = ["heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@contextmanager
def unreachable(project: Project) -> Iterator[None]:
    usual = project.config
    away = HistoryConfig(url="postgresql+psycopg://u:p@127.0.0.1:1/x")
    project.config = msgspec.structs.replace(usual, history=away)
    yield
    project.config = usual


@contextmanager
def not_configured(project: Project) -> Iterator[None]:
    usual = project.config
    project.config = msgspec.structs.replace(usual, history=HistoryConfig(url="env:NOT_SET"))
    yield
    project.config = usual


@contextmanager
def newer(project: Project) -> Iterator[None]:
    def version(number: str) -> None:
        with closing(sqlite3.connect(project.root / ".synthprobe" / "history.db")) as store:
            store.execute("UPDATE alembic_version SET version_num = ?", [number])
            store.commit()

    version("9999")
    yield
    version(database.REVISIONS[-1])


@contextmanager
def locked(project: Project) -> Iterator[None]:
    with closing(sqlite3.connect(project.root / ".synthprobe" / "history.db", isolation_level=None)) as store:
        store.execute("BEGIN EXCLUSIVE")
        yield
        store.execute("ROLLBACK")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.2)


@pytest.mark.parametrize(
    ("out_of_use", "known"), [(unreachable, True), (not_configured, True), (newer, False), (locked, True)]
)
def test_without_a_history_a_failure_is_told_once_and_goes_on_as_one_incident_later(
    project, heard, impatient, out_of_use, known
):
    project.run()
    with out_of_use(project):
        away = [project.run(failing=(SIGN_IN,)) for _ in range(3)]
    assert {verdict.journeys[0].outcome for verdict in away} == {"failed"}
    assert all(verdict.notes for verdict in away)
    (message,) = heard.messages
    assert message["title"].startswith("PAGE demo: Sign in")
    assert ("Earlier runs: The history could not be used" in message["message"]) is not known
    assert heard.beats == ["success"] * 4, "every slot was judged, and everybody was told"
    back = project.run(failing=(SIGN_IN,))
    (incident,) = project.incidents("open")
    assert {verdict.journeys[0].incident for verdict in (*away, back)} == {incident.id}
    assert incident.occurrences == 4
    assert len(heard.messages) == 1
    project.run()
    project.run()
    assert project.incidents("open") == []
    assert [message["title"][:5] for message in heard.messages] == ["PAGE ", "Over:"]


@pytest.mark.parametrize("out_of_use", [unreachable, locked])
def test_a_failure_told_before_the_history_went_away_is_not_told_again(project, heard, impatient, out_of_use):
    first = project.run(failing=(SIGN_IN,))
    with out_of_use(project):
        second = project.run(failing=(SIGN_IN,))
    assert first.journeys[0].incident == second.journeys[0].incident
    assert len(heard.messages) == 1


@pytest.mark.parametrize(
    ("meanwhile", "now"),
    [("acknowledged", [("acknowledged", 3)]), ("resolved", [("resolved", 2), ("open", 1)])],
)
def test_what_people_did_to_an_incident_while_the_history_was_away_for_this_machine_stands(project, meanwhile, now):
    project.run(failing=(SIGN_IN,))
    with unreachable(project):
        project.run(failing=(SIGN_IN,))
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        (incident,) = history.incidents("demo")
        ended = datetime.now(UTC) if meanwhile == "resolved" else None
        history.put_incident(msgspec.structs.replace(incident, state=meanwhile, resolved_at=ended))
    project.run(failing=(SIGN_IN,))
    assert [(incident.state, incident.occurrences) for incident in project.incidents()] == now


def test_without_a_history_a_failure_that_lasts_is_repeated_as_its_route_says(project, heard):
    (route,) = project.config.alerts.routes
    repeated = msgspec.structs.replace(project.config.alerts, routes=(msgspec.structs.replace(route, repeat="1ms"),))
    project.config = msgspec.structs.replace(project.config, alerts=repeated)
    with unreachable(project):
        project.run(failing=(SIGN_IN,))
        project.run(failing=(SIGN_IN,))
    assert [message["title"][:5] for message in heard.messages] == ["PAGE ", "Still"]


def test_without_a_history_nobody_told_is_a_failure_to_the_watcher_and_the_message_waits(project, heard, impatient):
    usual = project.environ["PAGER"]
    project.environ["PAGER"] = "json://127.0.0.1:1/pager"
    with unreachable(project):
        project.run(failing=(SIGN_IN,))
    assert (heard.messages, heard.beats) == ([], ["fail"])
    outbox = Outbox(project.root / ".synthprobe" / "history.db")
    route = project.config.alerts
    now = datetime.now(UTC) + timedelta(minutes=2)
    assert sending.deliver(outbox, route, AppriseChannel(project.environ | {"PAGER": usual}), now).complete
    assert len(heard.messages) == 1


def test_a_message_that_cannot_be_written_here_is_sent_and_told_once(project, heard):
    (project.root / ".synthprobe" / "history.db").mkdir(parents=True)
    assert any("Messages are kept in the spare folder" in note for note in project.run(failing=(SIGN_IN,)).notes)
    project.run(failing=(SIGN_IN,))
    assert [message["title"][:4] for message in heard.messages] == ["PAGE"]
    assert heard.beats == ["success"] * 2, "somebody was told"


def test_a_history_locked_during_the_run_leaves_the_verdict_as_it_was_judged(project, heard, impatient):
    for _ in range(40):
        project.run()
    slow = [project.run(ms=1008).journeys[0].outcome for _ in range(3)]
    assert slow[-1] == "degraded"
    with locked(project):
        verdict = project.run(ms=1008)
    assert verdict.journeys[0].outcome == "degraded"
    assert exit_code(verdict, fail_on_degraded=True) == 1
    assert any("locked by another program" in note and "waits in" in note for note in verdict.notes)
