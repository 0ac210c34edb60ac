"""Reads what a PostgreSQL database counts of its statements (the extension ``pg_stat_statements``)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from synthprobe.errors import TargetError
from synthprobe.records.impact import Snapshot, StatementCounter
from synthprobe.tools import needs

TIMEOUT_S = 5
"""Seconds connecting may take; the query itself is given the same."""

_ROWS = """
    select s.queryid::text, s.userid::text, s.toplevel::text, s.query, s.calls, s.total_exec_time
    from pg_stat_statements s join pg_database d on d.oid = s.dbid
    where d.datname = current_database()
"""


def collect(url: str, *, now: datetime | None = None) -> Snapshot:
    """Take a snapshot of the statement counters of one database."""
    with needs("postgres", "Reading the statements of a database"):
        import psycopg
    try:
        with psycopg.connect(
            url, connect_timeout=TIMEOUT_S, options=f"-c statement_timeout={TIMEOUT_S}s", autocommit=True
        ) as connection:
            rows: list[Any] = connection.execute(_ROWS).fetchall()
            hidden = sum(row[0] is None for row in rows)
            name: Any = connection.execute("select current_database()").fetchone()
            info: Any = connection.execute("select stats_reset from pg_stat_statements_info").fetchone()
    except psycopg.Error as error:
        raise _sentence(error) from None
    if hidden:
        raise TargetError(
            "privilege",
            f"The database hides the text of {hidden} statements from this role, so they cannot be named. "
            "Grant it: GRANT pg_read_all_stats TO the role.",
        )
    return Snapshot(
        at=now or datetime.now(UTC),
        counters=tuple(
            StatementCounter(id=f"{row[0]}/{row[1]}/{row[2]}", text=row[3], calls=row[4], total_ms=row[5])
            for row in rows
        ),
        reset_at=info[0].astimezone(UTC) if info and info[0] else None,
        database=name[0],
    )


def _sentence(error: Any) -> TargetError:
    state, text = getattr(error, "sqlstate", None), str(error)
    if state in {"42P01", "55000"} or "pg_stat_statements" in text:
        return TargetError(
            "extension",
            "The database does not count its statements. Add pg_stat_statements to shared_preload_libraries, restart "
            "it, and run in this database: CREATE EXTENSION pg_stat_statements",
        )
    if state in {"28P01", "28000"} or "authentication failed" in text:
        return TargetError("credentials", "The database refused the role or its password. Check the address given.")
    if state == "57014":
        return TargetError("deadline", f"The database did not answer within {TIMEOUT_S} s. Try again when it is idle.")
    return TargetError("refused", "The database cannot be reached. Check the host, the port and the database's name.")
