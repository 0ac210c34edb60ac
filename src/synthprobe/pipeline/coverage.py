"""How much of the time was looked at: slots that no run judged, and how journeys stand in those that were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from synthprobe.alerts.routes import Mute, read_mutes
from synthprobe.config import Config, ObjectiveConfig
from synthprobe.errors import ConfigurationError
from synthprobe.goals.objectives import in_slots, in_turns, least_interval, slot_length
from synthprobe.pipeline.memory import open_history
from synthprobe.pipeline.notes import read_or
from synthprobe.project import Project
from synthprobe.records.history import JudgedSlot
from synthprobe.records.impact import Change
from synthprobe.records.incident import Incident, Observation
from synthprobe.records.intervals import Interval, turn
from synthprobe.records.journey import duration_s
from synthprobe.records.latency import Alarm, Mark, StepSeries
from synthprobe.records.objective import BurnRule, Coverage, Objective, ObjectiveStatus
from synthprobe.records.result import Run
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import Verdict
from synthprobe.targets.changes import read_changes
from synthprobe.targets.windows import Window, read_windows

if TYPE_CHECKING:
    from synthprobe.history.store import History

DEFAULT = "default"
"""Name of the objective of all journeys that have none of their own."""

_RECENT = timedelta(days=30)  # an incident that ended keeps its page so long
_DAY_RUNS = 300  # of a day, one each five minutes, with a few by hand
_SAID_BEFORE = 12  # slots: a failure that comes and goes is said once, not each time it comes


def missed_slots(history: History, run: Run, interval_s: int) -> str:
    """Say which slots before a scheduled run nobody judged: its scheduler dropped them, or its machine was lost."""
    last = history.slot_before(run.target, run.slot) if run.scheduled else None
    if (
        last is None or last[0] >= run.slot - 1 or slot_length(*last, interval_s) != interval_s
    ):  # of another length once
        return ""
    lately = history.judged_slots(run.target, last[1] - timedelta(days=3), last[1] + timedelta(seconds=1))
    every_s = least_interval(lately, history.intervals(run.target), interval_s)
    missed = turn(run.slot - 1, interval_s, every_s) - turn(last[0], interval_s, every_s)
    if missed < 1:
        return ""
    began, ended = (datetime.fromtimestamp(slot * interval_s, UTC) for slot in (last[0] + 1, run.slot))
    day = "%H:%M" if began.date() == ended.date() else "%Y-%m-%d %H:%M"
    which = f"{missed} slots" if missed > 1 else "slot"
    return (
        f"No run judged the {which} before this one ({began:{day}} to {ended:{day}} UTC). "
        "Look at what starts the runs: it was late, or its machine was lost."
    )


def last_day(history: History, config: Config, target: str, now: datetime) -> Coverage | None:
    slots = history.judged_slots(target, now - timedelta(days=7), now + timedelta(seconds=1))
    return _coverage(slots, target, now, config.interval_s, history.intervals(target))


def began_to_burn(history: History, config: Config, verdict: Verdict, windows: Sequence[Window] = ()) -> list[str]:
    """Say of which journeys the error budget began, with this run, to be used too fast."""
    from synthprobe.goals.objectives import STANDARD_RULES, burn_text, is_bad, slices

    run = verdict.run
    objectives = {judgement.journey.id: _objective_of(config, judgement.journey.id) for judgement in verdict.journeys}
    # only a slot that is bad can make a rule fire
    bad = [
        judgement for judgement in verdict.journeys if is_bad(judgement.outcome, objectives[judgement.journey.id][1])
    ]
    if not run.scheduled or not bad:
        return []
    rules = {name: declared_rules(name, table) for name, table in config.objectives.items()}
    longest = max(rule.long_s for rule_set in (*rules.values(), STANDARD_RULES) for rule in rule_set)
    since, until = run.started_at - timedelta(seconds=longest), run.started_at + timedelta(seconds=1)
    slots = history.judged_slots(run.target, since, until, {judgement.journey.id for judgement in bad})
    seen = _by_journey(_outside(windows, _observed(slots, run.target)))
    interval_s = config.interval_s
    sentences = []
    for bad_judgement in bad:
        name, objective = objectives[bad_judgement.journey.id]
        every_s = bad_judgement.journey.every_s
        journey_slots = slices(in_turns(seen.get(bad_judgement.journey.id, ()), interval_s, every_s), objective)
        now_slot = turn(run.slot, interval_s, every_s)
        try:
            says, *before = (
                burn_text(
                    objective, journey_slots, now_slot=slot, interval_s=every_s or interval_s, rules=rules.get(name, ())
                )
                for slot in range(now_slot, now_slot - _SAID_BEFORE - 1, -1)
            )
        except ValueError as error:
            raise ConfigurationError(f"[objectives]: {error}") from None
        if says and not any(before):
            sentences.append(f"{bad_judgement.journey.title}: {says}")
    return sentences


def stand(project: Project, target: str, now: datetime) -> TargetStatus:
    if not project.config.history.url and not (project.folder / "history.db").exists():
        return TargetStatus()
    day = timedelta(days=1)
    with open_history(project) as history:
        slots = history.judged_slots(target, since(project.config, now), now + timedelta(seconds=1))
        began, intervals = history.first_judged(target), history.intervals(target)
        incidents = [
            incident for incident in history.incidents(target) if now - (incident.resolved_at or now) < _RECENT
        ]
        latency = _latency(history, project, [incident for incident in incidents if incident.state != "resolved"], now)
    # `doctor routes` says what is wrong with them
    mutes: tuple[Mute, ...] = read_or((), [], read_mutes, project.root / project.config.alerts.mutes)
    return TargetStatus(
        coverage=_coverage(slots, target, now, project.config.interval_s, intervals),
        objectives=judge_objectives(
            project.config,
            _observed(slots, target),
            now,
            began,
            read_windows(project.root / project.config.windows),
            intervals,
        ),
        incidents=tuple(incidents),
        muted={
            incident.id: mute.until
            for incident in incidents
            for mute in mutes
            if mute.until is not None and mute.holds(incident, now)
        },
        latency=latency,
        day=tuple(slot for slot in slots if now - slot.at < day),
        intervals={
            id: round(interval.every_s / project.config.interval_s)
            for id, interval in intervals.items()
            if interval.every_s
        },
        slots=round(day.total_seconds() / project.config.interval_s),
        now_slot=int(now.timestamp() // project.config.interval_s),
    )


def _latency(history: History, project: Project, incidents: Sequence[Incident], now: datetime) -> dict[str, StepSeries]:
    """The last day of the step that each incident breaks, with what is usual of it and what was changed meanwhile."""
    if not incidents:
        return {}
    from synthprobe.detection.watch import read_state  # most targets are well

    begin, found = now - timedelta(days=1), {}
    # a file that cannot be read marks nothing
    marked: Sequence[Change] = read_or((), [], read_changes, project.root)
    changes = [Mark(at=change.at, text=change.title) for change in marked if change.at >= begin]
    for incident in (incident for incident in incidents if incident.journeys):
        target, journey = incident.target, incident.journeys[0]
        samples = history.step_series(target, journey, incident.step, begin)
        path = incident.step if samples else ""
        samples = samples or history.step_series(target, journey, path, begin)
        known = read_state(history.detector_states(target, location=project.config.location).get((journey, path)))
        found[incident.id] = replace(
            known.series(path or "the whole journey", project.config.least_slowdown_ms),
            points=tuple(
                (sample.at, sample.total_ms / sample.count) for sample in samples if sample.count > sample.failed
            ),
            alarms=(Alarm(at=incident.first_seen_at, text=incident.title, until=now),),
            marks=(*changes, *_deploys(history.observations(target, journey, last=_DAY_RUNS), begin)),
        )
    return found


def _deploys(seen: Sequence[Observation], begin: datetime) -> Iterator[Mark]:
    """When the target named another build than in the run before."""
    named = [observation for observation in seen if observation.build]
    for before, successor in pairwise(named):
        if successor.build != before.build and successor.at >= begin:
            yield Mark(at=successor.at, text=f"build {before.build} → {successor.build}")


def since(config: Config, now: datetime) -> datetime:
    """The begin of the longest window an objective is counted over."""
    return now - timedelta(
        days=max(objective.window_days for objective in (*config.objectives.values(), ObjectiveConfig()))
    )


def judge_objectives(
    config: Config,
    seen: Sequence[Observation],
    now: datetime,
    began: Mapping[str, datetime] | None = None,
    windows: Sequence[Window] = (),
    intervals: Mapping[str, Interval] | None = None,
) -> tuple[ObjectiveStatus, ...]:
    from synthprobe.goals.objectives import judge_objective, slices

    passed = _passed(in_slots(seen, config.interval_s), now, config.interval_s)
    made = []
    for id, observations in _by_journey(_outside(windows, seen)).items():
        name, objective = _objective_of(config, id)
        own = (intervals or {}).get(id, Interval())

        def slot_of(at: datetime | None, every_s: float = own.every_s) -> int:
            slot = int(at.timestamp() // config.interval_s) if at is not None else 0
            return turn(slot, config.interval_s, every_s)

        slots = slices(in_turns(observations, config.interval_s, own.every_s), objective)
        since_slot = min(slots[0].slot, slot_of((began or {}).get(id)) or slots[0].slot)
        try:
            made.append(
                judge_objective(
                    objective,
                    slots,
                    now_slot=turn(passed, config.interval_s, own.every_s),
                    interval_s=own.every_s or config.interval_s,
                    since_slot=since_slot,
                    expected_from=slot_of(own.since),
                    rules=declared_rules(name, config.objectives.get(name) or ObjectiveConfig()),
                )
            )
        except ValueError as error:
            raise ConfigurationError(f"[objectives]: {error}") from None
    return tuple(made)


def declared_objective(journey: str, table: ObjectiveConfig) -> Objective:
    return Objective(
        journey=journey, percent=table.percent, window_days=table.window_days, count_degraded=table.count_degraded
    )


def declared_rules(name: str, table: ObjectiveConfig) -> tuple[BurnRule, ...]:
    try:
        return tuple(
            BurnRule(factor=rule.factor, long_s=duration_s(rule.long), short_s=duration_s(rule.short))
            for rule in table.rules
        )
    except ValueError as error:
        raise ConfigurationError(f"[[objectives.{name}.rules]]: {error}") from None


def _objective_of(config: Config, journey: str) -> tuple[str, Objective]:
    """Name of the table that holds for a journey, and its objective."""
    name = journey if journey in config.objectives else DEFAULT
    return name, declared_objective(journey, config.objectives.get(name) or ObjectiveConfig())


def _coverage(
    slots: Sequence[JudgedSlot], target: str, now: datetime, interval_s: int, intervals: Mapping[str, Interval]
) -> Coverage | None:
    from synthprobe.goals.objectives import judge_coverage  # what follows a run needs no objectives

    looked = [slot.observation(target, "", outcome) for slot in slots for outcome in set(slot.outcomes.values())]
    every_s = least_interval(slots, intervals, interval_s)
    now_slot = turn(_passed(in_slots(looked, interval_s), now, interval_s), interval_s, every_s)
    return judge_coverage(in_turns(looked, interval_s, every_s), now_slot=now_slot, interval_s=every_s)


def _observed(slots: Iterable[JudgedSlot], target: str) -> list[Observation]:
    return [slot.observation(target, journey, outcome) for slot in slots for journey, outcome in slot.outcomes.items()]


def _outside(windows: Sequence[Window], seen: Iterable[Observation]) -> list[Observation]:
    """What was seen outside maintenance; only what is not passed can count against anything."""
    return [
        observation
        for observation in seen
        if observation.outcome == "passed"
        or not any(window.holds(observation.target, observation.journey, observation.at) for window in windows)
    ]


def _by_journey(seen: Iterable[Observation]) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = {}
    for observation in seen:
        found.setdefault(observation.journey, []).append(observation)
    return found


def _passed(seen: Iterable[Observation], now: datetime, interval_s: int) -> int:
    """The last slot that has passed; the one that runs now has not, unless it is judged."""
    current = int(now.timestamp() // interval_s)
    return current - 1 if max((observation.slot for observation in seen), default=current) < current else current
