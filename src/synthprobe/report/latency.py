"""A step's time over the days, drawn as SVG that needs no script and follows the page's colours."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from msgspec import Struct

POINTS = 240
"""Points a chart has at most; more are drawn as the median of their stretch, and the slowest beside it."""


class Alarm(Struct, frozen=True, kw_only=True):
    """When the detector said that a step got slower.

    Attributes:
        at: when, UTC.
        text: what it said.
    """

    at: datetime
    text: str


class StepSeries(Struct, frozen=True, kw_only=True):
    """A step's times.

    Attributes:
        title: the step's title.
        points: moment (UTC) and milliseconds, in any order.
        budget_ms: milliseconds it may take; None without a budget.
        alarms: when it was called slow.
        usual_ms: milliseconds it usually takes.
        smallest: the smallest slowdown it can show, as a ratio; endless after too few runs, None when nothing is known.
        accepted: the level that was accepted last, with when and why; empty when none was.
    """

    title: str
    points: tuple[tuple[datetime, float], ...] = ()
    budget_ms: float | None = None
    alarms: tuple[Alarm, ...] = ()
    usual_ms: float = 0.0
    smallest: float | None = None
    accepted: str = ""


def latency_chart(series: StepSeries, now: datetime) -> str:
    """Draw a step over time, with its budget and its alarms."""
    points = thinned(sorted((at.astimezone(UTC), ms) for at, ms in series.points if ms >= 0 and at <= now))
    if not points:
        return ""
    pygal = _pygal()
    from pygal.style import Style  # type: ignore[import-untyped,unused-ignore]

    spread = points[-1][0] - points[0][0]
    chart: Any = pygal.XY(  # its charts of moments call what Python has deprecated
        js=[],
        style=Style(
            background="transparent",
            plot_background="transparent",
            foreground="var(--soft)",
            foreground_strong="var(--ink)",
            foreground_subtle="var(--line)",
            colors=("var(--link)", "var(--ink)", "var(--degraded)"),
            font_family="system-ui, sans-serif",
            label_font_size=14,
            major_label_font_size=14,
            legend_font_size=13,
            no_data_font_size=14,
            opacity="1",
            stroke_opacity="1",
            guide_stroke_color="var(--line)",
            major_guide_stroke_color="var(--line)",
        ),
        width=480,
        height=210,
        margin=8,
        margin_right=28,
        show_dots=False,
        show_legend=False,
        truncate_label=-1,
        min_scale=3,
        max_scale=5,
        include_x_axis=True,
        no_prefix=False,
        disable_xml_declaration=True,
        x_value_formatter=lambda at: datetime.fromtimestamp(at, UTC).strftime(
            "%H:%M" if spread < timedelta(days=2) else "%d %b"
        ),
        value_formatter=lambda ms: f"{ms / 1000:g} s" if ms >= 1000 else f"{ms:g} ms",
    )
    first, last = points[0][0].timestamp(), points[-1][0].timestamp()
    chart.x_labels = [first + (last - first) * part / 4 for part in range(5)] if spread else [first]
    chart.add_xml_filter(_without_script)
    chart.add("time", [(at.timestamp(), ms) for at, ms in points])
    if series.budget_ms is not None:
        edges = [(first, series.budget_ms), (last, series.budget_ms)]
        chart.add("budget", edges, stroke_style={"width": 1.5, "dasharray": "6, 4"})
    marks = [(alarm.at.timestamp(), _near(points, alarm.at)) for alarm in series.alarms if alarm.at >= points[0][0]]
    if marks:
        chart.add("alarm", marks, stroke=False, show_dots=True, dots_size=6)
    svg: str = chart.render(is_unicode=True)
    return svg


def _pygal() -> Any:
    """Without the finder it adds to `sys.meta_path`: that warns of itself at each module that is not found later."""
    finders = list(sys.meta_path)
    import pygal  # type: ignore[import-untyped,unused-ignore]

    sys.meta_path[:] = [one for one in sys.meta_path if one in finders or not type(one).__module__.startswith("pygal")]
    return pygal


def _without_script(root: Any) -> Any:
    for parent in list(root.iter()):
        for child in list(parent):
            if str(child.tag).rpartition("}")[2] == "script":
                parent.remove(child)
    return root


def thinned(points: list[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """Few enough points to draw, without hiding a slow one: the median and the slowest of each stretch."""
    if len(points) <= POINTS:
        return points
    size = -(-2 * len(points) // POINTS)
    kept: list[tuple[datetime, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        slowest = max(stretch, key=lambda point: point[1])
        kept += [(stretch[0][0], median(ms for _, ms in stretch))]
        kept += [slowest] if slowest[0] > stretch[0][0] else []
    return kept


def _near(points: list[tuple[datetime, float]], at: datetime) -> float:
    return min(points, key=lambda point: abs(point[0] - at))[1]
