"""How a target stands, as pages tell it: availability never without coverage and the worst gap, and what is left."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from synthprobe.goals.objectives import UNKNOWN_CAP, span
from synthprobe.records.objective import ObjectiveStatus
from synthprobe.records.target_status import TargetStatus


def percent(value: float | None) -> str:
    """A percentage that is never rounded up: 99.996 is not all."""
    return "not known" if value is None else f"{math.floor(value * 100 + 1e-9) / 100:.5g} %"


def watched(standing: TargetStatus) -> dict[str, Any] | None:
    coverage = standing.coverage
    if coverage is None:
        return None
    return {
        "hours": f"{coverage.window_s / 3600:g}",
        "coverage": percent(coverage.percent),
        "judged": coverage.judged,
        "elapsed": coverage.elapsed,
        "gap": _gap(coverage.worst_gap_s),
        "poor": coverage.judged < (1 - UNKNOWN_CAP) * coverage.elapsed,
    }


def objective(status: ObjectiveStatus | None) -> dict[str, Any] | None:
    if status is None:
        return None
    return {
        "wanted": f"{status.objective.percent:g} % in {status.objective.window_days:g} d",
        "availability": percent(status.availability),
        "coverage": percent(status.coverage),
        "gap": _gap(status.worst_gap_s),
    }


def _gap(seconds: float) -> str:
    return span(seconds) if seconds else "none"


WIDTH, HEIGHT = 480, 120
_LEFT, _TOP, _BOTTOM = 58, 10, 100
_WORST = -1.0  # a budget that is spent more than twice is drawn as if it were twice


class BurnDay(Struct, frozen=True, kw_only=True):
    """One day: its column, and what a reader sees of it."""

    x: float
    width: float
    text: str


class Burn(Struct, frozen=True, kw_only=True):
    """The chart: its line, the height at which nothing is left, and the days."""

    line: str
    zero: float
    days: tuple[BurnDay, ...]
    text: str


def burn_chart(status: ObjectiveStatus, now: datetime) -> Burn | None:
    """Lay out what was left of the budget after each day of the window; nothing without a budget."""
    if not status.spent or status.budget_s <= 0:
        return None
    used, left = 0.0, []
    for seconds in status.spent:
        used += seconds
        left.append(1 - used / status.budget_s)
    low = min(0.0, max(min(left), _WORST))

    def y(share: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (max(share, _WORST) - low) / (1 - low), 1)

    width = (WIDTH - _LEFT - 10) / len(left)
    first = now - timedelta(days=len(left) - 1)
    ends = " ".join(f"{_LEFT + width * (number + 1):.1f},{y(share)}" for number, share in enumerate(left))
    return Burn(
        line=f"{_LEFT},{y(1.0)} {ends}",
        zero=y(0.0),
        days=tuple(
            BurnDay(
                x=round(_LEFT + width * number, 1),
                width=round(width, 1),
                text=f"{first + timedelta(days=number):%d %b}: {100 * share:.0f} % left",
            )
            for number, share in enumerate(left)
        ),
        text=f"{100 * left[-1]:.0f} % of the error budget is left after {len(left)} days",
    )
