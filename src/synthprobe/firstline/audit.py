"""The audit of fixes: lines that are only ever added, each carrying the hash of the one before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from synthprobe.errors import AuditError, SynthprobeError

Event = Literal["planned", "refused", "requested", "approved", "applying", "applied", "failed", "begun"]
_START = "0" * 64
_WAIT_S = 10.0


class AuditEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


class Mark(Struct, frozen=True, kw_only=True):
    """The newest line of an audit, as it is kept elsewhere.

    Attributes:
        number: of the line; 0 when the audit was begun anew.
        hash: of the line.
    """

    number: int = 0
    hash: str = _START


Check = Callable[[Sequence[AuditEntry]], None]
"""Refuses a line, by what is known of all audits."""


class Witness(Protocol):
    """Keeps the newest mark where the audit's own files are not. What it cannot do it says as a `SynthprobeError`."""

    def newest(self) -> Mark | None:
        """The mark of this audit noted last; nothing when none ever was."""

    def entries(self) -> list[AuditEntry]:
        """What any audit noted here, of other machines and before a new one was begun as well; oldest first."""

    def note(self, mark: Mark, entries: Sequence[AuditEntry] = (), check: Check | None = None) -> None:
        """Keep a mark and the lines up to it; not when the check, made while nobody else can note, refuses."""


class Audit(Protocol):
    """Where the audit is kept.

    Attributes:
        notes: what a person must know of it, as sentences.
    """

    notes: tuple[str, ...]

    def append(self, entry: AuditEntry, check: Check | None = None) -> AuditEntry:
        """Add a line, durably, unless the check refuses it; the line as it was chained."""

    def entries(self) -> list[AuditEntry]:
        """Every line, checked; an audit that cannot be believed is an `AuditError`."""

    def known(self) -> list[AuditEntry]:
        """Every line of this audit, and of those that share its history."""


