"""Names a run's incidents once: which journey belongs to which, of which class it is, and which page fits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.firstline.matching import match, tell
from synthprobe.firstline.runbook import Runbook
from synthprobe.records.incident import CauseClass, Incident, Observation, Triage
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.triage.causes import is_vague
from synthprobe.triage.grouping import same_cause
from synthprobe.triage.lifecycle import describe, follow
from synthprobe.triage.observations import observe
from synthprobe.triage.rules import RULES
from synthprobe.triage.usual import Occurrence
from synthprobe.verdict.isolation import Isolation

_SURENESS = ("high", "medium", "low")
_ASKED = {rule: place for place, (_, rule, _) in enumerate(takewhile(lambda row: row[1] != "server-error", RULES))}
"""The rules about who is reached and who asks, in their order; what they see outranks what an answer looks like."""


class Named(Struct, frozen=True, kw_only=True):
    """A run whose incidents have names, and the journeys that may be told the class that others of theirs show."""

    verdict: Verdict
    incidents: tuple[Incident, ...]
    linked: frozenset[str] = frozenset()


def explain(
    verdict: Verdict,
    runbooks: Sequence[Runbook],
    isolation: Isolation,
    passed_builds: Mapping[str, str] | None = None,
    usual: Mapping[str, Mapping[Occurrence, int]] | None = None,
) -> Verdict:
    """Add to each journey by itself where the cause lies and which page fits."""
    found = {subject.verdict.journey.id: subject for subject in tell(verdict, passed_builds, isolation, usual)}

    def explained(judgement: JourneyVerdict) -> JourneyVerdict:
        known = found.get(judgement.journey.id)
        if known is None or judgement.triage is not None:
            return judgement
        page = match(runbooks, known.subject)
        cause = _confirmed(known.own, page.runbook) or known.triage
        return replace(judgement, triage=cause, runbook=page.known, general=page.offered, runbook_why=page.why)

    return replace(
        verdict,
        journeys=tuple(
            isolation.judge(judgement.journey.title, partial(explained, judgement), otherwise=judgement)
            for judgement in verdict.journeys
        ),
    )


def name_incidents(
    verdict: Verdict,
    runbooks: Sequence[Runbook],
    open_incidents: Sequence[Incident],
    before: Mapping[str, Sequence[Observation]],
    now: datetime,
    isolation: Isolation,
    *,
    usual: Mapping[str, Mapping[Occurrence, int]] | None = None,
    probe_owner: str = "",
) -> Named:
    """Say of an explained verdict which incident each journey belongs to, and of both the same class and page."""
    explained = {judgement.journey.id: judgement for judgement in verdict.journeys if judgement.triage is not None}
    observations = observe(verdict, isolation, usual)
    followed = follow(open_incidents, observations, before, now, explained, isolation, verdict.removed)
    journeys = {judgement.journey.id: judgement.journey for judgement in verdict.journeys}
    classes = {page.id: page.cause_class for page in runbooks} if explained else {}

    def named(incident: Incident) -> Incident:
        described = describe(incident, journeys)
        here = (id for id in (*incident.journeys, *incident.blocked) if followed.of.get(id) == incident.id)
        members = [explained[id] for id in here if id in explained]
        if members and incident.state != "resolved":
            telling = min(members, key=partial(_says_little, classes=classes))
            if (is_vague(telling.triage), not telling.runbook) <= (is_vague(described.triage), not described.runbook):
                described = _told_by(described, telling)
        return replace(described, owner=probe_owner or described.owner) if is_ours(described) else described

    incidents = {
        incident.id: isolation.judge(f"Incident {incident.id}", partial(named, incident), otherwise=incident)
        for incident in followed.incidents
    }
    of = {journey: incidents[id] for journey, id in followed.of.items() if id in incidents}
    linked = _linked(observations, explained, of)
    named_verdict = with_incidents(verdict, of, probe_owner=probe_owner, linked=linked)
    return Named(verdict=named_verdict, incidents=tuple(incidents.values()), linked=linked)


def _linked(
    observations: Sequence[Observation], judged: Mapping[str, JourneyVerdict], of: Mapping[str, Incident]
) -> frozenset[str]:
    """Journeys that share evidence with one that itself points at their incident's class; where none does now, those
    that point at no other class.
    """
    seen = {observation.journey: observation for observation in observations}
    showing: dict[str, list[str]] = {}
    for journey, incident in of.items():
        own = judged[journey].triage if journey in judged else None
        if own and incident.triage and own.candidate == incident.triage.candidate and not own.elsewhere:
            showing.setdefault(incident.id, []).append(journey)
    return frozenset(
        journey
        for journey, incident in of.items()
        if (incident.id not in showing and _is_silent(judged.get(journey)))
        or any(same_cause(seen[journey], seen[other], judged) for other in showing.get(incident.id, ()))
    )


def _is_silent(judgement: JourneyVerdict | None) -> bool:
    own = judgement.triage if judgement is not None else None
    return own is None or own.candidate == "unknown" or bool(own.elsewhere)


def named_alone(verdict: Verdict, runbooks: Sequence[Runbook], *, probe_owner: str = "") -> Named:
    """The same of one run without any memory, by the runbooks as they are now."""
    bare = (
        replace(judgement, triage=None, runbook="", general="", runbook_why="", incident="")
        for judgement in verdict.journeys
    )
    isolation = Isolation()
    explained = explain(replace(verdict, journeys=tuple(bare)), runbooks, isolation)
    named = name_incidents(explained, runbooks, (), {}, verdict.finished_at, isolation, probe_owner=probe_owner)
    notes = tuple(dict.fromkeys((*verdict.notes, *isolation.notes)))
    return replace(named, verdict=replace(named.verdict, notes=notes))


def with_incidents(
    verdict: Verdict, of: Mapping[str, Incident], *, probe_owner: str = "", linked: Collection[str]
) -> Verdict:
    """Each journey says the class that it shows itself, else that of its incident if ``linked`` to who shows it."""
    return replace(
        verdict,
        journeys=tuple(
            _as_its_incident(
                judgement, of.get(judgement.journey.id), probe_owner, is_linked=judgement.journey.id in linked
            )
            for judgement in verdict.journeys
        ),
    )


def is_ours(incident: Incident | JourneyVerdict) -> bool:
    """Whether the probe itself is at fault, so that neither page nor owner of the target is told."""
    blind = incident.kind == "monitor blind" if isinstance(incident, Incident) else incident.outcome == "unknown"
    return blind or (incident.triage is not None and incident.triage.cause_class == "probe")


def _as_its_incident(
    judgement: JourneyVerdict, incident: Incident | None, probe_owner: str, *, is_linked: bool
) -> JourneyVerdict:
    if incident is None:
        return replace(judgement, incident="", responsible=probe_owner if is_ours(judgement) else "")
    cause, own = incident.triage, judgement.triage
    if cause is not None and own is not None:
        says_more = cause.cause_class != "unknown" or own.candidate == "unknown" != cause.candidate
        if own.rule == cause.rule and not cause.elsewhere:
            cause = replace(_named(own, cause.cause_class), sure=cause.sure)
        elif own.cause_class == "unknown" and is_linked and says_more:
            cause = replace(cause, is_borrowed=True)
        else:
            cause = own
    return replace(
        judgement,
        incident=incident.id,
        triage=cause or own,
        runbook=incident.runbook,
        general=incident.general,
        runbook_why=incident.runbook_why,
        responsible=incident.owner,
    )


def _confirmed(own: Triage, page: Runbook | None) -> Triage | None:
    """What a journey says by itself where a page knows its failure: a class that both point at is named."""
    return _named(own, page.cause_class) if page else None


def _named(own: Triage, cause_class: CauseClass) -> Triage:
    """What a journey says by itself, with the class that it may be named where a page or its incident agrees."""
    if own.cause_class != "unknown" or own.runner_up != cause_class:
        return own
    return replace(own, cause_class=cause_class, why=own.runner_up_why, sure="medium", runner_up="", runner_up_why="")


def _told_by(incident: Incident, judgement: JourneyVerdict) -> Incident:
    page = {"runbook": judgement.runbook, "general": judgement.general, "runbook_why": judgement.runbook_why}
    return replace(incident, triage=judgement.triage, **page)


def _says_little(judgement: JourneyVerdict, classes: Mapping[str, str]) -> tuple[bool, bool, int, int]:
    """How little a journey says of its incident's cause.

    Most says who agrees with the page that knows the failure; of two that are as sure, whose rule is asked first.
    """
    if judgement.triage is None:
        return True, True, len(_SURENESS), len(_ASKED)
    agrees = classes.get(judgement.runbook) == judgement.triage.cause_class
    asked = _ASKED.get(judgement.triage.rule, len(_ASKED))
    return is_vague(judgement.triage), not agrees, _SURENESS.index(judgement.triage.sure), asked
