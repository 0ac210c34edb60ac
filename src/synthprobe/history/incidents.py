"""Incidents, the audit, messages to people, and the ledger of test data, whose rows are closed once for good."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, or_, select, text

from synthprobe.history.database import AUDIT, INCIDENTS, LEDGER, LETTER_TOPICS, LETTERS, put, to_ms, upsert
from synthprobe.records.decoding import from_json
from synthprobe.records.incident import Incident, merged
from synthprobe.records.testdata import LedgerEntry

_ASKED = 500  # names in a question: a database takes a few thousand


def read_incidents(connection: Connection, target: str | None = None) -> list[Incident]:
    """Incidents, oldest first."""
    query = select(INCIDENTS.c.body).order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
    if target is not None:
        query = query.where(INCIDENTS.c.target == target)
    return [from_json(body, Incident) for body in connection.execute(query).scalars()]


def read_incident(connection: Connection, id: str) -> Incident | None:
    """One incident, if it is known."""
    body = connection.execute(select(INCIDENTS.c.body).where(INCIDENTS.c.id == id)).scalar()
    return from_json(body, Incident) if body is not None else None


def write_incident(connection: Connection, incident: Incident, base: Incident | None = None) -> None:
    """Write an incident, or replace what is known of it; what others made meanwhile of its base is not lost."""
    if base is not None and (known := read_incident(connection, incident.id)) not in {None, base}:
        incident = merged(base, incident, known)
    row: dict[str, Any] = {"id": incident.id, "target": incident.target, "state": incident.state}
    row |= {"opened_at": to_ms(incident.opened_at), "body": msgspec.json.encode(incident).decode()}
    put(connection, INCIDENTS, [row])


def append_audit(
    connection: Connection,
    entries: Sequence[dict[str, Any]],
    check: Callable[[list[dict[str, Any]]], None] | None = None,
) -> None:
    """Add entries at the end of the audit; none when the check refuses, while which nobody else can add any."""
    if check is not None:
        if connection.dialect.name == "postgresql":  # SQLite has its one writer
            connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
        check(read_audit(connection))
    for entry in entries:
        connection.execute(AUDIT.insert().values(body=msgspec.json.encode(entry).decode()))


def add_to_audit(connection: Connection, entry: dict[str, Any]) -> None:
    """Add an entry, unless it is there already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
    body = msgspec.json.encode(entry).decode()
    if connection.execute(select(AUDIT.c.no).where(AUDIT.c.body == body)).first() is None:
        append_audit(connection, [entry])


def read_audit_rows(connection: Connection) -> list[str]:
    """All entries of the audit as they are written, oldest first."""
    return list(connection.execute(select(AUDIT.c.body).order_by(AUDIT.c.no)).scalars())


def read_audit(connection: Connection) -> list[dict[str, Any]]:
    """All entries of the audit, oldest first."""
    return [from_json(body) for body in read_audit_rows(connection)]


def write_letter(
    connection: Connection, id: str, at: datetime, done: datetime | None, body: str, topics: Collection[str]
) -> None:
    """Write a message and what became of it, or replace what is known of it."""
    put(connection, LETTERS, [{"id": id, "at": to_ms(at), "done": to_ms(done) if done else None, "body": body}])
    rows = [{"topic": topic, "letter": id} for topic in sorted({id, *topics})]
    connection.execute(upsert(connection, LETTER_TOPICS).on_conflict_do_nothing(), rows)


def read_letters(connection: Connection, topics: Collection[str] | None = None, *, waiting: bool = False) -> list[str]:
    """All messages, oldest first; or those about some topics, and those that wait."""
    query = select(LETTERS.c.body).order_by(LETTERS.c.at, LETTERS.c.id)
    if topics is None and not waiting:
        return list(connection.execute(query).scalars())
    found = list(connection.execute(query.where(LETTERS.c.done.is_(None))).scalars()) if waiting else []
    wanted = sorted(topics or ())
    for first in range(0, len(wanted), _ASKED):
        part = wanted[first : first + _ASKED]
        about = select(LETTER_TOPICS.c.letter).where(LETTER_TOPICS.c.topic.in_(part))
        found += connection.execute(query.where(LETTERS.c.id.in_(about))).scalars()
    return list(dict.fromkeys(found))


def remove_letters(connection: Connection, before: datetime, most: int) -> int:
    """Remove messages of long ago, and the oldest of those that ended when there are more than may be kept."""
    ended = select(LETTERS.c.done).where(LETTERS.c.done.is_not(None)).order_by(LETTERS.c.done.desc())
    surplus = connection.execute(ended.offset(most).limit(1)).scalar()
    old = (LETTERS.c.done < to_ms(before)) | (LETTERS.c.done.is_(None) & (LETTERS.c.at < to_ms(before)))
    where = old if surplus is None else old | (LETTERS.c.done <= surplus)
    removed = connection.execute(LETTERS.delete().where(where)).rowcount
    if removed:
        connection.execute(LETTER_TOPICS.delete().where(LETTER_TOPICS.c.letter.not_in(select(LETTERS.c.id))))
    return removed


def write_entry(connection: Connection, entry: LedgerEntry) -> None:
    """Write an entry, or replace what is known of it while it is open."""
    row: dict[str, Any] = {"token": entry.token, "target": entry.target, "body": msgspec.json.encode(entry).decode()}
    row["closed"] = to_ms(entry.closed_at) if entry.closed_at else None
    put(connection, LEDGER, [row], where=LEDGER.c.closed.is_(None))


def read_entries(connection: Connection, target: str | None = None, since: datetime | None = None) -> list[LedgerEntry]:
    """Entries that are open, and those that were closed since a moment; oldest first."""
    query = select(LEDGER.c.body)
    if target is not None:
        query = query.where(LEDGER.c.target == target)
    open_now = LEDGER.c.closed.is_(None)
    query = query.where(open_now if since is None else or_(open_now, LEDGER.c.closed >= to_ms(since)))
    found = [from_json(body, LedgerEntry) for body in connection.execute(query).scalars()]
    return sorted(found, key=lambda entry: (entry.at, entry.token))


def read_closed(connection: Connection, tokens: Sequence[str]) -> list[LedgerEntry]:
    """Those of some entries that are closed."""
    query = select(LEDGER.c.body).where(LEDGER.c.token.in_(tokens), LEDGER.c.closed.is_not(None))
    return [from_json(body, LedgerEntry) for body in connection.execute(query).scalars()]


def is_known(connection: Connection, token: str) -> bool:
    """Whether there is such an entry, open or closed."""
    return connection.execute(select(LEDGER.c.token).where(LEDGER.c.token == token)).first() is not None


def remove_closed(connection: Connection, now: datetime, days: float) -> int:
    """Remove entries that were closed long ago."""
    return connection.execute(delete(LEDGER).where(LEDGER.c.closed < to_ms(now - timedelta(days=days)))).rowcount
