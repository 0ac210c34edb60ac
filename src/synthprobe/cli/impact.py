"""What costs users most, printed and on the board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from synthprobe.cli import remembered
from synthprobe.cli.measurements import Measurements
from synthprobe.cli.terminal import open_console, print_records
from synthprobe.errors import ConfigurationError
from synthprobe.project import Project
from synthprobe.records.impact import Change, ImpactRow, Split
from synthprobe.records.plain_text import plain_line
from synthprobe.report.board import KINDS, BoardChange, answer, milliseconds, percent, render_board, waiting
from synthprobe.report.cards import PublishedRun
from synthprobe.targets.changes import read_changes
from synthprobe.targets.target import Target

DAYS = 7.0
"""Days that impact is counted over, if nothing else is said."""
WIDE = 130
"""Columns of a terminal from which all figures fit."""

_console = open_console()


def make_board(
    project: Project, target: Target, site: Path, days: float = DAYS, runs: Iterable[PublishedRun] = ()
) -> Path:
    """Make the board's pages of a target, with links to the runs that are published."""
    with remembered.opened(project, target.name) as past:
        known = Measurements(past)
        return render_board(known.board_data(known.ranked(days), days, runs), site)


def marked(root: Path, title: str) -> Change:
    changes = {change.title: change for change in read_changes(root)}
    if title not in changes:
        known = ", ".join(repr(change) for change in changes) or "none"
        raise ConfigurationError(
            f"No change {title!r} is marked. Marked: {known}. Mark it first: synthprobe mark {title!r}"
        )
    return changes[title]


def print_ranking(rows: tuple[ImpactRow, ...], titles: Mapping[str, str], target: str, days: float) -> None:
    console = open_console()
    if not rows:
        console.print(f"Nothing was measured on {target} in {days:g} days. Run the journeys first: synthprobe run.")
        return
    console.print(answer(rows, titles))
    for kind, (title, _) in KINDS.items():
        if group := [row for row in rows if row.kind == kind]:
            console.print(f"\n{title}", style="bold")
            console.print(_table(group, titles, narrow=console.width < WIDE))


def _table(rows: list[ImpactRow], titles: Mapping[str, str], *, narrow: bool) -> Table:
    """What users wait comes first: in a narrow terminal the figures least needed to choose are left to the board."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=narrow)
    headings = ["Users wait\na day", "Users'\nshare", "Mean", "Trend"]
    if not narrow:
        headings = [
            "Users wait a day", "Over budget", "Users' share", "Probe's share", "Calls", "Mean", "p95", "Trend"
        ]  # fmt: skip
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("What", overflow="fold", ratio=1 if narrow else None)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        figures = {
            "Users wait a day": waiting(row.impact_ms_per_day),
            "Over budget": waiting(row.excess_ms_per_day),
            "Users' share": percent(row.production_share),
            "Probe's share": percent(row.probe_share),
            "Calls": f"{row.calls:,}",
            "Mean": milliseconds(row.mean_ms),
            "p95": milliseconds(row.p95_ms),
            "Trend": f"× {row.trend:.2f}" if row.trend else "–",
        }
        where = "" if row.kind == "statement" else f" in “{titles.get(row.journeys[0], row.journeys[0])}”"
        what = Text.assemble(plain_line(row.name), (plain_line(where), "dim"))
        table.add_row(str(row.rank), what, *(figures[heading.replace("\n", " ")] for heading in headings))
    return table


def print_change(made: BoardChange) -> None:
    most = f"could save at most {percent(made.ceiling)}" if made.ceiling else "what it could save is unknown"
    _console.print(f"{made.change.title}: {most}")
    if made.note:
        _console.print(made.note)
    if made.split:
        _console.print(_split_text(made.split))
    headings = ("What", "Rank before", "Rank predicted", "Rank now", "Predicted a day", "Measured a day", "Off")
    rows = [
        (
            plain_line(row.name),
            str(row.rank_before or "new"),
            str(row.rank_predicted or "–"),
            str(row.rank_after or "gone"),
            waiting(row.predicted_ms),
            waiting(row.actual_ms),
            "! more than 20 %" if row.moved else "",
        )
        for row in made.forecast
    ]
    if rows:
        print_records(_console, headings, rows, whole={*headings} - {"What"})


def _split_text(split: Split) -> str:
    parts = [
        f"{'−' if ms < 0 else '+'}{waiting(abs(ms))} by {what}"
        for ms, what in (
            (split.per_call_ms, "the time per call (its merit)"),
            (split.traffic_ms, "the number of calls"),
        )
    ]
    return f"{waiting(split.before_ms)} before, {waiting(split.after_ms)} after: {', '.join(parts)}"
