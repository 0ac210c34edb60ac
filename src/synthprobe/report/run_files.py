"""What is published of one run: its evidence and, where everything is made of it, its record and its Allure report."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.errors import ReportError, ToolError
from synthprobe.records.decoding import from_json
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.addresses import run_folder, safe_name
from synthprobe.report.allure import generate
from synthprobe.report.allure_results import write_results
from synthprobe.report.cards import PublishedRun, PublishedRunbook, newest_evidence
from synthprobe.report.index import RECORD, Index, entry_of
from synthprobe.report.oncall import STALE_S
from synthprobe.report.retention import Entry, Retention
from synthprobe.report.store import Store

ELSEWHERE = "published.json"
"""File of a conclusion's folder: where evidence of its parts stands, by the path in the records."""

_SHOWN = {"screenshot", "last-good", "trace"}  # what the page leads to
_WRITERS = 8


class Bundle(Struct, frozen=True, kw_only=True):
    """Pages that runs share; they are made, and written, when what they are made of changed."""

    title: str
    made_of: str
    make: Callable[[Index, Path], object]
    """Makes them in a folder that becomes the site; what it leaves out stays as it was."""


class Whole(Struct, frozen=True, kw_only=True):
    """That everything is made of a run, however much has to be written: all evidence, its page, its Allure report."""

    state: Path
    site_url: str = ""
    allure: bool = True


class Site(Struct, frozen=True, kw_only=True):
    """What pages need besides the runs: runbooks by id, how a target stands, and pages that runs share, by folder."""

    runbooks: Mapping[str, PublishedRunbook] = {}
    shared: Mapping[str, Bundle] = {}
    stand: Callable[[str, datetime], TargetStatus | None] = lambda _target, _now: None
    """How a target stands; nothing where it stays as it was known."""
    production: Collection[str] = ()
    stale_s: float = STALE_S
    retention: Retention = Retention()
    whole: Whole | None = None
    """Without it what costs least is written: only what is not plain green, and what its page leads to."""
    warn: Callable[[str], None] = lambda _: None


class JudgedRun(Struct, frozen=True, kw_only=True):
    """A run to publish: its folder, and what was judged of it."""

    folder: Path
    verdict: Verdict
    label: str = ""


class MadeRun(Struct, frozen=True, kw_only=True):
    """A run as it will stand in the site, and where its files do."""

    entry: Entry
    record: PublishedRun
    paths: frozenset[str]


def write_run(store: Store, run: JudgedRun, site: Site, known: Collection[str]) -> MadeRun:
    """Write all files of a run that are not known to be there, but its page; nothing leads to them so far."""
    folder, of = run_folder(run.verdict.run), run.verdict.run
    files, addresses = _evidence(run, folder if site.whole else "")
    production = of.target in site.production
    record = PublishedRun(
        verdict=_slim(run.verdict), folder=folder, label=run.label, production=production, files=addresses
    )
    if site.whole is not None:
        record, report = _with_allure(run, record, site.whole, site)
        files |= report | {f"{folder}/{RECORD}": msgspec.json.encode(record)}
    write_all(store, {path: data for path, data in files.items() if path not in known})
    entry = entry_of(
        run.verdict,
        files=() if site.whole else addresses.values(),
        size=sum(map(len, files.values())),
        label=run.label,
        whole=site.whole is not None,
    )
    return MadeRun(entry=entry, record=record, paths=frozenset(files))


def publish_evidence(store: Store, folder: Path, verdict: Verdict) -> dict[str, str]:
    """Publish what a part of a slot kept, for the page that its conclusion makes: where it stands, by its path."""
    files, addresses = _evidence(JudgedRun(folder=folder, verdict=verdict))
    write_all(store, files)
    return addresses


def traces_of(run: PublishedRun) -> dict[str, str]:
    """Where the trace stands that the page leads to, by journey."""
    kept = {judgement.journey.id: newest_evidence(judgement).get("trace") for judgement in run.verdict.journeys}
    return {id: run.files[trace.path] for id, trace in kept.items() if trace and trace.path in run.files}


