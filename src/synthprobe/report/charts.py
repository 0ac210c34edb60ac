"""A step's time and the last 24 hours, laid out for SVG that needs no script and follows the page's colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from statistics import median

from msgspec import Struct

from synthprobe.records.latency import StepSeries
from synthprobe.records.result import Outcome
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import Verdict
from synthprobe.report.page import duration

POINTS = 240
"""Points a chart has at most; more are drawn as the median of their stretch, and the slowest beside it."""

WIDTH, HEIGHT = 480, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 470, 14, 140
_NEAR = 1.6  # how far from the runs the budget or the usual may stand to be drawn; else it is only named


class Spot(Struct, frozen=True, kw_only=True):
    """A run of the chart: its column, from ``x`` on, and what a reader sees of it."""

    x: float
    width: float
    at: datetime
    took: str
    run: str = ""


class Area(Struct, frozen=True, kw_only=True):
    """A rectangle or, without a size, a line."""

    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    text: str = ""


class Chart(Struct, frozen=True, kw_only=True):
    """All that the template draws, in units of the SVG."""

    line: str
    spots: tuple[Spot, ...]
    text: str
    band: Area | None = None
    alarms: tuple[Area, ...] = ()
    dots: tuple[Area, ...] = ()
    marks: tuple[Area, ...] = ()
    budget: Area | None = None
    ticks: tuple[Area, ...] = ()
    times: tuple[Area, ...] = ()


def latency_chart(
    series: StepSeries, now: datetime, runs: Mapping[int, str] | None = None, *, most: int = POINTS
) -> Chart | None:
    """Lay a step's time out; ``runs`` are addresses of published runs, by their begin in milliseconds."""
    known = sorted((at.astimezone(UTC), ms) for at, ms in series.points if ms >= 0 and at <= now)
    points = thinned(known, most)
    if not points:
        return None
    first, last = points[0][0], max(points[-1][0], points[0][0] + timedelta(minutes=1))
    fastest, slowest = min(ms for _, ms in points), max(ms for _, ms in points)
    usual = series.usual_ms if series.usual_ms <= slowest * _NEAR else 0.0
    budget = series.budget_ms if fastest / _NEAR <= (series.budget_ms or 0.0) <= slowest * _NEAR else None
    ticks = list(_ticks(min(fastest, usual or fastest, budget or fastest), max(slowest, usual, budget or 0.0)))
    low, high = ticks[0], ticks[-1]

    def x(at: datetime) -> float:
        share = (at - first) / (last - first)
        return round(_LEFT + (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0), 1)

    def y(ms: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (min(max(ms, low), high) - low) / (high - low), 1)

    ends = [x(at) for at, _ in points[1:]] + [float(_RIGHT)]
    width = {at: max(end - x(at), 1.5) for (at, _), end in zip(points, ends, strict=True)}
    alarms = [alarm for alarm in series.alarms if (alarm.until or alarm.at) >= first and alarm.at <= last]
    following = [min((at for at, _ in points if at > alarm.at), default=last) for alarm in alarms]
    return Chart(
        line=" ".join(f"{x(at)},{y(ms)}" for at, ms in points),
        spots=tuple(
            Spot(
                x=x(at),
                width=width[at],
                at=at,
                took=took(series, ms),
                run=(runs or {}).get(_key(at), ""),
            )
            for at, ms in points
        ),
        band=_band(series, usual, y),
        alarms=tuple(
            Area(x=x(alarm.at), width=max(x(alarm.until or after) - x(alarm.at), 2.0), text=alarm.text)
            for alarm, after in zip(alarms, following, strict=True)
        ),
        dots=tuple(
            Area(x=x(alarm.at), y=y(min(points, key=lambda point: abs(point[0] - alarm.at))[1]), text=alarm.text)
            for alarm in alarms
            if alarm.at >= first
        ),
        marks=tuple(
            Area(x=x(mark.at), text=f"{mark.at.astimezone(UTC):%d %b %H:%M} UTC: {mark.text}")
            for mark in series.marks
            if first <= mark.at <= last
        ),
        budget=Area(y=y(budget), text=f"budget {took(series, budget)}") if budget else None,
        ticks=tuple(Area(y=y(value), text=took(series, value)) for value in ticks),
        times=tuple(_times(first, last)),
        text=_text(series, points, slowest),
    )


def took(series: StepSeries, ms: float) -> str:
    """One of its figures, as people read it."""
    return duration(ms / 1000, series.is_score)


def _band(series: StepSeries, usual: float, y: Callable[[float], float]) -> Area | None:
    if not usual:
        return None
    ratio = series.smallest if series.smallest is not None and math.isfinite(series.smallest) else 1.1
    top, bottom = y(usual * ratio), y(usual / ratio)
    return Area(y=top, height=round(max(bottom - top, 2.0), 1), text=f"usually {took(series, usual)}")


def _text(series: StepSeries, points: list[tuple[datetime, float]], slowest: float) -> str:
    newest = f"newest {took(series, points[-1][1])}, slowest {took(series, slowest)}"
    usual = f", usually {took(series, series.usual_ms)}" if series.usual_ms else ""
    budget = f", budget {took(series, series.budget_ms)}" if series.budget_ms else ""
    return f"{newest}{usual}{budget}"


