"""Which published runs stay: all that went wrong, each recovery, one good run an hour; then by age, number and size."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

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
