"""What run folders say that the history does not hold: how journeys are declared, and every word of a result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from synthprobe.config import Project
from synthprobe.records.address import shown_address
from synthprobe.records.incident import Incident
from synthprobe.records.journey import Journey
from synthprobe.records.latency import Alarm
from synthprobe.records.result import Result
from synthprobe.records.verdict import Verdict

_NEWEST = 50  # runs that are enough to know the journeys as they are now


def verdicts(project: Project, target: str) -> list[Verdict]:
    """The verdicts of a target's newest runs up to now."""
    until = now()
    found = {one.run.id: one for one in _readable(_written(project, target)[-_NEWEST:]) if one.run.started_at < until}
    return sorted(found.values(), key=lambda verdict: verdict.run.started_at)


def last_sight(project: Project, incident: Incident) -> Result | None:
    """The attempt that showed an incident last, for as long as its run is kept."""
    for verdict in _readable(reversed(_written(project, incident.target))):
        if not incident.first_seen_at <= verdict.run.started_at <= incident.last_seen_at:
            continue
        for one in (one for one in verdict.journeys if one.journey.id in incident.journeys):
            if one.telling is not None:
                return one.telling
    return None


def _written(project: Project, target: str) -> list[Path]:
    return sorted((project.folder / "runs" / target).glob("*/verdict.json"))


def _readable(paths: Iterable[Path]) -> Iterator[Verdict]:
    for path in paths:
        with suppress(OSError, msgspec.DecodeError):
            yield msgspec.json.decode(shown_address(path.read_text("utf-8", errors="replace")), type=Verdict)


def journeys(some: Iterable[Verdict]) -> dict[str, Journey]:
    """The journeys as they were last known."""
    return {one.journey.id: one.journey for verdict in some for one in verdict.journeys}


def budgets(some: Iterable[Verdict]) -> dict[tuple[str, str], float | None]:
    """What each step may take, as it was last declared."""
    return {
        (one.journey.id, step.title): step.budget_s * 1000 if step.budget_s else None
        for verdict in some
        for one in verdict.journeys
        for result in one.results
        for step in result.steps
    }


def alarms(some: Iterable[Verdict]) -> dict[tuple[str, str], tuple[Alarm, ...]]:
    """When a step began to be not well enough."""
    found: dict[tuple[str, str], list[Alarm]] = defaultdict(list)
    last: dict[str, set[str]] = {}
    for one in (one for verdict in some for one in verdict.journeys if one.results):
        for told in one.degradations:
            if told.step not in last.get(one.journey.id, set()):
                found[one.journey.id, told.step].append(Alarm(at=one.results[-1].started_at, text=told.message))
        last[one.journey.id] = {told.step for told in one.degradations}
    return {key: tuple(held) for key, held in found.items()}


def now() -> datetime:
    """The moment, UTC."""
    return datetime.now(UTC)