def _evidence(run: JudgedRun, whole_folder: str = "") -> tuple[dict[str, bytes], dict[str, str]]:
    """Files that the records name, and nothing else, as only that was redacted; and where they stand, by their path.

    All of it, below the folder of a whole run; else what the page leads to, by the name that its content gives it.
    """
    root, journeys = (run.folder / "evidence").resolve(), run.verdict.journeys
    files: dict[str, bytes] = {}
    addresses: dict[str, str] = {}
    paths = [kept.path for judgement in journeys for kind, kept in newest_evidence(judgement).items() if kind in _SHOWN]
    if whole_folder:
        paths = [
            kept.path for judgement in journeys for result in judgement.results for kept in result.evidence if kept.path
        ]
    elif (known := run.folder / ELSEWHERE).exists():  # by the parts of the slot
        addresses |= from_json(known.read_bytes(), dict[str, str])
    for path in paths:
        source = (run.folder / path).resolve()
        if source.is_relative_to(root) and source.is_file():
            data = source.read_bytes()
            name = f"{hashlib.sha256(data).hexdigest()[:32]}{source.suffix}"
            addresses[path] = f"evidence/{name}"
            if whole_folder:
                addresses[path] = f"{whole_folder}/evidence/{source.relative_to(root).as_posix()}"
            files[addresses[path]] = data
    return files, addresses


def _with_allure(
    run: JudgedRun, record: PublishedRun, whole: Whole, site: Site
) -> tuple[PublishedRun, dict[str, bytes]]:
    """Make the Allure report of a run: its pages, or why there is none."""
    if not whole.allure:
        return record, {}
    of, results, base = run.verdict.run, run.folder / "allure-results", whole.site_url.rstrip("/")
    absolute = {id: address for id, page in site.runbooks.items() if (address := _absolute(base, page.address))}
    shown = 0

    def make(place: Path) -> None:
        nonlocal shown
        shown = generate(
            results,
            place,
            record.folder,
            name=" · ".join(filter(None, (of.target, run.label, of.id))),
            history=whole.state / safe_name(of.target) / f"{safe_name(run.label) or 'history'}.jsonl",
            history_url=f"{base}/{record.folder}/allure/" if base else "",
            warn=site.warn,
        )

    try:
        shutil.rmtree(results, ignore_errors=True)
        pages = write_results(run.folder, run.verdict, results, site_url=whole.site_url, runbooks=absolute)
        files = files_made(make)
    except (ReportError, ToolError) as error:
        site.warn(str(error))
        return replace(record, note=f"There is no Allure report of this run. {error}"), {}
    note, total = "", len(run.verdict.journeys)
    if shown != total:
        note = f"The Allure report shows {shown} of {total} journeys. This page is complete; trust it."
        site.warn(note)
    return replace(record, pages=pages, note=note), files


def _absolute(base: str, address: str) -> str:
    """An address that can be opened from elsewhere; empty when there is none."""
    if address.startswith(("http:", "https:")):
        return address
    return f"{base}/{address}" if base and address else ""


def _slim(verdict: Verdict) -> Verdict:
    """Without what no page shows: it travels in the first page."""

    def slim(judgement: JourneyVerdict) -> JourneyVerdict:
        telling = judgement.results[-1:] if judgement.outcome in {"passed", "skipped"} else judgement.results
        results = tuple(replace(result, facts=None, operations=()) for result in telling)
        return replace(judgement, results=results, reruns=())

    return replace(verdict, journeys=tuple(map(slim, verdict.journeys)))


def files_made(make: Callable[[Path], object]) -> dict[str, bytes]:
    """The files that something makes in a folder, by their path in it."""
    try:
        with tempfile.TemporaryDirectory(prefix="synthprobe-pages-") as name:
            place = Path(name)
            make(place)
            return {
                file.relative_to(place).as_posix(): file.read_bytes() for file in place.rglob("*") if file.is_file()
            }
    except OSError as error:
        raise ReportError(
            f"The pages could not be made ({error.strerror or error}). Check the free space, then report again."
        ) from error


def write_all(store: Store, files: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(_WRITERS) as pool:
        for done in [pool.submit(store.put, path, data) for path, data in files.items()]:
            done.result()
