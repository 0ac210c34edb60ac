"""Which failures of one run are one cause: by shared evidence, by the same words, or by a page that knows both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synthprobe.records.incident import Incident, Observation
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.causes import contradict, is_vague


def by_cause(fresh: Sequence[Observation], judged: Mapping[str, JourneyVerdict]) -> list[list[Observation]]:
    """The observations of a run, those together that evidence joins, however many journeys lie between two of them."""
    groups: list[list[Observation]] = []
    for observation in [observation for observation in fresh if _may_join(observation, judged)]:
        joined = [group for group in groups if any(same_cause(observation, other, judged) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(member for group in joined for member in group), observation])
    for vague in [group for group in groups if all(_is_vague(observation, judged) for observation in group)]:
        shown_by = {triage.elsewhere for observation in vague if (triage := judged[observation.journey].triage)} - {""}
        group = next(
            (g for g in groups if g is not vague and any(observation.journey in shown_by for observation in g)), None
        )
        if group is not None:
            groups = [g for g in groups if g is not vague and g is not group] + [[*group, *vague]]
    place = {id(observation): number for number, observation in enumerate(fresh)}
    ordered = [sorted(group, key=lambda member: place[id(member)]) for group in groups]
    ordered += [[observation] for observation in fresh if not _may_join(observation, judged)]
    return sorted(ordered, key=lambda group: place[id(group[0])])


def _is_vague(observation: Observation, judged: Mapping[str, JourneyVerdict]) -> bool:
    """Whether it does not itself say where the cause lies, and has no page of its own."""
    return (
        observation.journey in judged
        and is_vague(judged[observation.journey].triage)
        and not judged[observation.journey].runbook
    )


def _may_join(observation: Observation, judged: Mapping[str, JourneyVerdict]) -> bool:
    """Whether it may belong to another one's cause; most of a run passed, and is not compared with all the rest."""
    return bool(observation.fingerprint) or observation.journey in judged


def same_cause(observation: Observation, other: Observation, judged: Mapping[str, JourneyVerdict]) -> bool:
    """Whether two failures of one run share evidence: a request, an account, words, or a page that knows both."""
    if not observation.fingerprint or not other.fingerprint or "unknown" in {observation.outcome, other.outcome}:
        return False
    mine, theirs = judged.get(observation.journey), judged.get(other.journey)
    if mine and theirs and contradict(mine.triage, theirs.triage):
        return known_alike(mine, theirs)
    if not set(observation.evidence).isdisjoint(other.evidence) or (
        observation.signature and observation.signature == other.signature
    ):
        return True
    return mine is not None and theirs is not None and known_alike(mine, theirs)


def known_alike(mine: JourneyVerdict, other: JourneyVerdict | Incident) -> bool:
    """Whether one page knows both."""
    return bool(mine.runbook) and mine.runbook == other.runbook
