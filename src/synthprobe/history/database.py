"""The tables, and the two databases they live in: SQLite by default, PostgreSQL when several probes share them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from synthprobe.deadlines import OverdueError, left_s, within
from synthprobe.errors import HistoryError
from synthprobe.history.address import EXPECTED, wrong_with
from synthprobe.tools import needs

REVISIONS = ("0003", "0004", "0005", "0006", "0007")
"""Every schema this version knows, oldest first; the last is its own."""

LOCK_WAIT_S = 5.0
PASSED = "p"
"""Outcomes are stored as their first letters."""

_SLICE_MS = 200
_SCHEMA_LOCK = 7_283_941
METADATA = MetaData()


_NUMBERS = {"at": BigInteger, "slot": BigInteger, "attempt": SmallInteger, "part": SmallInteger}
_NUMBERS |= dict.fromkeys(("series_no", "journey_no", "run_no"), Integer)


def _keys(*names: str) -> list[Column[Any]]:
    """Columns of a primary key, each of the same kind in every table."""
    return [Column(name, _NUMBERS.get(name, String), primary_key=True, autoincrement=False) for name in names]


def _must(*names: str, kind: Any = BigInteger) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


# times are milliseconds since 1970 UTC, durations microseconds: integers are the smallest in both databases
RUNS = Table(
    "runs",
    METADATA,
    Column("no", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    *_must("target", "location", kind=String),
    *_must("slot", "started_at", "finished_at"),
    *_must("build", kind=String),
    Column("part", SmallInteger, nullable=False, server_default="0"),  # of a slot that several judge together
    Index("runs_started", "started_at"),
)
JOURNEYS = Table(
    "journeys",
    METADATA,
    Column("no", Integer, primary_key=True),
    *_must("target", "journey", kind=String),
    Column("every_s", Integer),
    Column("every_since", BigInteger),  # its present interval; nothing as long as every slot was its own
    UniqueConstraint("target", "journey"),
)
SERIES = Table(
    "series",
    METADATA,
    Column("no", Integer, primary_key=True),
    *_must("journey_no", kind=Integer),
    *_must("location", "step", "operation", kind=String),
    UniqueConstraint("journey_no", "location", "step", "operation"),
)
ATTEMPTS = Table(
    "attempts",
    METADATA,
    *_keys("run_no", "journey_no", "attempt"),
    *_must("outcome", kind=String),
    *_must("started_at", "duration_us"),
    Column("cause", Text),
    Column("failure", Text),
    sqlite_with_rowid=False,
)
OBSERVATIONS = Table(
    "observations",
    METADATA,
    *_keys("journey_no", "at", "run_no"),
    *_must("outcome", kind=String),
    Column("body", Text),  # the rest of the record when it says more than the outcome
    sqlite_with_rowid=False,
)
STEPS = Table(
    "steps",
    METADATA,
    *_keys("series_no", "at", "run_no", "attempt"),
    *_must("duration_us"),
    Column("over_us", BigInteger),
    *_must("failed", kind=SmallInteger),
    *_must("kept", kind=SmallInteger),  # of an attempt that did not pass: kept as long as failures are
    sqlite_with_rowid=False,
)
SERVER_TIMING = Table(
    "server_timing",
    METADATA,
    *_keys("series_no", "at", "run_no", "attempt"),
    *_must("calls", kind=Integer),
    *_must("total_us"),
    sqlite_with_rowid=False,
)


def _roll_up(name: str) -> Table:
    return Table(
        name,
        METADATA,
        *_keys("series_no", "at"),
        *_must("count", "failed", kind=Integer),
        *_must("total_us", "over_us", "min_us", "max_us"),
        *_must("sketch", kind=LargeBinary),
        sqlite_with_rowid=False,
    )


HOURLY, DAILY = _roll_up("hourly"), _roll_up("daily")
SLOTS = Table(
    "slots",
    METADATA,
    *_keys("target", "slot", "location"),
    *_must("at"),
    *_must("outcomes", kind=Text),  # one letter for each journey number, - for not judged
    sqlite_with_rowid=False,
)
PLANS = Table(
    "plans",
    METADATA,
    *_keys("target", "slot"),
    *_must("at"),
    *_must("body", kind=LargeBinary),
    sqlite_with_rowid=False,
)
PARTS = Table(
    "parts",
    METADATA,
    *_keys("target", "slot", "location", "part"),
    *_must("token"),
    *_must("holder", kind=String),
    *_must("taken_at", "leased_until"),
    Column("done_at", BigInteger),
    *_must("note", kind=Text),
    Column("body", LargeBinary),
    sqlite_with_rowid=False,
)
DETECTOR_STATE = Table("detector_state", METADATA, *_keys("series_no"), *_must("state", kind=LargeBinary))
INCIDENTS = Table(
    "incidents",
    METADATA,
    *_keys("id"),
    *_must("target", "state", kind=String),
    *_must("opened_at"),
    *_must("body", kind=Text),
)
AUDIT = Table("audit", METADATA, Column("no", Integer, primary_key=True), *_must("body", kind=Text))
_APPEND_ONLY = "The audit is append-only: an entry is neither changed nor removed."
for _dialect, _statement in (
    (
        "sqlite",
        f"CREATE TRIGGER audit_refuses_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END",
    ),
    (
        "sqlite",
        f"CREATE TRIGGER audit_refuses_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END",
    ),
    (
        "postgresql",
        "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$",
    ),
    (
        "postgresql",
        "CREATE TRIGGER audit_refuses BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_refuses()",
    ),
):
    event.listen(AUDIT, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
LETTERS = Table(
    "letters",
    METADATA,
    *_keys("id"),
    *_must("at"),
    Column("done", BigInteger),  # when a channel had taken it
    *_must("body", kind=Text),
    Index("letters_done", "done"),
)
LETTER_TOPICS = Table("letter_topics", METADATA, *_keys("topic", "letter"), sqlite_with_rowid=False)
"""What each message is about, its own id among it."""

LEDGER = Table(
    "ledger",
    METADATA,
    *_keys("token"),
    *_must("target", kind=String),
    Column("closed", BigInteger),  # when it was known to be gone, or was given up
    *_must("body", kind=Text),
    Index("ledger_open", "target", "closed"),
)
WAITING = Table("waiting", METADATA, *_keys("kind", "id"), *_must("body", kind=LargeBinary))
META = Table("meta", METADATA, *_keys("name"), *_must("value", kind=String))
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


class UnknownSchema(HistoryError):
    """The store belongs to a newer version, or to one before the first release; it is left untouched."""


def make_engine(url: str) -> Engine:
    """An engine for a store."""
    wrong = wrong_with(url)
    try:
        if not wrong and url.startswith("sqlite:"):
            path = URL.create("sqlite", database=url.removeprefix("sqlite:///"))  # a path may hold any sign, also "?"
            engine = create_engine(path, connect_args={"timeout": LOCK_WAIT_S})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        if not wrong:
            wait = int(LOCK_WAIT_S)
            connect = {
                "connect_timeout": wait,
                "options": f"-c lock_timeout={wait}s -c statement_timeout=60s",
                "keepalives_idle": 5,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            }
            with needs("postgres", "A history in PostgreSQL", HistoryError):
                engine = create_engine(url, connect_args=connect, pool_pre_ping=False)
            event.listen(engine, "do_connect", _connect_in_time)
            return engine
    except (ArgumentError, NoSuchModuleError, ValueError):
        wrong = wrong or EXPECTED
    raise HistoryError(f"The history's url cannot be used. {wrong} Correct [history] url.")


def _connect_in_time(dialect: Any, _: Any, args: Any, options: dict[str, Any]) -> Any:
    """A connection; no timeout of the driver holds while a name is looked up."""
    try:
        return within(
            LOCK_WAIT_S, "The database, or what looks up its name,", partial(dialect.connect, *args, **options)
        )
    except OverdueError as error:
        raise dialect.dbapi.OperationalError(str(error)) from None


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # we begin ourselves
    connection.execute(f"PRAGMA busy_timeout = {int(LOCK_WAIT_S * 1000)}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    # a read that later writes cannot wait for another writer, so writers take their turn at once; they wait in slices,
    # as a wait of SQLite itself cannot be cut short when the process is asked to end
    options = connection.get_execution_options()
    if not options.get("write"):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('durable') else 'NORMAL'}")
    ends = time.monotonic() + LOCK_WAIT_S
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_SLICE_MS}")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if "locked" not in str(error.orig) or left_s(ends - time.monotonic()) <= 0:
                    raise
            else:
                return
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(LOCK_WAIT_S * 1000)}")


def upsert(connection: Connection, target: Table) -> Any:
    """An ``INSERT`` that can say what to do on conflict."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(target)
    return sqlite.insert(target)


