"""What the history gives back: samples of steps, sums of operations, judged slots."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from synthprobe.records.incident import Observation
from synthprobe.records.result import Outcome

OWN = "synthprobe:"
"""How the ids begin under which the probe remembers what is its own; no journey of the target has such an id."""

LETTERS_KEPT = timedelta(days=30)
MOST_LETTERS = 20_000
"""How long messages are kept that were delivered."""


Days = Annotated[float, Meta(ge=1, le=3_660)]


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the history keeps what."""

    raw_days: Days = 14
    failures_days: Days = 90
    hourly_days: Days = 90
    daily_days: Days = 396


class StepSample(Struct, frozen=True, kw_only=True):
    """One measurement of a step, or the roll-up of an hour or a day.

    Attributes:
        span_s: seconds the sample stands for; 0 for a single measurement.
    """

    at: datetime
    span_s: float
    count: int
    failed: int
    total_ms: float


class OperationSum(Struct, frozen=True, kw_only=True):
    """What one backend operation took in a window, in one step of one journey."""

    journey: str
    step: str
    name: str
    calls: int
    total_ms: float
    p95_ms: float | None = None
    """Milliseconds that the mean call stays under in 19 of 20 walks; nothing where only sums are kept."""


class StepSum(Struct, frozen=True, kw_only=True):
    """What one step took in a window, in the attempts that reached their end.

    Attributes:
        step: the step's path; empty for the whole journey.
        tried: attempts that came to it, whatever became of them.
        count: measurements that count.
        p95_ms: time that 19 of 20 stay under, milliseconds; None when it was not asked for.
        locations: measurements that count, and milliseconds of them together, by where the probe stood.
    """

    journey: str
    step: str
    tried: int
    count: int
    total_ms: float
    over_budget_calls: int = 0
    over_budget_ms: float = 0.0
    p95_ms: float | None = None
    locations: dict[str, tuple[int, float]] = {}


class JudgedSlot(Struct, frozen=True, kw_only=True):
    """What was judged in one slot."""

    slot: int
    at: datetime
    location: str
    outcomes: dict[str, Outcome]

    def observation(self, target: str, journey: str, outcome: Outcome) -> Observation:
        """What it says of a journey, as far as a slot knows."""
        return Observation(run_id="", slot=self.slot, at=self.at, target=target, journey=journey, outcome=outcome)
