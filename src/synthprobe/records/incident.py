"""An incident: the same thing wrong over several runs, from the first sight to how it was resolved."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.records.journey import Severity
from synthprobe.records.result import Outcome

IncidentKind = Literal["failing", "intermittent", "degraded", "monitor blind"]
"""``failing`` pages; ``intermittent`` and ``degraded`` make a ticket; ``monitor blind`` goes to the probe's owner."""

IncidentState = Literal["open", "acknowledged", "resolved"]
CauseClass = Literal["code", "data", "config", "user", "infra", "dependency", "probe", "unknown"]
"""Where the cause lies; ``probe`` when the monitor itself cannot be believed."""

SEVERITIES: tuple[Severity, ...] = ("blocker", "critical", "normal", "minor", "trivial")
"""Worst first."""

Worth = Literal["helped", "outdated", "missing"]
"""What a runbook was worth, as said after use."""

ResolvedHow = Literal["runbook", "fix", "engineer", "itself"]


_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that sounds or looks like another


class Observation(Struct, frozen=True, kw_only=True):
    """What one run says of one journey: all that opening and closing incidents needs.

    Attributes:
        at: when the run began, UTC.
        fingerprint: which failure it was, ``v2:`` and a hash; empty when it passed.
        former_fingerprint: the same in the version before; not kept in the history.
        signature: the coarse signature that joins one cause across journeys; empty when it passed.
        evidence: what shows the cause, by which journeys are joined; not kept in the history.
        by_itself: the same without what other journeys of the run show, by which runs are joined; not kept either.
        seen_from: from which locations it fails and passes, where several looked; not kept in the history.
        alone: whether too few locations found it not well for the target to be at fault.
        weak: what was not well enough, by step; earlier versions kept ``step`` and ``cause`` alone.
    """

    run_id: str
    slot: int
    at: datetime
    target: str
    journey: str
    outcome: Outcome
    intermittent: bool = False
    fingerprint: str = ""
    former_fingerprint: str = ""
    signature: str = ""
    step: str = ""
    cause: str = ""
    node: str = ""
    build: str = ""
    location: str = ""
    evidence: tuple[str, ...] = ()
    by_itself: tuple[str, ...] = ()
    seen_from: str = ""
    alone: bool = False
    weak: dict[str, str] = {}


class Triage(Struct, frozen=True, kw_only=True):
    """Where the cause of a failure lies, and why we say so.

    Attributes:
        rule: the rule that fired, by name.
        why: a sentence with the evidence.
        sure: ``high``, ``medium`` or ``low``.
        runner_up: the class of the next rule that would have fired; empty when there is none.
        runner_up_why: its sentence.
        elsewhere: id of the journey of the same run that shows the cause; empty when this one does.
        is_borrowed: whether the journey's incident shows it, and not the journey itself.
    """

    cause_class: CauseClass
    rule: str
    why: str
    sure: Literal["high", "medium", "low"] = "medium"
    runner_up: str = ""
    runner_up_why: str = ""
    elsewhere: str = ""
    is_borrowed: bool = False

    @property
    def candidate(self) -> str:
        """The class that the rule points at, whether or not it has earned to name it."""
        return self.cause_class if self.cause_class != "unknown" else self.runner_up or "unknown"


class IncidentEvent(Struct, frozen=True, kw_only=True):
    """One line of an incident's record, in plain language.

    Attributes:
        role: who did it, by role; ``synthprobe`` for the monitor itself.
        runbook: id of the runbook it speaks of; empty when it speaks of none.
        worth: what that runbook was worth; nothing when the line does not say so.
    """

    at: datetime
    role: str
    text: str
    runbook: str = ""
    worth: Worth | None = None


