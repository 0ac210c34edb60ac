"""How a target stands, as the on-call page tells it: availability never without coverage and the worst gap."""

from __future__ import annotations

import math
from typing import Any

from synthprobe.goals.objectives import UNKNOWN_CAP, span
from synthprobe.records.objective import ObjectiveStatus
from synthprobe.records.standing import Standing


def percent(value: float | None) -> str:
    """A percentage that is never rounded up: 99.996 is not all."""
    return "not known" if value is None else f"{math.floor(value * 100 + 1e-9) / 100:.5g} %"


def watched(standing: Standing) -> dict[str, Any] | None:
    """How much of the last hours was looked at."""
    told = standing.coverage
    if told is None:
        return None
    return {
        "hours": f"{told.window_s / 3600:g}",
        "coverage": percent(told.percent),
        "judged": told.judged,
        "elapsed": told.elapsed,
        "gap": _gap(told.worst_gap_s),
        "poor": told.judged < (1 - UNKNOWN_CAP) * told.elapsed,
    }


def objective(status: ObjectiveStatus | None) -> dict[str, Any] | None:
    """How a journey stands against its objective."""
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
