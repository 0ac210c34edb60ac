"""The life of an incident: when one opens, joins journeys, flaps and ends. Pure rules over observations.

To open and to close are different rules, so that one lucky run neither opens nor closes anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
from synthprobe.records.journey import Journey, readable
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.causes import is_vague
from synthprobe.triage.grouping import by_cause
from synthprobe.triage.membership import in_turn, place
from synthprobe.triage.shared_evidence import KEPT_OUT
from synthprobe.verdict.isolation import Isolation
from synthprobe.words import cut_to

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

EVIDENCE_KEPT = 40
"""Lines of evidence that an incident is known by."""

SPEAKS_FOR = timedelta(days=1)
"""How long what a location saw last speaks against the end of an incident."""

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
    removed: Collection[str] = (),
) -> Followed:
    """What one run makes of the incidents, and which of them each journey belongs to.

    Of ``removed`` journeys nothing more is heard: an incident ends without them.

    Each location has an order of its own: only what history already holds, or holds a newer slot of the same location
    of, changes nothing.
    """
    isolation, judged = isolation or Isolation(), judged or {}
    fresh = [seen for seen in observations if is_new(seen, history_by_journey.get(seen.journey, ()))]
    known = {seen.journey: (*history_by_journey.get(seen.journey, ()), seen) for seen in fresh}
    incidents, of = list(open_incidents), dict[str, str]()
    for group in by_cause(sorted(fresh, key=partial(_in_order, judged)), judged):
        for seen in in_turn(group, incidents):
            here = [before for before in known[seen.journey] if before.location == seen.location]
            kind = _kind(seen, here)
            nowhere: tuple[int, Incident] | None = None
            joined = isolation.judge(
                seen.journey,
                partial(_joined_to, incidents, seen, kind, judged, of, group, now),
                otherwise=nowhere,
                consequence="An incident of its own is opened for it when it did not pass.",
            )
            if joined is not None:
                number, incident = joined
                incidents[number] = incident
            elif kind is not None:
                incident = _opened(seen, kind, here, now)
                if (verdict := judged.get(seen.journey)) is not None:
                    incident = replace(incident, triage=verdict.triage, runbook=verdict.runbook)
                incidents.append(incident)
            else:
                continue
            of[seen.journey] = incident.id
    incidents = [_without_removed(incident, removed, now) for incident in incidents]
    if fresh or removed:
        incidents = [
            isolation.judge(
                f"Incident {incident.id}",
                partial(_ended, incident, known, history_by_journey, of, now),
                otherwise=incident,
                consequence="It stays as it is.",
            )
            for incident in incidents
        ]
    for seen in observations:
        if seen.journey in of or not seen.fingerprint:
            continue
        if (other := place(incidents, seen, None, judged)) is not None:
            of[seen.journey] = incidents[other].id
    return Followed(incidents=tuple(incidents), of=of)


def _in_order(judged: Mapping[str, JourneyVerdict], seen: Observation) -> tuple[bool, int, bool, bool, str]:
    """What tells most of a failure opens its incident: of the first slot, and by its evidence."""
    verdict = judged.get(seen.journey)
    says_little = verdict is not None and is_vague(verdict.triage)
    return (seen.outcome != "failed", seen.slot, says_little, not seen.evidence, seen.journey)


def describe(incident: Incident, journeys: Mapping[str, Journey]) -> Incident:
    """Add whom an incident concerns."""
    own_journeys = [journeys[id] for id in (*incident.journeys, *incident.blocked) if id in journeys]
    if not own_journeys:
        return incident
    worst = min(own_journeys, key=lambda journey: SEVERITIES.index(journey.severity))
    return replace(incident, severity=worst.severity, owner=worst.owner)


def is_new(observation: Observation, before: Sequence[Observation]) -> bool:
    """Whether an observation counts: its location has none of a newer slot and time, and its run was not judged yet."""
    return not any(
        old.run_id == observation.run_id
        or (old.location == observation.location and old.slot > observation.slot and old.at > observation.at)
        for old in before
    )


def _failing(observation: Observation) -> bool:
    return observation.outcome == "failed" or observation.intermittent


def _clean(observation: Observation, kind: IncidentKind) -> bool | None:
    """Whether it speaks for the end of such an incident; nothing when it says nothing."""
    if kind == "monitor blind":
        return observation.outcome not in {"unknown", "skipped"}
    if observation.outcome in {"unknown", "skipped"}:
        return None
    if kind == "degraded":
        return observation.outcome == "passed" and not observation.intermittent
    return not _failing(observation)


def _kind(observation: Observation, known: Sequence[Observation]) -> IncidentKind | None:
    """What this observation may open; of what a few locations see alone, they have incidents of their own."""
    if observation.alone:
        return None
    if observation.outcome == "failed":
        return "failing"
    if observation.intermittent and sum(map(_failing, known[-WINDOW:])) >= INTERMITTENT:
        return "intermittent"
    if observation.outcome == "degraded":
        return "degraded"
    if observation.outcome == "unknown" and len(known) >= BLIND and all(o.outcome == "unknown" for o in known[-BLIND:]):
        return "monitor blind"
    return None


def _joined_to(
    incidents: Sequence[Incident],
    observation: Observation,
    kind: IncidentKind | None,
    judged: Mapping[str, JourneyVerdict],
    of: Mapping[str, str],
    group: Sequence[Observation],
    now: datetime,
) -> tuple[int, Incident] | None:
    """The incident an observation belongs to: where it is, and as it is now."""
    beside = {of[other.journey] for other in group if other.journey in of}
    at = place(incidents, observation, kind, judged, beside, group)
    return None if at is None else (at, _continued(incidents[at], observation, kind, now))


def _evidence(known: Sequence[str], observation: Observation) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *observation.evidence, *observation.by_itself)))[:EVIDENCE_KEPT]


def _continued(incident: Incident, observation: Observation, kind: IncidentKind | None, now: datetime) -> Incident:
    events = list(incident.events)
    journeys, blocked = incident.journeys, incident.blocked
    if observation.journey not in (*journeys, *blocked):
        common = [known for known in observation.evidence if known in incident.evidence]
        if KEPT_OUT in common:
            blocked = (*blocked, observation.journey)
            events.append(event(now, f"{observation.journey} cannot get past its log-in, so it is blocked by this."))
        else:
            journeys = (*journeys, observation.journey)
            by = f": {common[0]}" if common else ""
            is_blind = incident.kind == "monitor blind" and observation.fingerprint not in incident.fingerprints
            shows = (
                f"could not be looked at either: {_line(observation.cause)}"
                if is_blind
                else f"shows the same cause{by}."
            )
            events.append(event(now, f"{observation.journey} {shows}"))
    if observation.seen_from and observation.seen_from != incident.seen_from and observation.journey == journeys[0]:
        events.append(event(now, f"{observation.journey} {observation.seen_from}."))
        incident = replace(incident, seen_from=observation.seen_from)
    became, newest = incident.kind, incident.newest_fingerprint
    if kind is not None and _ORDER[kind] < _ORDER[incident.kind]:
        became = kind
        events.append(event(now, f"It was {incident.kind}; a second attempt agreed, so now it is {kind}."))
    elif (
        observation.fingerprint
        and observation.journey == incident.journeys[0]
        and observation.fingerprint != newest
        and incident.fingerprints.isdisjoint({observation.fingerprint, observation.former_fingerprint})
    ):
        newest = observation.fingerprint
        events.append(event(now, f"{observation.journey} shows it with other words now: {_line(observation.cause)}"))
    return replace(
        incident,
        kind=became,
        newest_fingerprint=newest,
        cause=_line(observation.cause) if journeys[:1] == (observation.journey,) else incident.cause,
        journeys=journeys,
        blocked=blocked,
        evidence=_evidence(incident.evidence, observation),
        last_seen_at=max(incident.last_seen_at, observation.at),
        # several journeys of one run are one occurrence
        occurrences=incident.occurrences + (observation.at > incident.last_seen_at),
        events=tuple(events),
    )


def _opened(observation: Observation, kind: IncidentKind, known: Sequence[Observation], now: datetime) -> Incident:
    if kind == "intermittent":
        seen = [old for old in known[-WINDOW:] if _failing(old)]
        last = min(WINDOW, len(known))
        why = f"{observation.journey} failed in {len(seen)} of its last {last} runs, the newest among them."
    elif kind == "monitor blind":
        seen = list(known[-BLIND:])
        why = f"{observation.journey} could not be looked at in {BLIND} runs in a row: {_line(observation.cause)}"
    elif kind == "degraded":
        seen, why = [observation], f"{observation.journey} did its job, but not well enough: {_line(observation.cause)}"
    else:
        seen, why = (
            [observation],
            f"{observation.journey} failed, and a second attempt agreed: {_line(observation.cause)}",
        )
    where = readable(observation.journey) + (f', "{observation.step}"' if observation.step else "")
    why += f" It {observation.seen_from}." if observation.seen_from else ""
    return Incident(
        id=incident_id(
            observation.at, observation.target, observation.fingerprint or observation.journey, kind, observation.run_id
        ),
        target=observation.target,
        kind=kind,
        state="open",
        fingerprint=observation.fingerprint,
        former_fingerprint=observation.former_fingerprint,
        signature=observation.signature,
        title=f"{where}: {_line(observation.cause)}",
        cause=_line(observation.cause),
        opened_at=now,
        first_seen_at=seen[0].at,
        last_seen_at=observation.at,
        journeys=(observation.journey,),
        step=observation.step,
        evidence=_evidence((), observation),
        occurrences=len(seen),
        events=(event(now, f"Opened as {kind}. {why}"),),
        seen_from=observation.seen_from,
    )


def _ended(
    incident: Incident,
    known: Mapping[str, Sequence[Observation]],
    history: History,
    of: Mapping[str, str],
    now: datetime,
) -> Incident:
    """Close it when every journey concerned has been clean long enough; mark it when it flaps.

    Who shows another incident now says nothing of this one, as long as another journey does.
    """
    if incident.state == "resolved" or not incident.occurrences:  # what the monitor never saw, it cannot see end
        return incident
    runs = {
        journey: known.get(journey) or history.get(journey, ())
        for journey in (*incident.journeys, *incident.blocked)
        if journey in known or journey not in incident.removed
    }
    if not runs:
        return resolved(incident, now, "Nobody looks at it any more, so how it went on is not known.", how=None)
    if not any(journey in known for journey in runs):
        return incident  # this run says nothing of it
    elsewhere = {
        j for j in runs if of.get(j, incident.id) != incident.id and _clean(runs[j][-1], incident.kind) is False
    }
    runs = {journey: seen for journey, seen in runs.items() if journey not in elsewhere} or runs
    looked = {
        journey: [
            [clean for observation in here if (clean := _clean(observation, incident.kind)) is not None]
            for here in _by_location(_without_other_causes(observations, incident), now)
        ]
        for journey, observations in runs.items()
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


def _without_removed(incident: Incident, removed: Collection[str], now: datetime) -> Incident:
    """An incident that knows which of its journeys are no longer there."""
    here = {*incident.journeys, *incident.blocked}.difference(incident.removed)
    gone = tuple(journey for journey in removed if journey in here)
    if not gone or incident.state == "resolved":
        return incident
    text = f"{', '.join(gone)} is no longer among the journeys, as files or settings of the project were changed."
    return replace(incident, removed=(*incident.removed, *gone), events=(*incident.events, event(now, text)))


def _without_other_causes(seen: Sequence[Observation], incident: Incident) -> list[Observation]:
    """What was seen of a journey, without what it was not well for before the incident and never since."""
    shown = {observation.fingerprint for observation in seen if observation.at >= incident.first_seen_at}
    return [
        observation
        for observation in seen
        if observation.at >= incident.first_seen_at
        or observation.fingerprint in shown
        or _clean(observation, incident.kind) is not False
    ]


def _by_location(seen: Sequence[Observation], now: datetime) -> list[list[Observation]]:
    """What each location saw; one that did not look for a day says nothing of now, unless it is the only one."""
    places: dict[str, list[Observation]] = {}
    for observation in seen:
        places.setdefault(observation.location, []).append(observation)
    return [here for here in places.values() if len(places) == 1 or now - here[-1].at < SPEAKS_FOR]


def _is_over(places: Sequence[Sequence[bool]], needed: int) -> bool:
    """Whether some location saw enough clean runs in a row, and none saw anything else since."""
    long_enough = any(len(clean) >= needed for clean in places)
    return long_enough and all(all(clean[-needed:]) for clean in places)


def _flaps(clean: Sequence[bool]) -> bool:
    window = clean[-WINDOW:]
    return sum(a != b for a, b in pairwise(window)) >= FLAPS


def _line(cause: str) -> str:
    return cut_to(160, next(iter(cause.strip().splitlines()), "") or "no cause was recorded")