def _ticks(low: float, high: float) -> Iterator[float]:
    """Round values around what was measured."""
    spread = max(high - low, high * 0.1, 1.0)
    step = 10.0 ** math.floor(math.log10(spread / 2))
    step *= next(factor for factor in (1, 2, 5, 10) if spread / (factor * step) <= 3)
    first = math.floor(low / step)
    for number in range(first, max(math.ceil(high / step), first + 1) + 1):
        yield round(number * step, 6)


def _times(first: datetime, last: datetime) -> Iterator[Area]:
    """Five moments, as finely as it takes to tell them apart."""
    forms = ((timedelta(minutes=5), "%H:%M:%S"), (timedelta(hours=23), "%H:%M"), (timedelta(days=7), "%a %H:%M"))
    form = next((form for longest, form in forms if last - first < longest), "%d %b")
    for part in range(5):
        at = first + (last - first) * part / 4
        yield Area(x=round(_LEFT + (_RIGHT - _LEFT) * part / 4, 1), text=f"{at:{form}}")


def _key(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def run_addresses(runs: Mapping[datetime, str]) -> dict[int, str]:
    """Addresses of published runs, as a chart looks them up."""
    return {_key(at): address for at, address in runs.items()}


def thinned(points: list[tuple[datetime, float]], most: int = POINTS) -> list[tuple[datetime, float]]:
    """Few enough points to draw, without hiding a slow one: the median and the slowest of each stretch."""
    if len(points) <= most:
        return points
    size = -(-2 * len(points) // most)
    kept: list[tuple[datetime, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        slowest = max(stretch, key=lambda point: point[1])
        kept += [(stretch[0][0], median(ms for _, ms in stretch))]
        kept += [slowest] if slowest[0] > stretch[0][0] else []
    return kept


_WORST: tuple[Outcome, ...] = ("failed", "unknown", "degraded", "passed", "skipped")
_MATRIX_ROWS = 200
_HEIGHT = {"failed": 14, "unknown": 11, "degraded": 9, "passed": 5, "skipped": 2}  # never told by colour alone


class Stretch(Struct, frozen=True, kw_only=True):
    """Slots beside each other that ended alike."""

    outcome: str
    left: int
    width: int
    height: int
    title: str


class Strip(Struct, frozen=True, kw_only=True):
    """The last 24 hours."""

    slots: int
    stretches: tuple[Stretch, ...]
    text: str


def strip(standing: TargetStatus, journeys: Collection[str]) -> Strip | None:
    """How journeys ended in each slot of the last 24 hours, the worst of them for each; nothing when none was seen."""
    ends: dict[int, Outcome] = {}
    lasts = min((standing.intervals.get(journey, 1) for journey in journeys), default=1)
    for looked in standing.day:
        found = {looked.outcomes[journey] for journey in journeys if journey in looked.outcomes}
        if found:
            ends[looked.slot] = min(found | {ends[looked.slot]} if looked.slot in ends else found, key=_WORST.index)
    if not ends:
        return None
    first = standing.now_slot - standing.slots + 1
    until_next = {slot + later: end for slot, end in sorted(ends.items()) for later in range(lasts)}
    stretches = tuple(_stretches({**until_next, **ends}, first, standing.slots))
    others = {outcome: sum(end == outcome for end in ends.values()) for outcome in _WORST if outcome != "passed"}
    what = ", ".join(f"{outcome} in {number}" for outcome, number in others.items() if number) or "passed in all"
    return Strip(slots=standing.slots, stretches=stretches, text=f"Last 24 hours: {what} of {len(ends)} slots judged")


def _stretches(ends: dict[int, Outcome], first: int, slots: int) -> Iterator[Stretch]:
    day = timedelta(days=1)
    for outcome, group in groupby(range(first, first + slots), key=lambda slot: ends.get(slot, "")):
        held = list(group)
        begins, over = (
            datetime.fromtimestamp(slot * day.total_seconds() / slots, UTC) for slot in (held[0], held[-1] + 1)
        )
        if outcome:
            title = f"{begins:%H:%M} to {over:%H:%M} UTC: {outcome}"
            left, height = held[0] - first, _HEIGHT[outcome]
            yield Stretch(outcome=outcome, left=left, width=len(held), height=height, title=title)


def matrix(standing: TargetStatus, verdict: Verdict) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Locations, and what each says of each journey, by vote or newest run; nothing where there is one only."""
    found: dict[str, dict[str, str]] = {}
    for judged in verdict.journeys:
        found |= {judged.journey.id: {vote.location: vote.outcome for vote in judged.votes}} if judged.votes else {}
    for looked in standing.day if not found else ():
        for journey, outcome in looked.outcomes.items():
            found.setdefault(journey, {})[looked.location] = outcome
    locations = sorted({location for ends in found.values() for location in ends})
    if len(locations) < 2:
        return [], []
    return locations, [
        (judged.journey.title, [found[judged.journey.id].get(location, "") for location in locations])
        for judged in verdict.journeys
        if judged.journey.id in found
    ][:_MATRIX_ROWS]
