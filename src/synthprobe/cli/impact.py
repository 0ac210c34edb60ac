"""``synthprobe impact``."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from synthprobe.cli import recorded
from synthprobe.config import find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.model.impact import Change, Forecast, ImpactRow, OperationTotal, Snapshot, Split, Traffic
from synthprobe.probes.database import append_snapshot, collect, read_snapshots
from synthprobe.report.board import BoardChange, BoardData, BoardJourney, milliseconds, percent, render_board, waiting
from synthprobe.report.latency import StepSeries
from synthprobe.targets.changes import mark_change, parse_moment, read_changes
from synthprobe.verdict.impact import ceiling, compare, rank, resets, split, statement_totals

app = typer.Typer(help="What costs the users most, and whether a change helped.", invoke_without_command=True)
SNAPSHOTS = "statements.jsonl"

_console = Console(highlight=False, soft_wrap=True)


class Window(Struct, frozen=True, kw_only=True):
    """What was measured between two moments.

    Attributes:
        operations: steps, backend operations and statements.
        traffic: how often each journey was walked.
        days: length in days.
    """

    operations: tuple[OperationTotal, ...]
    traffic: tuple[Traffic, ...]
    days: float


@app.callback()
def impact(
    context: typer.Context,
    target: Annotated[str | None, typer.Option(help="Target of the configuration.")] = None,
    days: Annotated[float, typer.Option(help="Days to count over.", min=0.01)] = 7.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    change: Annotated[
        str | None, typer.Option("--change", help="Title of a marked change: compare before and after it.")
    ] = None,
    board: Annotated[bool, typer.Option("--board", help="Make the board's pages.")] = False,
) -> None:
    """Rank steps, backend operations and statements by the time users wait for them."""
    if context.invoked_subcommand is not None:
        return
    root = find_root(Path.cwd())
    config = read_config(root)
    name = config.target(target).name
    if change is not None:
        _print_change(judge_change(root, config.folder, name, _marked(root, change), days), as_json=as_json)
        return
    now = recorded.now()
    window = measured(root, config.folder, name, now - timedelta(days=days), now)
    earlier = measured(root, config.folder, name, now - timedelta(days=2 * days), now - timedelta(days=days))
    rows = rank(window.operations, window.traffic, days=window.days, before=earlier.operations)
    if board:
        made = board_data(root, config.folder, name, rows, now, days)
        _console.print(f"Impact board: {render_board(made, root / config.folder / 'site')}", markup=False)
    elif as_json:
        typer.echo(msgspec.json.encode(rows).decode())
    elif not rows:
        _console.print(f"Nothing was measured on {name} in {days:g} days. Run the journeys first: synthprobe run.")
    else:
        _console.print(_ranking(rows))


@app.command("mark")
def mark(
    title: Annotated[str, typer.Argument(help="What was done, for example: index on incident.created.")],
    operation: Annotated[str, typer.Option(help="Name of the row it is to make cheaper.")] = "",
    saves: Annotated[float, typer.Option(help="Part of that row's time it is expected to save, 0 to 1.")] = 1.0,
    at: Annotated[str | None, typer.Option(help="When it went live, as 2026-03-02T12:00Z; now without it.")] = None,
    target: Annotated[str | None, typer.Option(help="Target whose board tells the ceiling.")] = None,
) -> None:
    """Mark a change in changes.toml, and say what it can save at most."""
    root = find_root(Path.cwd())
    config = read_config(root)
    moment = parse_moment(at) if at else recorded.now().replace(microsecond=0)
    marked = Change(at=moment, title=title, operation=operation, saves=saves)
    path = mark_change(root, marked)
    _console.print(f"Marked in {path.name}: {title}", markup=False)
    if operation:
        window = measured(root, config.folder, config.target(target).name, moment - timedelta(days=7), moment)
        most = ceiling(rank(window.operations, window.traffic, days=window.days), operation)
        says = f"at most {percent(most)} of the total" if most else "unknown: no row of that name was measured"
        _console.print(f"What it can save: {says}", markup=False)


@app.command("collect")
def collect_statements(
    url: Annotated[str, typer.Option(envvar="SYNTHPROBE_DATABASE_URL", help="postgresql:// address, read-only role.")],
) -> None:
    """Add a snapshot of pg_stat_statements; run it on a schedule."""
    root = find_root(Path.cwd())
    snapshot = collect(url)
    path = append_snapshot(root / read_config(root).folder / SNAPSHOTS, snapshot)
    _console.print(f"{len(snapshot.counters)} statements counted, added to {path.relative_to(root)}", markup=False)


def measured(root: Path, folder: str, target: str, since: datetime, until: datetime) -> Window:
    """What was measured between two moments: the one place to change when the data comes from elsewhere.

    Args:
        root: the project's root.
        folder: where runs are kept.
        target: the target's name.
        since: the first moment, UTC.
        until: the moment after the last, UTC.

    Returns:
        Steps from the run folders, and statements from the snapshots.
    """
    operations, traffic = recorded.timed(recorded.verdicts(root, folder, target, since=since, until=until))
    statements = statement_totals(_snapshots(root, folder, since, until))
    return Window(operations=operations + statements, traffic=traffic, days=(until - since).total_seconds() / 86400)


def judge_change(root: Path, folder: str, target: str, change: Change, days: float) -> BoardChange:
    """Compare two equally long windows around a change.

    Args:
        root: the project's root.
        folder: where runs are kept.
        target: the target's name.
        change: the change.
        days: the longest window; shorter when the change is younger.

    Returns:
        What the change did.
    """
    length = min(timedelta(days=days), recorded.now() - change.at)
    if length <= timedelta(0):
        return BoardChange(change=change, window_days=days, note="It is not live yet.")
    before = measured(root, folder, target, change.at - length, change.at)
    after = measured(root, folder, target, change.at, change.at + length)
    old = rank(before.operations, before.traffic, days=before.days)
    new = rank(after.operations, after.traffic, days=after.days)
    ours = [[one for one in window.operations if one.name == change.operation] for window in (before, after)]
    if not all(ours):
        return BoardChange(
            change=change,
            window_days=length / timedelta(days=1),
            ceiling=ceiling(old, change.operation),
            note="Its row was not measured both before and after the change, so nothing can be said yet."
            if change.operation
            else "It names no row of the board, so nothing can be compared.",
        )
    return BoardChange(
        change=change,
        window_days=round(length / timedelta(days=1), 2),
        ceiling=ceiling(old, change.operation),
        split=split(*ours),
        forecast=compare(old, new, change),
    )


def board_data(
    root: Path, folder: str, target: str, rows: tuple[ImpactRow, ...], now: datetime, days: float
) -> BoardData:
    """The board as far as run folders can fill it.

    Args:
        root: the project's root.
        folder: where runs are kept.
        target: the target's name.
        rows: the ranking.
        now: the right edge of the charts, UTC.
        days: length of the window in days.

    Returns:
        What `render_board` shows.
    """
    runs = recorded.verdicts(root, folder, target, since=now - timedelta(days=days), until=now)
    series: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    budgets: dict[tuple[str, str], float | None] = {}
    for result in (result for verdict in runs for one in verdict.journeys for result in one.results):
        for step in result.steps:
            if step.status == "passed":
                key = (result.journey.id, step.title)
                series.setdefault(key, []).append((step.started_at, step.duration_s * 1000))
                budgets[key] = step.budget_s * 1000 if step.budget_s else None
    lost = resets(_snapshots(root, folder, now - timedelta(days=days), now))
    changes = reversed(read_changes(root))
    return BoardData(
        target=target,
        made_at=now,
        window_days=days,
        rows=rows,
        journeys=tuple(
            BoardJourney(
                id=id,
                title=one.title,
                owner=one.owner,
                uses_per_day=one.uses_per_day,
                days=recorded.days(runs, id),
                steps=tuple(
                    StepSeries(title=key[1], points=tuple(points), budget_ms=budgets[key])
                    for key, points in series.items()
                    if key[0] == id
                ),
            )
            for id, one in recorded.journeys(runs).items()
        ),
        changes=tuple(judge_change(root, folder, target, one, days) for one in changes),
        notes=(f"The database's counters began anew {lost} times; what ran just before is missing.",) if lost else (),
    )


def _snapshots(root: Path, folder: str, since: datetime, until: datetime) -> list[Snapshot]:
    return [one for one in read_snapshots(root / folder / SNAPSHOTS) if since <= one.at < until]


def _marked(root: Path, title: str) -> Change:
    changes = {one.title: one for one in read_changes(root)}
    if title not in changes:
        known = ", ".join(repr(one) for one in changes) or "none"
        raise ConfigurationError(
            f"No change {title!r} is marked. Marked: {known}. Mark it first: synthprobe impact mark {title!r}"
        )
    return changes[title]


def _ranking(rows: tuple[ImpactRow, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, numbers in (
        ("#", True),
        ("Kind", False),
        ("What", False),
        ("Users wait a day", True),
        ("Over budget", True),
        ("Users' share", True),
        ("Probe's share", True),
        ("Calls", True),
        ("Mean", True),
        ("p95", True),
        ("Trend", True),
    ):
        table.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(
            str(row.rank),
            row.kind,
            Text(_plain(row.name)),
            waiting(row.impact_ms_per_day),
            waiting(row.excess_ms_per_day),
            percent(row.production_share),
            percent(row.probe_share),
            f"{row.calls:,}",
            milliseconds(row.mean_ms),
            milliseconds(row.p95_ms),
            f"× {row.trend:.2f}" if row.trend else "–",
        )
    return table


def _print_change(made: BoardChange, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(made).decode())
        return
    _console.print(f"{made.change.title}: could save at most {percent(made.ceiling)}", markup=False)
    if made.note:
        _console.print(made.note, markup=False)
    if made.split:
        _console.print(_split_text(made.split), markup=False)
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
            Text(_plain(row.name)),
            str(row.rank_before or "new"),
            str(row.rank_predicted or "–"),
            str(row.rank_after or "gone"),
            waiting(row.predicted_ms),
            waiting(row.actual_ms),
            "! more than 20 % off" if row.moved else "",
        )
    return table


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
