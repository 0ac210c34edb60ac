"""The impact board: what costs the users most, and whether the last change helped."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.files import write_whole
from synthprobe.records.impact import Change, Forecast, ImpactRow, OperationKind, Split
from synthprobe.records.latency import Mark, StepSeries
from synthprobe.records.objective import ObjectiveStatus
from synthprobe.report.addresses import safe_name
from synthprobe.report.charts import latency_chart, run_addresses, took
from synthprobe.report.page import duration, pages
from synthprobe.report.target_status import burn_chart
from synthprobe.report.target_status import percent as percentage

DAYS = 90
"""Days of the journey grid."""
SHOWN = 10
"""Rows of a ranking that are shown at once; the others are folded."""

DayState = Literal["passed", "degraded", "failed", "unknown", "empty"]
SIGNS: dict[DayState, tuple[str, str]] = {
    "passed": ("✓", "all runs passed"),
    "degraded": ("!", "degraded in"),
    "failed": ("✗", "failed in"),
    "unknown": ("?", "could not be checked in"),
    "empty": ("·", "no run"),
}
KINDS: dict[OperationKind, tuple[str, str]] = {
    "step": ("Steps", "what the user waits for"),
    "operation": ("Backend operations", "what the target says it did meanwhile, from its Server-Timing answers"),
    "statement": ("Database statements", "what the database counted for everybody, from pg_stat_statements"),
}
"""Heading of each kind of row, and where its time comes from."""


class Day(Struct, frozen=True, kw_only=True):
    """One day of a journey in the grid."""

    day: date
    state: DayState = "empty"
    runs: int = 0
    bad: int = 0


class BoardJourney(Struct, frozen=True, kw_only=True):
    """A journey on the board."""

    id: str
    title: str
    owner: str = ""
    uses_per_day: float | None = None
    days: tuple[Day, ...] = ()
    steps: tuple[StepSeries, ...] = ()
    objective: ObjectiveStatus | None = None
    link: str = ""


class BoardChange(Struct, frozen=True, kw_only=True):
    """A marked change, and what it did."""

    change: Change
    window_days: float
    ceiling: float = 0.0
    split: Split | None = None
    forecast: tuple[Forecast, ...] = ()
    note: str = ""


class BoardData(Struct, frozen=True, kw_only=True):
    """All that the board shows."""

    target: str
    made_at: datetime
    window_days: float
    rows: tuple[ImpactRow, ...] = ()
    journeys: tuple[BoardJourney, ...] = ()
    changes: tuple[BoardChange, ...] = ()
    notes: tuple[str, ...] = ()
    runs: dict[datetime, str] = {}


def render_board(data: BoardData, site: Path) -> Path:
    """Write the board's pages, the first page last."""
    folder = site / "board" / safe_name(data.target)
    folder.mkdir(parents=True, exist_ok=True)
    environment = pages()
    environment.filters |= {
        "ms": milliseconds,
        "waiting": waiting,
        "percent": percent,
        "times": _times,
        "gap": _gap,
        "signed": _signed,
        "percentage": percentage,
        "length_of": length_of,
    }
    journeys = [_journey(journey, data) for journey in sorted(data.journeys, key=_worst_first)]
    known = {journey["id"]: journey for journey in journeys}
    shared = {"data": data, "signs": SIGNS, "days": DAYS, "root": "../../"}
    for board_journey in journeys:
        page = environment.get_template("board_journey.html.j2").render(board_journey=board_journey, **shared)
        write_whole(folder / board_journey["page"], page)
    page = environment.get_template("board.html.j2").render(
        tables=[_table(kind, data.rows, known) for kind in KINDS if any(row.kind == kind for row in data.rows)],
        journeys=journeys,
        answer=answer(data.rows, {journey.id: journey.title for journey in data.journeys}),
        **shared,
    )
    return write_whole(folder / "index.html", page)


