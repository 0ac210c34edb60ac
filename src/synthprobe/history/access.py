"""The way into a store: one that is locked, damaged, frozen, unreachable or newer is a sentence, never a crash."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from synthprobe.deadlines import left_s
from synthprobe.errors import HistoryError
from synthprobe.history import database
from synthprobe.history.database import UnknownSchema, bring_up_to_date, make_engine
from synthprobe.history.waiting import rescue

T = TypeVar("T")

_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
    }
)
"""What SQLite says of a file that is broken itself; one that a full or a read-only disk takes nothing of is whole."""

_LEAST_ROOM = 1 << 20


class Access:
    """The way into one store."""

    def __init__(self, url: str, within_s: float = math.inf) -> None:
        self.available = False
        self.reason = ""
        self.notes: list[str] = []
        self._url = url
        self._engine: Engine | None = None
        self._within_s = within_s
        self._left_s = within_s

    def allow(self, within_s: float) -> None:
        """Give what is asked of the store so many seconds from now on."""
        self._within_s = self._left_s = within_s

    def close(self) -> None:
        """Let go of the store."""
        if self._engine is not None:
            self._engine.dispose()

    @property
    def sqlite_path(self) -> Path | None:
        """The file, when it is one of SQLite."""
        return Path(self._url.removeprefix("sqlite:///")) if self._url.startswith("sqlite:") else None

    @property
    def place(self) -> str:
        """The store as a person may see it: without the password."""
        if self.sqlite_path is not None:
            return str(self.sqlite_path)
        try:
            return make_url(self._url).render_as_string(hide_password=True)
        except (ArgumentError, ValueError):
            return "the configured url"

    def note(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def connect(self) -> None:
        """Find out whether the store can be used, and make it when there is none."""
        began = time.monotonic()
        try:
            self._connect()
        finally:
            self._left_s = self._within_s - (time.monotonic() - began)

    def _connect(self) -> None:
        path = self.sqlite_path
        if path is None:
            return self._prepare()
        if path.is_file() and not _damage(path):
            with contextlib.suppress(_DamagedError):
                return self._prepare()
        from filelock import FileLock, Timeout  # it loads asyncio, and most files are there and whole

        with contextlib.suppress(OSError):  # what is in the way is said below
            path.parent.mkdir(parents=True, exist_ok=True)
        try:  # a file another process is just making looks empty
            with FileLock(path.with_name(path.name + ".lock"), timeout=left_s(database.LOCK_WAIT_S)):
                self._prepare(may_replace=True)
        except Timeout:
            self.give_up(f"The history {path} is locked by another program; it was tried for 5 s.")
        except OSError as error:
            self.give_up(f"The history {path} cannot be reached: {error.strerror or error}.")

    def _prepare(self, *, may_replace: bool = False) -> None:
        self._engine = self._engine or make_engine(self._url)
        if may_replace and self.sqlite_path and (damage := _damage(self.sqlite_path)):
            self._begin_anew(damage)
        watchdog = Watchdog(self._left_s)
        try:
            with watchdog.over(self._engine):
                bring_up_to_date(self._engine)
        except UnknownSchema as error:
            return self.give_up(f"{self.place}: {error}")
        except DBAPIError as error:
            if not self._is_damage(error):
                return self.give_up(self._late if watchdog.bit else self._why(error))
            if not may_replace:
                raise _DamagedError from None
            self._begin_anew(str(error.orig))
            try:
                bring_up_to_date(self._engine)
            except DBAPIError as error:
                return self.give_up(self._why(error))
        self.available = True

    def give_up(self, reason: str) -> None:
        """Leave the store alone from now on, and say why."""
        self.available = False
        self.reason = reason
        self.note(reason)

    def _why(self, error: DBAPIError) -> str:
        lines = filter(None, (line.strip().rstrip(".") for line in str(error.orig).splitlines()))
        message = ". ".join(lines)
        if isinstance(error, OperationalError) and "locked" in message:
            return f"The history {self.place} is locked by another program; it was tried for 5 s."
        if (path := self.sqlite_path) and (full := _no_room(path)):
            message = full
        return f"The history {self.place} cannot be reached: {message}{'' if message.endswith('?') else '.'}"

    def _is_damage(self, error: DBAPIError) -> bool:
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK)
        return self.sqlite_path is not None and (code in _DAMAGE or code & 0xFF in _DAMAGE)

    def _begin_anew(self, damage: str) -> None:
        """Put a damaged file aside; what it held may be needed for rescue."""
        path = self.sqlite_path
        assert path is not None
        assert self._engine is not None
        self._engine.dispose()
        aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                os.replace(part, aside.with_name(aside.name + suffix))
        rescued = "Nothing of the ledger of test data and of the audit could be read from it."
        with contextlib.suppress(DBAPIError):  # whoever uses the fresh store is told what is wrong with it
            bring_up_to_date(self._engine)
            with self._engine.execution_options(write=True).begin() as connection:
                rescued = rescue(aside, connection)
        self.note(
            f"The history {path} was damaged ({damage}). It was put aside as {aside.name} and a fresh one begun; "
            f"until it has seen a few runs, nothing is known of earlier ones. {rescued} Restore a copy if you have one."
        )

    @contextlib.contextmanager
    def alone(self, what: str, within_s: float = database.LOCK_WAIT_S) -> Iterator[None]:
        """Held while nobody who shares this database does the same; at once where it is a file, or cannot be asked."""
        with contextlib.ExitStack() as held:
            if self.available and self.sqlite_path is None and self._engine is not None:
                with contextlib.suppress(DBAPIError), Watchdog(min(self._left_s, within_s + 1)).over(self._engine):
                    connection = held.enter_context(self._engine.connect())
                    held.callback(connection.invalidate)  # a database that froze meanwhile is not waited for
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(within_s * 1000)}")
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (what,))
            yield

    def require(self) -> None:
        """Refuse what needs the store."""
        if not self.available:
            raise HistoryError(self.reason)

    def write(self, act: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Do something in a transaction that writes; a durable one is on the disk when this returns."""
        return self.do(act, write=True, durable=durable)

    def read(self, act: Callable[[Connection], T], nothing: T) -> T:
        """Read."""
        if not self.available:
            return nothing
        try:
            return self.do(act, write=False)
        except HistoryError as error:
            self.give_up(str(error))  # what is asked next must not look like a history that holds nothing
            return nothing

    def do(self, act: Callable[[Connection], T], *, write: bool, durable: bool = False, again: bool = True) -> T:
        """Do something in a transaction; once more on a fresh store, when this one is found to be damaged."""
        self.require()
        if left_s(self._left_s) <= 0:
            self.give_up(self._late)
            self.require()
        began, watchdog = time.monotonic(), Watchdog(self._left_s)
        try:
            with watchdog.over(self._engine):
                return self._once(act, write=write, durable=durable)
        except DBAPIError as error:
            if watchdog.bit:
                self.give_up(self._late)
                raise HistoryError(self._late) from None
            if not self._is_damage(error):
                if error.connection_invalidated or isinstance(error, OperationalError):
                    raise HistoryError(self._why(error)) from None
                raise HistoryError(f"The history {self.place} refused: {' '.join(str(error.orig).split())}.") from None
            damage = str(error.orig)
        finally:
            self._left_s -= time.monotonic() - began
        try:
            self._begin_anew(damage)
            assert self._engine is not None
            bring_up_to_date(self._engine)
            if not again:
                raise HistoryError(f"The history {self.place} was found to be damaged while it was read.")
            return self._once(act, write=write, durable=durable)
        except DBAPIError as error:
            raise HistoryError(self._why(error)) from None
        except OSError as error:
            raise HistoryError(f"The history {self.place} cannot be reached: {error.strerror or error}.") from None

    @property
    def _late(self) -> str:
        if left_s(math.inf) <= 0:
            return f"The history {self.place} was given up, as the time of the whole command was over."
        return f"The history {self.place} did not answer within {self._within_s:g} s in all, and was given up."

    def _once(self, act: Callable[[Connection], T], *, write: bool, durable: bool) -> T:
        assert self._engine is not None
        with self._engine.execution_options(write=write, durable=durable).begin() as connection:
            return act(connection)


