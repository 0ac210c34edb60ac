"""The history as the rest of synthprobe sees it: a SQLite file that is always written, and a store that is shared."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, select, text

from synthprobe.errors import HistoryError
from synthprobe.history import repairs, results, rollups, sums, transfer, waiting
from synthprobe.history.database import META, RUNS, put, to_ms
from synthprobe.history.fleet import Fleet
from synthprobe.history.incidents import (
    append_audit,
    is_known,
    read_audit,
    read_audit_rows,
    read_entries,
    read_incident,
    read_incidents,
    read_letters,
    write_entry,
    write_incident,
    write_letter,
)
from synthprobe.history.rows import read_intervals
from synthprobe.history.sharing import Stores
from synthprobe.history.transfer import whole_file, write_pack
from synthprobe.records.decoding import from_json
from synthprobe.records.fleet import PartSeen
from synthprobe.records.history import StepSample
from synthprobe.records.incident import Incident, Observation
from synthprobe.records.testdata import LedgerEntry
from synthprobe.records.verdict import Verdict

P = ParamSpec("P")
T = TypeVar("T")

PRUNE_EVERY = timedelta(hours=1)
PRUNE_LEAP = timedelta(days=2)
"""How far what is old enough moves at once, so that a clock that is years ahead removes nothing that is young."""


def _reader(
    act: Callable[Concatenate[Connection, P], T], nothing: Callable[[], T]
) -> Callable[Concatenate[Stores, P], T]:
    """A method that reads where most is known, and gives nothing where no store can be used."""

    def read(self: Stores, /, *args: P.args, **options: P.kwargs) -> T:
        return self._read(lambda connection: act(connection, *args, **options), nothing())

    read.__doc__ = act.__doc__
    return read


def _writer(act: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Stores, P], T]:
    """A method that does the same in every store."""

    def write(self: Stores, /, *args: P.args, **options: P.kwargs) -> T:
        return self._each(lambda connection: act(connection, *args, **options))

    write.__doc__ = act.__doc__
    return write


def _none() -> None:
    return None


class History(Stores):
    """The memory of the monitor. Open it with `History.open`.

    Whatever is written goes into a SQLite file on this machine. Where there is a shared store as well it is brought up
    to date at once, or when it can be used again; what is read is read there as long as it can be used.

    When neither can be used, `available` is false, `notes` says why, reads give nothing, and writes raise
    `HistoryError`. Nothing that is decided on missing history may suppress an alert.
    """

    # writing

    def alone(self, what: str, within_s: float = 5.0) -> AbstractContextManager[None]:
        """Held while no other machine that shares this history does the same; it is not waited for any longer."""
        return self._stores[0].alone(what, within_s)

    def ingest(
        self,
        verdict: Verdict,
        observations: Sequence[Observation] = (),
        states: Mapping[tuple[str, str], bytes] | None = None,
        part: PartSeen | None = None,
    ) -> bool:
        """Take in what is to be remembered of a run, once; of a part only while its lease holds; whether it was new."""
        run = waiting.JudgedRun(verdict=verdict, observations=tuple(observations), states=states or {}, part=part)
        try:
            return bool(
                self._keep(
                    waiting.RUN,
                    verdict.run.id,
                    lambda connection: waiting.write_run(connection, run),
                    lambda connection: waiting.keep_run(connection, run),
                )
            )
        except HistoryError as error:
            raise HistoryError(
                f"{error} The verdict waits in the run's folder, and is taken in when the history can be used again."
            ) from None

    put_detector_states = _writer(results.write_states)
    rename_steps = _writer(repairs.rename_steps)

    def put_incident(self, incident: Incident, *, base: Incident | None = None) -> None:
        """Write an incident, or replace what is known of it; what others made of its base meanwhile is not lost."""
        self._keep(
            waiting.INCIDENT,
            incident.id,
            lambda connection: write_incident(connection, incident, base),
            lambda connection: waiting.keep_incident(connection, incident, base),
        )

    def put_entry(self, entry: LedgerEntry) -> None:
        """Write an entry of the ledger of test data; when an open one returns, it is on the disk."""
        self._keep(
            waiting.ENTRY,
            entry.token,
            partial(write_entry, entry=entry),
            partial(waiting.keep_entry, entry=entry),
            durable=entry.closed_at is None,
        )

    def append_audit(
        self,
        *entries: dict[str, Any],
        check: Callable[[list[dict[str, Any]]], None] | None = None,
        share: bool = True,
    ) -> None:
        """Add entries at the end of the audit, durably; they can be neither changed nor removed.

        With a check the shared store takes them first, so that two machines cannot both be let through, or nobody does.
        What the shared store has heard of already is not shared.
        """
        if self._shared is None or not share:
            self._home.write(lambda c: append_audit(c, entries, check), durable=True)
        elif check is not None:
            self._shared.write(lambda c: append_audit(c, entries, check))
            self._home.write(lambda c: append_audit(c, entries), durable=True)
        else:
            self._home.write(lambda c: waiting.keep_audited(c, entries), durable=True)
            self._share()

    def put_letter(self, id: str, at: datetime, done: datetime | None, body: str, topics: Collection[str]) -> None:
        """Write a message and what became of it, on this machine alone; when it returns that is on the disk."""
        self._home.write(lambda c: write_letter(c, id, at, done, body, topics), durable=True)

    # reading

    observations = _reader(results.read_observations, list)
    detector_states = _reader(results.read_states, dict)
    judged_slots = _reader(results.read_slots, list)
    slot_before = _reader(results.read_slot_before, _none)
    is_judged = _reader(results.has_slot, bool)
    first_judged = _reader(results.read_first_judged, dict)
    steps = _reader(results.read_steps, dict)
    series = _reader(results.read_series, dict)
    step_sums = _reader(sums.read_step_sums, list)
    operations = _reader(sums.read_operations, list)
    intervals = _reader(read_intervals, dict)
    clock_ahead = _reader(repairs.read_clock_ahead, timedelta)
    has_runs_after = _reader(repairs.has_runs_after, bool)
    incidents = _reader(read_incidents, list)
    incident = _reader(read_incident, _none)
    entries = _reader(read_entries, list)
    knows_entry = _reader(is_known, bool)
    audit_entries = _reader(read_audit, list)

    def step_series(self, target: str, journey: str, step: str, since: datetime) -> list[StepSample]:
        """How long a step took."""
        return self.series(target, journey, (step,), since).get(step, [])

    def repair_times(self, target: str, latest: datetime, until: datetime, interval_s: int) -> list[str]:
        """Give runs whose clock was ahead a time that can be."""
        found = select(RUNS.c.no).where(RUNS.c.target == target, RUNS.c.started_at > to_ms(latest)).limit(1)
        if self._read(lambda connection: connection.execute(found).first(), None) is None:
            return []
        return self._each(lambda connection: repairs.repair_times(connection, target, latest, until, interval_s))

    def own_audit(self) -> list[str]:
        """All entries of the audit that were made here, as they are written."""
        none: list[str] = []
        return self._home.read(read_audit_rows, none)

    def audit_end(self) -> str:
        """The newest line of the audit made here, as a sentence for whoever keeps it elsewhere; empty without one."""
        rows = [row for row in self.own_audit()[-1:] if '"hash"' in row]
        newest = [from_json(row) for row in rows]
        return "".join(f"The audit of fixes ends with line {line['number']}, {line['hash']}." for line in newest)

    def shared_audit(self) -> list[dict[str, Any]]:
        """All entries that the shared store holds; none where there is no such store."""
        return self._shared.do(read_audit, write=False) if self._shared is not None else []

    @property
    def fleet(self) -> Fleet:
        """What machines that share the history agree on of a slot."""
        return Fleet(self._stores[0])

    def letters(self, topics: Collection[str] | None = None, *, waiting: bool = False) -> list[str]:
        """All messages of this machine, or those about some topics, and those that wait."""
        none: list[str] = []
        return self._home.read(lambda c: read_letters(c, topics, waiting=waiting), none)

    # upkeep

    def prune(self, now: datetime) -> dict[str, int]:
        """Roll up and remove what is older than it is kept."""

        def act(connection: Connection) -> dict[str, int]:
            removed = rollups.prune(connection, now, self._retention)
            put(connection, META, [{"name": "pruned at", "value": now.isoformat()}])
            return removed

        return self._each(act)

    def prune_if_due(self, now: datetime) -> None:
        """Prune when that was not done for an hour."""
        query = META.select().where(META.c.name == "pruned at")
        found = self._read(lambda connection: connection.execute(query).mappings().first(), None)
        last = datetime.fromisoformat(found["value"]) if found else now - PRUNE_EVERY
        if abs(now - last) >= PRUNE_EVERY:
            self.prune(min(now, last + PRUNE_LEAP))

    def check(self) -> list[str]:
        """Look at the whole store."""
        found = self._home.read(lambda c: list(c.execute(text("PRAGMA integrity_check")).scalars()), ["ok"])
        return self.notes + [f"{self._home.place}: {line}" for line in found if line != "ok"]

    def export(self, path: Path) -> int:
        """Write all that is known to a file of JSON lines, compressed."""
        self._stores[0].require()
        with whole_file(path) as temporary, gzip.open(temporary, "wb", compresslevel=5) as file:
            return self._stores[0].do(lambda c: transfer.write_rows(c, file), write=False, again=False)

    def import_(self, path: Path) -> int:
        """Read what `export` wrote into an empty store."""

        def act(connection: Connection) -> int:
            with gzip.open(path, "rb") as file:
                return transfer.read_rows(connection, file)

        try:
            return self._stores[0].write(act)
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or error
            raise HistoryError(f"{path} is no export that can be read: {why}. Nothing was imported.") from None

    def pack(self, path: Path) -> int:
        """Write a small copy that can travel in a cache: state, open incidents, two days, roll-ups."""
        self._home.require()
        return write_pack(Path(self._home.place), path)
