"""The outbox: a message is written down before it is sent, and stays until a channel has taken it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from synthprobe.alerts.message import Alert, threads
from synthprobe.errors import HistoryError
from synthprobe.records.decoding import from_json
from synthprobe.records.incident import Incident

if TYPE_CHECKING:
    from synthprobe.history.store import History

_SENDING = "outbox.sending"
_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=1)
_GIVEN_UP_AFTER = timedelta(days=7)
_FINAL_PASSES = 3


class Attempt(Struct, frozen=True, kw_only=True):
    """One try to hand a message to one channel.

    Attributes:
        channel: the channel's source, never its address.
        why: why it did not, as a sentence.
        second: whether it was the second channel.
        final: whether the channel said that its address is gone, so that another try is of no use.
    """

    alert: str
    channel: str
    at: datetime
    accepted: bool
    why: str = ""
    second: bool = False
    final: bool = False


class Letter(Struct, frozen=True, kw_only=True):
    """A message and what became of it.

    Attributes:
        done: when it was delivered, UTC.
        ended: when it was put aside without being delivered, UTC.
        end: why: a newer message took its place, no channel would take it, or somebody dropped it.
    """

    alert: Alert
    attempts: tuple[Attempt, ...] = ()
    done: datetime | None = None
    ended: datetime | None = None
    end: Literal["", "superseded", "given up", "dropped"] = ""

    @property
    def is_waiting(self) -> bool:
        """Whether it is still to be delivered."""
        return self.done is None and self.ended is None

    @property
    def heard_at(self) -> datetime | None:
        """When people heard of it, as far as anything more is to be done; nothing when they are still to hear."""
        return self.done or (self.ended if self.end in {"given up", "dropped"} else None)

    def is_hopeless(self, now: datetime) -> bool:
        """Whether its channels were tried long enough: for a week, or until each said that its address is gone."""
        failed = [attempt for attempt in self.attempts if not attempt.accepted]
        newest = sorted({attempt.at for attempt in failed})[-_FINAL_PASSES:]
        gone = len(newest) == _FINAL_PASSES and all(attempt.final for attempt in failed if attempt.at >= newest[0])
        return gone or (bool(failed) and now - failed[0].at >= _GIVEN_UP_AFTER)

    def how_far(self) -> tuple[bool, int]:
        """How much became of it: of two copies, the one that says more stands."""
        return not self.is_waiting, len(self.attempts)

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


class Outbox:
    """Messages as rows of the file on this machine, each on the disk before anything is sent.

    While that file cannot be written they are kept in another one, and brought back when it can. Where machines share a
    history each message is also a row of it, so that what one of them told is known to all.
    """

    def __init__(
        self,
        place: Path,
        spare: Callable[[], Path] | None = None,
        *,
        kept: Path | None = None,
        shared: History | None = None,
    ) -> None:
        from synthprobe.history.store import History  # most commands send nothing

        self.history = History.open(place)
        self.notes: list[str] = []
        self._place = place
        self._spare_place = spare
        self._open: Callable[[Path], History] = History.open
        self._spare: History | None = None
        self._shared = shared
        self._letters: dict[str, Letter] = {}
        if kept is not None:
            self._spare = History.open(kept)
            with suppress(HistoryError):
                self._bring_back(kept)

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        for store in filter(None, (self.history, self._spare, self._shared)):
            store.close()

    def put(self, alert: Alert) -> bool:
        """Write a message down, durably, or anew while it waits; false when people heard of it already."""
        self._find({alert.id})
        known = self._letters.get(alert.id, Letter(alert=alert))
        if known.heard_at is not None:
            return False
        kept = msgspec.structs.replace(alert, at=known.alert.at)
        self._write(msgspec.structs.replace(known, alert=kept, ended=None, end=""))
        return True

    def tried(self, attempt: Attempt) -> None:
        """Write down a try."""
        letter = self._letters[attempt.alert]
        self._write(msgspec.structs.replace(letter, attempts=(*letter.attempts, attempt)))

    def delivered(self, alert_id: str, at: datetime) -> None:
        """A message needs no more tries."""
        self._write(msgspec.structs.replace(self._letters[alert_id], done=at))

    def put_aside(self, alert_id: str, at: datetime, end: Literal["superseded", "given up", "dropped"]) -> None:
        """A message is not tried any more, though nobody has it."""
        self._write(msgspec.structs.replace(self._letters[alert_id], ended=at, end=end))

    def letters(self) -> list[Letter]:
        """Every message kept, oldest first."""
        return self._find(None)

    def waiting(self) -> list[Letter]:
        """The messages that wait, oldest first."""
        return [letter for letter in self._find((), waiting=True) if letter.is_waiting]

    def about(self, incidents: Iterable[Incident]) -> list[Letter]:
        """The messages of incidents, or of the same trouble before them, and those that wait, oldest first."""
        return self._find({topic for known in incidents for topic in (known.id, *threads(known))}, waiting=True)

    def _find(self, topics: Collection[str] | None, *, waiting: bool = False) -> list[Letter]:
        places = [history.letters for history in (self.history, self._spare) if history is not None]
        found = [_letter(body) for letters in places for body in letters(topics, waiting=waiting)]
        found += map(_letter, self._theirs(topics))
        if waiting and (self._shared or self._spare):  # what waits in one place may have been sent from another
            ids = {letter.alert.id for letter in found if letter.is_waiting}
            found += [_letter(body) for letters in (*places, self._theirs) for body in letters(ids)]
        newest = {letter.alert.id: letter for letter in sorted(found, key=Letter.how_far)}
        self._letters |= newest
        return sorted(newest.values(), key=lambda letter: (letter.alert.at, letter.alert.id))

    def _theirs(self, topics: Collection[str] | None) -> list[str]:
        """What the shared history knows; another machine's message that waits is told anew with its incident."""
        if self._shared is None:
            return []
        try:
            return self._shared.fleet.letters(topics)
        except HistoryError as error:
            self.notes.append(f"What other machines told is not known, so a message may come twice. {error}")
            return []

    def letter(self, alert_id: str) -> Letter:
        """A message that was read or written before, and what became of it since."""
        return self._letters[alert_id]

    @contextmanager
    def lock(self, timeout_s: float) -> Iterator[None]:
        """Held while messages are sent, so that two processes do not send the same."""
        from filelock import FileLock, Timeout

        try:
            held = FileLock(self._place.with_name(_SENDING), timeout=timeout_s)
            held.acquire()
        except Timeout:
            raise
        except OSError as error:
            held = FileLock(self._elsewhere(str(error)).with_name(_SENDING), timeout=timeout_s)
            held.acquire()
        try:
            with self._shared.alone("messages", timeout_s) if self._shared is not None else nullcontext():
                yield
        finally:
            held.release()

    def _write(self, letter: Letter) -> None:
        self._letters[letter.alert.id] = letter
        if self._shared is not None:
            try:
                self._shared.fleet.put_letter(*_row(letter))
            except HistoryError as error:
                self.notes.append(f"Other machines may send message {letter.alert.id} as well. {error}")
        if self._spare is None:
            try:
                return put_letter(self.history, letter)
            except HistoryError as error:
                self._elsewhere(str(error))
                assert self._spare is not None
        put_letter(self._spare, letter)

    def _elsewhere(self, why: str) -> Path:
        """Keep messages in the spare file from now on."""
        if self._spare_place is None:
            raise HistoryError(why)
        place = self._spare_place()
        if self._spare is None:
            self._spare = self._open(place)
            self.notes.append(f"The outbox cannot be written. {why} Messages are kept in the spare folder.")
        return place

    def _bring_back(self, place: Path) -> None:
        assert self._spare is not None
        for body in self._spare.letters():
            put_letter(self.history, _letter(body))
        self._spare.close()
        self._spare = None
        for path in place.parent.glob(f"{place.name}*"):
            path.unlink(missing_ok=True)


def put_letter(history: History, letter: Letter) -> None:
    """Write a message and what became of it."""
    history.put_letter(*_row(letter))


def _letter(body: str) -> Letter:
    return from_json(body, Letter)


def _row(letter: Letter) -> tuple[str, datetime, datetime | None, str, tuple[str, ...]]:
    alert, body = letter.alert, msgspec.json.encode(letter).decode()
    return alert.id, alert.at, letter.done or letter.ended, body, (*alert.incidents, *alert.threads)
