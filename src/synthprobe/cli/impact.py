"""What costs users most, printed and on the board; and ``synthprobe mark``: a change, or a level that is usual now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from synthprobe import pipeline
from synthprobe.cli import remembered
from synthprobe.cli.options import TargetName, complete_journeys, finite
from synthprobe.cli.past import Past
from synthprobe.cli.terminal import open_console, print_records
from synthprobe.config import Project
from synthprobe.detection.watch import accept as accept_level
from synthprobe.detection.watch import read_state
from synthprobe.errors import ConfigurationError
from synthprobe.goals.impact import ceiling
from synthprobe.records.impact import Change, ImpactRow, Split
from synthprobe.records.plain_text import plain_line
from synthprobe.report.board import KINDS, BoardChange, answer, milliseconds, percent, render_board, waiting
from synthprobe.targets.changes import mark_change, parse_moment, read_changes
from synthprobe.targets.target import Target

DAYS = 7.0
"""Days that impact is counted over, if nothing else is said."""
WIDE = 130
"""Columns of a terminal from which all figures fit."""

_console = open_console()


def make_board(project: Project, target: Target, site: Path, days: float = DAYS) -> Path:
    """Make the board's pages of a target."""
    with remembered.opened(project, target.name) as history:
        past = Past(project, target, history)
        return render_board(past.board_data(past.ranked(days), days), site)


def marked(root: Path, title: str) -> Change:
    """A change of changes.toml."""
    changes = {one.title: one for one in read_changes(root)}
    if title not in changes:
        known = ", ".join(repr(one) for one in changes) or "none"
        raise ConfigurationError(
            f"No change {title!r} is marked. Marked: {known}. Mark it first: synthprobe mark {title!r}"
        )
    return changes[title]


def print_ranking(rows: tuple[ImpactRow, ...], titles: Mapping[str, str], target: str, days: float) -> None:
    """Print the ranking, whatever the width of the terminal."""
    console = open_console()
    if not rows:
        console.print(f"Nothing was measured on {target} in {days:g} days. Run the journeys first: synthprobe run.")
        return
    console.print(answer(rows, titles))
    for kind, (title, _) in KINDS.items():
        if some := [row for row in rows if row.kind == kind]:
            console.print(f"\n{title}", style="bold")
            console.print(_table(some, titles, narrow=console.width < WIDE))


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
    """Print what a marked change did."""
    _console.print(f"{made.change.title}: could save at most {percent(made.ceiling)}")
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


def _split_text(one: Split) -> str:
    parts = [
        f"{'−' if ms < 0 else '+'}{waiting(abs(ms))} by {what}"
        for ms, what in ((one.per_call_ms, "the time per call (its merit)"), (one.traffic_ms, "the number of calls"))
    ]
    return f"{waiting(one.before_ms)} before, {waiting(one.after_ms)} after: {', '.join(parts)}"


def mark(
    title: Annotated[
        str, typer.Argument(help="What was done, for example: index on incident.created; with --accept why.")
    ],
    operation: Annotated[str, typer.Option(help="Name of the row it is to make cheaper; with --accept the step.")] = "",
    saves: Annotated[
        float, typer.Option(help="Part of that row's time it is expected to save, 0 to 1.", callback=finite)
    ] = 1.0,
    at: Annotated[str | None, typer.Option(help="When it went live, as 2026-03-02T12:00Z; now without it.")] = None,
    expected: Annotated[
        str, typer.Option(help="slower: the level it brings that row, or all steps where none is named, is usual.")
    ] = "",
    accept: Annotated[
        str | None,
        typer.Option(
            metavar="JOURNEY",
            autocompletion=complete_journeys,
            help="Take the level of this journey's open alarm as usual, at once.",
        ),
    ] = None,
    target: TargetName = None,
    location: Annotated[str | None, typer.Option(help="With --accept: of the probe; this one's without it.")] = None,
) -> None:
    """Mark a change in changes.toml, and say what it can save at most; or accept a level that is slower than usual."""
    project = Project.here()
    if accept is not None:
        if at or expected or saves != 1.0:
            raise ConfigurationError("--at, --expected and --saves are of a change; --accept takes the level of now.")
        _accept(project, project.config.target(target).name, (accept, operation), title, location)
        return
    if location is not None:
        raise ConfigurationError("--location belongs to --accept: a change is marked for all of them.")
    now = remembered.now().replace(microsecond=0)
    moment = parse_moment(at, now) if at else now
    chosen = project.config.target(target) if operation or target else None
    if expected not in {"", "slower"}:
        raise ConfigurationError(f"--expected is {expected!r}: slower was expected, or nothing.")
    change = Change(at=moment, title=title, operation=operation, saves=saves, expected="slower" if expected else "")
    path = mark_change(project.root, change)
    _console.print(f"Marked in {path.name}: {title}")
    if operation and chosen:
        _print_ceiling(project, chosen, change)


def _print_ceiling(project: Project, target: Target, change: Change) -> None:
    with remembered.opened(project, target.name) as history:
        window = Past(project, target, history).measured(change.at - timedelta(days=7), change.at)
    ranked = window.ranked()
    most = ceiling(ranked, change.operation)
    kind = next((KINDS[row.kind][0].lower() for row in ranked if row.name == change.operation), "")
    known = f"at most {percent(most)} of the waiting for {kind}"
    _console.print(f"What it can save: {known if most else 'unknown: no row of that name was measured'}")


def _accept(project: Project, target: str, slow: tuple[str, str], reason: str, location: str | None) -> None:
    """Take the level of an open alarm as usual. What is slower than it, or as before, is told."""
    if not reason.strip():
        raise ConfigurationError("A level is accepted for a reason, which the board shows. Give it before --accept.")
    (journey, step), place = slow, project.config.location if location is None else location
    with pipeline.open_history(project) as history:
        states = history.detector_states(target, location=place)
        accepted = accept_level(states, journey, step, datetime.now(UTC), plain_line(reason))
        if not accepted:
            raise ConfigurationError(_nothing_open(states, journey, step))
        history.put_detector_states(target, accepted, location=place)
        for note in history.notes:
            _console.print(f"note: {note}")
    for (_, path), state in sorted(accepted.items()):
        if level := read_state(state).accepted:
            _console.print(f"{path or journey}: {level}.", markup=False)


def _nothing_open(states: Mapping[tuple[str, str], bytes], journey: str, step: str) -> str:
    named = f"step {step!r} of {journey}" if step else f"the journey {journey} as a whole"
    slow = sorted(key for key, state in states.items() if read_state(state).detector.degraded)
    listed = ", ".join(f"{id} {path!r}" if path else f"{id} as a whole" for id, path in slow) or "nothing"
    return (
        f"No alarm above the baseline is open for {named}, so there is no level to accept. Slower than usual: {listed}."
    )
