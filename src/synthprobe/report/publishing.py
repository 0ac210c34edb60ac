"""Publishing a run at a store: what is new of it, then the small pages, last and unless somebody changed them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.errors import ReportError
from synthprobe.records.standing import Standing
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.addresses import run_folder
from synthprobe.report.cards import PublishedRun, PublishedRunbook
from synthprobe.report.charts import run_addresses
from synthprobe.report.oncall import render_oncall, worst
from synthprobe.report.record_pages import incident_list, incident_page, incidents_of
from synthprobe.report.retention import Retention, newest_by, outgrown
from synthprobe.report.store import Store
from synthprobe.report.trace_viewer import copy_trace_viewer

PAGE = "index.html"
_LIST = "incidents/index.html"
_INDEX = re.compile(rb'<meta name="synthprobe-index" content="([A-Za-z0-9+/=]*)">')
_SHOWN = ("screenshot", "last-good", "trace")  # what the page leads to
_WRITERS, _TRIES = 8, 12
PUBLISHED = "published.json"
"""File of a conclusion's folder: where evidence of its parts stands, by the path in the records."""

_DAILY = timedelta(days=1)


class Entry(Struct, frozen=True, kw_only=True, array_like=True):
    """A run that stands in the store, in the few words that retention needs."""

    folder: str
    target: str
    at: datetime
    passed: bool
    bytes: int
    files: tuple[str, ...] = ()


class Index(Struct, frozen=True, kw_only=True):
    """What stands in a store. It travels in the first page itself, so that both change at once."""

    runs: tuple[Entry, ...] = ()
    newest: tuple[PublishedRun, ...] = ()
    standings: dict[str, Standing] = {}
    shared: dict[str, str] = {}
    pages: dict[str, str] = {}
    sightings: dict[str, tuple[str, ...]] = {}
    private_at: datetime | None = None
    swept_at: datetime | None = None


class Bundle(Struct, frozen=True, kw_only=True):
    """Files that runs share, by path in their folder; they are made and uploaded when what they are made of changed."""

    made_of: str
    made: Callable[[], Mapping[str, bytes]]


class Site(Struct, frozen=True, kw_only=True):
    """What pages need besides the runs: runbooks by id, how targets stand, and files that runs share, by folder."""

    runbooks: Mapping[str, PublishedRunbook] = {}
    standings: Mapping[str, Standing] = {}
    shared: Mapping[str, Bundle] = {}
    stale_s: float = 3600.0
    retention: Retention = Retention()


class Publication(Struct, frozen=True, kw_only=True):
    """What became of publishing a run."""

    page: str
    traces: dict[str, str] = {}


def digest(made_of: object) -> str:
    """What tells that a page is made of something else than before."""
    return hashlib.sha256(version("synthprobe").encode() + msgspec.json.encode(made_of)).hexdigest()[:16]


def read_index(store: Store) -> tuple[Index, object]:
    """What stands in a store, and the tag of the page it was read from."""
    page = store.get(PAGE)
    if page is None:
        return Index(), None
    match = _INDEX.search(page.data)
    try:
        return msgspec.json.decode(
            gzip.decompress(base64.b64decode(match[1])), type=Index
        ) if match else Index(), page.tag
    except (ValueError, OSError, EOFError, msgspec.DecodeError):
        return Index(), page.tag  # of another version, or not ours: runs are published anew from here


def is_worth(index: Index, verdict: Verdict) -> bool:
    """Whether a run is published: all that is not plain green, each recovery, and one green run an hour."""
    run = verdict.run
    earlier = [entry for entry in index.runs if entry.target == run.target and entry.at <= run.started_at]
    before = max(earlier, key=lambda entry: entry.at, default=None)
    if verdict.is_idle:
        return False
    if not _is_green(verdict) or before is None or not before.passed:
        return True
    return (before.at.date(), before.at.hour) != (run.started_at.date(), run.started_at.hour)


def _has_ended(index: Index, site: Site) -> bool:
    """Whether an incident is over that readers still see as open."""
    over = {one.id for standing in site.standings.values() for one in standing.incidents if one.state == "resolved"}
    return any(
        one.state != "resolved" and one.id in over
        for target in site.standings
        for one in index.standings.get(target, Standing()).incidents
    )