class Incident(Struct, frozen=True, kw_only=True):
    """One cause, however many journeys it breaks and however long it lasts.

    Attributes:
        id: unique, sorts by time, short enough to say on the telephone.
        fingerprint: of the first journey that showed it.
        former_fingerprint: the same in the version before, by which mutes and runbooks may know it; empty without one.
        newest_fingerprint: of what its first journey showed with other words since; empty until then.
        signature: joins the journeys that show the same cause.
        title: one line for a tired person: journey, step, what is wrong.
        cause: what is wrong, alone, as its first journey showed it last; empty in records of older versions.
        blocked: ids of journeys that cannot get as far because of it.
        removed: ids of its journeys that are no longer there, so that it ends without them.
        evidence: what shows the cause, by which journeys and runs are joined.
        general: id of the page that is offered when none knows it; empty when there is none.
        runbook_why: why that page.
        first_seen_at: when it was first seen, UTC; before ``opened_at`` when it had to be confirmed.
        resolved_mark: a hash that tells two people apart and names neither; empty when nobody resolved it.
        reported_at: when a user reported it, UTC, if one did.
        acknowledged_until: until when nobody is told of it again, UTC; nothing when that has no end.
        flapping: whether it opened and closed so often that it is kept open.
        occurrences: in how many runs it was seen; 0 while only a user has seen it.
        runbook_outcome: ``helped``, ``outdated`` or ``missing``, as said after use; empty until then.
        location: the location it is about; empty when it is about the target.
        seen_from: from which locations it fails and passes, where several looked.
    """

    id: str
    target: str
    kind: IncidentKind
    state: IncidentState
    fingerprint: str
    signature: str
    title: str
    opened_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    journeys: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    severity: Severity = "normal"
    owner: str = ""
    step: str = ""
    evidence: tuple[str, ...] = ()
    triage: Triage | None = None
    runbook: str = ""
    general: str = ""
    runbook_why: str = ""
    resolved_at: datetime | None = None
    resolved_how: ResolvedHow | None = None
    resolved_by: str = ""
    resolved_mark: str = ""
    reported_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_until: datetime | None = None
    flapping: bool = False
    occurrences: int = 1
    runbook_outcome: str = ""
    former_fingerprint: str = ""
    newest_fingerprint: str = ""
    cause: str = ""
    events: tuple[IncidentEvent, ...] = ()
    location: str = ""
    seen_from: str = ""

    def is_taken(self, now: datetime) -> bool:
        """Whether somebody has it, so that nobody needs to hear of it again."""
        return self.state == "acknowledged" and (self.acknowledged_until is None or now < self.acknowledged_until)

    @property
    def fingerprints(self) -> frozenset[str]:
        """Every fingerprint it is known by."""
        return frozenset({self.fingerprint, self.former_fingerprint} - {""})

    @property
    def is_unwatched(self) -> bool:
        """Whether it ended because none of its journeys is left, so that how it went on is not known."""
        return self.state == "resolved" and bool(self.removed) and self.resolved_how is None


def incident_id(at: datetime, *of: str) -> str:
    """An id that is short enough to be said on the telephone: when, and four letters of what it is of."""
    digest = hashlib.sha256("|".join(of).encode()).digest()
    return f"{at:%y%m%d-%H%M}-" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:4])


def event(now: datetime, text: str) -> IncidentEvent:
    """A line of an incident's record that no person wrote."""
    return IncidentEvent(at=now, role="synthprobe", text=text)


def resolved(incident: Incident, now: datetime, text: str, how: ResolvedHow | None = "itself") -> Incident:
    """An incident that ended by itself, unless a person resolved it."""
    return replace(
        incident,
        state="resolved",
        resolved_at=now,
        resolved_how=incident.resolved_how or how,
        resolved_by=incident.resolved_by or "synthprobe",
        events=(*incident.events, event(now, text)),
    )


_ENDS = ("state", "resolved_at", "resolved_how", "resolved_by", "resolved_mark")
_STATES = ("open", "acknowledged", "resolved")


def merged(base: Incident | None, ours: Incident, theirs: Incident) -> Incident:
    """One incident of two that went on apart from each other.

    What one side alone changed stands. Of what both changed nothing that was seen or said is lost, the state that is
    further stands, and otherwise ours.
    """

    def stands(name: str) -> bool:
        known = getattr(base, name) if base is not None else None
        return getattr(ours, name) not in {known, "", None, ()} and (
            theirs.state != "resolved" or getattr(theirs, name) in {known, "", None, ()}
        )

    made = {name: getattr(ours, name) for name in Incident.__struct_fields__ if stands(name)}
    further = max(theirs, ours, key=lambda their: _STATES.index(their.state))
    return replace(
        theirs,
        **made
        | {name: getattr(further, name) for name in _ENDS}
        | {
            "journeys": tuple(dict.fromkeys((*theirs.journeys, *ours.journeys))),
            "blocked": tuple(dict.fromkeys((*theirs.blocked, *ours.blocked))),
            "removed": tuple(dict.fromkeys((*theirs.removed, *ours.removed))),
            "evidence": tuple(dict.fromkeys((*theirs.evidence, *ours.evidence))),
            "last_seen_at": max(ours.last_seen_at, theirs.last_seen_at),
            "occurrences": max(ours.occurrences, theirs.occurrences)
            if base is None
            else ours.occurrences + theirs.occurrences - base.occurrences,
            "flapping": ours.flapping or theirs.flapping,
            "events": _joined(ours.events, theirs.events),
        },
    )


def _joined(ours: tuple[IncidentEvent, ...], theirs: tuple[IncidentEvent, ...]) -> tuple[IncidentEvent, ...]:
    return tuple(sorted({*theirs, *ours}, key=lambda event: event.at))
