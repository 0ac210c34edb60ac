"""How much of the time was looked at: slots that no run judged, and how journeys stand in those that were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from synthprobe.config import Config, ObjectiveConfig
from synthprobe.errors import ConfigurationError
from synthprobe.model.incident import Observation
from synthprobe.model.objective import Coverage, Objective, ObjectiveStatus, Standing
from synthprobe.model.result import Run
from synthprobe.pipeline.memory import open_history

if TYPE_CHECKING:
    from synthprobe.history.store import History

DEFAULT = "default"
"""Name of the objective of all journeys that have none of their own."""


def missed_slots(history: History, run: Run, interval_s: int) -> str:
    """Say which slots before a scheduled run were judged by none: its scheduler dropped them, or its machine was lost.

    Args:
        history: the history.
        run: the run.
        interval_s: seconds between two slots.

    Returns:
        A sentence; empty when the slot before was judged, none ever was, or the run judges no slot.
    """
    last = history.slot_before(run.target, run.slot) if run.scheduled else None
    if last is None or abs(int(last[1].timestamp()) // interval_s - last[0]) > 1:  # slots of another length once
        return ""
    missed = run.slot - last[0] - 1
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
    """How much of the last 24 hours somebody looked at a target.

    Args:
        history: the history.
        config: the project's configuration.
        target: the target's name.
        now: the moment, UTC.

    Returns:
        The coverage; nothing when no slot was judged within a week.
    """
    from synthprobe.verdict.objectives import judge_coverage  # most runs tell nobody of it

    slots = history.judged_slots(target, now - timedelta(days=7), now + timedelta(seconds=1))
    seen = [
        Observation(run_id="", slot=one.slot, at=one.at, target=target, journey="", outcome=outcome)
        for one in slots
        for outcome in set(one.outcomes.values())
    ]
    return judge_coverage(seen, now_slot=_passed(seen, now, config.interval_s), interval_s=config.interval_s)


def stand(root: Path, config: Config, target: str, now: datetime, environ: Mapping[str, str] | None = None) -> Standing:
    """How a target stands, by the slots in the project's history.

    Args:
        root: the project's root.
        config: the project's configuration.
        target: the target's name.
        now: the moment, UTC.
        environ: the environment, for a URL that is a secret.

    Returns:
        The last 24 hours, and each journey against its objective; empty when there is no history.

    Raises:
        ConfigurationError: when an objective makes no sense, or the history's URL cannot be read.
        HistoryError: when the history's URL is of no known kind.
    """
    from synthprobe.verdict.objectives import judge_coverage  # what follows a run needs no objectives

    if not config.history.url and not (root / config.folder / "history.db").exists():
        return Standing()
    with open_history(root, config, environ) as history:
        slots = history.judged_slots(target, since(config, now), now + timedelta(seconds=1))
    seen = [
        Observation(run_id="", slot=one.slot, at=one.at, target=target, journey=journey, outcome=outcome)
        for one in slots
        for journey, outcome in one.outcomes.items()
    ]
    return Standing(
        coverage=judge_coverage(seen, now_slot=_passed(seen, now, config.interval_s), interval_s=config.interval_s),
        objectives=judge_objectives(config, seen, now),
    )


def since(config: Config, now: datetime) -> datetime:
    """The begin of the longest window an objective is counted over.

    Args:
        config: the project's configuration.
        now: the moment, UTC.

    Returns:
        The moment, UTC.
    """
    return now - timedelta(days=max(one.window_days for one in (*config.objectives.values(), ObjectiveConfig())))


def judge_objectives(config: Config, seen: Sequence[Observation], now: datetime) -> tuple[ObjectiveStatus, ...]:
    """How each journey stands against its objective.

    Args:
        config: the project's configuration.
        seen: what scheduled runs said.
        now: the moment, UTC.

    Returns:
        One status for each journey that was seen.

    Raises:
        ConfigurationError: when an objective makes no sense.
    """
    from synthprobe.verdict.objectives import judge_objective, slices

    tables, now_slot = config.objectives, _passed(seen, now, config.interval_s)
    of: dict[str, list[Observation]] = {}
    for one in seen:
        of.setdefault(one.journey, []).append(one)
    made = []
    for id, its in of.items():
        objective = declared_objective(id, tables.get(id) or tables.get(DEFAULT) or ObjectiveConfig())
        try:
            made.append(
                judge_objective(objective, slices(its, objective), now_slot=now_slot, interval_s=config.interval_s)
            )
        except ValueError as error:
            raise ConfigurationError(f"[objectives]: {error}") from None
    return tuple(made)


def declared_objective(journey: str, table: ObjectiveConfig) -> Objective:
    """The objective a table declares.

    Args:
        journey: the journey's id.
        table: the table.

    Returns:
        The objective.
    """
    return Objective(
        journey=journey, percent=table.percent, window_days=table.window_days, count_degraded=table.count_degraded
    )


def _passed(seen: Sequence[Observation], now: datetime, interval_s: int) -> int:
    """The last slot that has passed; the one that runs now has not, unless it is judged."""
    current = int(now.timestamp() // interval_s)
    return current - 1 if seen and max(one.slot for one in seen) < current else current
