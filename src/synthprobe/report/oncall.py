"""The first page on-call sees: what is broken, since when, and one click to the proof."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from synthprobe.records.result import Outcome
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import Verdict
from synthprobe.report.addresses import safe_name
from synthprobe.report.cards import PublishedRun, PublishedRunbook, cards, journey_views
from synthprobe.report.charts import matrix
from synthprobe.report.page import pages
from synthprobe.report.target_status import watched
from synthprobe.words import counted

BADGES: dict[Outcome, tuple[str, str]] = {
    "failed": ("✗", "failed"),
    "unknown": ("?", "unknown"),
    "degraded": ("!", "degraded"),
    "skipped": ("–", "skipped"),
    "passed": ("✓", "passed"),
}
"""Sign and word of each outcome, worst first: never told by colour alone."""

_GROUPS = {
    "failed": "Failing: the target is broken for these users",
    "degraded": "Degraded: it works, but not well enough",
    "unknown": "Unknown: the monitor could not look, so nothing is known of the target",
}

RUNS, INCIDENTS = "runs/index.html", "incidents/index.html"
"""The lists of both."""

_TOLD = ("outcome", "cause", "step", "owner", "incident", "class", "runbook", "general")
STALE_S = 3600.0
"""Age after which the page itself asks whether the monitor still runs."""


def headline(verdict: Verdict) -> str:
    total, where = len(verdict.journeys), f"on {verdict.run.target}"
    if verdict.not_due and total:
        where += f"; {verdict.not_due} not due"
    count: dict[Outcome, int] = {outcome: verdict.count(outcome) for outcome in BADGES}
    if verdict.is_idle:
        return f"No journey was due {where}"
    if total == 0:
        return f"Monitor blind: no journey was run {where}"
    of = f"{{}} of {counted(total, 'journey')}"

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
    return "passed" if verdict.count("passed") else "skipped" if verdict.is_idle else "unknown"


def oncall_pages(
    runs: Sequence[PublishedRun],
    *,
    runbooks: Mapping[str, PublishedRunbook],
    standings: Mapping[str, TargetStatus],
    addresses: Mapping[int, str],
    there: Collection[str],
    stale_s: float,
    prefix: str,
    index: str,
) -> tuple[str, str]:
    """The on-call page, and the same for machines.

    ``addresses`` are those of published runs, as charts look them up; ``there`` are pages that stand in the site;
    ``prefix`` leads from the page to the site, when it is not its first; ``index`` is what publishing keeps in it.
    """
    ordered = sorted(
        runs,
        key=lambda run: (not run.production, list(BADGES).index(worst(run.verdict)), run.verdict.run.target, run.label),
    )
    views = [
        _view(run, runbooks, standings.get(run.verdict.run.target, TargetStatus()), addresses, there) for run in ordered
    ]
    _part_anchors(views)
    leading = min(views, key=lambda view: list(BADGES).index(view["worst"]), default=None)
    page = pages().get_template("oncall.html.j2")
    html = page.render(
        views=views,
        leading=leading,
        badges=BADGES,
        groups=_GROUPS,
        root=prefix,
        stale_s=int(stale_s),
        newest=not prefix,
        index=index,
    )
    return html, json.dumps({"targets": [_status(view) for view in views]}, indent=2)


def _part_anchors(views: Sequence[dict[str, Any]]) -> None:
    """Two runs of one page may show the same incident; its anchor leads to the card of the first."""
    taken: set[str] = set()
    for view in views:
        view["cards"] = [
            replace(card, anchor=f"{card.anchor}-{view['anchor']}") if card.anchor in taken else card
            for card in view["cards"]
        ]
        taken |= {card.anchor for card in view["cards"]}


def _view(
    run: PublishedRun,
    runbooks: Mapping[str, PublishedRunbook],
    standing: TargetStatus,
    addresses: Mapping[int, str],
    there: Collection[str],
) -> dict[str, Any]:
    verdict = run.verdict
    journeys = journey_views(run, standing)
    made = cards(run, journeys, standing, runbooks, addresses)
    shown = {card.incident_id for card in made}
    base = quote(run.folder)
    return {
        "run": verdict.run,
        "page": f"{base}/index.html" if f"{run.folder}/index.html" in there else "",
        "anchor": f"target-{safe_name(verdict.run.target)}" + (f"-{safe_name(run.label)}" if run.label else ""),
        "finished_at": verdict.finished_at,
        "label": run.label,
        "production": run.production,
        "headline": headline(verdict),
        "worst": worst(verdict),
        "since": min((card.since for card in made if card.since), default=None),
        "counts": {outcome: verdict.count(outcome) for outcome in BADGES},
        "cards": made,
        "open_elsewhere": [
            incident for incident in standing.incidents if incident.state != "resolved" and incident.id not in shown
        ],
        "over": [
            incident
            for incident in standing.incidents
            if incident.resolved_at and verdict.finished_at - incident.resolved_at < timedelta(days=1)
        ],
        "passed": [view for view in journeys.values() if view["outcome"] == "passed"],
        "skipped": _by_reason(view for view in journeys.values() if view["outcome"] == "skipped"),
        "journeys": journeys,
        "records": INCIDENTS in there,
        "allure": f"{base}/allure/index.html" if run.pages else "",
        "warnings": [sentence for sentence in (run.note, verdict.blind) if sentence],
        "notes": verdict.notes,
        "beside": _beside(verdict.run.target, there),
        "watched": watched(standing),
        "matrix": matrix(standing, verdict),
        "coverage": standing.coverage,
    }


def _by_reason(views: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for view in views:
        found.setdefault(view["cause"], []).append(view)
    return found


def _beside(target: str, there: Collection[str]) -> list[tuple[str, str]]:
    """What else is there to read of a target: title and address."""
    name = safe_name(target)
    beside = (
        ("What costs the users most", f"board/{name}/index.html"),
        ("On-call health", f"ops/{name}/index.html"),
        ("What outsiders see", "status.html"),
        ("All runs", RUNS),
        ("All incidents", INCIDENTS),
        ("All runbooks", "runbooks/index.html"),
    )
    return [(title, quote(page)) for title, page in beside if page in there]


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
        "cards": [
            {
                "page": f"index.html#{card.anchor}",
                "outcome": card.outcome,
                "incident": card.incident_id,
                "sentence": card.sentence,
                "seen_from": card.seen_from,
                "since": card.since.isoformat() if card.since else None,
                "runbook": card.runbook_id,
                "journeys": [journey["id"] for journey in card.journeys],
            }
            for card in view["cards"]
        ],
        "journeys": [
            {
                "id": journey["id"],
                "title": journey["journey"].title,
                **{name: journey[name] for name in _TOLD},
                "severity": journey["journey"].severity,
                "since": journey["since"].isoformat() if journey["since"] else None,
                "report": journey["allure"],
                "trace": journey["trace"],
                **{
                    name: getattr(journey["status"], name, None) for name in ("availability", "coverage", "worst_gap_s")
                },
            }
            for journey in view["journeys"].values()
        ],
    }
