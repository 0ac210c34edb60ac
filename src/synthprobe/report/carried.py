"""What stands on the page beside the newest run: journeys that were not due in it, as they were judged last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from synthprobe.records.intervals import is_due
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.report.cards import PublishedRun

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
