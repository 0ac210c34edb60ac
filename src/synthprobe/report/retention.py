"""Which published runs stay: what went wrong, recoveries, one good run an hour; and what the newest is shown with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from synthprobe.records.intervals import is_due
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.report.addresses import PAGE

if TYPE_CHECKING:
    from synthprobe.report.cards import PublishedRun


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the past the site keeps. The newest run of each target always stays."""

    runs: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    megabytes: Annotated[float, Meta(gt=0, le=1_000_000)] = 700.0
    days: Annotated[float, Meta(gt=0, le=3_660)] = 30.0


class Entry(Struct, frozen=True, kw_only=True, array_like=True):
    """A run that stands at a place; ``whole`` when its page, its Allure report and its record do."""

    folder: str
    target: str
    at: datetime
    passed: bool
    bytes: int
    files: tuple[str, ...] = ()
    label: str = ""
    whole: bool = False
    outcome: Outcome = "unknown"
    counts: dict[Outcome, int] = {}

    @property
    def series(self) -> tuple[str, str]:
        """What it is one run of."""
        return self.target, self.label

    @property
    def page(self) -> str:
        """The page of its own; a green run has one only where everything is made of every run."""
        return f"{self.folder}/{PAGE}" if self.whole or not self.passed else ""


def lasting(runs: Iterable[Entry]) -> set[str]:
    """Folders of the runs that somebody may want to open again: of runs that are given oldest first."""
    kept: set[str] = set()
    before: dict[tuple[str, str], bool] = {}
    hour: dict[tuple[str, str], datetime] = {}
    for entry in runs:
        this_hour = entry.at.replace(minute=0, second=0, microsecond=0)
        if not entry.passed or not before.get(entry.series, True) or hour.get(entry.series) != this_hour:
            kept.add(entry.folder)
        if entry.passed:
            hour[entry.series] = this_hour
        before[entry.series] = entry.passed
    return kept


def outgrown(runs: Sequence[Entry], newest: Collection[str], retention: Retention, now: datetime) -> set[str]:
    """Folders of the runs, given oldest first, that go by age, number or size; the newest stay."""
    left, total, gone = len(runs), sum(run.bytes for run in runs), set()
    for run in runs:
        over = left > retention.runs or total > retention.megabytes * 1e6
        if (over or now - run.at > timedelta(days=retention.days)) and run.folder not in newest:
            gone.add(run.folder)
            left, total = left - 1, total - run.bytes
    return gone


def newest_runs(runs: Iterable[PublishedRun]) -> dict[tuple[str, str], PublishedRun]:
    """The newest run of each target and label, with what the ones before it say of journeys not due in it."""
    newest: dict[tuple[str, str], PublishedRun] = {}
    for run in sorted(runs, key=lambda run: run.verdict.run.started_at):
        series = run.verdict.run.target, run.label
        newest[series] = _beside(newest[series], run) if series in newest else run
    return newest


def _beside(before: PublishedRun, run: PublishedRun) -> PublishedRun:
    judged = {judgement.journey.id for judgement in run.verdict.journeys}
    carried = [
        judgement
        for judgement in before.verdict.journeys
        if judgement.journey.id not in judged and _still_holds(judgement, run)
    ]
    if not carried:
        return run
    files = {
        kept.path: before.files.get(kept.path) or f"{before.folder}/{kept.path}"
        for judgement in carried
        for result in judgement.results
        for kept in result.evidence
        if kept.path
    }
    journeys = (*run.verdict.journeys, *carried)
    verdict = replace(run.verdict, journeys=journeys, not_due=max(run.verdict.not_due - len(carried), 0))
    return replace(run, verdict=verdict, files={**files, **run.files})


def _still_holds(judgement: JourneyVerdict, run: PublishedRun) -> bool:
    """Whether a journey was not due in a run, and was looked at as lately as its interval allows."""
    now, every_s = run.verdict.run, judgement.journey.every_s
    if not now.interval_s or is_due(now.slot, now.interval_s, every_s):
        return False
    return not judgement.results or now.started_at - judgement.results[-1].started_at < timedelta(seconds=2 * every_s)