class FileAudit:
    """The audit as lines of one file, with the newest hash kept beside it so that a removed end is noticed.

    Whoever removes both is noticed by the witness.

    Attributes:
        notes: what a person must know of the last comparison with the witness, as sentences.
    """

    def __init__(self, path: Path, witness: Witness | None = None, *, wait_s: float = _WAIT_S) -> None:
        self._path = path
        self._head = path.with_suffix(".head")
        self._witness = witness
        self._wait_s = wait_s
        self.notes: tuple[str, ...] = ()

    def append(self, entry: AuditEntry, check: Check | None = None) -> AuditEntry:
        """Add a line, durably."""
        with self._locked():
            return self._append(entry, check)

    def begin(self, entry: AuditEntry) -> AuditEntry:
        """Put what is there aside, and begin anew; for an audit that cannot be believed any more."""
        with self._locked():
            if self._witness:
                self._witness.note(Mark())
            for kept in filter(Path.exists, (self._path, self._head)):
                kept.rename(kept.with_stem(f"{kept.stem}-until-{entry.at:%Y%m%dT%H%M%S}"))
            return self._append(entry)

    def entries(self) -> list[AuditEntry]:
        """Every line, checked."""
        try:
            found = self._chained()
            self._check_head(found)
        except OSError as error:
            raise self._unusable(error) from None
        if self._witness:
            self._compare(found, self._witness)
        return found

    def known(self) -> list[AuditEntry]:
        """Every line, and those of other machines, and of audits that were put aside: all that the history was told."""
        own = self.entries()
        try:
            shared = self._witness.entries() if self._witness else []
        except SynthprobeError:
            return own  # the note says it already
        told = {entry.hash for entry in shared}
        return [*shared, *(entry for entry in own if entry.hash not in told)]

    def _append(self, entry: AuditEntry, check: Check | None = None) -> AuditEntry:
        before = self.entries()
        if not before:
            self._write_head(Mark())  # so that a first line without a head is no accident
        previous = before[-1].hash if before else _START
        entry = msgspec.structs.replace(entry, number=len(before) + 1, previous=previous, hash="")
        entry = msgspec.structs.replace(entry, hash=_hash(entry))
        mark = Mark(number=entry.number, hash=entry.hash)
        if check and self._witness:
            self._witness.note(mark, [*before, entry], check)  # first, so that two machines cannot both be let through
        elif check:
            check(before)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._write_head(mark)
        if self._witness and not check:
            try:
                self._witness.note(mark, [*before, entry])
                self.notes = ()
            except SynthprobeError as error:
                self.notes = (f"The history could not be told of line {mark.number} of the audit: {error}",)
        return entry

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = self._path.with_suffix(".lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=self._wait_s):
                yield
        except Timeout:
            raise AuditError(
                f"Another program has held {lock.name} for {self._wait_s:g} s, so nothing can be written to the audit, "
                "and nothing is done that it does not record. Wait until the other one ended; if none runs, restart "
                "the machine's session or ask an engineer."
            ) from None
        except OSError as error:
            raise self._unusable(error) from None

    def _chained(self) -> list[AuditEntry]:
        found: list[AuditEntry] = []
        text = self._path.read_bytes() if self._path.exists() else b""
        for number, line in enumerate(text.splitlines(keepends=True), start=1):
            try:
                entry = msgspec.json.decode(line, type=AuditEntry)
            except msgspec.ValidationError:
                raise self._broken(number, "was changed after it was written, or has an unknown field") from None
            except msgspec.DecodeError:
                raise self._broken(number, "is no entry; it was damaged or cut off") from None
            if not line.endswith(b"\n"):
                raise self._broken(number, "was cut off")
            expected = found[-1].hash if found else _START
            if entry.number != number or entry.previous != expected:
                raise self._broken(number, "does not follow the line before it; one was removed or put in between")
            if entry.hash != _hash(entry) or line != msgspec.json.encode(entry) + b"\n":
                raise self._broken(number, "was changed after it was written")
            found.append(entry)
        return found

    def _check_head(self, found: list[AuditEntry]) -> None:
        if not self._head.exists():
            if found:
                raise self._broken(len(found) + 1, f"cannot be told: {self._head.name}, which names the last, is gone")
            return
        number, _, newest = self._head.read_text("ascii", "replace").strip().partition(" ")
        if not number.isdigit() or not _holds(found, Mark(number=int(number), hash=newest)):
            raise self._broken(len(found) + 1, "is missing; the end of the audit was removed")
        if int(number) == 0 and len(found) > 1:
            raise self._broken(len(found) + 1, f"cannot be told: {self._head.name} names none")

    def _compare(self, found: list[AuditEntry], witness: Witness) -> None:
        self.notes = ()
        try:
            mark = witness.newest()
        except SynthprobeError as error:
            self.notes = (f"Not compared with the history, so a removed end would not be noticed: {error}",)
            return
        if mark is None and found:
            self.notes = ("The history holds nothing of this audit yet, so its end was not compared.",)
        if mark is not None and not _holds(found, mark):
            raise self._broken(
                len(found) + 1,
                f"is missing or another one; the history knows {mark.number} lines and the hash of the last",
            )

    def _write_head(self, mark: Mark) -> None:
        temporary = self._head.with_suffix(".tmp")
        temporary.write_text(f"{mark.number} {mark.hash}\n", "ascii")
        temporary.replace(self._head)

    def _unusable(self, error: OSError) -> AuditError:
        return AuditError(
            f"{self._path} cannot be used as the audit: {error.strerror or error}. A file that may be read and written "
            "was expected. No fix is applied without an audit. Put it in order with an engineer."
        )

    def _broken(self, number: int, how: str) -> AuditError:
        return AuditError(
            f"Line {number} of {self._path.name} {how}. No fix is applied while the audit cannot be believed. "
            "Look at it with an engineer, who puts it aside as evidence and begins a new one: synthprobe audit begin."
        )


def _hash(entry: AuditEntry) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(entry, hash=""))).hexdigest()


def _holds(found: list[AuditEntry], mark: Mark) -> bool:
    if mark.number == 0:
        return mark.hash == _START
    return mark.number <= len(found) and found[mark.number - 1].hash == mark.hash
