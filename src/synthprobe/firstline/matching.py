"""Which runbook knows a failure, or is offered for it in general, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial

from msgspec import Struct

from synthprobe.firstline.runbook import Runbook
from synthprobe.records.incident import Incident, Observation, Triage
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.triage.causes import triage, triage_together
from synthprobe.triage.facts import TriageFacts, facts_for, peers_of
from synthprobe.triage.fingerprint import normalise
from synthprobe.triage.observations import observe
from synthprobe.triage.shared_evidence import requests_of
from synthprobe.triage.usual import Occurrence
from synthprobe.verdict.isolation import Isolation


class Subject(Struct, frozen=True, kw_only=True):
    """A failure that needs a runbook."""

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
    requests: tuple[str, ...] = ()
    page_errors: tuple[str, ...] = ()
    ours: bool = False
    runbook: str = ""
    default: str = ""

    def holds(self, name: str, pattern: str) -> bool:
        """Whether a label fits."""
        if name == "message":
            texts = (normalise(self.message, self.identifiers), self.message, *self.page_errors)
            return any(re.search(pattern, text) for text in texts)
        if name == "request":
            return any(fnmatchcase(request, pattern) for request in self.requests)
        if name == "fingerprint":
            return pattern in {self.fingerprint, self.former_fingerprint} - {""}
        return fnmatchcase(str(getattr(self, "cause_class" if name == "class" else name)), pattern)


class Match(Struct, frozen=True, kw_only=True):
    """The page that fits, and why."""

    runbook: Runbook | None
    why: str
    general: Runbook | None = None
    runner_up: str = ""
    runner_up_why: str = ""
    tied: tuple[str, ...] = ()

    @property
    def known(self) -> str:
        """Id of the page that knows it."""
        return self.runbook.id if self.runbook else ""

    @property
    def offered(self) -> str:
        """Id of the page that is offered in general."""
        return self.general.id if self.general else ""


class Told(Struct, frozen=True, kw_only=True):
    """All that is known of one journey's failure."""

    verdict: JourneyVerdict
    observation: Observation
    triage: Triage
    own: Triage
    subject: Subject


def match(runbooks: Sequence[Runbook], subject: Subject) -> Match:
    """Choose the page for a failure.

    A page *knows* it by its fingerprint, or by evidence that identifies it; of several the one that asks for more.
    Otherwise a page may be offered in general: the one that the step names, that fits by a class or another wide
    label, or the journey's default. A fault of the probe leads to pages about the probe only.
    """
    ready = [runbook for runbook in runbooks if runbook.finished and subject.ours == (runbook.cause_class == "probe")]
    ready.sort(key=lambda runbook: (runbook.shipped, runbook.id))
    known = [(*hit, runbook) for runbook in ready if (hit := knows(runbook, subject))]
    known.sort(key=lambda candidate: (candidate[2].shipped, -candidate[0]))  # stable: by id within
    general = [(*hit, runbook) for runbook in ready if (hit := _general(runbook, subject))]
    general.sort(key=lambda candidate: candidate[0])
    if known:
        weight, why, runbook = known[0]
        others = [candidate for candidate in known[1:] if candidate[2].id != runbook.id]
        following = [*others, *(candidate for candidate in general if candidate[2].id != runbook.id)]
        return Match(
            runbook=runbook,
            why=why,
            runner_up=following[0][2].id if following else "",
            runner_up_why=following[0][1] if following else "",
            tied=tuple(other[2].id for other in others if other[0] == weight and other[2].shipped == runbook.shipped),
        )
    if not general:
        of = "No page is about the probe itself." if subject.ours else "No runbook knows this failure."
        return Match(runbook=None, why=of)
    _, why, page = general[0]
    return Match(
        runbook=None,
        general=page,
        why=f"{why} No runbook knows this failure.",
        runner_up=general[1][2].id if general[1:] else "",
        runner_up_why=general[1][1] if general[1:] else "",
    )


