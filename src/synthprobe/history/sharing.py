"""The file on this machine, which is always written, and the shared store that is brought up to date by it."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from sqlalchemy import Connection, select

from synthprobe.errors import HistoryError
from synthprobe.history import incidents, waiting
from synthprobe.history.access import Access
from synthprobe.history.database import META, upsert
from synthprobe.records.history import Retention
from synthprobe.records.incident import Incident
from synthprobe.records.testdata import LedgerEntry

T = TypeVar("T")
Act = Callable[[Connection], T]


class Stores:
    """What holds for every fact, whatever it is: where it is written, how it travels, and where it is read."""

    def __init__(self, home: Access, shared: Access | None, retention: Retention) -> None:
        self._home, self._shared = home, shared
        self._stores = [home] if shared is None else [shared, home]
        self._retention = retention

    @property
    def available(self) -> bool:
        """Whether there is a store that can be used."""
        return any(store.available for store in self._stores)

    @property
    def is_kept(self) -> bool:
        """Whether what is written stays on this machine."""
        return self._home.available

    @property
    def is_shared(self) -> bool:
        """Whether there is a shared store that can be used."""
        return self._shared is not None and self._shared.available

    @property
    def notes(self) -> list[str]:
        """What a person must know of the stores, as sentences."""
        return [note for store in self._stores for note in store.notes]

    def note(self, sentence: str) -> None:
        """Say something of the history, once."""
        self._home.note(sentence)

    @property
    def id(self) -> str:
        """What tells the file on this machine from the one that was there before it was damaged or lost."""
        found = self._home.read(lambda c: c.execute(select(META.c.value).where(META.c.name == "id")).scalar(), None)
        return str(found or "")

    @classmethod
    def open(
        cls,
        place: str | Path,
        *,
        shared: str = "",
        unusable: str = "",
        retention: Retention | None = None,
        within_s: float = math.inf,
    ) -> Self:
        """Open the history, make it when there is none, and bring the shared store up to date."""
        home = Access(f"sqlite:///{place}", within_s)
        home.connect()
        other = None
        if (shared and shared != f"sqlite:///{place}") or unusable:
            other = Access(shared, within_s)
            other.give_up(unusable) if unusable else other.connect()
        history = cls(home, other, retention or Retention())
        history._meet()
        return history

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def allow(self, within_s: float) -> None:
        """Give what is asked of each store that can be used so many seconds from now on."""
        for store in self._stores:
            store.allow(within_s)

    def close(self) -> None:
        """Let go of the stores."""
        for store in self._stores:
            store.close()

    def _meet(self) -> None:
        """Give the file a name of its own, bring the shared store up to date, and know what it knows of incidents."""
        if not self.id and self._home.available:
            row = {"name": "id", "value": secrets.token_hex(8)}
            with contextlib.suppress(HistoryError):  # a file that cannot be written is said by who writes a fact
                self._home.write(lambda c: c.execute(upsert(c, META).values(row).on_conflict_do_nothing()))
        if self._shared is None:
            return
        self._share()
        none: list[Incident] = []
        theirs = self._shared.read(incidents.read_incidents, none)
        ours = self._home.read(incidents.read_incidents, none)
        if new := {incident.id: incident for incident in theirs if incident not in ours}:
            with contextlib.suppress(HistoryError):
                self._home.write(lambda c: waiting.mirror_incidents(c, new))
        self._mirror_closed()

    def _mirror_closed(self) -> None:
        """Close what another machine removed or gave up."""
        none: list[LedgerEntry] = []
        tokens = [entry.token for entry in self._home.read(incidents.read_entries, none)]
        if self._shared is not None and tokens:
            for entry in self._shared.read(lambda c: incidents.read_closed(c, tokens), none):
                with contextlib.suppress(HistoryError):
                    self._home.write(partial(incidents.write_entry, entry=entry))

    def _share(self) -> dict[tuple[str, str], bool | Incident | None]:
        """Tell the shared store what waits for it; what became of each."""
        done: dict[tuple[str, str], bool | Incident | None] = {}
        rows: list[tuple[Any, Incident | None]] = []
        if self._shared is None or not self._shared.available:
            return done
        for row, known in self._home.read(waiting.read_waiting, rows):
            if not self._shared.available:
                break
            try:
                made = self._shared.write(partial(waiting.tell, row=row, known=known))
                self._home.write(partial(waiting.forget, row=row, known=made))
            except HistoryError as error:
                self._shared.give_up(str(error))
            except msgspec.DecodeError as error:
                self._home.note(f"What waits of {row.kind} {row.id} cannot be read: {error}. It stays where it is.")
            else:
                done[row.kind, row.id] = made
        return done

    def _keep(self, kind: str, id: str, alone: Act[Any], waits: Act[Any], *, durable: bool = False) -> Any:
        """Write a fact at home, and let it wait there until the shared store took it."""
        if self._shared is None:
            return self._home.write(alone, durable=durable)
        try:
            made = self._home.write(waits, durable=durable)
        except HistoryError as error:
            self._home.note(str(error))
            return self._shared.write(alone)
        outcomes = self._share()
        if (kind, id) not in outcomes:
            self._shared.note(
                f"What the shared history lacks waits in {self._home.place}, and is brought there as soon as it can be "
                "used again."
            )
        return outcomes.get((kind, id), made)

    def _each(self, act: Act[T]) -> T:
        """Do something in every store; what became of it in the first that could."""
        made: list[T] = []
        errors: list[HistoryError] = []
        for store in self._stores:
            try:
                made.append(store.write(act))
            except HistoryError as error:
                errors.append(error)
                store.note(str(error))
        if not made:
            raise errors[0]
        return made[0]

    def _read(self, act: Act[T], nothing: T) -> T:
        """Read where most is known: the shared store, otherwise at home."""
        for store in self._stores:
            if store.available:
                found = store.read(act, nothing)
                if store.available:
                    return found
        return nothing
