"""What a person sees in the terminal after a run: at most six lines for each journey that did not pass.

Many journeys of which the same is to be told, as where what they share broke, are told once, with their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import shorten

from rich.console import Group, RenderableType
from rich.text import Text

from synthprobe.records.journey import Journey, readable
from synthprobe.records.plain_text import plain_line
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.cards import broken_step
from synthprobe.report.oncall import BADGES, headline, worst
from synthprobe.report.page import duration
from synthprobe.words import counted, likely_cause

_STYLES: dict[Outcome, str] = {
    "failed": "bold red",
    "unknown": "bold magenta",
    "degraded": "yellow",
    "skipped": "dim",
    "passed": "green",
}
_SENTENCE = 300
"""Characters of a sentence; the whole text is in the evidence."""
_FEW = 3
"""Journeys of which the same is told one by one."""


def summary(verdict: Verdict) -> RenderableType:
    """Each journey that did not pass, worst first, then how the target is."""
    rank = list(BADGES)
    broken = sorted(
        (judgement for judgement in verdict.journeys if judgement.outcome != "passed"),
        key=lambda judgement: rank.index(judgement.outcome),
    )
    alike: dict[tuple[str, ...], list[JourneyVerdict]] = {}
    for judgement in broken:
        alike.setdefault(_told_of(judgement), []).append(judgement)
    blocks = []
    for judgement in broken:
        first, *others = alike[_told_of(judgement)]
        if len(others) < _FEW:
            blocks.append(_block(judgement))
        elif judgement is first:
            blocks.append(_block(judgement, others))
    took_s = (verdict.finished_at - verdict.run.started_at).total_seconds()
    title = Text(f"{plain_line(headline(verdict))} ({duration(max(took_s, 0))})", style=_STYLES[worst(verdict)])
    blind = [Text(plain_line(verdict.blind))] if verdict.blind and not verdict.journeys else []
    return Group(*blocks, title, *blind)


def failure_lines(judgement: JourneyVerdict) -> list[str]:
    """At most six lines: step, what happened, where, likely cause, runbook, how to repeat; one for a skipped one."""
    sign, word = BADGES[judgement.outcome]
    id, step, last = readable(judgement.journey.id), broken_step(judgement), next(iter(judgement.results[-1:]), None)
    if judgement.outcome == "skipped":
        return [_line(f"{sign} {word} {id}: {judgement.cause}")]
    failure = last.failure if last is not None else None
    place = (failure.place if failure is not None else "") or judgement.journey.node_id.partition("::")[0]
    name = f"{id}: {step}" if step else id
    lines = [_line(f"{sign} {word} {name}{_title(judgement.journey)}"), *_indented([judgement.cause, place])]
    if judgement.triage is not None:
        lines += _indented([f"Likely cause: {likely_cause(judgement.triage, judgement.cause)}"])
    page, general = judgement.runbook or judgement.offered, "" if judgement.runbook else "General page"
    known = f" (incident {judgement.incident})" if judgement.incident else ""
    if page:
        lines += _indented([f"{general or 'Runbook'}: synthprobe runbook show {page}{known}"])
    elif judgement.incident:
        lines += _indented([f"Runbook: no page fits{known}"])
    if last is not None and last.repeat:
        lines.append(f"  Repeat: {plain_line(last.repeat)}")
    return lines


def _title(journey: Journey) -> str:
    """A title that an author wrote, and that is not the name of the test."""
    derived = journey.node_id.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
    return "" if journey.title.startswith(derived) or journey.title == journey.id else f" · {journey.title}"


def _told_of(judgement: JourneyVerdict) -> tuple[str, ...]:
    """What is told of a journey besides its name, where it broke and how to repeat it."""
    why = likely_cause(judgement.triage, judgement.cause) if judgement.triage is not None else ""
    page = judgement.runbook or judgement.offered
    return judgement.outcome, judgement.cause, why, page, judgement.incident


def _block(judgement: JourneyVerdict, others: Sequence[JourneyVerdict] = ()) -> Text:
    first, *rest = failure_lines(judgement)
    if others:
        names = ", ".join(readable(other.journey.id) for other in others)
        rest += _indented([f"The same holds for {counted(len(others), 'other journey')}: {names}"])
    return Text("\n").join([Text(first, style=_STYLES[judgement.outcome]), *map(Text, rest)])


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {_line(line)}" for line in lines if line]


def _line(text: str) -> str:
    return shorten(plain_line(text), _SENTENCE, placeholder=" …")