def tell(
    verdict: Verdict,
    passed_builds: Mapping[str, str] | None = None,
    isolation: Isolation | None = None,
    usual: Mapping[str, Mapping[Occurrence, int]] | None = None,
) -> Iterator[Told]:
    """Everything a runbook is looked for with, by journey; ``usual`` is what was refused in runs in which it passed."""
    isolation = isolation or Isolation()
    peers = cache(partial(peers_of, verdict))

    def explained(judgement: JourneyVerdict) -> tuple[TriageFacts, Triage]:
        known = (usual or {}).get(judgement.journey.id)
        build = (passed_builds or {}).get(judgement.journey.id, "")
        facts = facts_for(judgement, verdict, last_passed_build=build, usual=known, peers_known=peers)
        return facts, triage(facts)

    judged = [
        (judgement, seen, isolation.judge(judgement.journey.title, partial(explained, judgement), otherwise=None))
        for judgement, seen in zip(verdict.journeys, observe(verdict, isolation, usual), strict=True)
        if judgement.outcome not in {"passed", "skipped"} or judgement.intermittent
    ]
    broken = [(judgement, seen, *found) for judgement, seen, found in judged if found is not None]
    alone = {judgement.journey.id: cause for judgement, *_, cause in broken}
    seen_of = {judgement.journey.id: facts for judgement, _, facts, _ in broken}
    causes = isolation.judge(
        "What the journeys have in common", lambda: triage_together(alone, seen_of), otherwise=alone
    )
    for broken_judgement, seen, facts, own in broken:
        cause = causes[broken_judgement.journey.id]
        degraded = facts.degradations[0].kind if facts.degradations else broken_judgement.outcome
        yield Told(
            verdict=broken_judgement,
            observation=seen,
            triage=cause,
            own=own,
            subject=Subject(
                journey=broken_judgement.journey.id,
                step=seen.step,
                kind=facts.kind or degraded,
                message=facts.message,
                fingerprint=seen.fingerprint,
                former_fingerprint=seen.former_fingerprint,
                identifiers=verdict.run.identifiers,
                cause_class=own.candidate,
                rule=own.rule,
                checks=facts.checks,
                node=seen.node,
                requests=requests_of(facts),
                page_errors=facts.evidence.page_errors,
                ours=facts.ours or own.cause_class == "probe",
                runbook=facts.runbook,
                default=broken_judgement.journey.runbook,
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
        requests=tuple(" ".join(line.split(" ")[:2]) for line in incident.evidence if " /" in line),
        cause_class=incident.triage.cause_class if incident.triage else "",
        rule=incident.triage.rule if incident.triage else "",
        default=defaults.get(journey, ""),
    )


def knows(runbook: Runbook, subject: Subject) -> tuple[int, str] | None:
    """Whether a page knows a failure: how closely, and why."""
    fitting = [entry for entry in runbook.matches.known if _holds(entry, runbook, subject)]
    if not fitting:
        return None
    best = max(fitting, key=_weight)
    listed = ", ".join(_spelled(name, value) for name, value in best.items())
    return _weight(best), f"It knows this failure: {listed}."


def _weight(entry: Mapping[str, str]) -> int:
    return 100 if "fingerprint" in entry else len(entry)


def _holds(entry: Mapping[str, str], runbook: Runbook, subject: Subject) -> bool:
    """Whether all of an entry holds; words alone do not outweigh evidence for another class of cause."""
    fitting = {"", "unknown", runbook.cause_class}
    if set(entry) <= {"message", "journey", "step", "kind"} and subject.cause_class not in fitting:
        return False
    return all(subject.holds(name, pattern) for name, pattern in entry.items())


def _spelled(name: str, value: str) -> str:
    return f"the message holds /{value}/" if name == "message" else f"{name} is {value}"


def _general(runbook: Runbook, subject: Subject) -> tuple[int, str] | None:
    if subject.runbook == runbook.id:
        return 0, f'General page for the step "{subject.step}", which names it.'
    for entry in sorted(runbook.matches.general, key=lambda entry: -len(entry)):
        if set(entry) != {"journey"} and all(subject.holds(name, value) for name, value in entry.items()):
            wide = ", ".join(_spelled(name, value) for name, value in entry.items())
            return 10 - len(entry), f"General page where {wide}."
    for entry in runbook.matches.general:
        if set(entry) == {"journey"} and subject.holds("journey", entry["journey"]):
            return 20, f"General page for {subject.journey}."
    return (20, f"General page for {subject.journey}.") if subject.default == runbook.id else None
