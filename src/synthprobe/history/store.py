"""The history as the rest of synthprobe sees it. It never loses a verdict, and never costs a run."""

from __future__ import annotations

import contextlib
import gzip
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, select, text

from synthprobe.errors import HistoryError
from synthprobe.history import incidents, renames, results, rollups, sums, times, transfer
from synthprobe.history.access import Access
from synthprobe.history.database import META, RUNS, SPOOL, to_ms, upsert
from synthprobe.history.packs import write_pack
from synthprobe.history.spool import Spool
from synthprobe.history.whole_file import whole_file
from synthprobe.model.history import JudgedSlot, OperationSum, OutboxItem, Retention, StepSample, StepSum
from synthprobe.model.incident import Incident, Observation
from synthprobe.model.verdict import Verdict

PRUNE_EVERY = timedelta(hours=1)
PRUNE_LEAP = timedelta(days=2)
"""How far what is old enough moves at once, so that a clock that is years ahead removes nothing that is young."""


class History:
    """The memory of the monitor. Open it with `History.open`.

    When the store cannot be used, `available` is false, `notes` says why, verdicts are spooled, reads give nothing,
    and all other writes raise `HistoryError`. Nothing that is decided on missing history may suppress an alert.
    """

    def __init__(self, url: str, spool: Spool, retention: Retention, within_s: float = math.inf) -> None:
        self._access = Access(url, within_s)
        self._spool = spool
        self._retention = retention
        self._spooled: set[str] = set()

    @property
    def available(self) -> bool:
        """Whether the store can be used."""
        return self._access.available

    def is_spooled(self, run_id: str) -> bool:
        """Whether a run's verdict had to be spooled since the history was opened."""
        return run_id in self._spooled

    @property
    def notes(self) -> list[str]:
        """What a person must know of the store, as sentences."""
        return self._access.notes

    @classmethod
    def open(
        cls,
        place: str | Path,
        *,
        spool: Path | None = None,
        retention: Retention | None = None,
        within_s: float = math.inf,
    ) -> History:
        """Open a store, make it when there is none, and merge what was spooled.

        A damaged SQLite file is put aside and a fresh store begun. A store that is locked, unreachable or of a newer
        version is left alone.
        """
        text_ = str(place)
        if "://" not in text_:
            path = Path(text_)
            with contextlib.suppress(OSError):  # what is in the way is said when the store is opened
                path.parent.mkdir(parents=True, exist_ok=True)
            spool = spool or path.parent / "spool"
            text_ = f"sqlite:///{path}"
        history = cls(text_, Spool(spool or Path(".synthprobe") / "spool"), retention or Retention(), within_s)
        history._access.connect(history._merge)
        return history

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self._access.close()

    # writing

    def ingest(self, verdict: Verdict) -> bool:
        """Take in all a verdict says, once for each run; spool it when the store cannot."""
        try:
            return self._access.write(lambda connection: results.write_verdict(connection, verdict))
        except HistoryError as error:
            reason = str(error)
        try:
            path = self._spool.put(verdict, reason)
        except OSError as error:
            raise HistoryError(
                f"{reason} The verdict could not be spooled to {self._spool.folder} either: "
                f"{error.strerror or error}. It stands in the run's verdict.json only. Make room there."
            ) from None
        self._spooled.add(verdict.run.id)
        self._access.note(f"{reason} The verdict waits in {path} and is merged when the history can be used again.")
        return False

    def put_observations(self, observations: Sequence[Observation]) -> None:
        """Complete the observations of runs that were taken in."""
        self._access.write(lambda connection: results.write_observations(connection, observations))

    def put_detector_states(self, target: str, states: Mapping[tuple[str, str], bytes], *, location: str = "") -> None:
        """Replace what the detector knows of steps."""
        self._access.write(lambda connection: results.write_states(connection, target, location, states))

    def rename_steps(self, target: str, aliases: Mapping[str, Mapping[str, str]]) -> None:
        """Give what is known of steps to the steps they are called now."""
        self._access.write(lambda connection: renames.rename_steps(connection, target, aliases))

    def put_incident(self, incident: Incident) -> None:
        """Write an incident, or replace what is known of it."""
        self._access.write(lambda connection: incidents.write_incident(connection, incident))

    def append_audit(
        self, *entries: dict[str, Any], check: Callable[[list[dict[str, Any]]], None] | None = None
    ) -> None:
        """Add entries at the end of the audit; they can be neither changed nor removed."""
        self._access.write(lambda connection: incidents.append_audit(connection, entries, check))

    def outbox_put(self, item: OutboxItem) -> None:
        """Put a message in the outbox; one that is there already stays as it is."""
        self._access.write(lambda connection: incidents.put_message(connection, item))

    def outbox_mark(self, id: str, *, delivered: bool, again_at: datetime | None = None, note: str = "") -> None:
        """Say how a try went."""
        self._access.write(
            lambda connection: incidents.mark_message(connection, id, delivered=delivered, again_at=again_at, note=note)
        )

    # reading

    def observations(self, target: str, journey: str | None = None, last: int = 12) -> list[Observation]:
        """What the last runs said of journeys."""
        return self._access.read(lambda connection: results.read_observations(connection, target, journey, last), [])

    def detector_states(self, target: str, *, location: str = "") -> dict[tuple[str, str], bytes]:
        """What the detector knows of each step."""
        return self._access.read(lambda connection: results.read_states(connection, target, location), {})

    def judged_slots(self, target: str, since: datetime, until: datetime) -> list[JudgedSlot]:
        """The slots that were judged in a window."""
        return self._access.read(lambda connection: results.read_slots(connection, target, since, until), [])

    def slot_before(self, target: str, slot: int) -> tuple[int, datetime] | None:
        """The last slot that was judged before another."""
        return self._access.read(lambda connection: results.read_slot_before(connection, target, slot), None)

    def is_judged(self, target: str, slot: int, *, location: str = "") -> bool:
        """Whether a slot was judged."""
        return self._access.read(lambda connection: results.has_slot(connection, target, slot, location), False)

    def clock_ahead(self) -> timedelta:
        """How far the database's clock is ahead of this machine's."""
        return self._access.read(times.read_clock_ahead, timedelta(0))

    def has_runs_after(self, target: str, at: datetime, *, location: str = "") -> bool:
        """Whether a run is remembered that began after a moment."""
        return self._access.read(lambda connection: times.has_runs_after(connection, target, location, at), False)

    def repair_times(self, target: str, latest: datetime, until: datetime, interval_s: int) -> list[str]:
        """Give runs whose clock was ahead a time that can be."""
        found = select(RUNS.c.no).where(RUNS.c.target == target, RUNS.c.started_at > to_ms(latest)).limit(1)
        if self._access.read(lambda connection: connection.execute(found).first(), None) is None:
            return []
        return self._access.write(lambda connection: times.repair_times(connection, target, latest, until, interval_s))

    def first_judged(self, target: str) -> dict[str, datetime]:
        """Since when each journey is watched."""
        return self._access.read(lambda connection: results.read_first_judged(connection, target), {})

    def steps(self, target: str) -> dict[str, tuple[str, ...]]:
        """Which steps are known."""
        return self._access.read(lambda connection: results.read_steps(connection, target), {})

    def step_series(self, target: str, journey: str, step: str, since: datetime) -> list[StepSample]:
        """How long a step took."""
        return self._access.read(lambda connection: results.read_series(connection, target, journey, step, since), [])

    def step_sums(self, target: str, since: datetime, until: datetime, *, p95: bool = True) -> list[StepSum]:
        """What steps took, in the attempts that reached their end."""
        return self._access.read(lambda c: sums.read_step_sums(c, target, since, until, p95=p95), [])

    def operations(self, target: str, since: datetime, until: datetime, *, p95: bool = True) -> list[OperationSum]:
        """What the target's backend operations took."""
        return self._access.read(lambda c: sums.read_operations(c, target, since, until, p95=p95), [])

    def incidents(self, target: str | None = None, state: str | None = None) -> list[Incident]:
        """Incidents."""
        return self._access.read(lambda connection: incidents.read_incidents(connection, target, state), [])

    def incident(self, id: str) -> Incident | None:
        """One incident."""
        return self._access.read(lambda connection: incidents.read_incident(connection, id), None)

    def audit_entries(self) -> list[dict[str, Any]]:
        """All entries of the audit."""
        return self._access.read(incidents.read_audit, [])

    def outbox_due(self, now: datetime) -> list[OutboxItem]:
        """Messages to be tried now."""
        return self._access.read(lambda connection: incidents.due_messages(connection, now), [])

    # upkeep

    def prune(self, now: datetime) -> dict[str, int]:
        """Roll up and remove what is older than it is kept."""

        def act(connection: Connection) -> dict[str, int]:
            removed = rollups.prune(connection, now, self._retention)
            statement = upsert(connection, META).values(name="pruned at", value=now.isoformat())
            said = {"value": now.isoformat()}
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=said))
            return removed

        return self._access.write(act)

    def prune_if_due(self, now: datetime) -> None:
        """Prune when that was not done for an hour."""
        query = META.select().where(META.c.name == "pruned at")
        found = self._access.read(lambda connection: connection.execute(query).mappings().first(), None)
        last = datetime.fromisoformat(found["value"]) if found else now - PRUNE_EVERY
        if abs(now - last) >= PRUNE_EVERY:
            self.prune(min(now, last + PRUNE_LEAP))

    def check(self) -> list[str]:
        """Look at the whole store."""
        if not self.available:
            return [self._access.reason]
        if self._access.sqlite_path is None:
            return list(self.notes)
        found = self._access.read(
            lambda c: list(c.execute(text("PRAGMA integrity_check")).scalars()), ["cannot be read"]
        )
        return list(self.notes) + [f"{self._access.sqlite_path}: {line}" for line in found if line != "ok"]

    def export(self, path: Path) -> int:
        """Write all that is known to a file of JSON lines, compressed."""
        self._access.require()
        with whole_file(path) as temporary, gzip.open(temporary, "wb", compresslevel=5) as file:
            return self._access.do(lambda c: transfer.write_rows(c, file), write=False, again=False)

    def import_(self, path: Path) -> int:
        """Read what `export` wrote into an empty store."""

        def act(connection: Connection) -> int:
            with gzip.open(path, "rb") as file:
                return transfer.read_rows(connection, file)

        try:
            return self._access.write(act)
        except (OSError, EOFError, zlib.error) as error:
            raise HistoryError(f"{path} is no export that can be read: {error}. Nothing was imported.") from None

    def pack(self, path: Path) -> int:
        """Write a small copy that can travel in a cache: state, open incidents, two days, roll-ups."""
        self._access.require()
        source = self._access.sqlite_path
        if source is None:
            raise HistoryError("A PostgreSQL history lasts by itself; there is nothing to pack. Use export for a copy.")
        return write_pack(source, path)

    def _merge(self) -> None:
        for path, spooled in self._spool.waiting():
            if spooled is None:
                with contextlib.suppress(OSError):
                    path.replace(path.with_suffix(".unreadable"))
                self._access.note(
                    f"{path} could not be read as a spooled verdict; it is kept as {path.stem}.unreadable."
                )
                continue
            try:
                self._access.write(_merging(spooled.verdict, spooled.reason))
            except HistoryError as error:
                self._access.note(str(error))
                return
            path.unlink(missing_ok=True)


def _merging(verdict: Verdict, reason: str) -> Callable[[Connection], None]:
    def act(connection: Connection) -> None:
        if results.write_verdict(connection, verdict):
            row = {"run_id": verdict.run.id, "reason": reason, "merged_at": to_ms(datetime.now(UTC))}
            connection.execute(upsert(connection, SPOOL).values(row).on_conflict_do_nothing())

    return act
