"""What stands at a place, in the few words that its pages and its retention need."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.records.address import shown_address
from synthprobe.records.decoding import from_json
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import Verdict
from synthprobe.report.addresses import PAGE, run_folder
from synthprobe.report.cards import PublishedRun
from synthprobe.report.charts import run_addresses
from synthprobe.report.oncall import BADGES, INCIDENTS, RUNS, worst
from synthprobe.report.record_pages import incidents_of
from synthprobe.report.retention import Entry, Retention, lasting, newest_runs, outgrown
from synthprobe.report.store import Store

RECORD = "published.json"
"""In a run's folder: the run as it was published, from which a lost index is made anew."""

_INDEX = re.compile(rb'<meta name="synthprobe-index" content="([A-Za-z0-9+/=]*)">')


class Index(Struct, frozen=True, kw_only=True):
    """What stands at a place. It travels in the first page itself, so that both change at once."""

    runs: tuple[Entry, ...] = ()
    newest: tuple[PublishedRun, ...] = ()
    standings: dict[str, TargetStatus] = {}
    shared: dict[str, str] = {}
    pages: dict[str, str] = {}
    sightings: dict[str, tuple[str, ...]] = {}
    private_at: datetime | None = None
    swept_at: datetime | None = None

    @property
    def shown(self) -> list[PublishedRun]:
        """The newest run of each target and label; a labelled run gives way to a later one without a label."""
        plain = {run.verdict.run.target: run.verdict.run.started_at for run in self.newest if not run.label}

        def is_overtaken(published: PublishedRun) -> bool:
            run = published.verdict.run
            return bool(published.label) and run.target in plain and run.started_at <= plain[run.target]

        return [run for run in self.newest if not is_overtaken(run)]

    @property
    def there(self) -> set[str]:
        """The pages that others may lead to."""
        runs = {entry.page for entry in self.runs} | ({RUNS} if self.lists_runs else set())
        return {INCIDENTS, *runs, *self.shared, *(f"{name}/{PAGE}" for name in self.shared)}

    @property
    def lists_runs(self) -> bool:
        """Whether a list of the runs stands there: where everything is made of some, it costs little beside."""
        return any(entry.whole for entry in self.runs)

    @property
    def addresses(self) -> dict[int, str]:
        """Pages of runs, as charts look them up."""
        return run_addresses({entry.at: entry.page for entry in self.runs if entry.page})

    def packed(self) -> str:
        return base64.b64encode(gzip.compress(msgspec.json.encode(self), mtime=0)).decode()


def read_index(
    store: Store, warn: Callable[[str], None] = lambda _: None, *, may_be_new: bool = False
) -> tuple[Index, object]:
    """What stands at a place, and the tag of the page it was read from.

    A lost index is made anew of the records of runs, but where there is no page and the place ``may_be_new``.
    """
    page = store.get(PAGE)
    if page is None and may_be_new:
        return Index(), None
    match = _INDEX.search(page.data) if page else None
    try:
        if page and match:
            return from_json(gzip.decompress(base64.b64decode(match[1])), Index), page.tag
    except (ValueError, OSError, EOFError, msgspec.DecodeError):
        pass  # of another version, or damaged
    index, there = Index(), {seen.path: seen.size for seen in store.listed("runs")}
    for path in there:
        if path.endswith(f"/{RECORD}") and (record := _read_record(store, path, warn)):
            size = sum(size for other, size in there.items() if other.startswith(path.removesuffix(RECORD)))
            index = with_run(index, entry_of(record.verdict, size=size, label=record.label, whole=True), record)
    if page:
        warn(f"{PAGE} of {store.shown} does not say which runs stand there: {len(index.runs)} were found and are kept.")
    return index, page.tag if page else None


def whole_runs(store: Store, index: Index, target: str, warn: Callable[[str], None]) -> Iterator[PublishedRun]:
    """The records of a target's runs that stand there with one, oldest first."""
    for entry in index.runs:
        if entry.whole and entry.target == target and (record := _read_record(store, f"{entry.folder}/{RECORD}", warn)):
            yield record


def _read_record(store: Store, path: str, warn: Callable[[str], None]) -> PublishedRun | None:
    found = store.get(path)
    try:
        if found is not None:
            return from_json(shown_address(found.data.decode("utf-8", "replace")), PublishedRun)
    except msgspec.DecodeError:
        warn(f"The record of a published run in {path} is not readable and is left out. Report that run again.")
    return None


def entry_of(
    verdict: Verdict, *, files: Iterable[str] = (), size: int = 0, label: str = "", whole: bool = False
) -> Entry:
    return Entry(
        folder=run_folder(verdict.run),
        target=verdict.run.target,
        at=verdict.run.started_at,
        passed=worst(verdict) == "passed" and not any(judgement.intermittent for judgement in verdict.journeys),
        bytes=size,
        files=tuple(sorted(set(files))),
        label=label,
        whole=whole,
        outcome=worst(verdict),
        counts={outcome: number for outcome in BADGES if (number := verdict.count(outcome))},
    )


def with_run(index: Index, entry: Entry, record: PublishedRun) -> Index:
    runs = {run.folder: run for run in (*index.runs, entry)}
    sightings = dict(index.sightings)
    for id in incidents_of(record):  # the first and the newest run that show it
        seen = sorted({*sightings.get(id, ()), entry.folder} & {*runs}, key=lambda folder: runs[folder].at)
        sightings[id] = (*seen[:1], *seen[1:][-1:])
    newest = newest_runs((*index.newest, record))
    ordered = tuple(sorted(runs.values(), key=lambda run: run.at))
    return replace(index, runs=ordered, newest=tuple(newest.values()), sightings=sightings)


def pruned(index: Index, retention: Retention, now: datetime) -> tuple[Index, tuple[Entry, ...]]:
    """The index with the runs that stay, and the runs that go; the newest of each target and label stays."""
    newest = {entry.series: entry.folder for entry in index.runs}
    worth = [entry for entry in index.runs if entry.folder in {*lasting(index.runs), *newest.values()}]
    over = outgrown(worth, newest.values(), retention, now)
    kept = {entry.folder: entry for entry in worth if entry.folder not in over}
    left = {id: tuple(folder for folder in seen if folder in kept) for id, seen in index.sightings.items()}
    sightings = {id: seen for id, seen in left.items() if seen}
    gone = tuple(entry for entry in index.runs if entry.folder not in kept)
    return replace(index, runs=tuple(kept.values()), sightings=sightings), gone


def is_worth(index: Index, verdict: Verdict) -> bool:
    """Whether a run is published unasked: all that is not plain green, each recovery, and one green run an hour."""
    entry = entry_of(verdict)
    return not verdict.is_idle and entry.folder in lasting(sorted((*index.runs, entry), key=lambda run: run.at))
