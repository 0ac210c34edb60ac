"""The published site at a folder or a store: what is new of the runs, then the small pages, and the first page last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.errors import ReportError, SynthprobeError
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import Verdict
from synthprobe.report.addresses import PAGE, run_folder
from synthprobe.report.cards import PublishedRun
from synthprobe.report.index import Index, is_worth, pruned, read_index, with_run
from synthprobe.report.oncall import INCIDENTS, RUNS, oncall_pages
from synthprobe.report.record_pages import incident_list, incident_page, run_list
from synthprobe.report.retention import Entry
from synthprobe.report.run_files import Bundle, JudgedRun, MadeRun, Site, files_made, traces_of, write_all, write_run
from synthprobe.report.store import Store
from synthprobe.report.trace_viewer import VIEWER, copy_trace_viewer

_STATUS = "status.json"
_TRIES = 12
_DAILY = timedelta(days=1)


class Publication(Struct, frozen=True, kw_only=True):
    """Where a run can be seen."""

    page: str
    traces: dict[str, str] = {}


def digest(made_of: object) -> str:
    """What tells that a page is made of something else than before."""
    return hashlib.sha256(version("synthprobe").encode() + msgspec.json.encode(made_of)).hexdigest()[:16]


def publish(
    store: Store, runs: Sequence[JudgedRun], site: Site, now: datetime, *, must_be_private: bool = False
) -> Publication | None:
    """Publish runs, and say where the last one stands; nothing when none is worth it.

    Readers see all of them or nothing: the first page is replaced last, in one move, and unless somebody changed it.
    """
    index, tag = read_index(store, site.warn, may_be_new=site.whole is None)
    runs = sorted(runs, key=lambda run: run.verdict.run.started_at)
    if site.whole is None:
        runs = [run for run in runs if _is_new(index, run.verdict, site, now)]
    if not runs:
        return None
    private_at = _refused_strangers(store, index, runs, now) if must_be_private else index.private_at
    known = {name for entry in index.runs for name in entry.files}
    made = [write_run(store, run, site, known) for run in runs]
    ahead, _ = _with_runs(index, made, site, now)
    targets = {
        run.verdict.run.target for run in (ahead.newest if site.whole else [made_run.record for made_run in made])
    }
    standings = {target: standing for target in sorted(targets) if (standing := site.stand(target, now)) is not None}
    ahead = replace(ahead, standings={**index.standings, **standings})
    shared, left = _write_bundles(store, ahead, site, any(traces_of(made_run.record) for made_run in made))
    ahead = replace(ahead, shared={**index.shared, **shared})
    made = [_write_page(store, made_run, ahead, site) for made_run in made]
    for _ in range(_TRIES):
        changed, gone = _with_runs(index, made, site, now)
        is_swept = index.swept_at is None or now - index.swept_at >= _DAILY
        changed = replace(
            changed,
            standings={**index.standings, **standings},
            shared={**index.shared, **shared},
            private_at=private_at,
            swept_at=now if is_swept else index.swept_at,
        )
        written, changed = _record_pages(changed, site)
        write_all(store, written)
        first, status = _oncall(changed.shown, changed, site)
        store.put(_STATUS, status)  # whoever loses the race for the page writes both once more
        if store.replace(PAGE, first, tag):
            left |= {*index.pages} - {*changed.pages}
            left |= _outdated(store, changed, gone, made, site)
            if is_swept and index.swept_at is not None and site.whole is None:
                left |= _unnamed(store, changed, now)
            store.delete(sorted(left))
            return Publication(page=made[-1].entry.page or PAGE, traces=traces_of(made[-1].record))
        index, tag = read_index(store, site.warn, may_be_new=site.whole is None)
    raise ReportError(f"{store.shown} was changed by others at each of {_TRIES} tries. The next run publishes again.")


def _is_new(index: Index, verdict: Verdict, site: Site, now: datetime) -> bool:
    """Whether a run is worth it, or its target has an incident that is over and that readers still see as open."""
    if any(entry.folder == run_folder(verdict.run) for entry in index.runs):
        return False
    standing = site.stand(verdict.run.target, now) or TargetStatus()
    over = {incident.id for incident in standing.incidents if incident.state == "resolved"}
    known = index.standings.get(verdict.run.target, TargetStatus()).incidents
    return is_worth(index, verdict) or any(incident.state != "resolved" and incident.id in over for incident in known)


def _refused_strangers(store: Store, index: Index, runs: Iterable[JudgedRun], now: datetime) -> datetime:
    """When a place was last seen to refuse strangers; it is asked once a day."""
    if index.private_at is not None and timedelta(0) <= now - index.private_at < _DAILY:
        return index.private_at
    if store.is_open(PAGE):
        target = next(run.verdict.run.target for run in runs)
        raise ReportError(
            f"{store.shown} answers without credentials, and {target} is production. Nothing was "
            f'published. Make the place private, or allow it: public = ["{target}"] in [report].'
        )
    return now


def _write_page(store: Store, made: MadeRun, index: Index, site: Site) -> MadeRun:
    """Write the page of a run, which stays as it was when the run was published."""
    if not made.entry.page:
        return made
    page, _ = _oncall([made.record], index, site, prefix="../" * (made.record.folder.count("/") + 1))
    store.put(made.entry.page, page)
    return replace(made, entry=replace(made.entry, bytes=made.entry.bytes + len(page)))


def _oncall(runs: Sequence[PublishedRun], index: Index, site: Site, prefix: str = "") -> tuple[bytes, bytes]:
    """The on-call page of runs, and the same for machines; the first page of the site has the index in it."""
    html, status = oncall_pages(
        runs,
        runbooks=site.runbooks,
        standings=index.standings,
        addresses=index.addresses,
        there=index.there,
        stale_s=site.stale_s,
        prefix=prefix,
        index="" if prefix else index.packed(),
    )
    return html.encode(), status.encode()


def _with_runs(index: Index, made: Iterable[MadeRun], site: Site, now: datetime) -> tuple[Index, tuple[Entry, ...]]:
    """The index with the runs that were made, and the entries that go for them."""
    for made_run in made:
        index = with_run(index, made_run.entry, made_run.record)
    return pruned(index, site.retention, now)


def _write_bundles(store: Store, index: Index, site: Site, has_traces: bool) -> tuple[dict[str, str], set[str]]:
    """Write the pages that runs share, where they changed: what they are made of, and what is left of before."""
    bundles = dict(site.shared)
    if has_traces or site.whole is not None:
        made_of = f"playwright {version('playwright')}"
        viewer = Bundle(title="The trace viewer", made_of=made_of, make=lambda _, place: copy_trace_viewer(place))
        bundles = {VIEWER: viewer} | bundles
    written: dict[str, str] = {}
    left: set[str] = set()
    for name, bundle in bundles.items():
        if site.whole is None and index.shared.get(name) == bundle.made_of:
            continue
        try:
            files = files_made(partial(bundle.make, index))
        except SynthprobeError as error:  # the on-call page stands without it
            site.warn(f"{bundle.title} of {store.shown} could not be renewed. {error}")
            continue
        write_all(store, files)
        written[name] = bundle.made_of
        if name == VIEWER:
            left = {seen.path for seen in store.listed(VIEWER)} - {*files}
    return written, left


def _record_pages(index: Index, site: Site) -> tuple[dict[str, bytes], Index]:
    """The pages of incidents that changed since they were written, the lists, and what is written from now on."""
    known = {entry.folder: entry for entry in index.runs}
    incidents = [(incident, standing) for standing in index.standings.values() for incident in standing.incidents]
    written: dict[str, bytes] = {}
    pages: dict[str, str] = {INCIDENTS: ""}
    for incident, standing in incidents:
        path, seen = f"incidents/{incident.id}.html", index.sightings.get(incident.id, ())
        pages[path] = digest((incident, seen, standing.muted.get(incident.id), standing.latency.get(incident.id)))
        if site.whole is not None or index.pages.get(path) != pages[path]:
            sightings = [(folder, folder.rpartition("/")[2], known[folder].at) for folder in seen if folder in known]
            html = incident_page(incident, standing, sightings, site.runbooks, index.addresses)
            written[path] = html.encode()
    if written or site.whole is not None or {*pages} != {*index.pages}:
        written[INCIDENTS] = incident_list(incident for incident, _ in incidents).encode()
    if index.lists_runs:
        written[RUNS] = run_list(entry for entry in index.runs if entry.page).encode()
    return written, replace(index, pages=pages)


def _outdated(store: Store, index: Index, gone: Iterable[Entry], made: Sequence[MadeRun], site: Site) -> set[str]:
    """What is kept no longer, and what runs that were published anew had before."""
    named = _named(index)
    left: set[str] = set()
    if site.whole is None and all(run.entry.passed for run in made):
        gone = ()  # green runs cost three requests: what goes with them waits for the sweep
    for entry in gone:
        left |= {entry.page, *entry.files} - {""} - named
        left |= {seen.path for seen in store.listed(entry.folder)} if entry.whole else set()
    for made_run in made:
        if made_run.entry.whole:
            left |= {seen.path for seen in store.listed(made_run.entry.folder)} - {
                *made_run.paths,
                made_run.entry.page,
            }
    return left


def _named(index: Index) -> set[str]:
    return {name for entry in index.runs for name in (*entry.files, entry.page)}


def _unnamed(store: Store, index: Index, now: datetime) -> set[str]:
    """What a killed publisher left."""
    named, whole = _named(index), tuple(f"{entry.folder}/" for entry in index.runs if entry.whole)
    old = (seen.path for at in ("evidence", "runs") for seen in store.listed(at) if now - seen.at > _DAILY)
    return {path for path in old if path not in named and path != RUNS and not path.startswith(whole)}
