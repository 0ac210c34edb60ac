"""Publishes a run after the decision whom to tell, and before they are told, so that the alert's link opens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from synthprobe.deadlines import left_s, within
from synthprobe.errors import ReportError, SynthprobeError
from synthprobe.firstline.runbook import Runbook
from synthprobe.pipeline.context import Context
from synthprobe.pipeline.coverage import stand
from synthprobe.pipeline.judging import read_verdict
from synthprobe.project import Project
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import Verdict
from synthprobe.report.cards import PublishedRunbook

if TYPE_CHECKING:
    from synthprobe.report.run_files import Bundle, Site, Whole
    from synthprobe.report.site import Publication
    from synthprobe.report.store import Store

R = TypeVar("R")

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


def publish_run(context: Context) -> Published:
    """Publish a run where the configuration says so, within its time; what could not be is told and tried once more."""
    project, folder, notes = context.project, context.folder, context.notes
    if not project.config.publish.url:
        return Published()
    try:
        found = _in_time(project, lambda store: _publish(store, context))
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


def publish_part(context: Context) -> dict[str, str]:
    """Publish the evidence of a part of a slot: where it stands, by its path; what could not be is told."""
    project, verdict = context.project, context.verdict
    if not project.config.publish.url or not any(
        judgement.outcome not in {"passed", "skipped"} for judgement in verdict.journeys
    ):
        return {}
    from synthprobe.report.run_files import publish_evidence

    try:
        return _in_time(project, lambda store: publish_evidence(store, context.folder, verdict))
    except Exception as error:  # whatever a store's client does, the part counts
        context.notes.append(f"The evidence of this part could not be published: {error}")
        return {}


def _in_time(project: Project, publish: Callable[[Store], R]) -> R:
    """Publish within the time that alerts wait, as long as the run is not asked to end."""
    from synthprobe.report.store import open_store

    place = project.config.publish
    most_s = left_s(place.timeout_s, spare_s=_SPARE_S)
    if most_s <= 0:
        raise ReportError("Nothing was published, as the run was asked to end. The next run publishes it.")
    what = f"Publishing at {place.url}"
    return within(most_s, what, lambda: publish(open_store(place.url, timeout_s=place.timeout_s)))


def _publish(store: Store, context: Context) -> Publication | None:
    from synthprobe.report.run_files import JudgedRun
    from synthprobe.report.site import publish

    project, folder, now = context.project, context.folder, datetime.now(UTC)
    newest = read_verdict(folder / "verdict.json")
    name = newest.run.target
    site = site_of(project, [newest], context.runbooks, context.notes.append, _made_here(project, name))
    found = None
    late = sorted(mark.parent for mark in folder.parent.glob(f"*/{_MARK}") if mark.parent != folder)[-_CAUGHT_UP:]
    for run in (*late, folder):
        judged = JudgedRun(folder=run, verdict=newest if run == folder else read_verdict(run / "verdict.json"))
        guarded = name in site.production and name not in project.config.report.public
        found = publish(store, [judged], site, now, must_be_private=guarded)
        (run / _MARK).unlink(missing_ok=True)
    return found


def site_of(
    project: Project,
    verdicts: Iterable[Verdict],
    runbooks: Sequence[Runbook],
    warn: Callable[[str], None],
    shared: Mapping[str, Bundle],
    whole: Whole | None = None,
) -> Site:
    """What the pages of runs need besides them, as the project is configured."""
    from synthprobe.firstline.runbook_pages import before_typing, publish_runbooks
    from synthprobe.report.run_files import Bundle, Site
    from synthprobe.report.site import digest

    addresses = {runbook.id: f"runbooks/{runbook.id}.html" for runbook in runbooks}
    pattern = project.config.report.runbook_url
    if pattern:
        named = {
            id
            for verdict in verdicts
            for journey in verdict.journeys
            for id in (journey.runbook, journey.offered)
            if id
        }
        addresses = {id: pattern.replace("{id}", id) for id in (*addresses, *named)}
    if whole or (runbooks and not pattern):
        page = before_typing(project.root / project.config.runbooks)
        before = page.read_text("utf-8", errors="replace") if page else ""
        made = Bundle(
            title="The runbooks",
            made_of=digest((tuple(runbooks), before)),
            make=lambda _, place: publish_runbooks(runbooks, place, before=before),
        )
        shared = {"runbooks": made, **shared}
    known = {runbook.id: runbook for runbook in runbooks}
    return Site(
        runbooks={id: _shown_runbook(known.get(id), address) for id, address in addresses.items()},
        shared=shared,
        stand=cache(partial(_standing, project, warn)),
        production={name for name, target in project.config.targets.items() if target.production},
        stale_s=_STALE_S + 2 * project.config.interval_s,
        retention=project.config.report.keep,
        whole=whole,
        warn=warn,
    )


def _standing(project: Project, warn: Callable[[str], None], target: str, now: datetime) -> TargetStatus:
    try:
        return stand(project, target, now)
    except SynthprobeError as error:  # the page stands without it
        warn(f"How much of {target} was watched is not told. {error}")
        return TargetStatus()


def _made_here(project: Project, target: str) -> dict[str, Bundle]:
    """The board and the measures of a target, as they were made last on this machine."""
    from synthprobe.report.addresses import safe_name
    from synthprobe.report.run_files import Bundle

    found: dict[str, Bundle] = {}
    for kind in ("board", "ops"):
        made = project.folder / "site" / kind / safe_name(target)
        if (made / "index.html").is_file():  # is written last
            name, of = f"{kind}/{made.name}", str((made / "index.html").stat().st_mtime_ns)
            found[name] = Bundle(
                title=f"The {kind} of {target}", made_of=of, make=partial(_copy_without_links_to_runs, made, name)
            )
    return found


def _copy_without_links_to_runs(folder: Path, name: str, _: object, place: Path) -> None:
    """Copy pages of this machine's site, whose runs stand elsewhere at the store, or not at all."""
    (place / name).mkdir(parents=True)
    for file in (file for file in folder.iterdir() if file.is_file()):
        (place / name / file.name).write_bytes(_TO_RUN.sub(rb"\1", file.read_bytes()))


def _shown_runbook(runbook: Runbook | None, address: str) -> PublishedRunbook:
    if runbook is None:
        return PublishedRunbook(address=address)
    return PublishedRunbook(address=address, title=runbook.title, fallback=runbook.fallback, fix=runbook.fix)
