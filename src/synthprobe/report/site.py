"""The published site: evidence, Allure reports, the trace viewer, and the on-call page that leads to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
from filelock import FileLock

from synthprobe.errors import ReportError, ToolError
from synthprobe.files import write_whole
from synthprobe.records.address import shown_address
from synthprobe.records.standing import Standing
from synthprobe.records.verdict import Verdict
from synthprobe.report.addresses import run_folder, safe_name
from synthprobe.report.allure import generate
from synthprobe.report.allure_results import write_results
from synthprobe.report.cards import PublishedRun, PublishedRunbook
from synthprobe.report.carried import with_not_due
from synthprobe.report.latency import run_addresses
from synthprobe.report.oncall import STALE_S, render_oncall, render_run
from synthprobe.report.record_pages import render_incidents, render_runs
from synthprobe.report.retention import Retention, prune
from synthprobe.report.trace_viewer import copy_trace_viewer

_RECORD = "published.json"


def publish(
    run_dirs: Sequence[Path],
    site: Path,
    *,
    labels: Mapping[Path, str] | None = None,
    names: Mapping[str, str] | None = None,
    production: Collection[str] = (),
    runbooks: Mapping[str, PublishedRunbook] | None = None,
    site_url: str = "",
    state: Path | None = None,
    allure: bool = True,
    stale_s: float = STALE_S,
    retention: Retention | None = None,
    environ: Mapping[str, str] | None = None,
    warn: Callable[[str], None] | None = None,
    beside: Callable[[Path], None] | None = None,
    stand: Callable[[str], Standing] | None = None,
) -> Path:
    """Publish runs and show the newest verdict of each target.

    The on-call page is replaced last and in one move, so it never leads to something that is not there. When Allure
    is missing or fails the page is still published, and says so.
    """
    site.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(site.parent / f".{site.name}.lock"):
        return _publish(
            run_dirs,
            site,
            labels={path.resolve(): label for path, label in (labels or {}).items()},
            names=names or {},
            runbooks=runbooks or {},
            production=production,
            site_url=site_url,
            state=state or site.parent / "state",
            allure=allure,
            stale_s=stale_s,
            retention=retention,
            environ=environ,
            warn=warn or (lambda _: None),
            beside=beside or (lambda _: None),
            stand=stand or (lambda _: Standing()),
        )


def _publish(
    run_dirs: Sequence[Path],
    site: Path,
    *,
    labels: Mapping[Path, str],
    names: Mapping[str, str],
    runbooks: Mapping[str, PublishedRunbook],
    production: Collection[str],
    site_url: str,
    state: Path,
    allure: bool,
    stale_s: float,
    retention: Retention | None,
    environ: Mapping[str, str] | None,
    warn: Callable[[str], None],
    beside: Callable[[Path], None],
    stand: Callable[[str], Standing],
) -> Path:
    verdicts = [(run_dir, read_verdict(run_dir)) for run_dir in run_dirs]
    try:
        site.mkdir(parents=True, exist_ok=True)
        try:
            viewer = copy_trace_viewer(site)
        except ToolError as error:
            viewer = None
            warn(str(error))
        for run_dir, verdict in sorted(verdicts, key=lambda pair: pair[1].run.started_at):
            run = verdict.run
            folder = run_folder(run)
            out = site / folder
            out.mkdir(parents=True, exist_ok=True)
            _copy_evidence(run_dir, verdict, out)
            label = labels.get(run_dir.resolve(), "")
            pages, note = {}, ""
            if allure:
                title = names.get(run.id) or " · ".join(filter(None, (run.target, label, run.id)))
                addresses = ((name, page.address) for name, page in runbooks.items())
                absolute = {name: url for name, url in addresses if url.startswith(("http:", "https:"))}
                try:
                    results = run_dir / "allure-results"
                    shutil.rmtree(results, ignore_errors=True)
                    pages = write_results(run_dir, verdict, results, site_url=site_url, runbooks=absolute)
                    shown = generate(
                        results,
                        out,
                        name=title,
                        viewer=viewer,
                        history=state / safe_name(run.target) / f"{safe_name(label) or 'history'}.jsonl",
                        history_url=f"{site_url.rstrip('/')}/{folder}/allure/" if site_url else "",
                        environ=environ,
                        assets=site / "assets",
                        warn=warn,
                    )
                    if shown != len(verdict.journeys):
                        note = (
                            f"The Allure report shows {shown} of {len(verdict.journeys)} journeys. This page is"
                            " complete; trust it."
                        )
                        warn(note)
                except (ReportError, ToolError) as error:
                    pages, note = {}, f"There is no Allure report of this run. {error}"
                    shutil.rmtree(out / "allure", ignore_errors=True)
                    warn(str(error))
            record = PublishedRun(
                verdict=verdict,
                folder=folder,
                label=label,
                pages=pages,
                note=note,
                production=run.target in production,
            )
            write_whole(out / _RECORD, msgspec.json.encode(record))
        if retention is not None:
            prune(site, published(site, warn), retention, datetime.now(UTC))
        beside(site)
        runs = newest(site, warn)
        fresh = {run_folder(verdict.run) for _, verdict in verdicts}
        standings = {name: stand(name) for name in sorted({run.verdict.run.target for run in runs})}
        every = list(published(site, warn))
        shown_at = run_addresses({one.verdict.run.started_at: f"{one.folder}/index.html" for one in every})
        for record in every:
            if not (site / record.folder / "index.html").exists() or record.folder in fresh:
                standing = standings.get(record.verdict.run.target, Standing())
                render_run(record, site, runbooks, standing, shown_at)
        render_incidents(standings, every, site, runbooks, shown_at)
        render_runs(every, site)
        return render_oncall(runs, site, runbooks=runbooks, standings=standings, stale_s=stale_s, addresses=shown_at)
    except OSError as error:
        raise ReportError(
            f"The site in {site} could not be written ({error.strerror or error}). Check the folder's permissions and"
            " the free space, then report again."
        ) from error


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


def newest(site: Path, warn: Callable[[str], None] | None = None) -> list[PublishedRun]:
    """The newest published run of each target and label; a labelled run gives way to a later one without a label."""
    runs: dict[tuple[str, str], list[PublishedRun]] = {}
    for run in sorted(published(site, warn), key=lambda run: run.verdict.run.started_at):
        runs.setdefault((run.verdict.run.target, run.label), []).append(run)
    found = {key: newest for key, some in runs.items() if (newest := with_not_due(some)) is not None}
    plain = {target: run.verdict.run.started_at for (target, label), run in found.items() if not label}
    return [
        run
        for (target, label), run in found.items()
        if not label or target not in plain or plain[target] < run.verdict.run.started_at
    ]


def published(site: Path, warn: Callable[[str], None] | None = None) -> Iterator[PublishedRun]:
    """Every published run that is still kept."""
    for path in site.glob(f"runs/*/*/{_RECORD}"):
        try:
            yield msgspec.json.decode(shown_address(path.read_text("utf-8", errors="replace")), type=PublishedRun)
        except (OSError, msgspec.DecodeError):
            if warn is not None:
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
    for kept in (kept for one in verdict.journeys for result in one.results for kept in result.evidence):
        source, target = run_dir / kept.path, out / kept.path
        inside = source.resolve().is_relative_to(root) and target.resolve().is_relative_to(target_root)
        if kept.path and inside and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
