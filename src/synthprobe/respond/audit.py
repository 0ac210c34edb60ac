"""The audit of fixes: lines that are only ever added, each carrying the hash of the one before."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from synthprobe.errors import AuditError

Event = Literal["planned", "refused", "requested", "approved", "applying", "applied", "failed"]
_START = "0" * 64


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One line of the audit.

    Attributes:
        number: 1 for the first.
        at: when, UTC.
        event: what happened.
        fix: id of the fix.
        target: the target's name.
        incident: the incident's id.
        role: who did it, by role.
        who: a hash that tells two people apart and names neither.
        digest: of the plan; the same plan has the same.
        text: what happened, in plain language.
        expires: until when an approval holds, UTC.
        clean: of ``applied``: nothing had to be undone and everything was verified.
        automatic: whether no person started it.
        previous: hash of the line before.
        hash: of this line.
    """

    number: int = 0
    at: datetime
    event: Event
    fix: str
    target: str
    incident: str
    role: str
    who: str
    digest: str = ""
    text: str = ""
    expires: datetime | None = None
    clean: bool = False
    automatic: bool = False
    previous: str = _START
    hash: str = ""


class Audit(Protocol):
    """Where the audit is kept. A file here; a table of the history where several machines share it."""

    def append(self, entry: AuditEntry) -> AuditEntry:
        """Add a line, durably; the line as it was chained."""

    def entries(self) -> list[AuditEntry]:
        """Every line, checked; an audit that cannot be believed is an `AuditError`."""


class FileAudit:
    """The audit as lines of one file, with the newest hash kept beside it so that a removed end is noticed.

    Args:
        path: the file, for example ``.synthprobe/audit.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head = path.with_suffix(".head")

    def append(self, entry: AuditEntry) -> AuditEntry:
        """Add a line, durably.

        Args:
            entry: the line, without number and hashes.

        Returns:
            The line as it was chained.

        Raises:
            AuditError: when what is there cannot be believed; nothing is added then.
        """
        from filelock import FileLock

        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_suffix(".lock"), timeout=10):
            before = self.entries()
            previous = before[-1].hash if before else _START
            entry = msgspec.structs.replace(entry, number=len(before) + 1, previous=previous, hash="")
            entry = msgspec.structs.replace(entry, hash=_hash(entry))
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary = self._head.with_suffix(".tmp")
            temporary.write_text(f"{entry.number} {entry.hash}\n", "ascii")
            temporary.replace(self._head)
        return entry

    def entries(self) -> list[AuditEntry]:
        """Every line, checked.

        Returns:
            The lines, oldest first.

        Raises:
            AuditError: names the first line that was changed, removed, put in between or cut off.
        """
        found: list[AuditEntry] = []
        text = self._path.read_bytes() if self._path.exists() else b""
        for number, line in enumerate(text.splitlines(keepends=True), start=1):
            try:
                entry = msgspec.json.decode(line, type=AuditEntry)
            except msgspec.DecodeError:
                raise self._broken(number, "is no entry; it was damaged or cut off") from None
            if not line.endswith(b"\n"):
                raise self._broken(number, "was cut off")
            expected = found[-1].hash if found else _START
            if entry.number != number or entry.previous != expected:
                raise self._broken(number, "does not follow the line before it; one was removed or put in between")
            if entry.hash != _hash(entry):
                raise self._broken(number, "was changed after it was written")
            found.append(entry)
        if self._head.exists():
            number_text, _, newest = self._head.read_text("ascii", "replace").strip().partition(" ")
            last = int(number_text) if number_text.isdigit() else 0
            if last < 1 or last > len(found) or found[last - 1].hash != newest:
                raise self._broken(len(found) + 1, "is missing; the end of the audit was removed")
        return found

    def _broken(self, number: int, how: str) -> AuditError:
        return AuditError(
            f"Line {number} of {self._path.name} {how}. No fix is applied while the audit cannot be believed. "
            "Keep the file as evidence, move it aside, and start a new one with an engineer."
        )


def _hash(entry: AuditEntry) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(entry, hash=""))).hexdigest()
