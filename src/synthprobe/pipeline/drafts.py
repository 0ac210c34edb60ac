"""A runbook is begun for what fits none, from what was recorded, so that whoever solves it has only to complete it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synthprobe.files import write_whole
from synthprobe.firstline.naming import is_ours
from synthprobe.firstline.runbook_pages import draft, draft_id
from synthprobe.records.incident import Incident
from synthprobe.records.verdict import Verdict

FOLDER = "drafts"
"""Of a run: a runbook for each incident that no page knows."""


def write_drafts(folder: Path, verdict: Verdict, incidents: Sequence[Incident]) -> None:
    """Begin a runbook for each failing incident of a run that no page knows; a fault of the probe gets none."""
    shown = {one.incident: one.telling for one in verdict.journeys if one.incident}
    for incident in incidents:
        if incident.id in shown and incident.kind == "failing" and not incident.runbook and not is_ours(incident):
            place = folder / FOLDER / f"{draft_id(incident)}.md"
            place.parent.mkdir(exist_ok=True)
            write_whole(place, draft(incident, shown[incident.id]))
