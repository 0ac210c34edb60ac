"""The centre's SQLite file, with the time and number of queries of each request counted."""

from __future__ import annotations

import contextvars
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE account (name TEXT PRIMARY KEY, role TEXT, salt BLOB, hash BLOB, unit TEXT, state TEXT DEFAULT '');
CREATE TABLE role_grant (role TEXT, action TEXT, PRIMARY KEY (role, action));
CREATE TABLE session (token TEXT PRIMARY KEY, account TEXT, created_at TEXT);
CREATE TABLE unit (id TEXT PRIMARY KEY, agency TEXT, primary_status TEXT, secondary TEXT, incident TEXT,
  lat REAL, lng REAL, speed REAL, fix_at TEXT, recv_at TEXT, synthetic INTEGER, version INTEGER,
  device TEXT DEFAULT '');
CREATE TABLE incident (number TEXT PRIMARY KEY, type TEXT, priority INTEGER, address TEXT, lat REAL, lng REAL,
  status TEXT, caller TEXT, description TEXT, created_at TEXT, dispatched_at TEXT, enroute_at TEXT, onscene_at TEXT,
  closed_at TEXT, disposition TEXT, client_token TEXT, synthetic INTEGER, version INTEGER);
CREATE INDEX incident_status ON incident (status);
CREATE INDEX incident_token ON incident (client_token);
CREATE TABLE note (id INTEGER PRIMARY KEY, incident TEXT, text TEXT, author TEXT, at TEXT);
CREATE INDEX note_incident ON note (incident);
CREATE TABLE address_point (address TEXT, town TEXT, lat REAL, lng REAL);
CREATE TABLE premise (address TEXT, hazard TEXT);
CREATE TABLE person (name TEXT, born TEXT, flags TEXT);
CREATE INDEX person_name ON person (name);
CREATE TABLE vehicle (plate TEXT, model TEXT, owner TEXT);
CREATE TABLE bolo (text TEXT, at TEXT);
CREATE TABLE event (id INTEGER PRIMARY KEY, kind TEXT, subject TEXT, text TEXT, at TEXT, state TEXT DEFAULT '');
CREATE INDEX event_subject ON event (subject);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE preference (account TEXT, name TEXT, value TEXT, PRIMARY KEY (account, name));
CREATE TABLE job (name TEXT PRIMARY KEY, state TEXT, beat_at TEXT);
CREATE TABLE position_report (unit TEXT, lat REAL, lng REAL, speed REAL, fix_at TEXT);
CREATE TABLE message (id INTEGER PRIMARY KEY, unit TEXT, incident TEXT, queued_at TEXT, sent_at TEXT);
CREATE TABLE issued (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT);
CREATE TABLE unit_logon (unit TEXT, account TEXT, at TEXT, PRIMARY KEY (unit, account));
"""


@dataclass
class Spent:
    """What a request spent in the database."""

    ms: float = 0.0
    queries: int = 0
    slowest: str = ""
    slowest_ms: float = 0.0


PAGE_ROWS = 50
PAGE_READ_S = 0.045
"""A disk that is slow by waiting: how long a scan takes must not depend on what else a machine computes."""

spent: contextvars.ContextVar[Spent | None] = contextvars.ContextVar("spent", default=None)


def page_read(row: int) -> str:
    """Wait for the disk where a new page begins; for SQL."""
    time.sleep(PAGE_READ_S if row % PAGE_ROWS == 0 else 0)
    return ""


def now() -> str:
    """The time as the centre writes it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Store:
    """One connection a thread to one file.

    Args:
        path: the database's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._write = threading.Lock()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, isolation_level=None, timeout=10)
            found.row_factory = sqlite3.Row
            found.create_function("page_read", 1, page_read)
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = found
        return found

    def all(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a query."""
        began = time.perf_counter()
        rows = [dict(row) for row in self._connection().execute(sql, values)]
        self._count(began, sql)
        return rows

    def first_row(self, sql: str, *values: Any) -> dict[str, Any] | None:
        """The first row of a query."""
        rows = self.all(sql, *values)
        return rows[0] if rows else None

    def write(self, sql: str, *values: Any) -> int:
        """Change rows; how many."""
        began = time.perf_counter()
        with self._write:
            count = self._connection().execute(sql, values).rowcount
        self._count(began, sql)
        return count

    def fill(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert many rows at once."""
        connection = self._connection()
        connection.execute("BEGIN")
        connection.executemany(sql, rows)
        connection.execute("COMMIT")

    def create(self) -> None:
        """Make the tables."""
        self._connection().executescript(SCHEMA)

    def locked(self) -> threading.Lock:
        """Hold this, and nobody else writes."""
        return self._write

    def event(self, kind: str, subject: str, text: str, state: str = "") -> None:
        """Tell every board what happened, and what its subject is now."""
        self.write(
            "INSERT INTO event (kind, subject, text, at, state) VALUES (?, ?, ?, ?, ?)",
            kind,
            subject,
            text,
            now(),
            state,
        )

    @staticmethod
    def _count(began: float, sql: str) -> None:
        counter = spent.get()
        if counter is not None:
            took = (time.perf_counter() - began) * 1000
            counter.ms += took
            counter.queries += 1
            if took > counter.slowest_ms:
                counter.slowest, counter.slowest_ms = sql, took
