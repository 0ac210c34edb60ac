"""What recorded runs say, for the commands that look back: from the run folders, as long as those are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import quantiles

import msgspec

from synthprobe.model.address import shown_address
from synthprobe.model.history import OperationSum
from synthprobe.model.impact import OperationTotal, Traffic
from synthprobe.model.incident import Incident, Observation
from synthprobe.model.journey import Journey
from synthprobe.model.result import Result, Step
from synthprobe.model.verdict import Verdict
from synthprobe.report.board import Alarm, Day, DayState
from synthprobe.verdict.operations import backend_totals

NEWEST = 50
"""Runs that are enough to know the journeys as they are now."""


def verdicts(
    root: Path,
    folder: str,
    target: str,
    *,
    since: datetime | None = None,
    until: datetime,
    newest: int | None = None,
) -> list[Verdict]:
    """The verdicts of a target's recorded runs."""
    found = {}
    since = since or datetime.min.replace(tzinfo=UTC)
    paths = sorted((root / folder / "runs" / target).glob("*/verdict.json"))
    for path in paths[-newest:] if newest else paths:
        try:
            verdict = msgspec.json.decode(shown_address(path.read_text("utf-8", errors="replace")), type=Verdict)
        except (OSError, msgspec.DecodeError):
            continue
        if since <= verdict.run.started_at < until:
            found[verdict.run.id] = verdict
    return sorted(found.values(), key=lambda verdict: verdict.run.started_at)


def last_sight(root: Path, folder: str, incident: Incident) -> Result | None:
    """The attempt that showed an incident last, for as long as its run is kept."""
    for path in sorted((root / folder / "runs" / incident.target).glob("*/verdict.json"), reverse=True):
        try:
            verdict = msgspec.json.decode(shown_address(path.read_text("utf-8", errors="replace")), type=Verdict)
        except (OSError, msgspec.DecodeError):
            continue
        if not incident.first_seen_at <= verdict.run.started_at <= incident.last_seen_at:
            continue
        for one in (one for one in verdict.journeys if one.journey.id in incident.journeys):
            for result in reversed(one.results):
                if result.outcome not in {"passed", "skipped"}:
                    return result
    return None


def observations(some: Iterable[Verdict]) -> list[Observation]:
    """What each run says of each journey."""
    return [
        Observation(
            run_id=verdict.run.id,
            slot=verdict.run.slot,
            at=verdict.run.started_at,
            target=verdict.run.target,
            journey=one.journey.id,
            outcome=one.outcome,
            intermittent=one.intermittent,
            cause=one.cause,
            build=verdict.run.build,
        )
        for verdict in some
        for one in verdict.journeys
    ]


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


def timed(some: Sequence[Verdict]) -> tuple[tuple[OperationTotal, ...], tuple[Traffic, ...]]:
    """What steps and backend operations took. Steps inside a step are part of it and are not counted again."""
    known = journeys(some)
    runs: dict[str, int] = defaultdict(int)
    steps: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for result in (result for verdict in some for one in verdict.journeys for result in one.results):
        if not _counts(result):
            continue
        runs[result.journey.id] += 1
        for step in result.steps:
            if step.status == "passed" and step.duration_s >= 0:
                steps[result.journey.id, step.title].append(step)
    totals = tuple(_total(journey, title, group) for (journey, title), group in steps.items())
    totals += backend_totals(
        OperationSum(journey=result.journey.id, step=one.step, name=one.name, calls=one.calls, total_ms=one.total_ms)
        for verdict in some
        for judged in verdict.journeys
        for result in judged.results
        if _counts(result)
        for one in result.operations
    )
    walked = [(id, runs[id]) for id in known if runs[id]]
    return totals, tuple(
        Traffic(journey=id, runs=count, uses_per_day=known[id].uses_per_day, title=known[id].title)
        for id, count in walked
    )


def points(some: Iterable[Verdict]) -> dict[tuple[str, str], tuple[tuple[datetime, float], ...]]:
    """How long steps took over time."""
    found: dict[tuple[str, str], list[tuple[datetime, float]]] = defaultdict(list)
    for result in (result for verdict in some for one in verdict.journeys for result in one.results):
        for step in result.steps:
            if step.status == "passed":
                found[result.journey.id, step.title].append((step.started_at, step.duration_s * 1000))
    return {key: tuple(times) for key, times in found.items()}


def alarms(some: Iterable[Verdict]) -> dict[tuple[str, str], tuple[Alarm, ...]]:
    """When a step began to be not well enough."""
    found: dict[tuple[str, str], list[Alarm]] = defaultdict(list)
    last: dict[str, set[str]] = {}
    for one in (one for verdict in some for one in verdict.journeys if one.results):
        result = one.results[-1]
        for told in result.degradations:
            if told.step not in last.get(one.journey.id, set()):
                found[one.journey.id, told.step].append(Alarm(at=result.started_at, text=told.message))
        last[one.journey.id] = {told.step for told in result.degradations}
    return {key: tuple(held) for key, held in found.items()}


def days(some: Sequence[Verdict], journey: str) -> tuple[Day, ...]:
    """The worst outcome of each day of a journey."""
    seen: dict[date, list[DayState]] = defaultdict(list)
    for verdict in some:
        for one in verdict.journeys:
            if one.journey.id == journey and one.outcome != "skipped":
                seen[verdict.run.started_at.astimezone(UTC).date()].append(one.outcome)
    worst: tuple[DayState, ...] = ("failed", "unknown", "degraded", "passed")
    made = []
    for day, states in seen.items():
        state = min(states, key=worst.index)
        made.append(Day(day=day, state=state, runs=len(states), bad=states.count(state)))
    return tuple(made)


def now() -> datetime:
    """The moment, UTC."""
    return datetime.now(UTC)


def _counts(result: Result) -> bool:
    """A broken attempt says nothing of how long the journey takes."""
    return result.outcome in {"passed", "degraded"}


def _total(journey: str, title: str, group: Sequence[Step]) -> OperationTotal:
    times = [step.duration_s * 1000 for step in group]
    budget = group[-1].budget_s
    over = [ms - budget * 1000 for ms in times if budget is not None and ms > budget * 1000]
    return OperationTotal(
        name=title,
        journey=journey,
        step=title,
        calls=len(times),
        total_ms=sum(times),
        p95_ms=quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0],
        budget_ms=budget * 1000 if budget is not None else None,
        over_budget_calls=len(over),
        over_budget_ms=sum(over),
    )
