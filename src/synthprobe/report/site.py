"""The published site: evidence, Allure reports, the trace viewer, and the on-call page that leads to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
from filelock import FileLock
from msgspec.structs import replace

from synthprobe.errors import ReportError, ToolError
from synthprobe.files import write_whole
from synthprobe.records.address import shown_address
from synthprobe.records.standing import Standing
from synthprobe.records.verdict import Verdict
from synthprobe.report.addresses import run_folder, safe_name
from synthprobe.report.allure import generate
from synthprobe.report.allure_results import write_results
from synthprobe.report.cards import PublishedRun, PublishedRunbook
from synthprobe.report.charts import run_addresses
from synthprobe.report.oncall import render_oncall, render_run
from synthprobe.report.record_pages import render_incidents, render_runs
from synthprobe.report.retention import Retention, newest_by, prune
from synthprobe.report.trace_viewer import copy_trace_viewer

_RECORD = "published.json"


def publish(
    run_dirs: Sequence[Path],
    site: Path,
    *,
    labels: Mapping[Path, str] | None = None,
    production: Collection[str] = (),
    runbooks: Mapping[str, PublishedRunbook] | None = None,
    site_url: str = "",
    state: Path | None = None,
    allure: bool = True,
    retention: Retention | None = None,
    warn: Callable[[str], None] = lambda _: None,
    beside: Callable[[Path], None] = lambda _: None,
    stand: Callable[[str], Standing] = lambda _: Standing(),
) -> Path:
    """Publish runs and show the newest verdict of each target.

    The on-call page is replaced last and in one move, so it never leads to something that is not there. When Allure
    is missing or fails the page is still published, and says so.
    """
    runbooks, state = runbooks or {}, state or site.parent / "state"
    names = {path.resolve(): label for path, label in (labels or {}).items()}
    site.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(site.parent / f".{site.name}.lock"):
        verdicts = [(run_dir, read_verdict(run_dir)) for run_dir in run_dirs]
        try:
            site.mkdir(parents=True, exist_ok=True)
            viewer = _trace_viewer(site, warn)
            for run_dir, verdict in sorted(verdicts, key=lambda pair: pair[1].run.started_at):
                label = names.get(run_dir.resolve(), "")
                record = PublishedRun(
                    verdict=verdict,
                    folder=run_folder(verdict.run),
                    label=label,
                    production=verdict.run.target in production,
                )
                _copy_evidence(run_dir, verdict, site / record.folder)
                if allure:
                    record = _with_allure(record, run_dir, site, state, site_url, runbooks, viewer, warn)
                write_whole(site / record.folder / _RECORD, msgspec.json.encode(record))
            if retention is not None:
                prune(site, published(site, warn), retention, datetime.now(UTC))
            beside(site)
            fresh = {run_folder(verdict.run) for _, verdict in verdicts}
            return _render(site, newest(site, warn), list(published(site, warn)), fresh, runbooks, stand)
        except OSError as error:
            raise ReportError(
                f"The site in {site} could not be written ({error.strerror or error}). Check the folder's permissions "
                "and the free space, then report again."
            ) from error


def _trace_viewer(site: Path, warn: Callable[[str], None]) -> Path | None:
    try:
        return copy_trace_viewer(site)
    except ToolError as error:
        warn(str(error))
        return None


def _with_allure(
    record: PublishedRun,
    run_dir: Path,
    site: Path,
    state: Path,
    site_url: str,
    runbooks: Mapping[str, PublishedRunbook],
    viewer: Path | None,
    warn: Callable[[str], None],
) -> PublishedRun:
    """Make the Allure report of a run; its pages, or why there is none."""
    verdict, run, out = record.verdict, record.verdict.run, site / record.folder
    addresses = ((name, page.address) for name, page in runbooks.items())
    absolute = {name: url for name, url in addresses if url.startswith(("http:", "https:"))}
    results = run_dir / "allure-results"
    try:
        shutil.rmtree(results, ignore_errors=True)
        pages = write_results(run_dir, verdict, results, site_url=site_url, runbooks=absolute)
        shown = generate(
            results,
            out,
            name=" · ".join(filter(None, (run.target, record.label, run.id))),
            viewer=viewer,
            history=state / safe_name(run.target) / f"{safe_name(record.label) or 'history'}.jsonl",
            history_url=f"{site_url.rstrip('/')}/{record.folder}/allure/" if site_url else "",
            assets=site / "assets",
            warn=warn,
        )
    except (ReportError, ToolError) as error:
        shutil.rmtree(out / "allure", ignore_errors=True)
        warn(str(error))
        return replace(record, note=f"There is no Allure report of this run. {error}")
    note = ""
    if shown != len(verdict.journeys):
        note = f"The Allure report shows {shown} of {len(verdict.journeys)} journeys. This page is complete; trust it."
        warn(note)
    return replace(record, pages=pages, note=note)


def _render(
    site: Path,
    runs: Sequence[PublishedRun],
    every: Sequence[PublishedRun],
    fresh: Collection[str],
    runbooks: Mapping[str, PublishedRunbook],
    stand: Callable[[str], Standing],
) -> Path:
    standings = {name: stand(name) for name in sorted({run.verdict.run.target for run in runs})}
    shown_at = run_addresses({one.verdict.run.started_at: f"{one.folder}/index.html" for one in every})
    for record in every:
        if not (site / record.folder / "index.html").exists() or record.folder in fresh:
            standing = standings.get(record.verdict.run.target, Standing())
            render_run(record, site, runbooks, standing, shown_at)
    render_incidents(standings, every, site, runbooks, shown_at)
    render_runs(every, site)
    return render_oncall(runs, site, runbooks=runbooks, standings=standings, addresses=shown_at)


def read_verdict(run_dir: Path) -> Verdict:
    """Read the verdict of a run."""
    path = run_dir / "verdict.json"
    try:
        return msgspec.json.decode(shown_address(path.read_text("utf-8", errors="replace")), type=Verdict)
    except (OSError, msgspec.DecodeError) as error:
        raise ReportError(
            f"There is no readable verdict in {path} ({error}). A run writes it before anything is published, so this"
            " run did not end properly: treat its target as unknown and run again."
        ) from error


def newest(site: Path, warn: Callable[[str], None] = lambda _: None) -> list[PublishedRun]:
    """The newest published run of each target and label; a labelled run gives way to a later one without a label."""
    found = newest_by(published(site, warn), lambda run: (run.verdict.run.target, run.label))
    plain = {target: run.verdict.run.started_at for (target, label), run in found.items() if not label}
    return [
        run
        for (target, label), run in found.items()
        if not label or target not in plain or plain[target] < run.verdict.run.started_at
    ]


def published(site: Path, warn: Callable[[str], None] = lambda _: None) -> Iterator[PublishedRun]:
    """Every published run that is still kept."""
    for path in site.glob(f"runs/*/*/{_RECORD}"):
        try:
            yield msgspec.json.decode(shown_address(path.read_text("utf-8", errors="replace")), type=PublishedRun)
        except (OSError, msgspec.DecodeError):
            warn(f"The record of a published run in {path} is not readable and is left out. Report that run again.")


def serve(site: Path, port: int = 0) -> ThreadingHTTPServer:
    """Serve the site on this machine only."""
    from synthprobe.report.serving import serve as serve_store  # most commands serve nothing
    from synthprobe.report.store import FolderStore

    return serve_store(FolderStore(site.absolute()), port)


def _copy_evidence(run_dir: Path, verdict: Verdict, out: Path) -> None:
    """Copy what the records name, and nothing else: only that went through redaction."""
    shutil.rmtree(out / "evidence", ignore_errors=True)
    root, target_root = (run_dir / "evidence").resolve(), (out / "evidence").resolve()
    out.mkdir(parents=True, exist_ok=True)
    for kept in (kept for one in verdict.journeys for result in one.results for kept in result.evidence):
        source, target = run_dir / kept.path, out / kept.path
        inside = source.resolve().is_relative_to(root) and target.resolve().is_relative_to(target_root)
        if kept.path and inside and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
