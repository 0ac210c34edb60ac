"""Pages of what was: each incident with its record, and the lists of incidents and of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from synthprobe.files import write_whole
from synthprobe.records.incident import Incident
from synthprobe.records.standing import Standing
from synthprobe.report.addresses import card_anchor
from synthprobe.report.cards import PublishedRun, PublishedRunbook
from synthprobe.report.charts import Chart, latency_chart, strip
from synthprobe.report.oncall import BADGES, worst
from synthprobe.report.page import pages

Sighting = tuple[str, str, datetime]
"""Where a published run stands that shows an incident: its folder, its id, and when it began."""


def render_incidents(
    standings: Mapping[str, Standing],
    runs: Iterable[PublishedRun],
    site: Path,
    runbooks: Mapping[str, PublishedRunbook],
    addresses: Mapping[int, str],
) -> None:
    """Write a page for each incident, remove the pages of those that are forgotten, and list them all."""
    folder = site / "incidents"
    folder.mkdir(parents=True, exist_ok=True)
    seen: dict[str, list[Sighting]] = {}
    for run in sorted(runs, key=lambda run: run.verdict.run.started_at):
        for id in incidents_of(run):
            seen.setdefault(id, []).append((run.folder, run.verdict.run.id, run.verdict.run.started_at))
    listed = [(one, standing) for standing in standings.values() for one in standing.incidents]
    for incident, standing in listed:
        sightings = seen.get(incident.id, [])
        html = incident_page(incident, standing, sightings[:1] + sightings[1:][-1:], runbooks, addresses)
        write_whole(folder / f"{incident.id}.html", html)
    known = {f"{incident.id}.html" for incident, _ in listed}
    for page in folder.glob("*.html"):
        if page.name not in known:
            page.unlink(missing_ok=True)
    write_whole(folder / "index.html", incident_list([one for one, _ in listed]))


def incidents_of(run: PublishedRun) -> set[str]:
    """Ids of the incidents that a run shows."""
    return {judged.incident for judged in run.verdict.journeys if judged.incident}


def incident_page(
    incident: Incident,
    standing: Standing,
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
    """The list of incidents, open ones first."""
    ordered = sorted(incidents, key=lambda one: (one.state == "resolved", -one.opened_at.timestamp()))
    return pages().get_template("incidents.html.j2").render(root="../", badges=BADGES, incidents=ordered)


def _chart(incident: Incident, standing: Standing, addresses: Mapping[int, str]) -> Chart | None:
    series = standing.latency.get(incident.id)
    return latency_chart(series, max(at for at, _ in series.points), addresses) if series and series.points else None


def render_runs(runs: Iterable[PublishedRun], site: Path) -> None:
    """List the published runs, newest first."""
    ordered = sorted(runs, key=lambda run: run.verdict.run.started_at, reverse=True)
    shown = [
        (run, worst(run.verdict), {outcome: number for outcome in BADGES if (number := run.verdict.count(outcome))})
        for run in ordered
    ]
    (site / "runs").mkdir(parents=True, exist_ok=True)
    html = pages().get_template("runs.html.j2").render(root="../", badges=BADGES, runs=shown)
    write_whole(site / "runs" / "index.html", html)
