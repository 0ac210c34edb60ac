"""The ledger of test data: what may exist at the target because of us, written down before it does."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

TOKEN_PREFIX = "synthprobe-"  # noqa: S105 - a mark, no secret


class Entry(Struct, frozen=True, kw_only=True):
    """One line of a ledger.

    Attributes:
        event: ``intent`` before an object is created, ``closed`` once it is known to be gone.
        token: what the object carries, so that only ours is ever removed.
        kind: its kind, as in ``[targets.NAME.testdata.NAME]``.
        run_id: the run that created it.
        at: when, UTC.
        expires_at: until when its run may still be using it.
    """

    event: Literal["intent", "closed"]
    token: str
    kind: str
    run_id: str
    at: datetime
    expires_at: datetime


class Ledger:
    """One process's ledger: a file of its own, gone again once all in it is closed."""

    def __init__(self, folder: Path, run_id: str = "") -> None:
        self.open: dict[str, Entry] = {}
        self._path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._run_id = run_id

    def intend(self, kind: str, lease_s: float) -> str:
        """Write down that an object will be created; returns when that is on the disk."""
        now = datetime.now(UTC)
        entry = Entry(
            event="intent",
            token=TOKEN_PREFIX + secrets.token_hex(16),
            kind=kind,
            run_id=self._run_id,
            at=now,
            expires_at=now + timedelta(seconds=lease_s),
        )
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
            _sync_folder(self._path.parent)
        append(self._path, entry, durable=True)
        self.open[entry.token] = entry
        return entry.token

    def close(self, token: str) -> None:
        """Write down that an object is known to be gone."""
        append(self._path, closing(self.open.pop(token)))

    def end(self) -> None:
        """Remove the file, if nothing in it is open."""
        if not self.open:
            self._path.unlink(missing_ok=True)


def closing(entry: Entry) -> Entry:
    """The line that closes an entry."""
    return msgspec.structs.replace(entry, event="closed", at=datetime.now(UTC))


def append(path: Path, entry: Entry, *, durable: bool = False) -> None:
    """Add a line to a ledger; a line that a kill cut off before it stays alone."""
    with path.open("ab") as file:
        file.write(b"\n" + msgspec.json.encode(entry) + b"\n")
        file.flush()
        if durable:
            os.fsync(file.fileno())


def open_entries(folder: Path) -> Iterator[tuple[Path, list[Entry]]]:
    """What every ledger of a target left open."""
    for path in sorted(folder.glob("*.jsonl")):
        found: dict[str, Entry] = {}
        for line in path.read_bytes().splitlines():
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except msgspec.DecodeError:
                continue  # cut off by a kill before it was durable, so nothing was created on its strength
            if entry.event == "closed":
                found.pop(entry.token, None)
            else:
                found[entry.token] = entry
        yield path, list(found.values())


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
