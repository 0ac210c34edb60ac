"""Which runbook fits a failure: six levels, the first that hits counts, and it is always said why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial

from msgspec import Struct

from synthprobe.firstline.runbook import Runbook
from synthprobe.records.incident import Incident, Observation, Triage
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.triage.causes import triage, triage_together
from synthprobe.triage.facts import Request, TriageFacts, facts_for
from synthprobe.triage.fingerprint import normalise
from synthprobe.triage.observations import observe
from synthprobe.verdict.isolation import Isolation


class Subject(Struct, frozen=True, kw_only=True):
    """A failure that needs a runbook.

    Attributes:
        journey: the journey's id.
        step: path of the broken step.
        kind: kind of the failure, or of the degradation.
        message: what was said; normalised when it is matched.
        fingerprint: which failure it is.
        former_fingerprint: the same in the version before.
        identifiers: how identifiers of the target look, for the normalised message.
        cause_class: where triage puts the cause.
        rule: the rule of triage that fired.
        checks: what the broken step checks.
        node: the node that answered last.
        runbook: id of the runbook that the broken step itself names.
        default: id of the journey's default page.
    """

    journey: str
    step: str = ""
    kind: str = ""
    message: str = ""
    fingerprint: str = ""
    former_fingerprint: str = ""
    identifiers: dict[str, str] = {}
    cause_class: str = ""
    rule: str = ""
    checks: str = ""
    node: str = ""
    runbook: str = ""
    default: str = ""

    def label(self, name: str) -> str:
        """The value of a label."""
        return str(getattr(self, "cause_class" if name == "class" else name))


class Match(Struct, frozen=True, kw_only=True):
    """The runbook that fits, and why.

    Attributes:
        runbook: the runbook; nothing when none fits, which counts against coverage.
        level: 1 to 5; 6 when none fits.
        why: a sentence.
        runner_up: id of what would have been next; empty when nothing.
        runner_up_why: its sentence.
        tied: ids of other runbooks that fit just as well, which is an error of the runbooks.
    """

    runbook: Runbook | None
    level: int
    why: str
    runner_up: str = ""
    runner_up_why: str = ""
    tied: tuple[str, ...] = ()


class Told(Struct, frozen=True, kw_only=True):
    """All that is known of one journey's failure.

    Attributes:
        verdict: the journey's verdict.
        observation: what the run says of it.
        triage: where the cause lies.
        subject: what a runbook is looked for with.
    """

    verdict: JourneyVerdict
    observation: Observation
    triage: Triage
    subject: Subject


def match(runbooks: Sequence[Runbook], subject: Subject) -> Match:
    """Choose the runbook for a failure.

    The levels: 1 the step names it, 2 exact fingerprint, 3 labels (more labels come first), 4 a regular expression
    found in the normalised message, 5 the journey's default page, 6 none.
    """
    ready = sorted((one for one in runbooks if one.finished), key=lambda one: one.id)
    hits: list[tuple[int, int, Runbook, str]] = []
    for level, hit in enumerate((_named, _fingerprint, _labels, _message, _default), 1):
        for runbook in ready:
            if found := hit(runbook, subject):
                hits.append((level, -found[0], runbook, found[1]))
    hits.sort(key=lambda one: one[:2])  # stable: by id within
    if not hits:
        return Match(runbook=None, level=6, why="No runbook fits.")
    level, weight, runbook, why = hits[0]
    others = [one for one in hits[1:] if one[2].id != runbook.id]
    return Match(
        runbook=runbook,
        level=level,
        why=why,
        runner_up=others[0][2].id if others else "",
        runner_up_why=others[0][3] if others else "",
        tied=tuple(one[2].id for one in others if one[:2] == (level, weight)),
    )


def tell(
    verdict: Verdict,
    passed_builds: Mapping[str, str] | None = None,
    isolation: Isolation | None = None,
    usual: Mapping[str, Mapping[Request, int]] | None = None,
) -> Iterator[Told]:
    """Everything a runbook is looked for with, for each journey that did not pass.

    ``usual`` is what was refused in runs in which a journey passed, by journey.
    """
    isolation = isolation or Isolation()

    def explained(one: JourneyVerdict) -> tuple[TriageFacts, Triage]:
        known = (usual or {}).get(one.journey.id, {})
        build = (passed_builds or {}).get(one.journey.id, "")
        facts = facts_for(one, verdict, last_passed_build=build, usual=known)
        return facts, triage(facts)

    judged = [
        (one, seen, isolation.judge(one.journey.title, partial(explained, one), otherwise=None))
        for one, seen in zip(verdict.journeys, observe(verdict, isolation), strict=True)
        if one.outcome not in {"passed", "skipped"} or one.intermittent
    ]
    broken = [(one, seen, *found) for one, seen, found in judged if found is not None]
    alone = {one.journey.id: cause for one, *_, cause in broken}
    seen_of = {one.journey.id: facts for one, _, facts, _ in broken}
    causes = isolation.judge(
        "What the journeys have in common", lambda: triage_together(alone, seen_of), otherwise=alone
    )
    for one, seen, facts, _ in broken:
        cause = causes[one.journey.id]
        degraded = facts.degradations[0].kind if facts.degradations else one.outcome
        yield Told(
            verdict=one,
            observation=seen,
            triage=cause,
            subject=Subject(
                journey=one.journey.id,
                step=seen.step,
                kind=facts.kind or degraded,
                message=facts.message,
                fingerprint=seen.fingerprint,
                former_fingerprint=seen.former_fingerprint,
                identifiers=verdict.run.identifiers,
                cause_class=cause.cause_class,
                rule=cause.rule,
                checks=facts.checks,
                node=seen.node,
                runbook=facts.runbook,
                default=one.journey.runbook,
            ),
        )


def subject_of(incident: Incident, defaults: Mapping[str, str]) -> Subject:
    """What a runbook is looked for with, of a recorded incident."""
    journey = incident.journeys[0] if incident.journeys else ""
    return Subject(
        journey=journey,
        step=incident.step,
        message=incident.cause or incident.title,
        fingerprint=incident.fingerprint,
        former_fingerprint=incident.former_fingerprint,
        cause_class=incident.triage.cause_class if incident.triage else "",
        rule=incident.triage.rule if incident.triage else "",
        default=defaults.get(journey, ""),
    )


Hit = Callable[[Runbook, Subject], "tuple[int, str] | None"]


def _named(runbook: Runbook, subject: Subject) -> tuple[int, str] | None:
    return (1, f'The step "{subject.step}" names it.') if subject.runbook == runbook.id else None


def _fingerprint(runbook: Runbook, subject: Subject) -> tuple[int, str] | None:
    known = {subject.fingerprint, subject.former_fingerprint} - {""}
    listed = next((known_by for known_by in runbook.matches.fingerprints if known_by in known), "")
    return (1, f"It lists the fingerprint {listed}.") if listed else None


def _labels(runbook: Runbook, subject: Subject) -> tuple[int, str] | None:
    fitting = [
        labels
        for labels in runbook.matches.labels
        if all(fnmatchcase(subject.label(name), pattern) for name, pattern in labels.items())
    ]
    if not fitting:
        return None
    best = max(fitting, key=len)
    return len(best), "Its labels hold: " + ", ".join(f"{name} is {value}" for name, value in best.items()) + "."


def _message(runbook: Runbook, subject: Subject) -> tuple[int, str] | None:
    text = normalise(subject.message, subject.identifiers)
    for pattern in runbook.matches.messages:
        if re.search(pattern, text):
            return 1, f"The message holds /{pattern}/ (searched for, so it need not fit the whole message)."
    return None


def _default(runbook: Runbook, subject: Subject) -> tuple[int, str] | None:
    if subject.default == runbook.id or subject.journey in runbook.matches.default_for:
        return 1, f"It is the default page of {subject.journey}; no runbook knows this failure itself."
    return None
