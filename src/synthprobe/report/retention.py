"""Which published runs stay: what went wrong, recoveries, one good run an hour; and what the newest is shown with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from synthprobe.records.intervals import is_due
from synthprobe.records.verdict import JourneyVerdict

if TYPE_CHECKING:
    from synthprobe.report.cards import PublishedRun


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the past the site keeps. The newest run of each target always stays."""

    runs: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    megabytes: Annotated[float, Meta(gt=0, le=1_000_000)] = 700.0
    days: Annotated[float, Meta(gt=0, le=3_660)] = 30.0


def worth_keeping(runs: Sequence[PublishedRun]) -> list[PublishedRun]:
    """The runs somebody may want to open again."""
    from synthprobe.report.oncall import worst  # late: the configuration needs only the record above

    kept = []
    runs = sorted(runs, key=lambda one: (_series(one), one.verdict.run.started_at))
    for _, series in groupby(runs, key=_series):
        before, hour = "passed", None
        for one in (ordered := list(series)):
            outcome, now = worst(one.verdict), one.verdict.run.started_at
            this_hour = (now.date(), now.hour)
            if outcome != "passed" or before != "passed" or this_hour != hour or one is ordered[-1]:
                kept.append(one)
            if outcome == "passed":
                hour = this_hour
            before = outcome
    return sorted(kept, key=lambda one: one.verdict.run.started_at)


def outgrown(
    runs: Sequence[tuple[str, datetime, int]], newest: Collection[str], retention: Retention, now: datetime
) -> set[str]:
    """Folders of runs, given with begin and bytes, oldest first, that go by age, number or size; the newest stay."""
    left, total, gone = len(runs), sum(size for _, _, size in runs), set()
    for folder, at, size in runs:
        over = left > retention.runs or total > retention.megabytes * 1e6
        if (over or now - at > timedelta(days=retention.days)) and folder not in newest:
            gone.add(folder)
            left, total = left - 1, total - size
    return gone


def prune(site: Path, published: Iterable[PublishedRun], retention: Retention, now: datetime) -> list[str]:
    """Remove what is not kept any more."""
    published = list(published)
    kept = worth_keeping(published)
    newest = {_series(one): one.folder for one in kept}
    runs = [(one.folder, one.verdict.run.started_at, _bytes(site / one.folder)) for one in kept]
    stay = {one.folder for one in kept} - outgrown(runs, newest.values(), retention, now)
    gone = [one.folder for one in published if one.folder not in stay]
    for folder in gone:
        shutil.rmtree(site / folder, ignore_errors=True)
    return gone


def _series(one: PublishedRun) -> tuple[str, str]:
    return one.verdict.run.target, one.label


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


K = TypeVar("K", bound=Hashable)


def newest_by(runs: Iterable[PublishedRun], key: Callable[[PublishedRun], K]) -> dict[K, PublishedRun]:
    """The newest of the runs of each key, with what the ones before it say of journeys not due in it."""
    newest: dict[K, PublishedRun] = {}
    for run in sorted(runs, key=lambda run: run.verdict.run.started_at):
        newest[key(run)] = _beside(newest[key(run)], run) if key(run) in newest else run
    return newest


def _beside(before: PublishedRun, run: PublishedRun) -> PublishedRun:
    judged = {one.journey.id for one in run.verdict.journeys}
    carried = [one for one in before.verdict.journeys if one.journey.id not in judged and _still_holds(one, run)]
    if not carried:
        return run
    files = {
        kept.path: before.files.get(kept.path) or f"{before.folder}/{kept.path}"
        for one in carried
        for result in one.results
        for kept in result.evidence
        if kept.path
    }
    journeys = (*run.verdict.journeys, *carried)
    verdict = replace(run.verdict, journeys=journeys, not_due=max(run.verdict.not_due - len(carried), 0))
    return replace(run, verdict=verdict, files={**files, **run.files})


def _still_holds(one: JourneyVerdict, run: PublishedRun) -> bool:
    """Whether a journey was not due in a run, and was looked at as lately as its interval allows."""
    now, every_s = run.verdict.run, one.journey.every_s
    if not now.interval_s or is_due(now.slot, now.interval_s, every_s):
        return False
    return not one.results or now.started_at - one.results[-1].started_at < timedelta(seconds=2 * every_s)
