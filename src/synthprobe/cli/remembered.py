"""What the history says, for the commands that look back, and what only run folders say as long as they are kept."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synthprobe import pipeline
from synthprobe.errors import HistoryError, ReportError
from synthprobe.goals.impact import backend_totals, sum_locations
from synthprobe.project import Project
from synthprobe.records.history import StepSample, StepSum
from synthprobe.records.impact import OperationTotal, Traffic
from synthprobe.records.incident import Incident, Observation
from synthprobe.records.journey import Journey
from synthprobe.records.latency import Alarm
from synthprobe.records.result import Outcome, Result
from synthprobe.records.verdict import Verdict
from synthprobe.report.board import Day

if TYPE_CHECKING:
    from synthprobe.history.store import History

BY_HAND = 288
"""Runs by hand that are looked at for each journey: those of a day, one each five minutes."""
_NEWEST = 50  # runs that are enough to know the journeys as they are now
_AGAIN = re.compile(r" \(\d+\)$")

StepKey = tuple[str, str]
"""A journey's id and a step's title."""


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def opened(project: Project, target: str) -> Iterator[Past]:
    """Open the history to read it, with the runs that it has not taken in yet."""
    with pipeline.open_history(project) as history:
        unread = pipeline.take_in(history, project.folder / "runs" / target)
        if not history.available:
            raise HistoryError(" ".join(history.notes))
        for note in (*unread, *history.notes):
            typer.echo(f"note: {note}", err=True)
        yield Past(project, target, history)


class Past:
    """What is known of a target up to now."""

    def __init__(self, project: Project, target: str, history: History) -> None:
        self.project, self.target, self.history, self.now = project, target, history, now()

    @cached_property
    def _latest(self) -> list[Verdict]:
        return verdicts(self.project, self.target)

    @cached_property
    def journeys(self) -> dict[str, Journey]:
        """The journeys as they were last known."""
        return journeys(self._latest)

    @cached_property
    def budgets(self) -> dict[StepKey, float | None]:
        """What each step may take, as it was last declared."""
        return {
            (judgement.journey.id, step.title): step.budget_s * 1000 if step.budget_s else None
            for verdict in self._latest
            for judgement in verdict.journeys
            for result in judgement.results
            for step in result.steps
        }

    def timed(
        self, since: datetime, until: datetime, *, p95: bool
    ) -> tuple[tuple[OperationTotal, ...], tuple[Traffic, ...], tuple[Traffic, ...]]:
        """What steps and backend operations took, and how often journeys were walked to their end, and begun."""
        wholes: dict[str, StepSum] = {}
        steps: dict[StepKey, list[StepSum]] = defaultdict(list)
        for sums in self.history.step_sums(self.target, since, until, p95=p95):
            if not sums.step:
                wholes[sums.journey] = sums
            elif " › " not in sums.step and sums.count:
                steps[sums.journey, _AGAIN.sub("", sums.step)].append(sums)
        totals = [_total(key, step_sums, self.budgets.get(key)) for key, step_sums in steps.items()]
        totals += backend_totals(self.history.operations(self.target, since, until, p95=p95))
        walked, begun = [], []
        for id, whole in sorted(wholes.items()):
            journey = self.journeys.get(id)
            uses, title = (journey.uses_per_day, journey.title) if journey else (None, id)
            begun += [Traffic(journey=id, runs=whole.tried, uses_per_day=uses, title=title)] if whole.tried else []
            walked += [Traffic(journey=id, runs=whole.count, uses_per_day=uses, title=title)] if whole.count else []
        return tuple(totals), tuple(walked), tuple(begun)

    def series(self, journey: str, steps: Iterable[str], since: datetime) -> dict[str, list[StepSample]]:
        """How long the steps of a journey took, of the attempts that reached their end."""
        outer = [path for path in steps if " › " not in path]
        measured = {
            path: [sample for sample in samples if since <= sample.at < self.now]
            for path, samples in self.history.series(self.target, journey, ("", *outer), since).items()
        }
        whole = measured.get("", [])
        ended = {sample.at for sample in whole if sample.count > sample.failed}
        broken = {sample.at for sample in whole if sample.failed} - ended
        found: dict[str, list[StepSample]] = defaultdict(list)
        for path in outer:
            kept = [
                sample
                for sample in measured.get(path, [])
                if not sample.failed and not (sample.span_s == 0 and sample.at in broken)
            ]
            if kept:
                found[_AGAIN.sub("", path)] += kept
        return found

    def observations(self, since: datetime) -> list[Observation]:
        """What scheduled runs said of each slot, with the cause where it is still known."""
        records = {
            (observation.journey, observation.slot, observation.outcome): observation
            for observation in self.history.observations(self.target, last=1_000_000)
        }
        return [
            records.get((journey, slot.slot, outcome)) or slot.observation(self.target, journey, outcome)
            for slot in self.history.judged_slots(self.target, since, self.now)
            for journey, outcome in slot.outcomes.items()
        ]

    def days(self, length: int) -> dict[str, tuple[Day, ...]]:
        """The worst outcome of each day of each journey."""
        seen: dict[str, dict[date, Counter[Outcome]]] = defaultdict(lambda: defaultdict(Counter))
        since, until = self.now - timedelta(days=length), self.now + timedelta(seconds=1)
        slots = self.history.judged_slots(self.target, since, until)
        judged = {(journey, slot.slot) for slot in slots for journey in slot.outcomes}
        for slot in slots:
            for journey, outcome in slot.outcomes.items():
                seen[journey][slot.at.astimezone(UTC).date()][outcome] += 1
        for observation in self.history.observations(self.target, last=BY_HAND):
            if (observation.journey, observation.slot) not in judged:
                seen[observation.journey][observation.at.astimezone(UTC).date()][observation.outcome] += 1
        worst: tuple[Outcome, ...] = ("failed", "unknown", "degraded", "passed")
        made: dict[str, tuple[Day, ...]] = {}
        for journey, found in seen.items():
            states = {day: next((state for state in worst if count[state]), None) for day, count in found.items()}
            made[journey] = tuple(
                Day(day=day, state=state, runs=found[day].total() - found[day]["skipped"], bad=found[day][state])
                for day, state in states.items()
                if state is not None and state != "skipped"
            )
        return made

    def alarms(self, since: datetime) -> dict[StepKey, tuple[Alarm, ...]]:
        """When a step began to be not well enough, or broke: what incidents and observations hold of it."""
        found: dict[StepKey, dict[datetime, Alarm]] = defaultdict(dict)
        before: dict[str, set[str]] = {}
        for observation in self.history.observations(self.target, last=BY_HAND):
            known = observation.weak or (
                {observation.step: observation.cause} if observation.outcome == "degraded" and observation.step else {}
            )
            weak = {step.split(" › ", 1)[0]: text for step, text in known.items()}
            for step in weak.keys() - before.get(observation.journey, set()) if observation.at >= since else ():
                found[observation.journey, step][observation.at] = Alarm(at=observation.at, text=weak[step])
            before[observation.journey] = {*weak}
        for incident in self.history.incidents(self.target):
            step = incident.step.split(" › ", 1)[0]
            if step and incident.first_seen_at >= since:
                for journey in incident.journeys:
                    found[journey, step][incident.first_seen_at] = Alarm(at=incident.first_seen_at, text=incident.title)
        return {key: tuple(held[at] for at in sorted(held)) for key, held in found.items()}


def verdicts(project: Project, target: str) -> list[Verdict]:
    until = now()
    found = {
        verdict.run.id: verdict
        for verdict in _readable(_written(project, target)[-_NEWEST:])
        if verdict.run.started_at < until
    }
    return sorted(found.values(), key=lambda verdict: verdict.run.started_at)


def last_sight(project: Project, incident: Incident) -> Result | None:
    """The attempt that showed an incident last, for as long as its run is kept."""
    for verdict in _readable(reversed(_written(project, incident.target))):
        if not incident.first_seen_at <= verdict.run.started_at <= incident.last_seen_at:
            continue
        for judgement in (judgement for judgement in verdict.journeys if judgement.journey.id in incident.journeys):
            if judgement.telling is not None:
                return judgement.telling
    return None


def _written(project: Project, target: str) -> list[Path]:
    return sorted((project.folder / "runs" / target).glob("*/verdict.json"))


def _readable(paths: Iterable[Path]) -> Iterator[Verdict]:
    for path in paths:
        with suppress(ReportError):
            yield pipeline.read_verdict(path)


def journeys(run_verdicts: Iterable[Verdict]) -> dict[str, Journey]:
    return {judgement.journey.id: judgement.journey for verdict in run_verdicts for judgement in verdict.journeys}


def _total(key: StepKey, step_sums: Sequence[StepSum], budget_ms: float | None) -> OperationTotal:
    """A step that comes again in one attempt is the same step."""
    journey, step = key
    return OperationTotal(
        name=step,
        journey=journey,
        step=step,
        calls=sum(sums.count for sums in step_sums),
        total_ms=sum(sums.total_ms for sums in step_sums),
        p95_ms=max((sums.p95_ms for sums in step_sums if sums.p95_ms is not None), default=None),
        budget_ms=budget_ms,
        over_budget_calls=sum(sums.over_budget_calls for sums in step_sums),
        over_budget_ms=sum(sums.over_budget_ms for sums in step_sums),
        locations=sum_locations(step_sums),
    )