def publish_run(
    store: Store,
    run_dir: Path,
    verdict: Verdict,
    site: Site,
    now: datetime,
    *,
    must_be_private: bool = False,
) -> Publication | None:
    """Publish a run; nothing when it is not worth it. Readers see all of it or nothing."""
    index, tag = read_index(store)
    folder = run_folder(verdict.run)
    if not (is_worth(index, verdict) or _has_ended(index, site)) or any(entry.folder == folder for entry in index.runs):
        return None
    private_at = index.private_at
    if must_be_private and (private_at is None or not timedelta(0) <= now - private_at < _DAILY):
        if store.is_open(PAGE):
            raise ReportError(
                f"{store.shown} answers without credentials, and {verdict.run.target} is production. Nothing was "
                f'published. Make the place private, or allow it: public = ["{verdict.run.target}"] in [report].'
            )
        private_at = now
    known = {name for entry in index.runs for name in entry.files}
    shared = dict(_new_bundles(index, site, verdict))
    uploads, addresses = _evidence(run_dir, verdict)
    record = PublishedRun(verdict=_slim(verdict), folder=folder, files=addresses)
    green = _is_green(verdict)
    for files, _ in shared.values():
        uploads |= files
    if not green:
        uploads[f"{folder}/{PAGE}"] = _pages(
            [record], site, {**index.shared, **shared}, prefix="../" * (folder.count("/") + 1), entries=index.runs
        )[PAGE]
    _write_all(store, {path: data for path, data in uploads.items() if path not in known})
    names = tuple(sorted(set(addresses.values())))
    size = sum(len(data) for path, data in uploads.items() if path in names or path.startswith(folder))
    entry = Entry(
        folder=folder, target=verdict.run.target, at=verdict.run.started_at, passed=green, bytes=size, files=names
    )
    for _ in range(_TRIES):
        kept, gone = _pruned((*index.runs, entry), site.retention, now)
        swept = index.swept_at is None or now - index.swept_at >= _DAILY
        changed = replace(
            index,
            runs=kept,
            newest=tuple(newest_by((*index.newest, record), lambda run: run.verdict.run.target).values()),
            standings={**index.standings, **site.standings},
            shared={**index.shared, **{name: made_of for name, (_, made_of) in shared.items()}},
            sightings=_sightings(index, kept, record),
            private_at=private_at,
            swept_at=now if swept else index.swept_at,
        )
        written, changed = _incident_pages(changed, site)
        _write_all(store, written)
        pages = _pages(changed.newest, site, changed.shared, index=changed, entries=changed.runs)
        store.put("status.json", pages["status.json"])  # whoever loses the race for the page writes both once more
        if store.replace(PAGE, pages[PAGE], tag):
            store.delete(sorted(set(index.pages) - set(changed.pages)))
            # what goes with a green run waits for the sweep: such a run costs three requests
            _remove(store, changed, () if green else gone, now, sweep=swept and index.swept_at is not None)
            traces = {one.journey.id: addresses[path] for one in verdict.journeys for path in _kept(one, "trace")}
            return Publication(page=PAGE if green else f"{folder}/{PAGE}", traces=traces)
        index, tag = read_index(store)
    raise ReportError(f"{store.shown} was changed by others at each of {_TRIES} tries. The next run publishes again.")


def _sightings(index: Index, kept: Sequence[Entry], record: PublishedRun) -> dict[str, tuple[str, ...]]:
    """The first and the newest run that show each incident, of those that are kept."""
    folders = {entry.folder for entry in kept}
    found = {id: tuple(folder for folder in seen if folder in folders) for id, seen in index.sightings.items()}
    for id in incidents_of(record):
        found[id] = (*found.get(id, ())[:1], record.folder)
    return {id: seen for id, seen in found.items() if seen}


def _incident_pages(index: Index, site: Site) -> tuple[dict[str, bytes], Index]:
    """The pages of incidents that changed since they were written, their list, and what is written from now on."""
    known = {entry.folder: entry for entry in index.runs}
    addresses = _addresses(index.runs)
    incidents = [(one, standing) for standing in index.standings.values() for one in standing.incidents]
    written: dict[str, bytes] = {}
    pages: dict[str, str] = {}
    for incident, standing in incidents:
        path, seen = f"incidents/{incident.id}.html", index.sightings.get(incident.id, ())
        made_of = (incident, seen, standing.muted.get(incident.id), standing.latency.get(incident.id))
        pages[path] = digest(made_of)
        if index.pages.get(path) != pages[path]:
            sightings = [(folder, folder.rpartition("/")[2], known[folder].at) for folder in seen if folder in known]
            written[path] = incident_page(incident, standing, sightings, site.runbooks, addresses).encode()
    if written or _LIST not in index.pages or set(pages) != set(index.pages) - {_LIST}:
        written[_LIST] = incident_list(one for one, _ in incidents).encode()
    return written, replace(index, pages=pages | {_LIST: ""})


def _addresses(entries: Sequence[Entry]) -> dict[int, str]:
    """Pages of runs, as charts look them up; a green run has none of its own."""
    return run_addresses({entry.at: f"{entry.folder}/{PAGE}" for entry in entries if not entry.passed})


def _is_green(verdict: Verdict) -> bool:
    return worst(verdict) == "passed" and not any(one.intermittent for one in verdict.journeys)


def _kept(one: JourneyVerdict, kind: str) -> Iterator[str]:
    """Path of the evidence of a kind that the page leads to."""
    telling = one.results if one.outcome in {"failed", "unknown"} else one.results[-1:]
    found = (kept for result in reversed(telling) for kept in result.evidence if kept.kind == kind and kept.path)
    yield from (kept.path for kept, _ in zip(found, range(1), strict=False))


