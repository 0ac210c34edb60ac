"""``synthprobe objectives``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from synthprobe.cli import recorded, remembered
from synthprobe.cli.terminal import open_console
from synthprobe.config import Config, ObjectiveConfig, find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.model.journey import duration_s
from synthprobe.model.objective import BurnRule, Objective, ObjectiveStatus
from synthprobe.pipeline import coverage
from synthprobe.pipeline.coverage import DEFAULT, declared_objective
from synthprobe.verdict.objectives import STANDARD_RULES, check_rule, lint, span

app = typer.Typer(help="How good each journey must be, and whether that can be watched.", no_args_is_help=True)

_console = open_console()


@app.command("lint")
def lint_objectives() -> None:
    """Print what each burn-rate rule needs at this interval, and refuse rules that cannot work.

    Exit code 0: every objective can be alerted on. 2: one cannot.
    """
    config = read_config(find_root(Path.cwd()))
    refused = []
    for name, table in _declared(config).items():
        objective, rules = declared_objective(name, table), declared_rules(name, table)
        try:
            sentences = lint(objective, config.interval_s, rules)
            _console.print(_rules_table(objective, rules or STANDARD_RULES, config.interval_s))
        except ValueError as error:
            sentences = (str(error),)
        refused += [f"[objectives.{name}] {sentence}" for sentence in sentences]
    for sentence in refused:
        _console.print(f"refused: {sentence}", markup=False)
    if refused:
        raise typer.Exit(2)


@app.command("show")
def show(
    target: Annotated[str | None, typer.Option(help="Target of the configuration.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how each journey stands against its objective, coverage beside availability."""
    root = find_root(Path.cwd())
    config = read_config(root)
    found = statuses(root, config, config.target(target).name)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    if not found:
        _console.print("No slot was judged, so nothing can be said. Run the journeys first: synthprobe run --slot now")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("State", "Journey", "Objective", "Availability", "Coverage", "Worst gap", "Error budget"):
        table.add_column(heading, overflow="fold")
    for one in found:
        table.add_row(
            one.state,
            Text(one.objective.journey),
            f"{one.objective.percent:g} % in {one.objective.window_days:g} d",
            f"{one.availability:.2f} %" if one.availability is not None else "not known",
            f"{one.coverage:.1f} %",
            span(one.worst_gap_s) if one.worst_gap_s else "none",
            Text("".join(letter if letter.isprintable() else " " for letter in one.text)),
        )
    _console.print(table)


def statuses(root: Path, config: Config, target: str) -> list[ObjectiveStatus]:
    """How each journey stands, in the slots that scheduled runs judged; a run by hand judges none.

    Args:
        root: the project's root.
        config: the project's configuration.
        target: the target's name.

    Returns:
        One status for each journey that was seen.

    Raises:
        ConfigurationError: when an objective makes no sense.
    """
    now = recorded.now()
    since = coverage.since(config, now)
    with remembered.opened(root, config, target) as history:
        if history is not None:
            seen = remembered.observations(history, target, since, now)
        else:
            runs = recorded.verdicts(root, config.folder, target, since=since, until=now)
            seen = recorded.observations(run for run in runs if run.run.scheduled)
    return list(coverage.judge_objectives(config, seen, now))


def declared_rules(name: str, table: ObjectiveConfig) -> tuple[BurnRule, ...]:
    """The burn-rate rules a table declares.

    Args:
        name: the table's name.
        table: the table.

    Returns:
        The rules; none when the standard ones are to be used.

    Raises:
        ConfigurationError: when a window is no duration.
    """
    try:
        return tuple(
            BurnRule(factor=one.factor, long_s=duration_s(one.long), short_s=duration_s(one.short))
            for one in table.rules
        )
    except ValueError as error:
        raise ConfigurationError(f"[[objectives.{name}.rules]]: {error}") from None


def _declared(config: Config) -> dict[str, ObjectiveConfig]:
    return config.objectives or {DEFAULT: ObjectiveConfig()}


def _rules_table(objective: Objective, rules: Iterable[BurnRule], interval_s: float) -> Table:
    table = Table(
        title=f"{objective.journey}: {objective.percent:g} % in {objective.window_days:g} days, "
        f"one sample each {span(interval_s)}",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for heading in (
        "Rule",
        "Failures needed in the long and the short window",
        "Total outage until it fires",
        "Verdict",
    ):
        table.add_column(heading, overflow="fold")
    for one in (check_rule(objective, rule, interval_s) for rule in rules):
        table.add_row(
            f"{one.rule.factor:g} × {span(one.rule.long_s)}/{span(one.rule.short_s)}",
            "cannot fire"
            if one.outage_s is None
            else f"{one.long_needs}/{one.long_of} & {one.short_needs}/{one.short_of}",
            span(one.outage_s) if one.outage_s is not None else "–",
            one.refused.split(":")[0].lower() + ", left out" if one.refused else "usable",
        )
    return table
