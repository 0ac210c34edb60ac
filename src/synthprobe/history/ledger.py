"""The ledger of test data: rows that are closed once, here or elsewhere, and never opened again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete, or_, select

from synthprobe.history.database import LEDGER, to_ms, upsert
from synthprobe.records.testdata import LedgerEntry


def write_entry(connection: Connection, entry: LedgerEntry) -> None:
    """Write an entry, or replace what is known of it while it is open."""
    row = {
        "target": entry.target,
        "closed": to_ms(entry.closed_at) if entry.closed_at else None,
        "body": msgspec.json.encode(entry).decode(),
    }
    statement = upsert(connection, LEDGER).values({"token": entry.token, **row})
    connection.execute(
        statement.on_conflict_do_update(index_elements=["token"], set_=row, where=LEDGER.c.closed.is_(None))
    )


def read_entries(connection: Connection, target: str | None = None, since: datetime | None = None) -> list[LedgerEntry]:
    """Entries that are open, and those that were closed since a moment; oldest first."""
    query = select(LEDGER.c.body)
    if target is not None:
        query = query.where(LEDGER.c.target == target)
    open_now = LEDGER.c.closed.is_(None)
    query = query.where(open_now if since is None else or_(open_now, LEDGER.c.closed >= to_ms(since)))
    found = [msgspec.json.decode(body, type=LedgerEntry) for body in connection.execute(query).scalars()]
    return sorted(found, key=lambda entry: (entry.at, entry.token))


def read_closed(connection: Connection, tokens: Sequence[str]) -> list[LedgerEntry]:
    """Those of some entries that are closed."""
    query = select(LEDGER.c.body).where(LEDGER.c.token.in_(tokens), LEDGER.c.closed.is_not(None))
    return [msgspec.json.decode(body, type=LedgerEntry) for body in connection.execute(query).scalars()]


def is_known(connection: Connection, token: str) -> bool:
    """Whether there is such an entry, open or closed."""
    return connection.execute(select(LEDGER.c.token).where(LEDGER.c.token == token)).first() is not None


def remove_closed(connection: Connection, now: datetime, days: float) -> int:
    """Remove entries that were closed long ago."""
    return connection.execute(delete(LEDGER).where(LEDGER.c.closed < to_ms(now - timedelta(days=days)))).rowcount
