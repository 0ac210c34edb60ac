"""The life of an incident: when one opens, joins journeys, flaps and ends. Pure rules over observations.

To open and to close are different rules, so that one lucky run neither opens nor closes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.records.incident import (
    SEVERITIES,
    Incident,
    IncidentKind,
    Observation,
    event,
    incident_id,
    resolved,
)
from synthprobe.records.journey import Journey
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.causes import is_vague
from synthprobe.triage.grouping import by_cause, known_alike
from synthprobe.triage.shared_evidence import KEPT_OUT
from synthprobe.verdict.isolation import Isolation

WINDOW = 12
"""Observations that the rule for intermittent failures looks at: an hour at five minutes."""

INTERMITTENT = 2
"""Failing observations in the window, the newest among them, that open an intermittent incident."""

BLIND = 2
"""Runs in a row in which a journey could not be looked at, that say the monitor is blind."""

CLOSES_AFTER: dict[IncidentKind, int] = {"failing": 2, "degraded": 3, "intermittent": WINDOW, "monitor blind": 1}
"""Clean observations in a row, of every journey concerned, that end an incident."""

FLAPS = 4
"""Changes between clean and not clean in the window from which an incident flaps."""

FLAPPING_CLOSES_AFTER = 6
"""Clean observations in a row that end an incident that flaps."""

EVIDENCE_KEPT = 20
"""Lines of evidence that an incident is known by."""

SPEAKS_FOR = timedelta(days=1)
"""How long what a location saw last speaks against the end of an incident."""

_FAMILY: dict[IncidentKind, str] = {"failing": "failure", "intermittent": "failure"}
_ORDER: dict[IncidentKind, int] = {"failing": 0, "intermittent": 1, "degraded": 2, "monitor blind": 3}

History = Mapping[str, Sequence[Observation]]


class Followed(Struct, frozen=True, kw_only=True):
    """What a run makes of the incidents."""

    incidents: tuple[Incident, ...]
    of: dict[str, str]


def follow(
    open_incidents: Sequence[Incident],
    observations: Sequence[Observation],
    history_by_journey: History,
    now: datetime,
    judged: Mapping[str, JourneyVerdict] | None = None,
    isolation: Isolation | None = None,
) -> Followed:
    """What one run makes of the incidents, and which of them each journey belongs to.

    Each location has an order of its own: only what history already holds, or holds a newer slot of the same location
    of, changes nothing.
    """
    isolation = isolation or Isolation()
    fresh = [one for one in observations if is_new(one, history_by_journey.get(one.journey, ()))]
    incidents = list(open_incidents)
    known = {one.journey: (*history_by_journey.get(one.journey, ()), one) for one in fresh}
    judged = judged or {}
    of: dict[str, str] = {}

    def in_order(one: Observation) -> tuple[bool, int, bool, bool, str]:
        says_little = is_vague(judged[one.journey].triage) if one.journey in judged else False
        return one.outcome != "failed", one.slot, says_little, not one.evidence, one.journey

    for group in by_cause(sorted(fresh, key=in_order), judged):
        for one in group:
            here = [seen for seen in known[one.journey] if seen.location == one.location]
            kind = _kind(one, here)

            nowhere: tuple[int, Incident] | None = None
            joined_to = partial(_joined_to, incidents, one, kind, judged, of, group, now)
            anew = "An incident of its own is opened for it when it did not pass."
            if (joins := isolation.judge(one.journey, joined_to, otherwise=nowhere, consequence=anew)) is not None:
                incidents[joins[0]] = joins[1]
                of[one.journey] = joins[1].id
            elif kind is not None:
                opened = _opened(one, kind, here, now)
                if (verdict := judged.get(one.journey)) is not None:
                    opened = replace(opened, triage=verdict.triage, runbook=verdict.runbook)
                incidents.append(opened)
                of[one.journey] = opened.id
    if fresh:
        incidents = [
            isolation.judge(
                f"Incident {incident.id}",
                partial(_ended, incident, known, history_by_journey, now),
                otherwise=incident,
                consequence="It stays as it is.",
            )
            for incident in incidents
        ]
    for one in observations:
        if one.journey not in of and one.fingerprint and (place := _place(incidents, one, None, judged)) is not None:
            of[one.journey] = incidents[place].id
    return Followed(incidents=tuple(incidents), of=of)


def describe(incident: Incident, journeys: Mapping[str, Journey]) -> Incident:
    """Add whom an incident concerns."""
    its = [journeys[id] for id in (*incident.journeys, *incident.blocked) if id in journeys]
    if not its:
        return incident
    worst = min(its, key=lambda journey: SEVERITIES.index(journey.severity))
    return replace(incident, severity=worst.severity, owner=worst.owner)


def is_new(one: Observation, before: Sequence[Observation]) -> bool:
    """Whether an observation counts: its location has none of a newer slot and time, and its run was not judged yet."""
    return not any(
        old.run_id == one.run_id or (old.location == one.location and old.slot > one.slot and old.at > one.at)
        for old in before
    )


def _failing(one: Observation) -> bool:
    return one.outcome == "failed" or one.intermittent


def _clean(one: Observation, kind: IncidentKind) -> bool | None:
    """Whether it speaks for the end of such an incident; nothing when it says nothing."""
    if kind == "monitor blind":
        return one.outcome not in {"unknown", "skipped"}
    if one.outcome in {"unknown", "skipped"}:
        return None
    if kind == "degraded":
        return one.outcome == "passed" and not one.intermittent
    return not _failing(one)


def _kind(one: Observation, known: Sequence[Observation]) -> IncidentKind | None:
    """What this observation may open; of what a few locations see alone, they have incidents of their own."""
    if one.alone:
        return None
    if one.outcome == "failed":
        return "failing"
    if one.intermittent and sum(map(_failing, known[-WINDOW:])) >= INTERMITTENT:
        return "intermittent"
    if one.outcome == "degraded":
        return "degraded"
    if one.outcome == "unknown" and len(known) >= BLIND and all(o.outcome == "unknown" for o in known[-BLIND:]):
        return "monitor blind"
    return None


def _joined_to(
    incidents: Sequence[Incident],
    one: Observation,
    kind: IncidentKind | None,
    judged: Mapping[str, JourneyVerdict],
    of: Mapping[str, str],
    group: Sequence[Observation],
    now: datetime,
) -> tuple[int, Incident] | None:
    """The incident an observation belongs to: where it is, and as it is now."""
    beside = {of[other.journey] for other in group if other.journey in of}
    place = _place(incidents, one, kind, judged, beside)
    return None if place is None else (place, _continued(incidents[place], one, kind, now))


def _place(
    incidents: Sequence[Incident],
    one: Observation,
    kind: IncidentKind | None,
    judged: Mapping[str, JourneyVerdict],
    beside: Collection[str] = (),
) -> int | None:
    """Which incident an observation belongs to: the same failure, the same cause, or the log-in that blocks it."""
    seen: IncidentKind | None = kind or ("intermittent" if one.intermittent else None)
    if seen is None:
        seen = "monitor blind" if one.outcome == "unknown" else None
    if seen is None:
        return None
    candidates = [
        (place, incident)
        for place, incident in enumerate(incidents)
        if incident.state != "resolved"
        and incident.target == one.target
        and (_FAMILY.get(incident.kind, incident.kind) == _FAMILY.get(seen, seen) or incident.id in beside)
    ]
    verdict = judged.get(one.journey)
    tests: tuple[Callable[[Incident], bool], ...] = (
        lambda i: not i.fingerprints.isdisjoint({one.fingerprint, one.former_fingerprint}),
        lambda i: kind is not None and i.id in beside,
        lambda i: kind is not None and not set(one.evidence).isdisjoint(i.evidence),
        lambda i: one.journey in i.journeys and one.step == i.step and not _another_cause(one, i),
        lambda i: kind is not None and bool(one.signature) and one.signature == i.signature,
        lambda i: kind is not None and verdict is not None and known_alike(verdict, i),
        lambda i: seen == "monitor blind" and (kind is not None or one.journey in i.journeys),
    )
    return next((place for test in tests for place, incident in candidates if test(incident)), None)


def _another_cause(one: Observation, incident: Incident) -> bool:
    """Whether a journey that showed an incident with others shows something else now."""
    apart = bool(one.evidence and incident.evidence) and set(one.evidence).isdisjoint(incident.evidence)
    return apart and len(incident.journeys) > 1


def _continued(incident: Incident, one: Observation, kind: IncidentKind | None, now: datetime) -> Incident:
    events = list(incident.events)
    journeys, blocked = incident.journeys, incident.blocked
    if one.journey not in (*journeys, *blocked):
        common = [known for known in one.evidence if known in incident.evidence]
        if KEPT_OUT in common:
            blocked = (*blocked, one.journey)
            events.append(event(now, f"{one.journey} cannot get past its log-in, so it is blocked by this."))
        else:
            journeys = (*journeys, one.journey)
            by = f": {common[0]}" if common else ""
            events.append(event(now, f"{one.journey} shows the same cause{by}."))
    if one.seen_from and one.seen_from != incident.seen_from and one.journey == journeys[0]:
        events.append(event(now, f"{one.journey} {one.seen_from}."))
        incident = replace(incident, seen_from=one.seen_from)
    became, newest = incident.kind, incident.newest_fingerprint
    if kind is not None and _ORDER[kind] < _ORDER[incident.kind]:
        became = kind
        events.append(event(now, f"It was {incident.kind}; a second attempt agreed, so now it is {kind}."))
    elif (
        one.fingerprint
        and one.journey == incident.journeys[0]
        and one.fingerprint != newest
        and incident.fingerprints.isdisjoint({one.fingerprint, one.former_fingerprint})
    ):
        newest = one.fingerprint
        events.append(event(now, f"{one.journey} shows it with other words now: {_line(one.cause)}"))
    return replace(
        incident,
        kind=became,
        newest_fingerprint=newest,
        journeys=journeys,
        blocked=blocked,
        evidence=tuple(dict.fromkeys((*incident.evidence, *one.evidence)))[:EVIDENCE_KEPT],
        last_seen_at=max(incident.last_seen_at, one.at),
        # several journeys of one run are one occurrence
        occurrences=incident.occurrences + (one.at > incident.last_seen_at),
        events=tuple(events),
    )


def _opened(one: Observation, kind: IncidentKind, known: Sequence[Observation], now: datetime) -> Incident:
    if kind == "intermittent":
        seen = [old for old in known[-WINDOW:] if _failing(old)]
        why = f"{one.journey} failed in {len(seen)} of its last {min(WINDOW, len(known))} runs, the newest among them."
    elif kind == "monitor blind":
        seen = list(known[-BLIND:])
        why = f"{one.journey} could not be looked at in {BLIND} runs in a row: {_line(one.cause)}"
    elif kind == "degraded":
        seen, why = [one], f"{one.journey} did its job, but not well enough: {_line(one.cause)}"
    else:
        seen, why = [one], f"{one.journey} failed, and a second attempt agreed: {_line(one.cause)}"
    where = f'{one.journey}, "{one.step}"' if one.step else one.journey
    why += f" It {one.seen_from}." if one.seen_from else ""
    return Incident(
        id=incident_id(one.at, one.target, one.fingerprint or one.journey, kind, one.run_id),
        target=one.target,
        kind=kind,
        state="open",
        fingerprint=one.fingerprint,
        former_fingerprint=one.former_fingerprint,
        signature=one.signature,
        title=f"{where}: {_line(one.cause)}",
        cause=_line(one.cause),
        opened_at=now,
        first_seen_at=seen[0].at,
        last_seen_at=one.at,
        journeys=(one.journey,),
        step=one.step,
        evidence=one.evidence[:EVIDENCE_KEPT],
        occurrences=len(seen),
        events=(event(now, f"Opened as {kind}. {why}"),),
        seen_from=one.seen_from,
    )


def _ended(incident: Incident, known: Mapping[str, Sequence[Observation]], history: History, now: datetime) -> Incident:
    """Close it when every journey concerned has been clean long enough; mark it when it flaps."""
    if incident.state == "resolved" or not incident.occurrences:  # what the monitor never saw, it cannot see end
        return incident
    runs = {
        journey: known.get(journey) or history.get(journey, ()) for journey in (*incident.journeys, *incident.blocked)
    }
    if not any(journey in known for journey in runs):
        return incident  # this run says nothing of it
    looked = {
        journey: [
            [clean for one in here if (clean := _clean(one, incident.kind)) is not None]
            for here in _by_location(some, now)
        ]
        for journey, some in runs.items()
    }
    everywhere = [here for places in looked.values() for here in places]
    if not incident.flapping and incident.kind in {"failing", "degraded"} and any(map(_flaps, everywhere)):
        text = f"It comes and goes; it stays open until {FLAPPING_CLOSES_AFTER} clean runs in a row."
        incident = replace(incident, flapping=True, events=(*incident.events, event(now, text)))
    needed = CLOSES_AFTER[incident.kind]
    if incident.flapping:
        needed = max(needed, FLAPPING_CLOSES_AFTER)
    if not all(_is_over(places, needed) for places in looked.values()):
        return incident
    what = "run" if needed == 1 else "runs in a row"
    text = f"Resolved: {', '.join(runs)} had {needed} clean {what}."
    return resolved(incident, now, text)


def _by_location(seen: Sequence[Observation], now: datetime) -> list[list[Observation]]:
    """What each location saw; one that did not look for a day says nothing of now, unless it is the only one."""
    places: dict[str, list[Observation]] = {}
    for one in seen:
        places.setdefault(one.location, []).append(one)
    return [here for here in places.values() if len(places) == 1 or now - here[-1].at < SPEAKS_FOR]


def _is_over(places: Sequence[Sequence[bool]], needed: int) -> bool:
    """Whether some location saw enough clean runs in a row, and none saw anything else since."""
    long_enough = any(len(clean) >= needed for clean in places)
    return long_enough and all(all(clean[-needed:]) for clean in places)


def _flaps(clean: Sequence[bool]) -> bool:
    window = clean[-WINDOW:]
    return sum(a != b for a, b in pairwise(window)) >= FLAPS


def _line(cause: str) -> str:
    first = next(iter(cause.strip().splitlines()), "") or "no cause was recorded"
    whole_words = first[:158].rpartition(" ")[0] or first[:158]
    return first if len(first) <= 160 else f"{whole_words} …"