def _evidence(run_dir: Path, verdict: Verdict) -> tuple[dict[str, bytes], dict[str, str]]:
    """Files by the name their content gives them, and that name by the path in the records."""
    root = (run_dir / "evidence").resolve()
    uploads: dict[str, bytes] = {}
    addresses: dict[str, str] = {}
    if (known := run_dir / PUBLISHED).exists():  # by the parts of the slot
        addresses |= msgspec.json.decode(known.read_bytes(), type=dict[str, str])
    for path in (path for one in verdict.journeys for kind in _SHOWN for path in _kept(one, kind)):
        source = run_dir / path
        if source.resolve().is_relative_to(root) and source.is_file():
            data = source.read_bytes()
            addresses[path] = f"evidence/{hashlib.sha256(data).hexdigest()[:32]}{source.suffix}"
            uploads[addresses[path]] = data
    return uploads, addresses


def publish_evidence(store: Store, run_dir: Path, verdict: Verdict) -> dict[str, str]:
    """Publish what a part of a slot kept, for the page that its conclusion makes: where it stands, by its path."""
    uploads, addresses = _evidence(run_dir, verdict)
    _write_all(store, uploads)
    return addresses


def _new_bundles(index: Index, site: Site, verdict: Verdict) -> Iterator[tuple[str, tuple[dict[str, bytes], str]]]:
    """Bundles that the store has not, or not in this version."""
    bundles = dict(site.shared)
    if any(path for one in verdict.journeys for path in _kept(one, "trace")):
        bundles["trace-viewer"] = Bundle(made_of=f"playwright {version('playwright')}", made=_viewer)
    for name, bundle in bundles.items():
        if index.shared.get(name) != bundle.made_of:
            yield name, ({f"{name}/{path}": data for path, data in bundle.made().items()}, bundle.made_of)


def _viewer() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="synthprobe-viewer-") as place:
        viewer = copy_trace_viewer(Path(place))
        return {file.relative_to(viewer).as_posix(): file.read_bytes() for file in viewer.rglob("*") if file.is_file()}


def _slim(verdict: Verdict) -> Verdict:
    """Without what no page shows: it travels in the first page."""

    def slim(one: JourneyVerdict) -> JourneyVerdict:
        telling = one.results if one.outcome in {"failed", "unknown"} else one.results[-1:]
        results = tuple(replace(result, facts=None, operations=()) for result in telling)
        return replace(one, results=results, reruns=())

    return replace(verdict, journeys=tuple(map(slim, verdict.journeys)))


def _pages(
    runs: Sequence[PublishedRun],
    site: Site,
    shared: Iterable[str],
    *,
    prefix: str = "",
    index: Index | None = None,
    entries: Sequence[Entry] = (),
) -> dict[str, bytes]:
    packed = ""
    if index is not None:
        packed = base64.b64encode(gzip.compress(msgspec.json.encode(index), mtime=0)).decode()
    with tempfile.TemporaryDirectory(prefix="synthprobe-pages-") as place:
        folder = Path(place)
        render_oncall(
            runs,
            folder,
            runbooks=site.runbooks,
            standings=index.standings if index is not None else site.standings,
            stale_s=site.stale_s,
            prefix=prefix,
            index=packed,
            addresses=_addresses(entries),
            there={_LIST, *(f"{name}/{PAGE}" for name in shared)},
        )
        return {name: (folder / name).read_bytes() for name in (PAGE, "status.json")}


def _pruned(
    entries: Sequence[Entry], retention: Retention, now: datetime
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """What stays and what goes: by age, number and size, the oldest first; the newest of each target stays."""
    ordered = sorted({entry.folder: entry for entry in entries}.values(), key=lambda entry: entry.at)
    newest = {entry.target: entry.folder for entry in ordered}
    gone = outgrown([(one.folder, one.at, one.bytes) for one in ordered], newest.values(), retention, now)
    return tuple(one for one in ordered if one.folder not in gone), tuple(one for one in ordered if one.folder in gone)


def _remove(store: Store, index: Index, gone: Sequence[Entry], now: datetime, *, sweep: bool) -> None:
    """Remove what is kept no longer, and once a day what a killed publisher left."""
    named = {name for entry in index.runs for name in entry.files}
    pages = {f"{entry.folder}/{PAGE}" for entry in index.runs}
    old_pages = [f"{entry.folder}/{PAGE}" for entry in gone if not entry.passed]
    paths = [*old_pages, *(path for entry in gone for path in entry.files if path not in named)]
    if sweep:
        old = (path for prefix in ("evidence", "runs") for path, at in store.listed(prefix) if now - at > _DAILY)
        paths += [path for path in old if path not in named and path not in pages]
    store.delete(sorted(set(paths)))


def _write_all(store: Store, uploads: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(_WRITERS) as pool:
        for done in [pool.submit(store.put, path, data) for path, data in uploads.items()]:
            done.result()
