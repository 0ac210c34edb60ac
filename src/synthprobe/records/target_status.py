"""How a target stands: whether it is watched, what is wrong with it, and how each journey stands."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from synthprobe.records.history import JudgedSlot
from synthprobe.records.incident import Incident
from synthprobe.records.latency import StepSeries
from synthprobe.records.objective import Coverage, ObjectiveStatus


class TargetStatus(Struct, frozen=True, kw_only=True):
    """How a target stands, by the history.

    Attributes:
        coverage: of the last hours; nothing when no slot was ever judged.
        incidents: those that are not over, and those that ended in the last 30 days, oldest first.
        muted: until which day an incident is told to nobody, by its id.
        latency: the last day of the step that each open incident breaks, by the incident's id.
        day: what was judged in the slots of the last 24 hours, oldest first.
        intervals: how many slots lie between two looks at a journey that is not due in each, by its id.
        now_slot: the newest slot that has passed.
    """

    coverage: Coverage | None = None
    objectives: tuple[ObjectiveStatus, ...] = ()
    incidents: tuple[Incident, ...] = ()
    muted: dict[str, date] = {}
    latency: dict[str, StepSeries] = {}
    day: tuple[JudgedSlot, ...] = ()
    intervals: dict[str, int] = {}
    slots: int = 288
    now_slot: int = 0
