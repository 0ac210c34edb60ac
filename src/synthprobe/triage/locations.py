"""Incidents of a location: it alone finds journeys not well, or nothing can be looked at from there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from synthprobe import words
from synthprobe.records.incident import SEVERITIES, Incident, IncidentKind, Triage, event, incident_id, resolved
from synthprobe.records.verdict import JourneyVerdict, Verdict

_CLOSES_AFTER = {"degraded": 3, "monitor blind": 1}
"""Slots in a row in which a location is as the others, that end its incident."""

_RULE = "one location alone"


def location_incidents(
    verdict: Verdict, known: Sequence[Incident], now: datetime, *, interval_s: float, owner: str
) -> list[Incident]:
    """The incidents of locations after a slot that several looked at: opened, continued or ended."""
    if not verdict.run.concludes:
        return list(known)
    found: dict[tuple[str, IncidentKind], list[JourneyVerdict]] = {}
    for judged in verdict.journeys:
        for location in judged.alone:
            found.setdefault((location, "degraded"), []).append(judged)
    for location in verdict.blind_locations:
        found[location, "monitor blind"] = []
    asked = {vote.location for judged in verdict.journeys for vote in judged.votes}
    incidents = []
    for incident in known:
        journeys = found.pop((incident.location, incident.kind), None)
        if journeys is not None:
            incidents.append(_continued(incident, journeys, verdict))
        else:
            incidents.append(_ended(incident, verdict, now, interval_s, asked))
    return incidents + [
        _opened(location, kind, journeys, verdict, now, owner) for (location, kind), journeys in sorted(found.items())
    ]


def _opened(
    location: str, kind: IncidentKind, journeys: Sequence[JourneyVerdict], verdict: Verdict, now: datetime, owner: str
) -> Incident:
    first = journeys[0] if journeys else None
    if first is not None:
        more = f" and {len(journeys) - 1} more:" if len(journeys) > 1 else ""
        cause = f"{first.journey.id}{more} {words.seen_from(first.votes)}"
        why = f"{cause}: too few for the target to be at fault."
    else:
        cause = "nothing can be looked at from there"
        why = f"From {location} nothing could be looked at in 2 slots in a row; other locations could look."
    at = verdict.run.started_at
    return Incident(
        id=incident_id(at, verdict.run.target, location, kind, verdict.run.id),
        target=verdict.run.target,
        kind=kind,
        state="open",
        fingerprint="",
        signature="",
        title=f"Location {location}: {cause}",
        cause=cause,
        opened_at=now,
        first_seen_at=at,
        last_seen_at=at,
        journeys=tuple(judged.journey.id for judged in journeys),
        severity=min((judged.journey.severity for judged in journeys), key=SEVERITIES.index, default="normal"),
        owner=owner,
        triage=Triage(cause_class="infra", rule=_RULE, why=why, sure="high" if first is None else "medium"),
        events=(event(now, f"Opened as {kind} of location {location}. {why}"),),
        location=location,
        seen_from=words.seen_from(first.votes) if first is not None else "",
    )


def _continued(incident: Incident, journeys: Sequence[JourneyVerdict], verdict: Verdict) -> Incident:
    at = verdict.run.started_at
    return replace(
        incident,
        journeys=tuple(dict.fromkeys((*incident.journeys, *(judged.journey.id for judged in journeys)))),
        seen_from=words.seen_from(journeys[0].votes) if journeys else incident.seen_from,
        last_seen_at=max(incident.last_seen_at, at),
        occurrences=incident.occurrences + (at > incident.last_seen_at),
    )


def _ended(incident: Incident, verdict: Verdict, now: datetime, interval_s: float, asked: set[str]) -> Incident:
    """Close it after enough slots in a row in which the location looked and was as the others."""
    if incident.state == "resolved":
        return incident
    gone = incident.location not in asked
    votes = [vote for judged in verdict.journeys for vote in judged.votes if vote.location == incident.location]
    if not gone and not any(vote.looked for vote in votes):
        return incident  # it says nothing of now
    needed = _CLOSES_AFTER[incident.kind]
    slots = round((verdict.run.started_at - incident.last_seen_at).total_seconds() / interval_s)
    if slots < needed and not gone:
        return incident
    text = (
        f"Resolved: {incident.location} is no longer asked."
        if gone
        else (f"Resolved: {incident.location} was as the other locations in {needed} slots in a row.")
    )
    return resolved(incident, now, text)
