"""The audit of fixes: rows of the history that are only ever added, each carrying the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType

from synthprobe.errors import AuditError, HistoryError
from synthprobe.files import write_whole
from synthprobe.records.decoding import from_json, from_values

if TYPE_CHECKING:
    from synthprobe.history.store import History

Event = Literal["planned", "refused", "requested", "approved", "applying", "applied", "failed", "begun"]
_START = "0" * 64
_WAIT_S = 10.0
_COPIED = timedelta(hours=25)  # longer than a rate or a breaker looks back


class AuditEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the audit.

    Attributes:
        number: 1 for the first.
        who: a hash that tells two people apart and names neither.
        digest: of the plan; the same plan has the same.
        expires: until when an approval holds, UTC.
        clean: of ``applied``: nothing had to be undone and everything was verified.
        automatic: whether no person started it.
        plan: of what is asked for and approved: a hash of the whole plan, and of every object it names.
        objects: of the same: how many objects it names.
        signature: of ``approved``: made by the key of who approved, over this line as far as it was known then.
        previous: hash of the line before.
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
    plan: str | UnsetType = UNSET  # unset, it is not written: lines of earlier versions keep their hash
    objects: int | UnsetType = UNSET
    signature: str | UnsetType = UNSET
    previous: str = _START
    hash: str = ""

    def signed(self) -> bytes:
        """What a signature is over: all but the signature itself, and the line's place in the audit."""
        bare = msgspec.structs.replace(self, number=0, previous=_START, hash="", signature=UNSET)
        return msgspec.json.encode(bare)


Check = Callable[[Sequence[AuditEntry]], None]
"""Refuses a line, by what is known of all audits."""


class Audit(Protocol):
    """Where the audit is kept."""

    notes: tuple[str, ...]

    def append(self, entry: AuditEntry, check: Check | None = None) -> AuditEntry:
        """Add a line, durably, unless the check refuses it; the line as it was chained."""

    def entries(self) -> list[AuditEntry]:
        """Every line, checked; an audit that cannot be believed is an `AuditError`."""

    def known(self) -> list[AuditEntry]:
        """Every line of this audit, and of those that share its history."""


class RecordedAudit:
    """The audit as rows of the history, which can only be added to.

    The lines of the last day are kept in a file beside the history as well, and all in a shared one, so that a removed
    end is noticed. Who begins an audit anew takes back what is known there, so that nothing is reset by it.
    """

    def __init__(
        self, open_history: Callable[[], History], folder: Path, place: str = "", *, wait_s: float = _WAIT_S
    ) -> None:
        self._open = open_history
        self._copy = folder / "state" / "audit.json"
        self._lock = folder / "audit.lock"
        # a shared history holds one audit of each machine and folder
        self._place = hashlib.sha256(place.encode()).hexdigest()[:12]
        self._wait_s = wait_s
        self.notes: tuple[str, ...] = ()

    def append(self, entry: AuditEntry, check: Check | None = None) -> AuditEntry:
        """Add a line, durably."""
        with self._locked(), self._open() as history:
            before = self._believed(history)
            entry = _after(before, entry)
            history.append_audit(self._body(entry), check=check and (lambda noted: check(_lines(noted))))
            self._keep_copy([*before, entry])
            return entry

    def begin(self, entry: AuditEntry) -> AuditEntry:
        """Begin anew, after what is there; for an audit that cannot be believed any more."""
        with self._locked(), self._open() as history:
            entry = _after([], entry)
            known = set(_readable(history.own_audit()))
            elsewhere = [*self._shared(history), *self._copied()]
            taken_back = [self._body(line) for line in dict.fromkeys(elsewhere) if line not in known]
            anew = {"audit": self._place, "number": 0, "hash": _START, "at": entry.at}
            history.append_audit(*taken_back, anew, self._body(entry))
            self._keep_copy([entry])
            return entry

    def entries(self) -> list[AuditEntry]:
        """Every line, checked."""
        with self._open() as history:
            return self._believed(history)

    def known(self) -> list[AuditEntry]:
        """Every line, and those of other machines, and of audits before this one was begun."""
        with self._open() as history:
            own = self._believed(history)
            noted = history.audit_entries()
            noted_here = {row.get("hash") for row in noted if row.get("audit") in {"", self._place}}
            return [*_lines(noted), *(line for line in own if line.hash not in noted_here)]

    def _believed(self, history: History) -> list[AuditEntry]:
        self.notes = ()
        rows = history.own_audit()
        if not history.is_kept:
            raise AuditError(
                f"The history cannot be used as the audit: {' '.join(history.notes)} No fix is applied without an "
                "audit. Put it in order with an engineer."
            )
        found = _chained(rows)
        _compare(found, self._copied(), f"{self._copy.name} beside the history")
        try:
            _compare(found, self._shared(history), "the shared history")
        except HistoryError as error:
            self.notes = (f"Not compared with the shared history, so a removed end would not be noticed: {error}",)
        return found

    def _shared(self, history: History) -> list[AuditEntry]:
        """This audit as the shared history knows it."""
        return _since_begun([row for row in history.shared_audit() if row.get("audit") == self._place])

    def _copied(self) -> list[AuditEntry]:
        try:
            return from_json(self._copy.read_bytes(), list[AuditEntry])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise _broken(1, f"cannot be compared: {self._copy} cannot be read: {error}") from None

    def _keep_copy(self, lines: Sequence[AuditEntry]) -> None:
        since = lines[-1].at - _COPIED
        self._copy.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._copy, msgspec.json.encode([line for line in lines if line.at >= since]))

    def _body(self, entry: AuditEntry) -> dict[str, Any]:
        return {"audit": self._place, "number": entry.number, "hash": entry.hash, "entry": msgspec.to_builtins(entry)}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._lock, timeout=self._wait_s):
                yield
        except Timeout:
            raise AuditError(
                f"Another program has held {self._lock.name} for {self._wait_s:g} s, so nothing can be written to the "
                "audit, and nothing is done that it does not record. Wait until the other one ended; if none runs, "
                "restart the machine's session or ask an engineer."
            ) from None
        except OSError as error:
            raise AuditError(
                f"The audit cannot be written: {error.strerror or error} ({error.filename}). No fix is applied without "
                "an audit. Put it in order with an engineer."
            ) from None


