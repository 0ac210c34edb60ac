"""How each journey stands against its objective, and what the rules for it need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from rich.table import Table

from synthprobe.cli import remembered
from synthprobe.cli.lookup import present_journeys
from synthprobe.cli.terminal import open_console, print_records
from synthprobe.config import Config, ObjectiveConfig
from synthprobe.goals.objectives import DAY, STANDARD_RULES, check_rule, span
from synthprobe.pipeline import coverage
from synthprobe.pipeline.coverage import DEFAULT, declared_objective, declared_rules
from synthprobe.project import Project
from synthprobe.records.journey import Journey
from synthprobe.records.objective import BurnRule, CheckedRule, Objective, ObjectiveStatus
from synthprobe.records.plain_text import plain_line
from synthprobe.report.target_status import percent
from synthprobe.targets.windows import read_windows

USUAL = (90.0, 95.0, 98.0, 99.0, 99.5, 99.9)
"""Objectives that are shown to choose by, percent."""
USUAL_DAYS = 30

_console = open_console()


def print_rules(project: Project) -> None:
    """Print what each burn-rate rule needs at this interval: the usual objectives, then the declared ones."""
    tables = declared_objectives(project.config)
    _print_usual(project.config.interval_s, [declared_objective(name, table) for name, table in tables.items()])
    known = present_journeys(project)
    for name, table in tables.items():
        for interval_s in intervals_of(project.config, known, name):
            with suppress(ValueError):  # `synthprobe doctor objectives` says what is wrong
                rules = declared_rules(name, table) or STANDARD_RULES
                _print_rules(declared_objective(name, table), rules, interval_s)


def print_statuses(found: Sequence[ObjectiveStatus]) -> None:
    """Print how each journey stands against its objective, coverage beside availability."""
    if not found:
        _console.print("No slot was judged, so nothing can be said. Run the journeys first: synthprobe run --slot now")
        return
    headings = ("State", "Journey", "Objective", "Availability", "Coverage", "Not judged", "Worst gap", "Error budget")
    rows = [
        (
            status.state,
            status.objective.journey,
            f"{status.objective.percent:g} % in {status.objective.window_days:g} d",
            percent(status.availability),
            percent(status.coverage),
            f"{status.unknown} of {status.elapsed} slots" if status.unknown else "none",
            span(status.worst_gap_s) if status.worst_gap_s else "none",
            plain_line(f"{status.text}. {status.burning}" if status.burning else status.text),
        )
        for status in found
    ]
    print_records(_console, headings, rows, whole={"State", "Journey", "Objective"})


def statuses(project: Project, target: str) -> list[ObjectiveStatus]:
    """How each journey stands, in the slots that scheduled runs judged; a run by hand judges none."""
    with remembered.opened(project, target) as past:
        history, now, windows = past.history, past.now, read_windows(project.root / project.config.windows)
        seen, began = past.observations(coverage.since(project.config, now)), history.first_judged(target)
        return list(coverage.judge_objectives(project.config, seen, now, began, windows, history.intervals(target)))


def declared_objectives(config: Config) -> dict[str, ObjectiveConfig]:
    """The tables of objectives; the standard one where there is none."""
    return config.objectives or {DEFAULT: ObjectiveConfig()}


def intervals_of(config: Config, known: Mapping[str, Journey], name: str) -> list[float]:
    """At which intervals (seconds) the journeys of an objective are run."""
    held = [journey for id, journey in known.items() if (id if id in config.objectives else DEFAULT) == name]
    return sorted({journey.every_s or config.interval_s for journey in held} or {config.interval_s})


def _print_usual(interval_s: float, declared: Iterable[Objective]) -> None:
    """The standard rules for usual objectives and the declared ones, to choose by."""
    own = {objective.percent for objective in declared}
    samples = round(USUAL_DAYS * DAY / interval_s)
    table = Table(
        title=f"The standard rules with one sample each {span(interval_s)}: bad samples needed in the long and the "
        "short window",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("Objective")
    table.add_column(f"Bad in\n{USUAL_DAYS} d", justify="right")
    for rule in STANDARD_RULES:
        table.add_column(f"{rule.factor:g} ×\n{span(rule.long_s)}/{span(rule.short_s)}")
    table.add_column("Rules\nthat work")
    for wanted in sorted({*USUAL, *(percentage for percentage in own if 0 < percentage < 100)}):
        objective = Objective(journey="", percent=wanted, window_days=USUAL_DAYS)
        checked = [check_rule(objective, rule, interval_s) for rule in STANDARD_RULES]
        table.add_row(
            f"{wanted:g} %{' *' if wanted in own else ''}",
            f"{samples * (100 - wanted) / 100:.4g}",
            *(_short(rule) for rule in checked),
            f"{sum(not rule.refused for rule in checked)} of {len(checked)}",
        )
    _console.print(table)
    _console.print(
        f"* declared here. {samples:,} samples without a bad one only show that less than {300 / samples:.2g} % are "
        "bad.\n"
    )


def _short(rule: CheckedRule) -> str:
    if rule.refused and rule.outage_s is not None:
        return "one sample" if rule.long_needs < 2 else "too short"
    return _needs(rule)


def _needs(rule: CheckedRule) -> str:
    if rule.outage_s is None:
        return "cannot fire"
    return f"{rule.long_needs}/{rule.long_of} & {rule.short_needs}/{rule.short_of}"


def _print_rules(objective: Objective, rules: Iterable[BurnRule], interval_s: float) -> None:
    _console.print(
        f"{objective.journey}: {objective.percent:g} % in {objective.window_days:g} days, "
        f"one sample each {span(interval_s)}"
    )
    headings = ("Rule", "Failures needed in the long and the short window", "Total outage until it fires", "Verdict")
    rows = [
        (
            f"{rule.rule.factor:g} × {span(rule.rule.long_s)}/{span(rule.rule.short_s)}",
            _needs(rule),
            span(rule.outage_s) if rule.outage_s is not None else "–",
            f"{rule.fault}, left out" if rule.refused else "usable",
        )
        for rule in (check_rule(objective, rule, interval_s) for rule in rules)
    ]
    print_records(_console, headings, rows, whole={"Rule"})
