"""Which open incident a failure belongs to: the same failure, the same cause, or the log-in that blocks it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from synthprobe.records.incident import Incident, IncidentKind, Observation
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.causes import contradict
from synthprobe.triage.grouping import known_alike
from synthprobe.triage.shared_evidence import KEPT_OUT

_FAMILY: dict[IncidentKind, str] = {"failing": "failure", "intermittent": "failure"}


def place(
    incidents: Sequence[Incident],
    observation: Observation,
    kind: IncidentKind | None,
    judged: Mapping[str, JourneyVerdict],
    beside: Collection[str] = (),
    group: Sequence[Observation] = (),
) -> int | None:
    """Where in ``incidents`` the one is that an observation belongs to; nothing where there is none.

    Args:
        kind: what the observation may open; nothing when it opens none.
        judged: what the run says of each journey.
        beside: ids of the incidents that others of its cause belong to.
        group: the observations of this run that show its cause, itself among them.
    """
    seen: IncidentKind | None = kind or ("intermittent" if observation.intermittent else None)
    if seen is None:
        seen = "monitor blind" if observation.outcome == "unknown" else None
    if seen is None:
        return None
    candidates = [
        (number, incident)
        for number, incident in enumerate(incidents)
        if _may_hold(incident, observation)
        and (_FAMILY.get(incident.kind, incident.kind) == _FAMILY.get(seen, seen) or incident.id in beside)
    ]
    verdict = judged.get(observation.journey)
    tests: tuple[Callable[[Incident], bool], ...] = (
        lambda i: _is_known_by(observation, i, group),
        lambda i: kind is not None and i.id in beside,
        lambda i: (
            kind is not None
            and _shows_same(observation.evidence, i)
            and not contradict(verdict.triage if verdict else None, i.triage)
        ),
        lambda i: _is_at_its_step(observation, i, group),
        lambda i: kind is not None and bool(observation.signature) and observation.signature == i.signature,
        lambda i: kind is not None and verdict is not None and known_alike(verdict, i),
        lambda i: seen == "monitor blind" and (kind is not None or observation.journey in i.journeys),
    )
    return next((number for test in tests for number, incident in candidates if test(incident)), None)


def in_turn(group: Sequence[Observation], incidents: Sequence[Incident]) -> list[Observation]:
    """Journeys of one cause in the order in which they find their incidents.

    Who goes on with an open one comes first, so that the others join it. Who showed another cause before comes last: an
    incident is known by the failure that opens it, and that one is known already.
    """
    return sorted(group, key=partial(_turn, incidents, group))


def _turn(incidents: Sequence[Incident], group: Sequence[Observation], seen: Observation) -> tuple[bool, bool]:
    here = [incident for incident in incidents if _may_hold(incident, seen)]
    goes_on = any(_is_known_by(seen, i, group) or _is_at_its_step(seen, i, group) for i in here)
    return not goes_on, any(_has_words_of(i, seen) for i in here)


def _may_hold(incident: Incident, observation: Observation) -> bool:
    return incident.state != "resolved" and incident.target == observation.target


def _has_words_of(incident: Incident, observation: Observation) -> bool:
    return not incident.fingerprints.isdisjoint({observation.fingerprint, observation.former_fingerprint})


def _is_known_by(observation: Observation, incident: Incident, group: Sequence[Observation]) -> bool:
    """Whether its first journey fails in the same words again, and others with it only for what was seen before."""
    return _has_words_of(incident, observation) and not (
        _is_apart(observation, incident) and _is_wider(group, incident)
    )


def _is_at_its_step(observation: Observation, incident: Incident, group: Sequence[Observation]) -> bool:
    """Whether a journey of it broke at its step again; where several did or do, for what was seen before."""
    if observation.journey not in incident.journeys or observation.step != incident.step:
        return False
    several = _is_wider(group, incident) or (len(incident.journeys) > 1 and bool(incident.evidence))
    return not (_is_apart(observation, incident) and several)


def _is_apart(observation: Observation, incident: Incident) -> bool:
    """Whether it shows something, and nothing of it was seen while the incident was open."""
    shown = {*observation.evidence, *observation.by_itself}
    return bool(shown) and not _shows_same(shown, incident)


def _shows_same(shown: Collection[str], incident: Incident) -> bool:
    """Whether something of it was seen while the incident was open; to be kept at the log-in only says where."""
    what, before = {*shown} - {KEPT_OUT}, {*incident.evidence} - {KEPT_OUT}
    return not what.isdisjoint(before) if what and before else not {*shown}.isdisjoint(incident.evidence)


def _is_wider(group: Sequence[Observation], incident: Incident) -> bool:
    """Whether the cause breaks journeys that the incident does not have."""
    return not {other.journey for other in group} <= {*incident.journeys, *incident.blocked}