class _DamagedError(Exception):
    """Only who holds the lock puts a file aside, so that nobody does it to the fresh one."""


def _no_room(path: Path) -> str:
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        return f"its disk has {free // 1024} KiB left" if free < _LEAST_ROOM else ""
    return ""


def _damage(path: Path) -> str:
    """What is wrong with a SQLite file that can be seen from outside; nothing when it is not there or looks well."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(100)
    except OSError:
        return ""
    with contextlib.suppress(OSError):  # whoever was the last to close the file took its journal away
        if path.with_name(path.name + "-wal").stat().st_size:
            return ""  # the file is behind its journal; SQLite itself will say
    if not size:
        return "it was empty"
    if not head.startswith(b"SQLite format 3\x00") or len(head) < 100:
        return "it is no SQLite file"
    page = int.from_bytes(head[16:18], "big")
    expected = (65536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
    return f"{expected} bytes were expected, {size} are there" if size < expected else ""


_LOOK_S = 0.1


class Watchdog:
    """Shuts the sockets of a server's connections down when the time is over, so that whoever waits for one goes on.

    A server that froze answers every probe of the network, so no keepalive and no timeout of its own finds it.
    """

    def __init__(self, seconds: float) -> None:
        self.bit = False
        self._ends = time.monotonic() + seconds
        self._done = threading.Event()
        self._connections: list[Any] = []

    @contextlib.contextmanager
    def over(self, engine: Engine | None) -> Iterator[None]:
        """Watch what is done with an engine. A file needs none: its locks are waited for in slices."""
        if engine is None or engine.dialect.name != "postgresql":
            yield
            return
        # the first connection of an engine is asked a few things before it can be checked out
        listened = [("connect", self._connected), ("checkout", self._connected)]
        for name, listener in listened:
            event.listen(engine, name, listener, insert=True)
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            for name, listener in listened:
                event.remove(engine, name, listener)
            thread.join()

    def _connected(self, connection: Any, *_: Any) -> None:
        self._connections.append(connection)

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_S):
            if self._ends <= time.monotonic() or left_s(math.inf) <= 0:
                self.bit = True
                for connection in self._connections:
                    _shut_down(connection)


def _shut_down(connection: Any) -> None:
    # the number may be another file's by now, unless the connection still says that it is open
    with contextlib.suppress(Exception):
        if not connection.closed:
            with socket.socket(fileno=os.dup(connection.fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)
