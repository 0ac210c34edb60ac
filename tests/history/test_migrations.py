"""The way from the first schema to the one of today: what migrations make, and what they keep."""

import base64
import json
from pathlib import Path

import alembic.autogenerate
import alembic.command
import alembic.config
import pytest
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from first_schema import make_first_schema
from made_history import START, opened, verdict

from synthprobe.history import database

ROWS = Path(__file__).with_name("first_revision.jsonl")
"""Rows as a store of the first schema held them; never written again, whatever later schemas hold."""
BINARY = {"hourly": "sketch", "daily": "sketch", "detector_state": "state"}


def config() -> alembic.config.Config:
    made = alembic.config.Config()
    made.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    return made


@pytest.fixture
def engine(place):
    made = database.make_engine(place if "://" in place else f"sqlite:///{place}")
    yield made
    made.dispose()


@pytest.fixture
def first_revision(engine):
    """A store as the first version left it, with rows in every table."""
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()[1:]]
    with engine.execution_options(write=True).begin() as connection:
        make_first_schema(connection)
        tables = sqlalchemy.MetaData()
        tables.reflect(connection)
        for name, row in rows:
            if binary := BINARY.get(name):
                row[binary] = base64.b64decode(row[binary])
            connection.execute(tables.tables[name].insert().values(row))
        if connection.dialect.name == "postgresql":
            for name in ("runs", "journeys", "series", "audit"):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'no'), (SELECT max(no) FROM {name}))"
                )


def schema(engine):
    """All that the database itself says of its tables."""
    found = sqlalchemy.inspect(engine)
    triggers = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
        "postgresql": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
    }[engine.dialect.name]
    with engine.connect() as connection:
        rules = connection.exec_driver_sql(triggers).all()
    return rules, {
        name: (
            [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            found.get_foreign_keys(name),
            found.get_indexes(name),
            found.get_unique_constraints(name),
        )
        for name in found.get_table_names()
    }


def test_a_new_store_is_as_the_migrations_make_it(engine):
    with engine.execution_options(write=True).begin() as connection:
        make_first_schema(connection)
        way = config()
        way.attributes["connection"] = connection
        alembic.command.upgrade(way, "head")
    migrated = schema(engine)
    with engine.execution_options(write=True).begin() as connection:
        made = sqlalchemy.MetaData()
        made.reflect(connection)
        made.drop_all(connection)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("DROP FUNCTION audit_refuses")
    database.bring_up_to_date(engine)
    assert schema(engine) == migrated
    rules, tables = migrated
    assert rules
    assert len(tables["steps"][0]) > 5
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert alembic.autogenerate.compare_metadata(context, database.METADATA) == []


def test_no_migration_reads_the_tables_of_today():
    """A revision says what was; one that asks the living tables would change with them."""
    for path in (Path(database.__file__).parent / "migrations" / "versions").glob("v*.py"):
        assert "synthprobe" not in path.read_text(), path.name


def test_the_tables_of_sqlite_are_kept_by_their_key_alone(tmp_path):
    """Without row ids, which half the size of a year; the comparison above does not see it."""
    engine = database.make_engine(f"sqlite:///{tmp_path / 'history.db'}")
    database.bring_up_to_date(engine)
    with engine.connect() as connection:
        without = {row.name for row in connection.exec_driver_sql("PRAGMA table_list") if row.wr}
    engine.dispose()
    declared = {t.name for t in database.METADATA.tables.values() if not t.dialect_options["sqlite"]["with_rowid"]}
    assert without - {"sqlite_schema"} == declared
    assert {"steps", "server_timing", "hourly", "daily", "slots"} <= declared


def test_every_revision_is_known_and_they_are_one_line():
    script = ScriptDirectory.from_config(config())
    assert tuple(revision.revision for revision in script.walk_revisions())[::-1] == database.REVISIONS
    assert script.get_heads() == [database.REVISIONS[-1]]


@pytest.mark.parametrize("revision", database.REVISIONS)
def test_a_store_of_an_older_revision_is_brought_up_to_date_without_loss(
    engine, first_revision, revision, place, tmp_path
):
    with engine.execution_options(write=True).begin() as connection:
        way = config()
        way.attributes["connection"] = connection
        alembic.command.upgrade(way, revision)
    with opened(place, tmp_path) as history:
        assert (history.available, history.notes) == (True, [])
        assert history.check() == []
        assert history.ingest(verdict(1, outcome="failed")) is False, "a run of the old store is known"
        first, second = history.observations("demo")
        assert (first.run_id, first.outcome, second.run_id, second.outcome) == (
            "run-000000",
            "passed",
            "run-000001",
            "failed",
        )
        years = history.step_series("demo", "journey-0", "step 0", START.replace(year=2025))
        assert [(year.span_s, year.count, year.total_ms, year.failed) for year in years] == [
            (86400, 1, 400, 0),
            (3600, 1, 400, 0),
            (0, 1, 400, 0),
            (0, 1, 400, 1),
        ]
        operations = history.operations("demo", START.replace(year=2025), START.replace(year=2027))
        assert {(operation.step, operation.name, operation.calls, operation.total_ms) for operation in operations} == {
            ("step 0", "db query 0", 8, 800),
            ("step 1", "db query 1", 2, 200),
        }
        slots = history.judged_slots("demo", START.replace(year=2025), START.replace(year=2027))
        assert [(slot.location, slot.outcomes["journey-0"]) for slot in slots] == [
            ("", "passed"),
            ("", "passed"),
            ("north", "passed"),
            ("", "failed"),
        ]
        assert history.detector_states("demo") == {("journey-0", "step 0"): bytes(range(256))}
        assert history.audit_entries() == [{"n": 1}, {"n": 2}]
        (incident,) = [incident for incident in history.incidents("demo") if incident.state == "open"]
        assert (incident.id, incident.title, incident.journeys) == ("i1", "Journey 0 fails", ("journey-0",))
        assert history.ingest(verdict(2)) is True
        history.append_audit({"n": 3})
        assert len(history.audit_entries()) == 3
