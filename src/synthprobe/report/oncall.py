"""The first page on-call sees: what is broken, since when, and one click to the proof.

It needs neither Allure nor a network: one HTML file, its own style, and the evidence beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from synthprobe.files import write_whole
from synthprobe.records.objective import ObjectiveStatus, Standing
from synthprobe.records.result import Outcome, Result, walk_steps
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.addresses import card_anchor
from synthprobe.report.allure_results import safe_name
from synthprobe.report.standing import objective, watched
from synthprobe.report.trace_viewer import viewer_link

BADGES: dict[Outcome, tuple[str, str]] = {
    "failed": ("✗", "failed"),
    "unknown": ("?", "unknown"),
    "degraded": ("!", "degraded"),
    "skipped": ("–", "skipped"),
    "passed": ("✓", "passed"),
}
"""Sign and word of each outcome, worst first: never told by colour alone."""

STALE_S = 3600.0
"""Age after which the page itself asks whether the monitor still runs."""


class PublishedRun(Struct, frozen=True, kw_only=True):
    """A run as it stands in the site.

    Attributes:
        verdict: the run's verdict.
        folder: the run's folder, relative to the site.
        label: what tells this run from another of the same target, for example ``faulty``; usually empty.
        pages: id of each journey's page in the Allure report; empty when there is no Allure report.
        note: why something is missing, as a sentence; empty when nothing is.
        files: where evidence stands in the site, by its path in the records, where it does not stand in the folder.
    """

    verdict: Verdict
    folder: str
    label: str = ""
    pages: dict[str, str] = {}
    note: str = ""
    files: dict[str, str] = {}


def headline(verdict: Verdict) -> str:
    """Say in one sentence how the target is."""
    total, where = len(verdict.journeys), f"on {verdict.run.target}"
    count: dict[Outcome, int] = {outcome: verdict.count(outcome) for outcome in BADGES}
    if total == 0:
        return f"Monitor blind: no journey was run {where}"
    of = f"{{}} of {total} {_plural(total, 'journey')}"

    def rest(*outcomes: Outcome) -> str:
        return "".join(f", {count[outcome]} {outcome}" for outcome in outcomes if count[outcome])

    if count["failed"]:
        verb = "fails" if count["failed"] == 1 else "fail"
        return f"{of.format(count['failed'])} {verb} {where}{rest('degraded', 'unknown')}"
    if count["unknown"]:
        return f"Monitor blind: {of.format(count['unknown'])} could not be checked {where}{rest('degraded')}"
    if count["degraded"]:
        verb = "is" if count["degraded"] == 1 else "are"
        return f"{of.format(count['degraded'])} {verb} degraded {where}"
    if count["skipped"] == total:
        return f"Monitor blind: {of.format(total)} {'was' if total == 1 else 'were'} skipped {where}"
    if count["skipped"]:
        return f"{of.format(count['passed'])} {'passes' if count['passed'] == 1 else 'pass'} {where}{rest('skipped')}"
    return f"All {total} journeys pass {where}" if total > 1 else f"The only journey passes {where}"


def worst(verdict: Verdict) -> Outcome:
    """The outcome that describes the whole run."""
    bad: tuple[Outcome, ...] = ("failed", "unknown", "degraded")
    for outcome in bad:
        if verdict.count(outcome):
            return outcome
    return "passed" if verdict.count("passed") else "unknown"


def render_oncall(
    runs: Sequence[PublishedRun],
    site: Path,
    *,
    runbooks: Mapping[str, str] | None = None,
    standings: Mapping[str, Standing] | None = None,
    stale_s: float = STALE_S,
    prefix: str = "",
    index: str = "",
) -> Path:
    """Write `status.json` and then, last and in one move, `index.html`.

    ``prefix`` leads from the page to the site; ``index`` is what publishing keeps in the page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    ordered = sorted(runs, key=lambda run: (list(BADGES).index(worst(run.verdict)), run.verdict.run.target, run.label))
    known = standings or {}
    views = [_view(run, site, runbooks or {}, known.get(run.verdict.run.target, Standing()), prefix) for run in ordered]
    environment = Environment(
        loader=PackageLoader("synthprobe.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"duration": duration, "utc": _utc}
    page = environment.get_template("oncall.html.j2").render(
        runs=views, badges=BADGES, stale_s=int(stale_s), index=index
    )
    site.mkdir(parents=True, exist_ok=True)
    write_whole(site / "status.json", json.dumps({"targets": [_status(view) for view in views]}, indent=2))
    return write_whole(site / "index.html", page)


def duration(seconds: float) -> str:
    """A duration as people read it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def broken_step(one: JourneyVerdict) -> str:
    """The path of the step that broke or was not well enough."""
    last = one.results[-1] if one.results else None
    if last is None or one.outcome in {"passed", "skipped"}:
        return ""
    if last.failure is not None:
        return last.failure.step
    return ", ".join(dict.fromkeys(degradation.step for degradation in one.degradations))


def _view(
    run: PublishedRun, site: Path, runbooks: Mapping[str, str], standing: Standing, prefix: str
) -> dict[str, Any]:
    order = list(BADGES)
    order.remove("degraded")
    order.insert(1, "degraded")
    of = {status.objective.journey: status for status in standing.objectives}
    journeys = [_journey(run, one, site, runbooks, of.get(one.journey.id), prefix) for one in run.verdict.journeys]
    base = quote(run.folder)
    return {
        "run": run.verdict.run,
        "finished_at": run.verdict.finished_at,
        "label": run.label,
        "headline": headline(run.verdict),
        "worst": worst(run.verdict),
        "counts": {outcome: run.verdict.count(outcome) for outcome in BADGES},
        "groups": [(outcome, [view for view in journeys if view["outcome"] == outcome]) for outcome in order],
        "allure": f"{base}/allure/index.html" if run.pages else "",
        "warnings": [one for one in (run.note, run.verdict.blind) if one],
        "notes": run.verdict.notes,
        "beside": _beside(run.verdict.run.target, site),
        "watched": watched(standing),
        "coverage": standing.coverage,
    }


def _beside(target: str, site: Path) -> list[tuple[str, str]]:
    """What else is there to read of a target: title and address."""
    name = safe_name(target)
    pages = (
        ("What costs the users most", f"board/{name}/index.html"),
        ("How calm the work is", f"ops/{name}/index.html"),
        ("All runbooks", "runbooks/index.html"),
    )
    return [(title, quote(page)) for title, page in pages if (site / page).is_file()]


def _journey(
    run: PublishedRun,
    one: JourneyVerdict,
    site: Path,
    runbooks: Mapping[str, str],
    status: ObjectiveStatus | None,
    prefix: str,
) -> dict[str, Any]:
    last = one.results[-1] if one.results else None
    published: dict[str, str] = {}
    # When the last attempt left nothing, for example because it was killed, an earlier one that broke still tells.
    telling = one.results if one.outcome in {"failed", "unknown"} else one.results[-1:]
    for kept in (kept for result in reversed(telling) for kept in result.evidence):
        place = run.files.get(kept.path, "")
        if not place and kept.path and (site / run.folder / kept.path).is_file():
            place = f"{run.folder}/{kept.path}"
        if place:
            published.setdefault(kept.kind, place)
    trace = published.get("trace", "")
    page = run.pages.get(one.journey.id, "")
    fits = one.runbook or one.journey.runbook
    address = runbooks.get(fits, "")
    return {
        "id": one.journey.id,
        "anchor": card_anchor(run.verdict.run.target, one.journey.id)
        + (f"-{safe_name(run.label)}" if run.label else ""),
        "journey": one.journey,
        "outcome": one.outcome,
        "cause": one.cause,
        "intermittent": one.intermittent,
        "since": one.since,
        "attempts": len(one.results),
        "duration_s": last.duration_s if last else None,
        "step": broken_step(one),
        "message": _message(one, last),
        "notes": last.notes if last else (),
        "withheld": [kept for kept in (last.evidence if last else ()) if kept.withheld],
        "screenshot": prefix + quote(published["screenshot"]) if "screenshot" in published else "",
        "trace": prefix + viewer_link(trace) if trace else "",
        "allure": f"{quote(run.folder)}/allure/index.html#{page}" if page else "",
        "backend_trace": next((result.backend_trace for result in reversed(telling) if result.backend_trace), ""),
        "triage": one.triage,
        "incident": one.incident,
        "runbook_id": fits,
        "runbook_why": one.runbook_why,
        "runbook": _address(address, prefix),
        "bars": _bars(one, last) if last else [],
        "repeat": last.repeat if last else "",
        "objective": objective(status),
        "status": status,
    }


def _address(address: str, prefix: str) -> str:
    """An address as a page may lead to it: of this site, or of the web."""
    if address.startswith(("https://", "http://")):
        return address
    return prefix + address if address and ":" not in address else ""


def _message(one: JourneyVerdict, last: Result | None) -> str:
    if last is not None and last.failure is not None and one.outcome in {"failed", "unknown"}:
        return last.failure.message.strip()
    return "\n".join(found.told for found in one.degradations) if one.outcome == "degraded" else ""


def _bars(one: JourneyVerdict, result: Result) -> list[dict[str, Any]]:
    """Each step with the width of its bar in percent, the longest time or budget being 100."""
    walked = list(walk_steps(result.steps))
    longest = max((max(step.duration_s, step.budget_s or 0) for _, step in walked), default=0) or 1
    weak = {degradation.step for degradation in one.degradations}
    return [
        {
            "step": step,
            "depth": min(path.count(" › "), 4),
            "width": round(100 * step.duration_s / longest, 1),
            "budget": round(100 * step.budget_s / longest, 1) if step.budget_s else None,
            "over": bool(step.status == "passed" and step.budget_s and step.duration_s > step.budget_s),
            "weak": step.status == "passed" and path in weak,
        }
        for path, step in walked
    ]


def _status(view: Mapping[str, Any]) -> dict[str, Any]:
    """The same for machines."""
    run = view["run"]
    return {
        "target": run.target,
        "label": view["label"],
        "headline": view["headline"],
        "outcome": view["worst"],
        "run": run.id,
        "slot": run.slot,
        "build": run.build,
        "started_at": run.started_at.isoformat(),
        "finished_at": view["finished_at"].isoformat(),
        "counts": view["counts"],
        "report": view["allure"],
        "coverage": msgspec.to_builtins(view["coverage"]),
        "journeys": [
            {
                "id": one["id"],
                "title": one["journey"].title,
                "outcome": one["outcome"],
                "cause": one["cause"],
                "step": one["step"],
                "owner": one["journey"].owner,
                "severity": one["journey"].severity,
                "since": one["since"].isoformat() if one["since"] else None,
                "report": one["allure"],
                "trace": one["trace"],
                "availability": one["status"].availability if one["status"] else None,
                "coverage": one["status"].coverage if one["status"] else None,
                "worst_gap_s": one["status"].worst_gap_s if one["status"] else None,
            }
            for _, journeys in view["groups"]
            for one in journeys
        ],
    }


def _plural(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"


def _utc(moment: datetime) -> str:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