def put(connection: Connection, target: Table, rows: Sequence[Mapping[str, Any]], where: Any = None) -> None:
    """Write rows, or replace what stands under their keys."""
    if rows:
        key = [column.name for column in target.primary_key]
        statement = upsert(connection, target)
        updates = {name: statement.excluded[name] for name in rows[0] if name not in key}
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=updates, where=where), rows)


def bring_up_to_date(engine: Engine) -> None:
    """Create or migrate the schema."""
    with engine.connect() as connection:
        if _version(connection) == REVISIONS[-1]:
            return
    with engine.execution_options(write=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
        version = _version(connection)
        if version == REVISIONS[-1]:
            return  # another process was quicker
        if version is None:  # a new store needs no way there, and no migrations loaded
            _VERSION.create(connection)
            METADATA.create_all(connection)
            connection.execute(_VERSION.insert().values(version_num=REVISIONS[-1]))
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(select(_VERSION.c.version_num)).scalar()
    if version is not None and version not in REVISIONS:
        raise UnknownSchema(
            f"The history has schema {version}; this version of synthprobe knows {REVISIONS[0]} to {REVISIONS[-1]}. "
            "It is left untouched. Upgrade synthprobe here if it is newer, or give this probe a history of its own."
        )
    return str(version) if version is not None else None


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """The time, UTC, of milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)