def waiting(ms: float | None) -> str:
    if ms is None:
        return "–"
    for size, unit in ((3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms >= size:
            number = ms / size
            return f"{number:,.0f} {unit}" if number >= 100 else f"{number:.1f} {unit}"
    return f"{ms:.0f} ms" if ms else "0"


def milliseconds(ms: float | None) -> str:
    if ms is None:
        return "–"
    return f"{ms:.1f} ms" if ms < 10 else duration(ms / 1000)


def percent(share: float | None) -> str:
    if share is None:
        return "–"
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or value == 0 else "under 0.1 %" if value < 0.1 else f"{value:.1f} %"


def length_of(days: float) -> str:
    if days >= 1:
        return f"{days:.3g} day{'' if days == 1 else 's'}"
    return waiting(days * 86_400_000)


def journey_page(id: str) -> str:
    """File name of a journey's page; two journeys never share one."""
    return f"journey-{safe_name(id)[:60]}-{hashlib.sha256(id.encode()).hexdigest()[:6]}.html"


def step_anchor(title: str) -> str:
    return f"step-{hashlib.sha256(title.encode()).hexdigest()[:8]}"


def _table(kind: OperationKind, rows: Sequence[ImpactRow], known: Mapping[str, Any]) -> dict[str, Any]:
    views = [
        {
            "row": row,
            "journeys": [known[id] for id in row.journeys if id in known],
            "more": max(len(row.journeys) - 2, 0),
            "anchor": step_anchor(row.step or row.name),
            "trace": _address(row.slowest_trace),
            "bar": round(100 * (row.production_share or row.probe_share or 0), 1),
        }
        for row in rows
        if row.kind == kind
    ]
    unweighted = sum(row.impact_ms_per_day is None for row in rows if row.kind == kind)
    rest = [row.production_share for row in rows if row.kind == kind][SHOWN:]
    return {
        "kind": kind,
        "title": KINDS[kind][0],
        "about": KINDS[kind][1],
        "rows": views[:SHOWN],
        "rest": views[SHOWN:],
        "rest_share": sum(share or 0.0 for share in rest) if any(share is not None for share in rest) else None,
        "unweighted": unweighted,
    }


def _journey(journey: BoardJourney, data: BoardData) -> dict[str, Any]:
    runs = run_addresses(data.runs)
    marks = tuple(Mark(at=made.change.at, text=made.change.title) for made in data.changes)
    days = day_cells(journey.days, data.made_at)
    return {
        "id": journey.id,
        "journey": journey,
        "page": journey_page(journey.id),
        "days": days,
        "bad_days": sum(cell["day"].state == "failed" for cell in days),
        "seen_days": sum(cell["day"].state != "empty" for cell in days),
        "burn": burn_chart(journey.objective, data.made_at) if journey.objective else None,
        "steps": [
            {
                "series": series,
                "anchor": step_anchor(series.title),
                "chart": latency_chart(replace(series, marks=marks), data.made_at, runs),
                "shows": _shows(series),
                "row": next(
                    (r for r in data.rows if r.kind == "step" and r.name == series.title and journey.id in r.journeys),
                    None,
                ),
            }
            for series in journey.steps
        ],
        "link": _address(journey.link),
    }


def day_cells(known: Sequence[Day], now: datetime) -> list[dict[str, Any]]:
    """The last days, oldest first, each with what it says; those without a run as well."""
    found, today = {day.day: day for day in known}, now.astimezone(UTC).date()
    dates = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    days = [found.get(date, Day(day=date)) for date in dates]
    return [{"day": day, "says": _says(day)} for day in days]


def _shows(series: StepSeries) -> str:
    """How fine a step's own past lets a slowdown of it be seen."""
    if series.smallest is None:
        return ""
    if math.isinf(series.smallest):
        return "It cannot show a slowdown yet: too few runs were seen to know what is usual."
    usual_ms, least_ms = series.usual_ms, series.usual_ms * series.smallest
    usual, least = (took(series, ms) if series.is_score else milliseconds(ms) for ms in (usual_ms, least_ms))
    return f"Usually {usual}. The smallest slowdown it can show is {series.smallest:.2f} ×, {least}."


def _says(day: Day) -> str:
    where = day.day.isoformat()
    if day.state == "empty":
        return f"{where}: no run"
    if day.state == "passed":
        return f"{where}: all {day.runs} runs passed"
    return f"{where}: {SIGNS[day.state][1]} {day.bad} of {day.runs} runs"


def answer(rows: Sequence[ImpactRow], titles: Mapping[str, str]) -> str:
    """The board in one sentence: what to work on, and what that can save at most."""
    firsts = {row.kind: row for row in rows if row.rank == 1}
    first = next((firsts[kind] for kind in KINDS if kind in firsts and firsts[kind].impact_ms_per_day), None)
    if first is None:
        probed = firsts.get("step") or firsts.get("operation")
        if probed is None:
            return "Nothing was measured in this window, so nothing can be ranked."
        return (
            f"The probe itself waits longest in “{probed.name}”. Declare uses_per_day in the journeys' markers to rank "
            "by what real users wait for."
        )
    where = ", ".join(titles[id] for id in first.journeys[:2] if id in titles)
    return (
        f"Users wait {waiting(first.impact_ms_per_day)} a day for “{first.name}”{f' in “{where}”' if where else ''}. "
        f"Making it free would save at most {percent(first.production_share)} of the waiting for "
        f"{KINDS[first.kind][0].lower()}."
    )


def _worst_first(journey: BoardJourney) -> tuple[int, float, str]:
    """By the objective's state, then by how much of the error budget is used."""
    if (found := journey.objective) is None:
        return (2, 0.0, journey.title)
    used = found.used_s / found.budget_s if found.budget_s else found.used_s
    return (("missed", "unknown", "met").index(found.state), -used, journey.title)


def _address(link: str) -> str:
    """A link from the folder of the board; anything but an address inside the site is left out."""
    return f"../../{link}" if link and not link.startswith(("/", "\\")) and ":" not in link.split("?")[0] else ""


def _times(ratio: float | None) -> str:
    if ratio is None:
        return "–"
    if 0.95 <= ratio <= 1.05:
        return "unchanged"
    return f"{ratio:.1f} × slower" if ratio > 1 else f"{1 / ratio:.1f} × faster" if ratio else "faster"


def _gap(seconds: float) -> str:
    return "none" if not seconds else waiting(1000 * seconds)


def _signed(ms: float) -> str:
    return f"{'−' if ms < 0 else '+'}{waiting(abs(ms))}" if ms else "nothing"
