"""The outcome on the CI job's own page: it is there even when nothing else could be published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.cards import broken_step
from synthprobe.report.oncall import BADGES, headline, worst
from synthprobe.report.page import as_text
from synthprobe.words import incident_name, likely_cause

LISTED = 20
"""Journeys that are listed: the job's page holds 1 MiB, and a person reads the first few."""

CELL_CHARACTERS = 300
"""Characters of a text that are shown: the report has the whole."""


def append_summary(verdict: Verdict, page: Path, *, mask: Callable[[str], str] = str) -> None:
    """Write the outcome below what stands on the job's page (``GITHUB_STEP_SUMMARY``, Markdown) already."""
    with page.open("a", encoding="utf-8") as file:
        file.write(_summary(verdict, lambda text: as_text(_cut(mask(text)))))


def write_output(verdict: Verdict, file: Path) -> None:
    """Say the worst outcome to the job's later steps, as ``steps.ID.outputs.outcome`` (``GITHUB_OUTPUT``)."""
    with file.open("a", encoding="utf-8") as output:
        output.write(f"outcome={worst(verdict)}\n")


def _summary(verdict: Verdict, cell: Callable[[str], str]) -> str:
    rank = list(BADGES)
    broken = [judgement for judgement in verdict.journeys if judgement.outcome not in ("passed", "skipped")]
    broken.sort(key=lambda judgement: rank.index(judgement.outcome))
    lines = [f"### {cell(headline(verdict))}", ""]
    if broken:
        lines += ["| outcome | journey | broken step, cause | incident, runbook |", "| --- | --- | --- | --- |"]
        lines += [_row(judgement, cell) for judgement in broken[:LISTED]]
        if len(broken) > LISTED:
            lines.append(f"| | and {len(broken) - LISTED} more | | |")
        lines.append("")
    lines += [f"- {cell(note)}" for note in verdict.notes]
    return "\n".join([*lines, f"- Run {cell(verdict.run.id)}", "", ""])


def _row(judgement: JourneyVerdict, cell: Callable[[str], str]) -> str:
    why = [
        broken_step(judgement),
        judgement.cause,
        likely_cause(judgement.triage, judgement.cause) if judgement.triage else "",
    ]
    sign, word = BADGES[judgement.outcome]
    cells = (f"{sign} {word}", cell(judgement.journey.title), "<br>".join(cell(part) for part in why if part))
    is_explained = judgement.triage is not None or bool(judgement.incident)
    named = (
        incident_name(judgement.incident, judgement.triage, judgement.runbook, judgement.general)
        if is_explained
        else judgement.offered
    )
    return f"| {' | '.join(cells)} | {cell(named)} |"


def _cut(text: str) -> str:
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1].rstrip()}…"