def _chained(rows: Sequence[str]) -> list[AuditEntry]:
    """The lines since the audit was begun, each of which must follow the one before."""
    found: list[AuditEntry] = []
    marks: list[tuple[int, str]] = []
    for row in rows:
        number = len(found) + 1
        try:
            body = from_json(row)
            if body.get("number") == 0:
                found, marks = [], []
                continue
            if "entry" not in body:  # what earlier versions noted of their files
                marks.append((body["number"], body["hash"]))
                continue
            entry = from_values(body["entry"], AuditEntry)
        except (msgspec.ValidationError, KeyError, AttributeError):
            raise _broken(number, "was changed after it was written, or has an unknown field") from None
        except msgspec.DecodeError:
            raise _broken(number, "is no entry; it was damaged or cut off") from None
        if entry.number != number or entry.previous != (found[-1].hash if found else _START):
            raise _broken(number, "does not follow the line before it; one was removed or put in between")
        if entry.hash != _hash(entry) or row.encode() != msgspec.json.encode(
            {**body, "entry": msgspec.to_builtins(entry)}
        ):
            raise _broken(number, "was changed after it was written")
        found.append(entry)
    for number, hash in marks:
        if number > len(found) or found[number - 1].hash != hash:
            raise _broken(min(number, len(found) + 1), "is missing; the end of the audit was removed")
    return found


def _compare(found: Sequence[AuditEntry], known: Sequence[AuditEntry], where: str) -> None:
    for line in known:
        if line.number > len(found) or found[line.number - 1].hash != line.hash:
            raise _broken(
                min(line.number, len(found) + 1),
                f"is missing or another one; {where} knows {known[-1].number} lines and the hash of the last",
            )


def _after(before: Sequence[AuditEntry], entry: AuditEntry) -> AuditEntry:
    previous = before[-1].hash if before else _START
    entry = msgspec.structs.replace(entry, number=len(before) + 1, previous=previous, hash="")
    return msgspec.structs.replace(entry, hash=_hash(entry))


def _lines(noted: Sequence[Mapping[str, Any]]) -> list[AuditEntry]:
    """The lines among what was noted, each once; earlier versions noted marks alone."""
    lines = {(row.get("audit"), row["hash"]): row["entry"] for row in noted if "entry" in row}
    return [from_values(line, AuditEntry) for line in lines.values()]


def _readable(rows: Sequence[str]) -> Iterator[AuditEntry]:
    for row in rows:
        with suppress(msgspec.MsgspecError):
            yield from _lines([from_json(row, dict[str, Any])])


def _since_begun(noted: Sequence[Mapping[str, Any]]) -> list[AuditEntry]:
    begun = max((place for place, row in enumerate(noted) if row.get("number") == 0), default=-1)
    return _lines(noted[begun + 1 :])


def _broken(number: int, how: str) -> AuditError:
    return AuditError(
        f"Line {number} of the audit {how}. No fix is applied while the audit cannot be believed. Look at it with an "
        "engineer, who begins a new one after it: synthprobe audit --begin-anew."
    )


def _hash(entry: AuditEntry) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(entry, hash=""))).hexdigest()
