"""What the shared store has still to hear of: written with the fact itself, or rescued from a damaged file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, delete, func, select

from synthprobe.history import incidents, parts, results, rows
from synthprobe.history.database import AUDIT, WAITING, put, upsert
from synthprobe.records.decoding import from_json, from_msgpack
from synthprobe.records.fleet import PartSeen
from synthprobe.records.incident import Incident, Observation, merged
from synthprobe.records.testdata import LedgerEntry
from synthprobe.records.verdict import Verdict

RUN, INCIDENT, ENTRY, AUDITED = "run", "incident", "ledger entry", "audit"


class JudgedRun(Struct, frozen=True, kw_only=True):
    """All that is remembered of a run."""

    verdict: Verdict
    observations: tuple[Observation, ...] = ()
    states: Mapping[tuple[str, str], bytes] = {}
    part: PartSeen | None = None


def write_run(connection: Connection, run: JudgedRun) -> bool:
    """Write a run; whether it was not known before."""
    if run.part is not None and not parts.finish_part(connection, run.part):
        return False
    at = run.verdict.run
    new = results.write_verdict(connection, run.verdict)
    rows.write_intervals(connection, run.verdict)
    results.write_observations(connection, run.observations)
    results.write_states(connection, at.target, run.states, location=at.location)
    return new


def keep_run(connection: Connection, run: JudgedRun) -> bool:
    """Write a run, and let it wait for the shared store."""
    _wait(connection, RUN, run.verdict.run.id, msgspec.msgpack.encode(run))
    if run.part is not None and not run.part.final:
        return False
    return write_run(connection, replace(run, part=None))  # who has the part is known in the shared store alone


def keep_incident(connection: Connection, incident: Incident, base: Incident | None) -> None:
    """Write an incident, and let it wait with what was known before the first change the shared store has not heard."""
    before = incidents.read_incident(connection, incident.id)
    _wait(connection, INCIDENT, incident.id, msgspec.msgpack.encode(before))
    incidents.write_incident(connection, incident, base)


def keep_entry(connection: Connection, entry: LedgerEntry) -> None:
    """Write an entry of the ledger, and let it wait as it is now."""
    body = msgspec.msgpack.encode(entry)
    put(connection, WAITING, [{"kind": ENTRY, "id": entry.token, "body": body}])
    incidents.write_entry(connection, entry)


def keep_audited(connection: Connection, entries: Sequence[dict[str, Any]]) -> None:
    """Add entries to the audit, and let them wait in their order."""
    incidents.append_audit(connection, entries)
    if not entries:
        return
    newest = connection.execute(select(func.max(AUDIT.c.no))).scalar_one()
    for number, entry in enumerate(entries, newest - len(entries) + 1):
        _wait(connection, AUDITED, f"{number:012}", msgspec.msgpack.encode(entry))


def _wait(connection: Connection, kind: str, id: str, body: bytes) -> None:
    row = {"kind": kind, "id": id, "body": body}
    connection.execute(upsert(connection, WAITING).values(row).on_conflict_do_nothing())


def read_waiting(connection: Connection) -> list[tuple[Any, Incident | None]]:
    """What waits, runs first, incidents with what is known of them."""
    found = connection.execute(select(WAITING).order_by(WAITING.c.kind.desc(), WAITING.c.id)).all()
    return [(row, incidents.read_incident(connection, row.id) if row.kind == INCIDENT else None) for row in found]


def tell(connection: Connection, row: Any, known: Incident | None) -> bool | Incident | None:
    """Bring the shared store up to date: whether a run was new to it, or the incident as it is there."""
    if row.kind == RUN:
        return write_run(connection, from_msgpack(row.body, JudgedRun))
    if row.kind == AUDITED:
        incidents.add_to_audit(connection, from_msgpack(row.body))
        return True
    if row.kind == ENTRY:
        incidents.write_entry(connection, from_msgpack(row.body, LedgerEntry))
        return True
    base = from_msgpack(row.body, Incident | None)
    if known is None:
        return None
    theirs = incidents.read_incident(connection, known.id)
    result = known if theirs in {None, base} else merged(base, known, theirs)
    incidents.write_incident(connection, result)
    return result


def forget(connection: Connection, row: Any, known: bool | Incident | None) -> None:
    """Note at home that a row was told; an incident becomes what the shared store made of it."""
    same = (WAITING.c.kind == row.kind, WAITING.c.id == row.id, WAITING.c.body == row.body)
    connection.execute(delete(WAITING).where(*same))
    if isinstance(known, Incident):
        incidents.write_incident(connection, known)


def mirror_incidents(connection: Connection, known: Mapping[str, Incident]) -> None:
    """Know at home what the shared store knows, but of what waits."""
    ours = {incident.id: incident for incident in incidents.read_incidents(connection)}
    waiting = set(connection.execute(select(WAITING.c.id).where(WAITING.c.kind == INCIDENT)).scalars())
    for id, incident in known.items():
        if id not in waiting and ours.get(id) != incident:
            incidents.write_incident(connection, incident)


T = TypeVar("T")


def rescue(damaged: Path, connection: Connection) -> str:
    """Read it into a fresh store, and let it wait for a shared one; how much it was, as a sentence."""
    entries = list(_decoded(_bodies(damaged, "ledger"), LedgerEntry))
    for entry in entries:
        keep_entry(connection, entry)
    lines = list(_decoded(_bodies(damaged, "audit"), dict[str, Any]))
    keep_audited(connection, lines)
    return f"Of the ledger of test data {len(entries)} entries were read from it, of the audit {len(lines)} lines."


def _decoded(bodies: list[str], kind: type[T]) -> Iterator[T]:
    for body in bodies:
        with contextlib.suppress(msgspec.DecodeError):
            yield from_json(body, kind)


def _bodies(damaged: Path, table: str) -> list[str]:
    """What can be read from both ends, up to where the damage is."""
    found: dict[int, str] = {}
    for order in ("ASC", "DESC"):
        found |= dict(_read(damaged, f"SELECT rowid, body FROM {table} ORDER BY rowid {order}", found))  # noqa: S608
    return [found[number] for number in sorted(found)]


def _read(damaged: Path, query: str, known: dict[int, str]) -> Iterator[tuple[int, str]]:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_opened(damaged)) as store:
        store.execute("PRAGMA writable_schema = ON")  # a file that was cut off is read as well
        for row in store.execute(query):
            number, body = row
            if number in known:
                return
            if isinstance(body, str):
                yield number, body


def _opened(damaged: Path) -> Any:
    waits = damaged.with_name(f"{damaged.name}-wal").exists()  # where none does, none is to be made by reading
    return sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro&immutable={int(not waits)}", uri=True)
