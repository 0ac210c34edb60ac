"""What a damaged file still gives of what is in no run folder: the ledger of test data, and the audit."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection

from synthprobe.history import waiting
from synthprobe.records.testdata import LedgerEntry

T = TypeVar("T")


def rescue(damaged: Path, connection: Connection) -> str:
    """Read it into a fresh store, and let it wait for a shared one; how much it was, as a sentence."""
    entries = list(_decoded(_bodies(damaged, "ledger"), LedgerEntry))
    for entry in entries:
        waiting.keep_entry(connection, entry)
    lines = list(_decoded(_bodies(damaged, "audit"), dict[str, Any]))
    waiting.keep_audited(connection, lines)
    return f"Of the ledger of test data {len(entries)} entries were read from it, of the audit {len(lines)} lines."


def _decoded(bodies: list[str], kind: type[T]) -> Iterator[T]:
    for body in bodies:
        with contextlib.suppress(msgspec.DecodeError):
            yield msgspec.json.decode(body, type=kind)


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
