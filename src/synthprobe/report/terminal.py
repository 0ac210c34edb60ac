"""The table a person sees in the terminal after a run."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from synthprobe.records.plain_text import plain_line
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import Verdict
from synthprobe.report.oncall import BADGES, broken_step, duration, headline, worst

_STYLES: dict[Outcome, str] = {
    "failed": "bold red",
    "unknown": "bold magenta",
    "degraded": "yellow",
    "skipped": "dim",
    "passed": "green",
}


def summary(verdict: Verdict) -> RenderableType:
    """The outcome of each journey, worst first."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Journey", overflow="fold")
    table.add_column("Time", justify="right", no_wrap=True)
    table.add_column("Broken step, cause", overflow="fold")
    table.add_column("Owner", overflow="fold")
    rank = list(BADGES)
    for one in sorted(verdict.journeys, key=lambda one: rank.index(one.outcome)):
        last = one.results[-1] if one.results else None
        why = [broken_step(one), one.cause]
        if one.triage is not None:
            why.append(f"{one.triage.cause_class}: {one.triage.why}")
        if one.runbook:
            why.append(f"runbook: {one.runbook}")
        sign, word = BADGES[one.outcome]
        table.add_row(
            Text(f"{sign} {word}", style=_STYLES[one.outcome]),
            Text(plain_line(one.journey.title)),
            Text(duration(last.duration_s) if last else ""),
            Text("\n".join(plain_line(line) for line in why if line)),
            Text(plain_line(one.journey.owner)),
        )
    title = Text(plain_line(headline(verdict)), style=_STYLES[worst(verdict)])
    blind = [Text(plain_line(verdict.blind))] if verdict.blind and not verdict.journeys else []
    return Group(table, Text(), title, *blind)
