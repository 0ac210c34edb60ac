"""The history as the rest of synthprobe sees it: a SQLite file that is always written, and a store that is shared."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, select, text

from synthprobe.errors import HistoryError
from synthprobe.history import (
    incidents,
    intervals,
    ledger,
    renames,
    results,
    rollups,
    sums,
    times,
    transfer,
    waiting,
)
from synthprobe.history.database import META, RUNS, to_ms, upsert
from synthprobe.history.fleet import Fleet
from synthprobe.history.packs import write_pack
from synthprobe.history.sharing import Stores
from synthprobe.history.whole_file import whole_file
from synthprobe.records.fleet import PartSeen
from synthprobe.records.history import JudgedSlot, OperationSum, StepSample, StepSum
from synthprobe.records.incident import Incident, Observation
from synthprobe.records.intervals import Interval
from synthprobe.records.testdata import LedgerEntry
from synthprobe.records.verdict import Verdict

T = TypeVar("T")

PRUNE_EVERY = timedelta(hours=1)
PRUNE_LEAP = timedelta(days=2)
"""How far what is old enough moves at once, so that a clock that is years ahead removes nothing that is young."""


class History(Stores):
    """The memory of the monitor. Open it with `History.open`.

    Whatever is written goes into a SQLite file on this machine. Where there is a shared store as well it is brought up
    to date at once, or when it can be used again; what is read is read there as long as it can be used.

    When neither can be used, `available` is false, `notes` says why, reads give nothing, and writes raise
    `HistoryError`. Nothing that is decided on missing history may suppress an alert.
    """

    # writing

    def ingest(
        self,
        verdict: Verdict,
        observations: Sequence[Observation] = (),
        states: Mapping[tuple[str, str], bytes] | None = None,
        part: PartSeen | None = None,
    ) -> bool:
        """Take in all that is to be remembered of a run, once for each; whether it was new.

        What a part says counts only while its lease is not somebody else's.
        """
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

    def put_detector_states(self, target: str, states: Mapping[tuple[str, str], bytes], *, location: str = "") -> None:
        """Replace what the detector knows of steps."""
        self._each(lambda connection: results.write_states(connection, target, location, states))

    def rename_steps(self, target: str, aliases: Mapping[str, Mapping[str, str]]) -> None:
        """Give what is known of steps to the steps they are called now."""
        self._each(lambda connection: renames.rename_steps(connection, target, aliases))

    def put_incident(self, incident: Incident, *, base: Incident | None = None) -> None:
        """Write an incident, or replace what is known of it; what others made of its base meanwhile is not lost."""
        self._keep(
            waiting.INCIDENT,
            incident.id,
            lambda connection: incidents.write_incident(connection, incident, base),
            lambda connection: waiting.keep_incident(connection, incident, base),
        )

    def put_entry(self, entry: LedgerEntry) -> None:
        """Write an entry of the ledger of test data; when an open one returns, it is on the disk."""
        self._keep(
            waiting.ENTRY,
            entry.token,
            partial(ledger.write_entry, entry=entry),
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
            self._home.write(lambda c: incidents.append_audit(c, entries, check), durable=True)
        elif check is not None:
            self._shared.write(lambda c: incidents.append_audit(c, entries, check))
            self._home.write(lambda c: incidents.append_audit(c, entries), durable=True)
        else:
            self._home.write(lambda c: waiting.keep_audited(c, entries), durable=True)
            self._share()

    def put_letter(self, id: str, at: datetime, done: datetime | None, body: str, topics: Collection[str]) -> None:
        """Write a message and what became of it, on this machine alone; when it returns that is on the disk."""
        self._home.write(lambda c: incidents.write_letter(c, id, at, done, body, topics), durable=True)

    # reading

    def observations(
        self, target: str, journeys: str | Collection[str] | None = None, last: int = 12
    ) -> list[Observation]:
        """What the last runs said of journeys; of all without any."""
        wanted = [journeys] if isinstance(journeys, str) else journeys
        return self._read(lambda connection: results.read_observations(connection, target, wanted, last), [])

    def detector_states(
        self, target: str, *, location: str = "", journeys: Collection[str] | None = None
    ) -> dict[tuple[str, str], bytes]:
        """What the detector knows of each step."""
        return self._read(lambda connection: results.read_states(connection, target, location, journeys), {})

    def judged_slots(
        self, target: str, since: datetime, until: datetime, journeys: Collection[str] | None = None
    ) -> list[JudgedSlot]:
        """The slots that were judged in a window."""
        return self._read(lambda connection: results.read_slots(connection, target, since, until, journeys), [])

    def slot_before(self, target: str, slot: int) -> tuple[int, datetime] | None:
        """The last slot that was judged before another."""
        return self._read(lambda connection: results.read_slot_before(connection, target, slot), None)

    def is_judged(self, target: str, slot: int, *, location: str = "") -> bool:
        """Whether a slot was judged."""
        return self._read(lambda connection: results.has_slot(connection, target, slot, location), False)

    def clock_ahead(self) -> timedelta:
        """How far the database's clock is ahead of this machine's."""
        return self._read(times.read_clock_ahead, timedelta(0))

    def has_runs_after(self, target: str, at: datetime, *, location: str = "") -> bool:
        """Whether a run is remembered that began after a moment."""
        return self._read(lambda connection: times.has_runs_after(connection, target, location, at), False)

    def repair_times(self, target: str, latest: datetime, until: datetime, interval_s: int) -> list[str]:
        """Give runs whose clock was ahead a time that can be."""
        found = select(RUNS.c.no).where(RUNS.c.target == target, RUNS.c.started_at > to_ms(latest)).limit(1)
        if self._read(lambda connection: connection.execute(found).first(), None) is None:
            return []
        return self._each(lambda connection: times.repair_times(connection, target, latest, until, interval_s))

    def first_judged(self, target: str) -> dict[str, datetime]:
        """Since when each journey is watched."""
        return self._read(lambda connection: results.read_first_judged(connection, target), {})

    def intervals(self, target: str) -> dict[str, Interval]:
        """The interval of each journey, and since when it has it."""
        return self._read(lambda connection: intervals.read_intervals(connection, target), {})

    def steps(self, target: str) -> dict[str, tuple[str, ...]]:
        """Which steps are known."""
        return self._read(lambda connection: results.read_steps(connection, target), {})

    def step_series(self, target: str, journey: str, step: str, since: datetime) -> list[StepSample]:
        """How long a step took."""
        return self.series(target, journey, (step,), since).get(step, [])

    def series(self, target: str, journey: str, steps: Collection[str], since: datetime) -> dict[str, list[StepSample]]:
        """How long steps of a journey took."""
        return self._read(lambda connection: results.read_series(connection, target, journey, steps, since), {})

    def step_sums(self, target: str, since: datetime, until: datetime, *, p95: bool = True) -> list[StepSum]:
        """What steps took, in the attempts that reached their end."""
        return self._read(lambda c: sums.read_step_sums(c, target, since, until, p95=p95), [])

    def operations(self, target: str, since: datetime, until: datetime, *, p95: bool = True) -> list[OperationSum]:
        """What the target's backend operations took."""
        return self._read(lambda c: sums.read_operations(c, target, since, until, p95=p95), [])

    def incidents(self, target: str | None = None, state: str | None = None) -> list[Incident]:
        """Incidents."""
        return self._read(lambda connection: incidents.read_incidents(connection, target, state), [])

    def incident(self, id: str) -> Incident | None:
        """One incident."""
        return self._read(lambda connection: incidents.read_incident(connection, id), None)

    def entries(self, target: str, since: datetime | None = None) -> list[LedgerEntry]:
        """Entries of the ledger of test data that are open, and those that were closed since a moment."""
        return self._read(lambda connection: ledger.read_entries(connection, target, since), [])

    def knows_entry(self, token: str) -> bool:
        """Whether the ledger holds an entry, open or closed."""
        return self._read(lambda connection: ledger.is_known(connection, token), False)

    def audit_entries(self) -> list[dict[str, Any]]:
        """All entries of the audit, of every machine that shares the history."""
        return self._read(incidents.read_audit, [])

    def own_audit(self) -> list[str]:
        """All entries of the audit that were made here, as they are written."""
        none: list[str] = []
        return self._home.read(incidents.read_audit_rows, none)

    def audit_end(self) -> str:
        """The newest line of the audit made here, as a sentence for whoever keeps it elsewhere; empty without one."""
        rows = [row for row in self.own_audit()[-1:] if '"hash"' in row]
        newest = [msgspec.json.decode(row) for row in rows]
        return "".join(f"The audit of fixes ends with line {one['number']}, {one['hash']}." for one in newest)

    def shared_audit(self) -> list[dict[str, Any]]:
        """All entries that the shared store holds; none where there is no such store."""
        return self._shared.do(incidents.read_audit, write=False) if self._shared is not None else []

    @property
    def fleet(self) -> Fleet:
        """What machines that share the history agree on of a slot."""
        return Fleet(self._stores[0])

    def letters(self, topics: Collection[str] | None = None, *, waiting: bool = False) -> list[str]:
        """All messages of this machine, or those about some topics, and those that wait."""
        none: list[str] = []
        return self._home.read(lambda c: incidents.read_letters(c, topics, waiting=waiting), none)

    # upkeep

    def prune(self, now: datetime) -> dict[str, int]:
        """Roll up and remove what is older than it is kept."""

        def act(connection: Connection) -> dict[str, int]:
            removed = rollups.prune(connection, now, self._retention)
            statement = upsert(connection, META).values(name="pruned at", value=now.isoformat())
            said = {"value": now.isoformat()}
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=said))
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
            raise HistoryError(f"{path} is no export that can be read: {error}. Nothing was imported.") from None

    def pack(self, path: Path) -> int:
        """Write a small copy that can travel in a cache: state, open incidents, two days, roll-ups."""
        self._home.require()
        return write_pack(Path(self._home.place), path)
