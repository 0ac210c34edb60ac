"""The outbox: a message is written down before it is sent, and stays until a channel has taken it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from synthprobe.respond.message import Alert

KEPT = timedelta(days=30)
_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=1)


class Attempt(Struct, frozen=True, kw_only=True):
    """One try to hand a message to one channel.

    Attributes:
        alert: the message's id.
        channel: the channel's source, never its address.
        at: when, UTC.
        accepted: whether the channel took it.
        why: why it did not, as a sentence.
        second: whether it was the second channel.
    """

    alert: str
    channel: str
    at: datetime
    accepted: bool
    why: str = ""
    second: bool = False


class Letter(Struct, frozen=True, kw_only=True):
    """A message and what became of it.

    Attributes:
        alert: the message.
        attempts: the tries, oldest first.
        done: when it was delivered, UTC.
    """

    alert: Alert
    attempts: tuple[Attempt, ...] = ()
    done: datetime | None = None

    def accepted_by(self) -> set[str]:
        """Sources of the channels that took it."""
        return {attempt.channel for attempt in self.attempts if attempt.accepted}

    def waits(self, now: datetime) -> bool:
        """Whether it is too early for another try; a time that is more than an hour to come was a wrong clock's."""
        return now < self.next_at() <= now + _LONGEST_WAIT

    def next_at(self) -> datetime:
        """When it is tried again: one minute after the first failure, then twice as long, at most an hour."""
        failures = [attempt for attempt in self.attempts if not attempt.accepted]
        if not failures:
            return self.alert.at
        passes = len({attempt.at for attempt in failures})
        wait: timedelta = min(_FIRST_WAIT * float(2 ** min(passes - 1, 10)), _LONGEST_WAIT)
        return failures[-1].at + wait


class Outbox(Protocol):
    """Where messages wait. A file here; a table of the history where several machines share it."""

    def put(self, alert: Alert) -> bool:
        """Write a message down, durably; false when it is there already."""

    def tried(self, attempt: Attempt) -> None:
        """Write down a try."""

    def delivered(self, alert_id: str, at: datetime) -> None:
        """A message needs no more tries."""

    def letters(self) -> list[Letter]:
        """Every message kept, oldest first."""

    def lock(self, timeout_s: float) -> AbstractContextManager[object]:
        """Held while messages are sent, so that two processes do not send the same."""


class _Delivered(Struct, frozen=True, kw_only=True):
    alert: str
    at: datetime


class _Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    queued: Alert | None = None
    tried: Attempt | None = None
    delivered: _Delivered | None = None


def _lines(letter: Letter) -> list[_Line]:
    lines = [_Line(queued=letter.alert), *(_Line(tried=attempt) for attempt in letter.attempts)]
    if letter.done:
        lines.append(_Line(delivered=_Delivered(alert=letter.alert.id, at=letter.done)))
    return lines


class FileOutbox:
    """Messages as lines of one file, each on the disk before anything is sent."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "outbox.jsonl"
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, alert: Alert) -> bool:
        """Write a message down, durably."""
        with self._file_lock():
            if any(letter.alert.id == alert.id for letter in self.letters()):
                return False
            self._append(_Line(queued=alert))
        return True

    def tried(self, attempt: Attempt) -> None:
        """Write down a try."""
        with self._file_lock():
            self._append(_Line(tried=attempt))

    def delivered(self, alert_id: str, at: datetime) -> None:
        """A message needs no more tries."""
        with self._file_lock():
            self._append(_Line(delivered=_Delivered(alert=alert_id, at=at)))

    def letters(self) -> list[Letter]:
        """Every message kept, oldest first; a line cut off by a crash is left out, and its message is due again."""
        letters: dict[str, Letter] = {}
        for line in self._path.read_bytes().splitlines() if self._path.exists() else ():
            try:
                found = msgspec.json.decode(line, type=_Line)
            except msgspec.DecodeError:
                continue
            if found.queued:
                letters.setdefault(found.queued.id, Letter(alert=found.queued))
            elif found.tried and (letter := letters.get(found.tried.alert)):
                letters[found.tried.alert] = msgspec.structs.replace(letter, attempts=(*letter.attempts, found.tried))
            elif found.delivered and (letter := letters.get(found.delivered.alert)):
                letters[found.delivered.alert] = msgspec.structs.replace(letter, done=found.delivered.at)
        return list(letters.values())

    def adopt(self, other: FileOutbox) -> None:
        """Take over what another outbox holds."""
        known = {letter.alert.id for letter in self.letters()}
        with self._file_lock():
            for letter in other.letters():
                if letter.alert.id not in known:
                    for line in _lines(letter):
                        self._append(line)

    def forget(self, now: datetime) -> int:
        """Remove what was delivered more than 30 days ago."""
        with self._file_lock():
            letters = self.letters()
            kept = [letter for letter in letters if letter.done is None or now - letter.done < KEPT]
            if len(kept) < len(letters):
                lines = [line for letter in kept for line in _lines(letter)]
                temporary = self._path.with_suffix(".tmp")
                with temporary.open("wb") as file:
                    file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
        return len(letters) - len(kept)

    def lock(self, timeout_s: float) -> AbstractContextManager[object]:
        """Held while messages are sent."""
        from filelock import FileLock

        return FileLock(self._path.with_suffix(".sending"), timeout=timeout_s)

    def _file_lock(self) -> AbstractContextManager[object]:
        from filelock import FileLock

        return FileLock(self._path.with_suffix(".lock"), timeout=10)

    def _append(self, line: _Line) -> None:
        with self._path.open("ab+") as file:
            file.seek(0, os.SEEK_END)
            torn = b""
            if file.tell():
                file.seek(-1, os.SEEK_END)
                torn = b"" if file.read(1) == b"\n" else b"\n"
            file.write(torn + msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
