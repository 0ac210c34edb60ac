"""What triage reads: the evidence of one journey's failure, and of its neighbours in the same run."""

from __future__ import annotations

import re

from msgspec import Struct

from synthprobe.records.evidence import SLOW_MS, Answer, Facts, NodeCount
from synthprobe.records.finding import Finding
from synthprobe.records.result import Check, Degradation, Outcome, walk_steps
from synthprobe.records.verdict import JourneyVerdict, Verdict

_LOG_IN = re.compile(  # what is asked for, never a part of another word: /authors is no log-in
    r"/(log[-_]?(in|on)|sign[-_]?in|auth|authenticate|authorize|sessions?|token|sso|oauth2?)(\.\w+)?/?$", re.IGNORECASE
)


def is_log_in(path: str) -> bool:
    """Whether a path is asked for to log in."""
    return bool(_LOG_IN.search(path))


class Peer(Struct, frozen=True, kw_only=True):
    """Another journey of the same run.

    Attributes:
        journey: its id.
        outcome: its outcome.
        kind: kind of its failure, if it has one.
        steps: check, role and whether it passed, of every step that names a check or a role.
        nodes: how nodes answered it, when it did not pass.
        forbidden: the request that was refused to it with 403, and why; empty when none was.
    """

    journey: str
    outcome: Outcome
    kind: str = ""
    steps: tuple[tuple[Check, str, bool], ...] = ()
    nodes: tuple[NodeCount, ...] = ()
    forbidden: str = ""


class TriageFacts(Struct, frozen=True, kw_only=True):
    """All that triage reads of one journey's failure.

    Attributes:
        outcome: the journey's outcome.
        intermittent: it failed and then passed.
        kind: kind of the failure; empty when it is only degraded.
        ours: the failure is the probe's own.
        message: the failure's message, or those of the degradations.
        finding: what is known of the failure besides words.
        step: path of the broken step.
        checks: what the broken step checks, when its author said so.
        role: the role that acted in the broken step.
        runbook: id of the runbook that the broken step names.
        passed_steps: check and role of the steps that passed in the same attempt.
        degradations: in which ways it was not well enough.
        evidence: the attempt's facts.
        peers: the other journeys of the run.
        build: the build that answered.
        last_passed_build: the build of the last run in which this journey passed; empty when not known.
        canary_down: whether a target that has nothing to do with this one cannot be reached either.
    """

    outcome: Outcome
    intermittent: bool = False
    kind: str = ""
    ours: bool = False
    message: str = ""
    finding: Finding = Finding()
    step: str = ""
    checks: Check = ""
    role: str = ""
    runbook: str = ""
    passed_steps: tuple[tuple[Check, str], ...] = ()
    degradations: tuple[Degradation, ...] = ()
    evidence: Facts = Facts()
    peers: tuple[Peer, ...] = ()
    build: str = ""
    last_passed_build: str = ""
    canary_down: bool = False

    @property
    def targets_words(self) -> str:
        """What the target gave instead of what was expected; of fields it is left out, whose names are no words."""
        found = self.finding.contradiction
        return found.got if found and found.about in {"status", "json", "locator"} else ""

    @property
    def authors_words(self) -> str:
        """What the journey's author or a library said of it; empty where the record of an answer says all."""
        wait = self.finding.wait
        if self.finding.contradiction or self.finding.refusal:
            return ""
        return wait.reason if wait else self.message

    @property
    def nodes(self) -> tuple[NodeCount, ...]:
        """How each node answered, over all journeys of the run that did not pass."""
        count: dict[str, list[int]] = {}
        for one in (*self.evidence.nodes, *(node for peer in self.peers for node in peer.nodes)):
            sums = count.setdefault(one.node, [0, 0])
            sums[0] += one.answers
            sums[1] += one.broken
        return tuple(NodeCount(node=node, answers=a, broken=b) for node, (a, b) in sorted(count.items()))

    @property
    def slow(self) -> tuple[Answer, ...]:
        """Answers that took long, slowest first."""
        found = [
            one
            for one in self.evidence.answers
            if one.duration_ms >= SLOW_MS and one.content_type != "text/event-stream"
        ]
        return tuple(sorted(found, key=lambda one: -one.duration_ms))

    @property
    def unwanted(self) -> list[Answer]:
        """Answers that may be why it broke: what was asked for in a step that passed was as the journey expected."""
        return [a for a in self.evidence.answers if not a.step or not self.step or self.step.startswith(a.step)]

    @property
    def only_slow(self) -> bool:
        """Whether time is all that is wrong."""
        return (not self.kind and bool(self.degradations)) or self.kind in {"timeout", "deadline"}


def facts_for(
    journey: JourneyVerdict, run: Verdict, *, last_passed_build: str = "", canary_down: bool = False
) -> TriageFacts:
    """What triage reads of one journey, out of a run's verdict."""
    result = journey.telling
    degradations = journey.degradations_of(result) if result else ()
    failure = result.failure if result else None
    walked = list(walk_steps(result.steps)) if result else []
    steps = [step for _, step in walked]
    weak = {one.step for one in degradations}
    broken = [s for s in steps if s.status == "failed"] or [s for path, s in walked if path in weak]
    telling_step = next((s for s in reversed(broken) if s.checks), broken[-1] if broken else None)
    message = failure.message if failure else "\n".join(d.message for d in degradations) if result else journey.cause
    return TriageFacts(
        outcome=journey.outcome,
        intermittent=journey.intermittent,
        kind=failure.kind if failure else "",
        ours=failure.ours if failure else journey.outcome == "unknown",
        message=message,
        finding=(failure.finding if failure else None) or Finding(),
        step=failure.step if failure else ", ".join(sorted(weak)),
        checks=telling_step.checks if telling_step else "",
        runbook=next((s.runbook for s in reversed(broken) if s.runbook), ""),
        role=next((s.role for s in reversed(broken) if s.role), ""),
        passed_steps=tuple((s.checks, s.role) for s in steps if s.status == "passed" and (s.checks or s.role)),
        degradations=degradations,
        evidence=(result.facts if result else None) or Facts(),
        peers=tuple(_peer(other) for other in run.journeys if other.journey.id != journey.journey.id),
        build=(result.build if result else "") or run.run.build,
        last_passed_build=last_passed_build,
        canary_down=canary_down,
    )


def _peer(other: JourneyVerdict) -> Peer:
    last = other.results[-1] if other.results else None
    answers = last.facts.answers if last and last.facts else ()
    return Peer(
        journey=other.journey.id,
        outcome=other.outcome,
        kind=last.failure.kind if last and last.failure else "",
        steps=tuple((s.checks, s.role, s.status == "passed") for _, s in walk_steps(last.steps) if s.checks or s.role)
        if last
        else (),
        nodes=last.facts.nodes if last and last.facts else (),
        forbidden=next((f"{a.method} {a.path}: {a.reason}" for a in answers if a.status == 403), ""),
    )
