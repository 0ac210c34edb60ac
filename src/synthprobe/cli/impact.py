"""``synthprobe impact``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from synthprobe.cli import recorded, remembered
from synthprobe.cli.completion import complete_targets
from synthprobe.cli.numbers import finite
from synthprobe.cli.past import Past
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import Config, find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.goals.impact import ceiling
from synthprobe.journey.database import collect
from synthprobe.pipeline.statements import add_snapshot
from synthprobe.records.impact import Change, Forecast, ImpactRow, Split
from synthprobe.records.plain_text import plain_line
from synthprobe.report.board import KINDS, BoardChange, answer, milliseconds, percent, render_board, waiting
from synthprobe.targets.changes import mark_change, parse_moment, read_changes
from synthprobe.targets.target import Target

app = typer.Typer(invoke_without_command=True)
DAYS = 7.0
"""Days that impact is counted over, if nothing else is said."""
WIDE = 130
"""Columns of a terminal from which all figures fit."""

_console = open_console()


@app.callback()
def impact(
    context: typer.Context,
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target of the configuration.")
    ] = None,
    days: Annotated[float, typer.Option(help="Days to count over.", min=0.01, max=400, callback=finite)] = DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    change: Annotated[
        str | None, typer.Option("--change", help="Title of a marked change: compare before and after it.")
    ] = None,
    board: Annotated[bool, typer.Option("--board", help="Make the board's pages.")] = False,
) -> None:
    """Rank steps, backend operations and statements by the time users wait for them."""
    if context.invoked_subcommand is not None:
        return
    if board and (as_json or change is not None):
        other = "--json" if as_json else "--change"
        raise ConfigurationError(
            f"--board makes pages, {other} prints: only one of them was expected. Ask for them one after the other."
        )
    root = find_root(Path.cwd())
    config = read_config(root)
    chosen = config.target(target)
    if board:
        page = make_board(root, config, chosen, root / config.folder / "site", days)
        _console.print(f"Impact board: {page}")
        return
    with remembered.opened(root, config, chosen.name) as history:
        past = Past(root, config, chosen, history)
        if change is not None:
            _print_change(past.judge_change(_marked(root, change), days), as_json=as_json)
            return
        rows = past.ranked(days)
        if as_json:
            print_json(rows)
        elif not rows:
            says = f"Nothing was measured on {chosen.name} in {days:g} days. Run the journeys first: synthprobe run."
            _console.print(says)
        else:
            print_ranking(rows, past.titles)


@app.command("mark")
def mark(
    title: Annotated[str, typer.Argument(help="What was done, for example: index on incident.created.")],
    operation: Annotated[str, typer.Option(help="Name of the row it is to make cheaper.")] = "",
    saves: Annotated[
        float, typer.Option(help="Part of that row's time it is expected to save, 0 to 1.", callback=finite)
    ] = 1.0,
    at: Annotated[str | None, typer.Option(help="When it went live, as 2026-03-02T12:00Z; now without it.")] = None,
    expected: Annotated[
        str, typer.Option(help="slower: the level it brings that row, or all steps where none is named, is usual.")
    ] = "",
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target whose board tells the ceiling.")
    ] = None,
) -> None:
    """Mark a change in changes.toml, and say what it can save at most."""
    root = find_root(Path.cwd())
    config = read_config(root)
    now = recorded.now().replace(microsecond=0)
    moment = parse_moment(at, now) if at else now
    chosen = config.target(target) if operation or target else None
    if expected not in {"", "slower"}:
        raise ConfigurationError(f"--expected is {expected!r}: slower was expected, or nothing.")
    marked = Change(at=moment, title=title, operation=operation, saves=saves, expected="slower" if expected else "")
    path = mark_change(root, marked)
    _console.print(f"Marked in {path.name}: {title}")
    if operation and chosen:
        with remembered.opened(root, config, chosen.name) as history:
            window = Past(root, config, chosen, history).measured(moment - timedelta(days=7), moment)
        ranked = window.ranked()
        most = ceiling(ranked, operation)
        kind = next((KINDS[row.kind][0].lower() for row in ranked if row.name == operation), "")
        says = (
            f"at most {percent(most)} of the waiting for {kind}"
            if most
            else "unknown: no row of that name was measured"
        )
        _console.print(f"What it can save: {says}")


@app.command("collect")
def collect_statements(
    url: Annotated[str, typer.Option(envvar="SYNTHPROBE_DATABASE_URL", help="postgresql:// address, read-only role.")],
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target whose database it is.")
    ] = None,
) -> None:
    """Add what pg_stat_statements counted since the last time; run it on a schedule."""
    root = find_root(Path.cwd())
    config = read_config(root)
    chosen = config.target(target)
    snapshot = collect(url)
    path = add_snapshot(root, config, chosen.name, snapshot)
    _console.print(f"{len(snapshot.counters)} statements counted, added to {path.relative_to(root)}")


def make_board(root: Path, config: Config, target: Target, site: Path, days: float = DAYS) -> Path:
    """Make the board's pages of a target."""
    with remembered.opened(root, config, target.name) as history:
        past = Past(root, config, target, history)
        return render_board(past.board_data(past.ranked(days), days), site)


def _marked(root: Path, title: str) -> Change:
    changes = {one.title: one for one in read_changes(root)}
    if title not in changes:
        known = ", ".join(repr(one) for one in changes) or "none"
        raise ConfigurationError(
            f"No change {title!r} is marked. Marked: {known}. Mark it first: synthprobe impact mark {title!r}"
        )
    return changes[title]


def print_ranking(rows: tuple[ImpactRow, ...], titles: Mapping[str, str]) -> None:
    """Print the ranking, whatever the width of the terminal."""
    console = open_console()
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


def _print_change(made: BoardChange, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    _console.print(f"{made.change.title}: could save at most {percent(made.ceiling)}")
    if made.note:
        _console.print(made.note)
    if made.split:
        _console.print(_split_text(made.split))
    if made.forecast:
        _console.print(_forecast_table(made.forecast))


def _split_text(one: Split) -> str:
    parts = [
        f"{'−' if ms < 0 else '+'}{waiting(abs(ms))} by {what}"
        for ms, what in ((one.per_call_ms, "the time per call (its merit)"), (one.traffic_ms, "the number of calls"))
    ]
    return f"{waiting(one.before_ms)} before, {waiting(one.after_ms)} after: {', '.join(parts)}"


def _forecast_table(rows: tuple[Forecast, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("What", "Rank before", "Rank predicted", "Rank now", "Predicted a day", "Measured a day", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            Text(plain_line(row.name)),
            str(row.rank_before or "new"),
            str(row.rank_predicted or "–"),
            str(row.rank_after or "gone"),
            waiting(row.predicted_ms),
            waiting(row.actual_ms),
            "! more than 20 % off" if row.moved else "",
        )
    return table
