"""What outsiders may see: a page with titles and 90 days, and badges. No evidence, no cause, no address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec import Struct

from synthprobe.files import write_whole
from synthprobe.records.result import Outcome
from synthprobe.report.addresses import safe_name
from synthprobe.report.board import DAYS, SIGNS, Day, day_cells
from synthprobe.report.cards import PublishedRun
from synthprobe.report.oncall import worst
from synthprobe.report.page import pages

WORDS: dict[Outcome, tuple[str, str]] = {
    "failed": ("not working", "#b3261e"),
    "unknown": ("not known", "#6b3fa0"),
    "degraded": ("slow or stale", "#8a5a00"),
    "skipped": ("not looked at", "#59636e"),
    "passed": ("working", "#1b6e3a"),
}
"""What each outcome is called outside, with its colour."""


class StatusTarget(Struct, frozen=True, kw_only=True):
    """A target with its newest run and the days of its journeys, by id."""

    run: PublishedRun
    days: Mapping[str, Sequence[Day]] = {}


def render_status(targets: Sequence[StatusTarget], site: Path, now: datetime) -> None:
    """Write `status.html`, and a badge for each target and each journey."""
    environment = pages()
    shown = [(target.run.verdict, worst(target.run.verdict), target.days) for target in targets]
    html = environment.get_template("status.html.j2").render(
        targets=shown, words=WORDS, signs=SIGNS, days=DAYS, cells=partial(day_cells, now=now)
    )
    write_whole(site / "status.html", html)
    badge = environment.get_template("badge.svg.j2")
    for target in targets:
        verdict = target.run.verdict
        name = safe_name(verdict.run.target)
        badges = {f"{name}.svg": (verdict.run.target, worst(verdict))}
        for judged in verdict.journeys:
            badges[f"{name}/{safe_name(judged.journey.id)}.svg"] = (judged.journey.title, judged.outcome)
        for path, (title, outcome) in badges.items():
            place = site / "badges" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, badge.render(title=title, word=WORDS[outcome][0], colour=WORDS[outcome][1]))
