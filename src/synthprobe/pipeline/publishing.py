"""Publishes a run after the decision whom to tell, and before they are told, so that the alert's link opens."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from synthprobe.config import Project
from synthprobe.deadlines import left_s, within
from synthprobe.errors import ReportError, SynthprobeError
from synthprobe.firstline.runbook import Runbook
from synthprobe.pipeline.coverage import stand
from synthprobe.pipeline.judging import read_verdict
from synthprobe.records.standing import Standing
from synthprobe.records.verdict import Verdict
from synthprobe.report.cards import PublishedRunbook

if TYPE_CHECKING:
    from synthprobe.report.publishing import Publication, Site

_MARK = "unpublished"  # a run that should have been, with the reason
_CAUGHT_UP = 3
_TO_RUN = re.compile(rb'<a [^>]*href="../../(?:runs|trace-viewer)/[^>]*>(.*?)</a>', re.DOTALL)
_STALE_S = 3600.0
_SPARE_S = 5.0  # for whom a run that was asked to end still has to tell


class Published(Struct, frozen=True, kw_only=True):
    """Where a run stands: nothing when it was not published, or could not be."""

    page: str = ""
    traces: dict[str, str] = {}
    opened_by: str = ""


def publish_run(
    project: Project, folder: Path, verdict: Verdict, runbooks: Sequence[Runbook], notes: list[str]
) -> Published:
    """Publish a run where the configuration says so, within its time; what could not be is told and tried once more."""
    if not project.config.publish.url:
        return Published()
    most_s = left_s(project.config.publish.timeout_s, spare_s=_SPARE_S)
    try:
        if most_s <= 0:
            raise ReportError("The run was not published, as it was asked to end. The next run publishes it.")
        found = within(
            most_s, f"Publishing at {project.config.publish.url}", lambda: _publish(project, folder, runbooks)
        )
    except Exception as error:  # whatever a store's client does, people are told
        known = isinstance(error, SynthprobeError)
        reason = str(error) if known else f"Publishing broke with {type(error).__name__}: {error}."
        (folder / _MARK).write_text(reason, "utf-8")
        notes.append(reason)
        return Published()
    if found is None:
        return Published()
    from synthprobe.report.trace_viewer import viewer_link

    base = project.config.report.site_url.rstrip("/")
    if not base:
        return Published(page=found.page, opened_by=f"synthprobe serve {project.config.publish.url}")
    traces = {journey: f"{base}/{viewer_link(path)}" for journey, path in found.traces.items()}
    return Published(page=f"{base}/{found.page}", traces=traces)


def publish_part(project: Project, folder: Path, verdict: Verdict, notes: list[str]) -> dict[str, str]:
    """Publish the evidence of a part of a slot: where it stands, by its path; what could not be is told."""
    if not project.config.publish.url or not any(one.outcome not in {"passed", "skipped"} for one in verdict.journeys):
        return {}
    from synthprobe.report.publishing import publish_evidence
    from synthprobe.report.store import open_store

    most_s = left_s(project.config.publish.timeout_s, spare_s=_SPARE_S)
    try:
        store = open_store(project.config.publish.url, timeout_s=project.config.publish.timeout_s)
        return within(
            most_s, f"Publishing at {project.config.publish.url}", lambda: publish_evidence(store, folder, verdict)
        )
    except Exception as error:  # whatever a store's client does, the part counts
        notes.append(f"The evidence of this part could not be published: {error}")
        return {}


def _publish(project: Project, folder: Path, runbooks: Sequence[Runbook]) -> Publication | None:
    from synthprobe.report import publishing
    from synthprobe.report.store import open_store

    store = open_store(project.config.publish.url, timeout_s=project.config.publish.timeout_s)
    now = datetime.now(UTC)
    newest = read_verdict(folder / "verdict.json")
    site = _site(project, newest.run.target, runbooks)
    target = project.config.targets.get(newest.run.target)
    guarded = bool(target and target.production) and newest.run.target not in project.config.report.public
    found = None
    late = sorted(mark.parent for mark in folder.parent.glob(f"*/{_MARK}") if mark.parent != folder)[-_CAUGHT_UP:]
    for run in (*late, folder):
        judged = newest if run == folder else read_verdict(run / "verdict.json")
        found = publishing.publish_run(store, run, judged, site, now, must_be_private=guarded)
        (run / _MARK).unlink(missing_ok=True)
    return found


def _site(project: Project, target: str, runbooks: Sequence[Runbook]) -> Site:
    from synthprobe.firstline.runbook_pages import before_typing
    from synthprobe.report.addresses import safe_name
    from synthprobe.report.publishing import Bundle, Site, digest

    shared: dict[str, Bundle] = {}
    addresses = {runbook.id: f"runbooks/{runbook.id}.html" for runbook in runbooks}
    if pattern := project.config.report.runbook_url:
        addresses = {runbook.id: pattern.replace("{id}", runbook.id) for runbook in runbooks}
    elif runbooks:
        page = before_typing(project.root / project.config.runbooks)
        before = page.read_text("utf-8", errors="replace") if page else ""
        shared["runbooks"] = Bundle(
            made_of=digest((tuple(runbooks), before)), made=lambda: _runbook_pages(runbooks, before)
        )
    for kind in ("board", "ops"):  # as they were made last on this machine
        made = project.folder / "site" / kind / safe_name(target)
        if (made / "index.html").is_file():  # is written last
            of = str((made / "index.html").stat().st_mtime_ns)
            shared[f"{kind}/{made.name}"] = Bundle(made_of=of, made=partial(_without_links_to_runs, made))
    standing = Standing()
    with suppress(SynthprobeError):  # the page stands without it, and the history has said why
        standing = stand(project, target, datetime.now(UTC))
    return Site(
        runbooks={runbook.id: shown_runbook(runbook, addresses[runbook.id]) for runbook in runbooks},
        standings={target: standing},
        shared=shared,
        stale_s=_STALE_S + 2 * project.config.interval_s,
        retention=project.config.report.keep,
    )


def _runbook_pages(runbooks: Sequence[Runbook], before: str) -> dict[str, bytes]:
    from synthprobe.firstline.runbook_pages import publish_runbooks

    with tempfile.TemporaryDirectory(prefix="synthprobe-runbooks-") as place:
        publish_runbooks(runbooks, Path(place), before=before)
        return _files(Path(place) / "runbooks")


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def _without_links_to_runs(folder: Path) -> dict[str, bytes]:
    """Pages of this machine's site, whose runs stand elsewhere at the store, or not at all."""
    return {name: _TO_RUN.sub(rb"\1", data) for name, data in _files(folder).items()}


def shown_runbook(runbook: Runbook, address: str) -> PublishedRunbook:
    """What the site's pages need of a runbook."""
    return PublishedRunbook(address=address, title=runbook.title, fallback=runbook.fallback, fix=runbook.fix)
