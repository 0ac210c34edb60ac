"""A result is never dropped because a result of another location, or of a clock that was ahead, is newer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy
from test_afterwards import SIGN_IN, START, Heard, Project, heard, project

from synthprobe import pipeline
from synthprobe.config import HistoryConfig
from synthprobe_demo.postgres import running_postgres

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
DAYS = timedelta(days=3)


def due(project: Project) -> datetime:
    return START + timedelta(minutes=5 * project.number)


def titles(heard: Heard) -> list[str]:
    return [message["title"].split(" demo")[0] for message in heard.messages]


def test_failures_after_a_run_whose_clock_was_days_ahead_are_told(project, heard):
    project.run()
    ahead = project.run(at=datetime.now(UTC) + DAYS)
    first, *others = [project.run(failing=(SIGN_IN,)) for _ in range(4)]
    assert any("the clock was ahead then" in note for note in first.notes)
    assert not [note for verdict in others for note in verdict.notes if "clock" in note], "it is repaired once"
    assert (titles(heard), heard.beats) == (["PAGE"], ["success"] * 6)
    (incident,) = project.incidents("open")
    assert incident.occurrences == 4
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        seen = history.observations("demo", SIGN_IN.id)
        assert not history.is_judged("demo", ahead.run.slot), "nobody looked in that slot yet"
    assert [observation.outcome for observation in seen] == ["passed"] * 2 + ["failed"] * 4
    assert max(observation.at for observation in seen) < datetime.now(UTC)
    ahead_slot = pipeline.is_judged(Project(project.root, project.config), "demo", ahead.run.slot)
    assert ahead_slot == (False, []), "its slot is judged when it comes"
    for _ in range(2):
        project.run()
    assert project.incidents("open") == []


def test_an_incident_opened_by_a_clock_ahead_ends_and_is_repeated_as_any_other(project, heard):
    (route,) = project.config.alerts.routes
    repeated = msgspec.structs.replace(project.config.alerts, routes=(msgspec.structs.replace(route, repeat="1ms"),))
    project.config = msgspec.structs.replace(project.config, alerts=repeated)
    project.run()
    project.run(failing=(SIGN_IN,), at=datetime.now(UTC) + DAYS)
    project.run(failing=(SIGN_IN,))
    assert titles(heard) == ["PAGE", "Still: PAGE"]
    for _ in range(2):
        project.run()
    assert project.incidents("open") == []
    assert all(incident.last_seen_at < datetime.now(UTC) + timedelta(minutes=2) for incident in project.incidents())


def test_a_clock_that_goes_back_drops_nothing_moves_nothing_and_hides_no_slot(project, heard):
    for _ in range(6):
        project.run()
    now = project.run(at=datetime.now(UTC) + timedelta(minutes=5 * 1))
    # as if the clock had gone back by hours: what is remembered leads up to later than now, without a leap
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        before = history.observations("demo", SIGN_IN.id)
        assert history.repair_times("demo", before[2].at, before[2].at, 300) == []
        assert history.observations("demo", SIGN_IN.id) == before
        assert history.has_runs_after("demo", datetime.now(UTC) + timedelta(minutes=1))
    judged, (note,) = pipeline.is_judged(Project(project.root, project.config), "demo", now.run.slot - 40)
    assert not judged
    assert "went back" in note


def test_of_two_locations_the_one_that_begins_first_and_ends_later_is_heard(project, heard):
    usual = project.config
    for _ in range(3):
        at = due(project)
        project.config = msgspec.structs.replace(usual, location="south")
        project.run(at=at + timedelta(seconds=20))
        project.config = msgspec.structs.replace(usual, location="north")
        project.run(at=at, failing=(SIGN_IN,))
    (incident,) = project.incidents("open")
    assert (titles(heard), incident.occurrences) == (["PAGE"], 3)
    assert "flap" not in " ".join(event.text for event in incident.events)
    assert heard.beats == ["success"] * 6
    for _ in range(2):
        project.run()  # north alone is well again
    assert project.incidents("open") == []


@pytest.fixture(scope="module")
def database():
    with running_postgres("full_page_writes=off", "synchronous_commit=off") as started:
        yield started.url().replace("postgresql:", "postgresql+psycopg:")


def test_a_run_is_remembered_at_the_databases_time_and_told(project, heard, database):
    """The machine's clock is days ahead of the database's."""
    project.config = msgspec.structs.replace(project.config, history=HistoryConfig(url=database))
    engine = sqlalchemy.create_engine(database)
    with pipeline.open_history(Project(project.root, project.config, {})):
        pass
    with engine.begin() as connection:  # the database's clock is behind ours, for every session
        connection.exec_driver_sql(
            "CREATE SCHEMA late; CREATE FUNCTION late.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
            "$$ SELECT pg_catalog.clock_timestamp() - interval '3 days' $$; "
            "ALTER DATABASE postgres SET search_path = late, pg_catalog, public"
        )
    engine.dispose()
    project.run()
    verdict = project.run(failing=(SIGN_IN,))
    assert any("ahead of the database's" in note for note in verdict.notes), verdict.notes
    assert titles(heard) == ["PAGE"]
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        *_, newest = history.observations("demo", SIGN_IN.id)
        assert newest.outcome == "failed"
        assert datetime.now(UTC) - newest.at > timedelta(days=2)
