"""The tables as stores of version 0.2.0 have them. The product makes new stores whole, so only tests need these."""

from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

_REFUSE = "The audit is append-only: an entry is neither changed nor removed."


def _key(name: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _must(name: str, kind: Any = sa.BigInteger) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def make_first_schema(connection: sa.Connection) -> None:
    """Create the tables as they were then, and make the audit append-only."""
    op = Operations(MigrationContext.configure(connection))
    op.create_table(
        "runs",
        sa.Column("no", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        _must("target", sa.String),
        _must("location", sa.String),
        _must("slot"),
        _must("started_at"),
        _must("finished_at"),
        _must("build", sa.String),
    )
    op.create_index("runs_started", "runs", ["started_at"])
    op.create_table(
        "journeys",
        sa.Column("no", sa.Integer, primary_key=True),
        _must("target", sa.String),
        _must("journey", sa.String),
        sa.UniqueConstraint("target", "journey"),
    )
    op.create_table(
        "series",
        sa.Column("no", sa.Integer, primary_key=True),
        _must("journey_no", sa.Integer),
        _must("location", sa.String),
        _must("step", sa.String),
        _must("operation", sa.String),
        sa.UniqueConstraint("journey_no", "location", "step", "operation"),
    )
    op.create_table(
        "attempts",
        _key("run_no"),
        _key("journey_no"),
        _key("attempt", sa.SmallInteger),
        _must("outcome", sa.String),
        _must("started_at"),
        _must("duration_us"),
        sa.Column("cause", sa.Text),
        sa.Column("failure", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "observations",
        _key("journey_no"),
        _key("at", sa.BigInteger),
        _key("run_no"),
        _must("outcome", sa.String),
        sa.Column("body", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "steps",
        _key("series_no"),
        _key("at", sa.BigInteger),
        _key("run_no"),
        _key("attempt", sa.SmallInteger),
        _must("duration_us"),
        sa.Column("over_us", sa.BigInteger),
        _must("failed", sa.SmallInteger),
        _must("kept", sa.SmallInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "server_timing",
        _key("series_no"),
        _key("at", sa.BigInteger),
        _key("run_no"),
        _key("attempt", sa.SmallInteger),
        _must("calls", sa.Integer),
        _must("total_us"),
        sqlite_with_rowid=False,
    )
    for name in ("hourly", "daily"):
        op.create_table(
            name,
            _key("series_no"),
            _key("at", sa.BigInteger),
            _must("count", sa.Integer),
            _must("failed", sa.Integer),
            _must("total_us"),
            _must("over_us"),
            _must("min_us"),
            _must("max_us"),
            _must("sketch", sa.LargeBinary),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "slots",
        _key("target", sa.String),
        _key("slot", sa.BigInteger),
        _key("location", sa.String),
        _must("at"),
        _must("outcomes", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table("detector_state", _key("series_no"), _must("state", sa.LargeBinary))
    op.create_table(
        "incidents",
        _key("id", sa.String),
        _must("target", sa.String),
        _must("state", sa.String),
        _must("opened_at"),
        _must("body", sa.Text),
    )
    op.create_table("audit", sa.Column("no", sa.Integer, primary_key=True), _must("body", sa.Text))
    op.create_table(
        "letters",
        _key("id", sa.String),
        _must("at"),
        sa.Column("done", sa.BigInteger),
        _must("body", sa.Text),
    )
    op.create_table("waiting", _key("kind", sa.String), _key("id", sa.String), _must("body", sa.LargeBinary))
    op.create_table("meta", _key("name", sa.String), _must("value", sa.String))
    _make_append_only(op)
    connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0003')")


def _make_append_only(op: Operations) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_refuses_{act.lower()} BEFORE {act} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSE}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_refuses BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_refuses()"
    )
