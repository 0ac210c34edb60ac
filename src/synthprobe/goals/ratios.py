"""How a measure is given: with what it was counted over, and as no figure when that is too little. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from synthprobe.records.incident import Incident
from synthprobe.records.measure import Measure

ENOUGH = 10
"""Counted over fewer than this, a ratio or a median is "too few"."""


def share(id: str, name: str, hits: Sequence[object], some: Sequence[object], text: str) -> Measure:
    """A part of a whole."""
    n, few = len(some), len(some) < ENOUGH
    value = None if few else len(hits) / n
    said = f"{len(hits)} of {n} {text}"
    return Measure(id=id, name=name, unit="share", n=n, hits=len(hits), value=value, few=few, text=said)


def median_of(id: str, name: str, values: Sequence[float], text: str) -> Measure:
    """The median of some minutes."""
    few = len(values) < ENOUGH
    value = None if few else median(values)
    return Measure(id=id, name=name, unit="minutes", n=len(values), value=value, few=few, text=text)


def lasted(one: Incident) -> float:
    """Minutes an incident lasted, as long as it was seen when it is not over."""
    return max(minutes((one.resolved_at or one.last_seen_at) - one.opened_at), 0.0)


def minutes(span: timedelta) -> float:
    """A span in minutes."""
    return span.total_seconds() / 60
