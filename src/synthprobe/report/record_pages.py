"""Pages of what was: each incident with its record, and the lists of incidents and of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from synthprobe.records.incident import Incident
from synthprobe.records.target_status import TargetStatus
from synthprobe.report.addresses import card_anchor
from synthprobe.report.cards import PublishedRun, PublishedRunbook
from synthprobe.report.charts import Chart, latency_chart, strip
from synthprobe.report.oncall import BADGES
from synthprobe.report.page import pages

if TYPE_CHECKING:
    from synthprobe.report.retention import Entry

Sighting = tuple[str, str, datetime]
"""Where a published run stands that shows an incident: its folder, its id, and when it began."""


def incidents_of(run: PublishedRun) -> set[str]:
    return {judged.incident for judged in run.verdict.journeys if judged.incident}


def incident_page(
    incident: Incident,
    standing: TargetStatus,
    seen: Sequence[Sighting],
    runbooks: Mapping[str, PublishedRunbook],
    addresses: Mapping[int, str],
) -> str:
    """The page of an incident, with its first and its newest published sighting."""
    template = pages().get_template("incident.html.j2")
    return template.render(
        root="../",
        badges=BADGES,
        incident=incident,
        muted=standing.muted.get(incident.id),
        runbook=runbooks.get(incident.runbook),
        seen=seen,
        day=strip(standing, incident.journeys),
        series=standing.latency.get(incident.id),
        chart=_chart(incident, standing, addresses),
        anchor=card_anchor(incident.id),
    )


def incident_list(incidents: Iterable[Incident]) -> str:
    ordered = sorted(incidents, key=lambda incident: (incident.state == "resolved", -incident.opened_at.timestamp()))
    return pages().get_template("incidents.html.j2").render(root="../", badges=BADGES, incidents=ordered)


def _chart(incident: Incident, standing: TargetStatus, addresses: Mapping[int, str]) -> Chart | None:
    series = standing.latency.get(incident.id)
    return latency_chart(series, max(at for at, _ in series.points), addresses) if series and series.points else None


def run_list(runs: Iterable[Entry]) -> str:
    ordered = sorted(runs, key=lambda run: run.at, reverse=True)
    return pages().get_template("runs.html.j2").render(root="../", badges=BADGES, runs=ordered)
