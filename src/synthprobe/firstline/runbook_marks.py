"""What people said of a runbook after use, read back from the incidents it was used for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from synthprobe.records.incident import Incident


class Mark(Struct, frozen=True, kw_only=True):
    """One word about a page."""

    runbook: str
    at: datetime
    said: str


def marks(incidents: Iterable[Incident]) -> tuple[Mark, ...]:
    """Every mark that was set; of an incident recorded by an older version, the last one."""
    found = [mark for incident in incidents for mark in _marks_of(incident)]
    return tuple(sorted(found, key=lambda mark: mark.at))


def _marks_of(incident: Incident) -> list[Mark]:
    marked = [Mark(runbook=event.runbook, at=event.at, said=event.worth) for event in incident.events if event.worth]
    if marked or not incident.runbook_outcome or not incident.runbook:
        return marked
    at = max((event.at for event in incident.events), default=incident.opened_at)
    return [Mark(runbook=incident.runbook, at=at, said=incident.runbook_outcome)]
