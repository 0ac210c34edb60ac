"""Cards of the on-call page: one for each incident, with all that a person needs before the first click."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from synthprobe import words
from synthprobe.records.evidence import Evidence
from synthprobe.records.incident import SEVERITIES, Incident, Triage
from synthprobe.records.journey import readable
from synthprobe.records.latency import StepSeries
from synthprobe.records.result import Outcome, Result, walk_steps
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.addresses import card_anchor
from synthprobe.report.charts import Chart, Strip, latency_chart, strip
from synthprobe.report.target_status import objective
from synthprobe.report.trace_viewer import viewer_link

BAD: tuple[Outcome, ...] = ("failed", "degraded", "unknown")
"""The outcomes that make a card, in the order of the page."""

CHARTED = 96
"""Points of a card's chart: each quarter of an hour one, and the slowest beside it."""


_SHOWN = ("journey", "incident", "runbook", "outcome", "cause", "intermittent", "since")


class PublishedRun(Struct, frozen=True, kw_only=True):
    """A run as it stands in the site; ``files`` says where its evidence does, by the path in the records."""

    verdict: Verdict
    folder: str
    label: str = ""
    pages: dict[str, str] = {}
    note: str = ""
    production: bool = False
    files: dict[str, str] = {}


class PublishedRunbook(Struct, frozen=True, kw_only=True):
    """A runbook as the pages need it."""

    address: str
    title: str = ""
    fallback: str = ""
    fix: str = ""


class Card(Struct, frozen=True, kw_only=True):
    """What is wrong, since when, who has it and what to do."""

    anchor: str
    outcome: Outcome
    title: str
    sentence: str
    step: str = ""
    seen_from: str = ""
    since: datetime | None = None
    triage: Triage | None = None
    incident: Incident | None = None
    incident_id: str = ""
    muted: date | None = None
    runbook: PublishedRunbook | None = None
    runbook_id: str = ""
    runbook_why: str = ""
    general: PublishedRunbook | None = None
    general_id: str = ""
    journeys: tuple[dict[str, Any], ...] = ()
    blocked: tuple[str, ...] = ()
    day: Strip | None = None
    chart: Chart | None = None


def cards(
    run: PublishedRun,
    views: Mapping[str, dict[str, Any]],
    standing: TargetStatus,
    runbooks: Mapping[str, PublishedRunbook],
    addresses: Mapping[int, str],
) -> list[Card]:
    """One card for each cause, worst first; ``addresses`` are those of published runs, as charts look them up."""
    known = {incident.id: incident for incident in standing.incidents}
    made = [_card(group, views, known, standing, runbooks, run.verdict, addresses) for group in _by_cause(run.verdict)]
    return sorted(made, key=lambda card: (BAD.index(card.outcome), _severity(card)))


def _by_cause(verdict: Verdict) -> Iterator[list[JourneyVerdict]]:
    """Journeys that did not pass, by the incident they belong to; what could not be looked at, by its reason."""
    groups: dict[tuple[str, str], list[JourneyVerdict]] = {}
    for judged in verdict.journeys:
        if judged.outcome in BAD:
            alone = judged.cause if judged.outcome == "unknown" else judged.journey.id
            key = (judged.incident, "") if judged.incident else ("", alone)
            groups.setdefault(key, []).append(judged)
    yield from groups.values()


def _card(
    group: Sequence[JourneyVerdict],
    views: Mapping[str, dict[str, Any]],
    known: Mapping[str, Incident],
    standing: TargetStatus,
    runbooks: Mapping[str, PublishedRunbook],
    verdict: Verdict,
    addresses: Mapping[int, str],
) -> Card:
    incident = known.get(group[0].incident)
    first = incident.journeys[0] if incident and incident.journeys else ""
    ordered = sorted(
        group,
        key=lambda judged: (
            BAD.index(judged.outcome),
            judged.journey.id != first,
            bool(judged.triage and judged.triage.elsewhere),
            SEVERITIES.index(judged.journey.severity),
        ),
    )
    lead = ordered[0]
    general_id = "" if lead.runbook else lead.offered
    titles = {judged.journey.id: judged.journey.title for judged in verdict.journeys}
    return Card(
        anchor=card_anchor(lead.incident, verdict.run.target, lead.journey.id),
        outcome=lead.outcome,
        title=f"Location {incident.location}" if incident and incident.location else lead.journey.title,
        seen_from="" if lead.alone else words.seen_from(lead.votes),
        sentence=views[lead.journey.id]["sentence"],
        step=broken_step(lead),
        since=incident.first_seen_at
        if incident
        else min((judgement.since for judgement in group if judgement.since), default=None),
        triage=lead.triage,
        incident=incident,
        incident_id=lead.incident,
        muted=standing.muted.get(lead.incident),
        runbook=runbooks.get(lead.runbook),
        runbook_id=lead.runbook,
        runbook_why=lead.runbook_why,
        general=runbooks.get(general_id),
        general_id=general_id,
        journeys=tuple(views[judged.journey.id] for judged in ordered),
        blocked=tuple(titles.get(id, id) for id in (incident.blocked if incident else ())),
        day=strip(standing, {judged.journey.id for judged in group}),
        chart=_chart(standing.latency.get(lead.incident), lead, verdict.finished_at, addresses),
    )


