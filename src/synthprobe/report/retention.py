"""Which published runs stay: all that went wrong, each recovery, one good run an hour; then by age, number and size."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
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


def prune(site: Path, published: Iterable[PublishedRun], retention: Retention, now: datetime) -> list[str]:
    """Remove what is not kept any more."""
    published = list(published)
    kept = worth_keeping(published)
    newest = {_series(one): one.folder for one in kept}
    sizes = {one.folder: _bytes(site / one.folder) for one in kept}
    left, total = len(kept), sum(sizes.values())
    stay = set()
    for one in kept:  # oldest first, so that the oldest goes first
        over = left > retention.runs or total > retention.megabytes * 1e6
        old = now - one.verdict.run.started_at > timedelta(days=retention.days)
        if (over or old) and one.folder not in newest.values():
            left, total = left - 1, total - sizes[one.folder]
        else:
            stay.add(one.folder)
    gone = [one.folder for one in published if one.folder not in stay]
    for folder in gone:
        shutil.rmtree(site / folder, ignore_errors=True)
    return gone


def _series(one: PublishedRun) -> tuple[str, str]:
    return one.verdict.run.target, one.label


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
