"""How long a step took over a time, with what a chart of it says besides."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Mark(Struct, frozen=True, kw_only=True):
    """A moment that a chart shows: a deploy, or a change that somebody marked."""

    at: datetime
    text: str


class Alarm(Struct, frozen=True, kw_only=True):
    """When the detector said that a step got slower."""

    at: datetime
    text: str
    until: datetime | None = None


class StepSeries(Struct, frozen=True, kw_only=True):
    """A step's times.

    Attributes:
        points: moment (UTC) and milliseconds, in any order.
        smallest: the smallest slowdown it can show, as a ratio; endless after too few runs, None when nothing is known.
        is_score: whether what it took is a number without a unit, kept as thousandths.
        accepted: the level that was accepted last, with when and why; empty when none was.
    """

    title: str
    points: tuple[tuple[datetime, float], ...] = ()
    budget_ms: float | None = None
    alarms: tuple[Alarm, ...] = ()
    marks: tuple[Mark, ...] = ()
    usual_ms: float = 0.0
    smallest: float | None = None
    is_score: bool = False
    accepted: str = ""
