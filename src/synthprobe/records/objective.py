"""Objectives: how good a journey must be over a window, counted in slices of one interval."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

SliceState = Literal["good", "bad", "unknown", "skipped"]
ObjectiveState = Literal["met", "missed", "unknown"]


class Objective(Struct, frozen=True, kw_only=True):
    """What one journey must reach.

    Attributes:
        percent: percentage of judged slices that must be good, above 0 and under 100.
        window_days: days the percentage is counted over.
    """

    journey: str
    percent: float = 99.0
    window_days: float = 30.0
    count_degraded: bool = False


class Slice(Struct, frozen=True, kw_only=True):
    """One slot of a journey.

    Attributes:
        slot: the slot, ``floor(utc / interval)``.
        fingerprint: which failure it was; empty when it was none.
    """

    slot: int
    state: SliceState
    fingerprint: str = ""
    cause: str = ""


class ObjectiveStatus(Struct, frozen=True, kw_only=True):
    """How a journey stands against its objective. Coverage always stands beside availability.

    Attributes:
        state: met, missed, or unknown when too many slices were not judged.
        availability: percentage of judged slices that were good; None when none was judged.
        coverage: percentage of elapsed slices that were judged.
        elapsed: slices of the window that have passed, skipped ones left out.
        unknown: slices in which nobody looked, or nobody could.
        budget_s: seconds of bad slices the window allows.
        worst_gap_s: the longest time without any judgement, seconds.
        text: the error budget in one sentence.
        burning: the fastest burn-rate rule that fires now, as a sentence; empty when none does.
        spent: seconds of bad slices in each day of the window, oldest first.
    """

    objective: Objective
    state: ObjectiveState
    why: str
    availability: float | None
    coverage: float
    elapsed: int
    good: int
    bad: int
    unknown: int
    skipped: int
    budget_s: float
    used_s: float
    largest_cause_s: float
    largest_cause: str
    worst_gap_s: float
    text: str
    burning: str = ""
    spent: tuple[float, ...] = ()


class Coverage(Struct, frozen=True, kw_only=True):
    """How much of the time somebody looked at a target at all.

    Attributes:
        window_s: seconds that were looked back.
        elapsed: slots that have passed in them since the target was first watched, skipped ones left out.
        judged: those in which at least one journey was judged.
        worst_gap_s: the longest time in which none was, seconds.
    """

    window_s: float
    elapsed: int
    judged: int
    worst_gap_s: float

    @property
    def percent(self) -> float:
        """Percentage of the slots that were judged."""
        return 100 * self.judged / self.elapsed if self.elapsed else 0.0


class BurnRule(Struct, frozen=True, kw_only=True):
    """Alert when the error budget is used up this many times too fast, in a long and in a short window."""

    factor: float
    long_s: float
    short_s: float


class CheckedRule(Struct, frozen=True, kw_only=True):
    """A burn-rate rule at the interval it would really run with.

    Attributes:
        outage_s: seconds of total outage until it fires; None when it never does.
        fault: in a few words what is wrong with it; empty when it is usable.
        refused: why it is not used, as a sentence; empty when it is usable.
    """

    rule: BurnRule
    long_needs: int
    long_of: int
    short_needs: int
    short_of: int
    outage_s: float | None
    fault: str = ""
    refused: str = ""
