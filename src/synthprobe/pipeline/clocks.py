"""Clocks that are wrong: a time ahead of this machine's and the database's is noted and repaired, and drops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.records.incident import Incident, Observation
from synthprobe.records.result import Result, Step
from synthprobe.records.verdict import Verdict
from synthprobe.triage.lifecycle import is_new

if TYPE_CHECKING:
    from synthprobe.history.store import History

TOLERATED = timedelta(seconds=60)
"""How far two clocks may differ before one of them is distrusted."""

_MARK = "clock-was-ahead"


class Dated(Struct, frozen=True, kw_only=True):
    """A run on a timeline that it shares with all that is remembered."""

    verdict: Verdict
    ahead: timedelta = timedelta(0)
    now: datetime
    notes: tuple[str, ...] = ()


def put_on_timeline(history: History, runs: Path, verdict: Verdict, interval_s: int) -> Dated:
    """Date a run by the database's clock, and repair what is remembered of runs whose clock was ahead."""
    notes = []
    ahead = history.clock_ahead()
    now = datetime.now(UTC) + max(ahead, timedelta(0))
    if abs(ahead) > TOLERATED:
        verdict = shifted(verdict, ahead, interval_s)
        notes.append(
            f"The clock of this machine is {abs(ahead.total_seconds()):.0f} s "
            f"{'behind' if ahead > timedelta(0) else 'ahead of'} the database's. The run is remembered at the "
            "database's time. Look at what sets this clock, for example with timedatectl."
        )
    run = verdict.run
    repaired = history.repair_times(run.target, now + TOLERATED, run.started_at, interval_s)
    for id in repaired:
        for folder in runs.glob(f"*-{id}"):
            (folder / _MARK).touch()
    if repaired:
        which = f"Run {repaired[0]} was" if len(repaired) == 1 else f"{len(repaired)} runs up to {repaired[-1]} were"
        notes.append(
            f"{which} remembered at a time that is still to come: the clock was ahead then. It is now remembered "
            "before this run, so that nothing newer is taken for late."
        )
    kept = ahead if abs(ahead) > TOLERATED else timedelta(0)
    return Dated(verdict=verdict, ahead=kept, now=now, notes=tuple(notes))


def in_order(before: Iterable[Observation], dated: Dated) -> dict[str, list[Observation]]:
    """Earlier observations by journey, oldest first; what is of the future comes before this run."""
    run, latest = dated.verdict.run, dated.now + TOLERATED
    found: dict[str, list[Observation]] = {}
    for seen in before:
        if seen.at > latest and seen.run_id != run.id:
            seen = replace(seen, at=run.started_at - timedelta(milliseconds=1), slot=min(seen.slot, run.slot))
        found.setdefault(seen.journey, []).append(seen)
    for observations in found.values():
        observations.sort(key=lambda seen: seen.at)
    return found


def of_now(incident: Incident, now: datetime) -> Incident:
    """An incident without times that are still to come."""
    if max(incident.last_seen_at, incident.opened_at, incident.resolved_at or now) <= now + TOLERATED:
        return incident
    return replace(
        incident,
        opened_at=min(incident.opened_at, now),
        first_seen_at=min(incident.first_seen_at, now),
        last_seen_at=min(incident.last_seen_at, now),
        resolved_at=min(incident.resolved_at, now) if incident.resolved_at else None,
    )


def out_of_order(seen: Sequence[Observation], before: Mapping[str, Sequence[Observation]]) -> list[str]:
    """Why incidents stay as they are: what is older than what was judged at this location says nothing of now."""
    late = [observation for observation in seen if not is_new(observation, before.get(observation.journey, ()))]
    newer = [
        old
        for observation in late
        for old in before[observation.journey]
        if old.run_id != observation.run_id and old.at > observation.at
    ]
    if not newer:
        return []
    newest = max(newer, key=lambda old: old.at)
    return [
        f"This run began at {late[0].at:%Y-%m-%d %H:%M} UTC by its clock, and run {newest.run_id} at "
        f"{newest.at:%Y-%m-%d %H:%M} UTC was judged before: the clock of this machine went backwards, or the run came "
        "late. It is remembered, and changes no incident. Compare the machine's clock with another one."
    ]


def is_believed(folder: Path) -> bool:
    """Whether a run's slot is the one it judged."""
    return not (folder / _MARK).exists()


def shifted(verdict: Verdict, by: timedelta, interval_s: int) -> Verdict:
    """A verdict on another clock."""
    if not by:
        return verdict
    slot = verdict.run.slot + round(by.total_seconds() / interval_s)
    run = replace(verdict.run, started_at=verdict.run.started_at + by, slot=slot)
    journeys = tuple(
        replace(
            judgement,
            results=tuple(_moved(result, by) for result in judgement.results),
            reruns=tuple(_moved(result, by) for result in judgement.reruns),
        )
        for judgement in verdict.journeys
    )
    return replace(verdict, run=run, journeys=journeys, finished_at=verdict.finished_at + by)


def _moved(result: Result, by: timedelta) -> Result:
    steps = tuple(_moved_step(step, by) for step in result.steps)
    return replace(result, started_at=result.started_at + by, steps=steps)


def _moved_step(step: Step, by: timedelta) -> Step:
    steps = tuple(_moved_step(inner, by) for inner in step.steps)
    return replace(step, started_at=step.started_at + by, steps=steps)