def _chart(
    series: StepSeries | None, lead: JourneyVerdict, now: datetime, addresses: Mapping[int, str]
) -> Chart | None:
    if series is None:
        return None
    steps = walk_steps(lead.results[-1].steps) if lead.results else ()
    budget_s = next((step.budget_s for path, step in steps if path == series.title), None)
    budgeted = replace(series, budget_ms=1000 * budget_s if budget_s else None)
    return latency_chart(budgeted, now, addresses, most=CHARTED)


def _severity(card: Card) -> int:
    return min(SEVERITIES.index(view["journey"].severity) for view in card.journeys)


def journey_views(run: PublishedRun, standing: TargetStatus) -> dict[str, dict[str, Any]]:
    of = {status.objective.journey: status for status in standing.objectives}
    return {judged.journey.id: _view(run, judged, of.get(judged.journey.id)) for judged in run.verdict.journeys}


def _view(run: PublishedRun, judged: JourneyVerdict, status: Any) -> dict[str, Any]:
    last = judged.results[-1] if judged.results else None
    telling, evidence = told_of(judged), newest_evidence(judged)
    there = {kind: run.files.get(kept.path, "") for kind, kept in evidence.items()}
    trace, page = there.get("trace", ""), run.pages.get(judged.journey.id, "")
    return {
        **{name: getattr(judged, name) for name in _SHOWN},
        "id": judged.journey.id,
        "name": readable(judged.journey.id),
        "owner": judged.responsible or judged.journey.owner,
        "class": judged.triage.cause_class if judged.triage else "",
        "general": judged.offered,
        "sentence": _sentence(judged),
        "attempts": len(judged.results),
        "duration_s": last.duration_s if last else None,
        "step": broken_step(judged),
        "message": _message(judged, last),
        "notes": last.notes if last else (),
        "withheld": [kept for kept in (last.evidence if last else ()) if kept.withheld],
        "screenshot": quote(there.get("screenshot", "")),
        "good": quote(there.get("last-good", "")),
        "good_title": evidence["last-good"].title if "last-good" in evidence else "",
        "trace": viewer_link(trace) if trace else "",
        "allure": f"{quote(run.folder)}/allure/index.html#{page}" if page else "",
        "backend_trace": next((result.backend_trace for result in telling if result.backend_trace), ""),
        "bars": _bars(judged, last) if last else [],
        "waterfall": _waterfall(telling),
        "console": next((result.console for result in telling if result.console), ()),
        "repeat": last.repeat if last else "",
        "objective": objective(status),
        "status": status,
    }


def told_of(judged: JourneyVerdict) -> Sequence[Result]:
    """The attempts that a page tells of, the newest first: one may have left nothing, for example as it was killed."""
    return judged.results[::-1] if judged.outcome in {"failed", "unknown"} else judged.results[-1:]


def newest_evidence(judged: JourneyVerdict) -> dict[str, Evidence]:
    """The evidence of each kind that a page leads to; of several pictures the last shows the page that broke."""
    found: dict[str, Evidence] = {}
    for result in told_of(judged):
        pictures = [kept for kept in result.evidence if kept.path and kept.kind == "screenshot"]
        for kept in (*reversed(pictures), *(kept for kept in result.evidence if kept.path)):
            found.setdefault(kept.kind, kept)
    return found


def broken_step(judged: JourneyVerdict) -> str:
    """The path of the step that broke or was not well enough."""
    last = judged.results[-1] if judged.results else None
    if last is None or judged.outcome in {"passed", "skipped"}:
        return ""
    if last.failure is not None:
        return last.failure.step
    return ", ".join(dict.fromkeys(degradation.step for degradation in judged.degradations))


def _sentence(judged: JourneyVerdict) -> str:
    if judged.outcome == "degraded" and judged.degradations:
        return " ".join(found.sentence for found in judged.degradations)
    return judged.cause or "Nothing more is known."


def _message(judged: JourneyVerdict, last: Result | None) -> str:
    if last is not None and last.failure is not None and judged.outcome in {"failed", "unknown"}:
        return words.whole_message(last.failure)
    return ""


def _waterfall(telling: Sequence[Result]) -> list[dict[str, Any]]:
    """The requests around the failure, each with place and width of its bar in percent of all of them."""
    rows = next((result.waterfall for result in telling if result.waterfall), ())
    if not rows:
        return []
    begin = min(row.after_s for row in rows)
    whole = max(max(row.after_s + row.duration_s for row in rows) - begin, 0.001)
    return [
        {
            "row": row,
            "odd": bool(row.error or row.status >= 400),
            "left": round(100 * (row.after_s - begin) / whole, 1),
            "width": round(100 * row.duration_s / whole, 1),
        }
        for row in rows
    ]


def _bars(judged: JourneyVerdict, result: Result) -> list[dict[str, Any]]:
    """Each step with the width of its bar in percent, the longest time or budget being 100."""
    walked = list(walk_steps(result.steps))
    longest = max((max(step.duration_s, step.budget_s or 0) for _, step in walked), default=0) or 1
    weak = {degradation.step for degradation in judged.degradations}
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
