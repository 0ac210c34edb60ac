"""What triage reads: the evidence of one journey's failure, and of its neighbours in the same run."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from itertools import takewhile

from msgspec import Struct

from synthprobe.records.address import path_of
from synthprobe.records.evidence import SLOW_MS, Answer, Facts, NodeCount, text_of
from synthprobe.records.finding import Finding
from synthprobe.records.result import Check, Degradation, Outcome, Result, Step, walk_steps
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.targets.addresses import is_at
from synthprobe.triage.fixed_records import RecordBy, record_by
from synthprobe.triage.usual import Occurrence, harmless, request_of, usual_of, without_usual

EDGE = frozenset({*range(520, 528), 530})
"""Statuses by which a network in front of the target says that the target itself gave it no answer."""

GATEWAYS = EDGE | {502, 503, 504}
"""The same, and those of a gateway."""

LIMITS = frozenset({413, 429})
"""Statuses by which what stands in front of the application does not let through."""

_PAGE_BREAKS = {"document", "script", "fetch", "xhr"}
"""What a page asks for that can be why it does not work; a picture or a font that is missing is not."""

MANY = 3
"""Requests that are slow, or journeys that are refused alike, from which it is not for one of them."""

NOT_REACHED = frozenset({"dns", "refused", "no connection", "protocol", "request"})
"""Kinds of failure by which no answer came."""

_KNOWN = {403, 404}
"""Statuses of whom the target knows, where a password goes with each request."""

_STREAMS = {"eventsource", "websocket"}
"""What stays open until the page is left, so that its end says nothing; only a refusal does."""

_NOT_OPENED = re.compile(r"\bHTTP |response code|net::ERR_(?!ABORTED)")
"""What a browser says of a WebSocket whose handshake was refused."""


def _is_slow(answer: Answer) -> bool:
    return answer.duration_ms >= SLOW_MS and answer.content_type != "text/event-stream"


def is_change(answer: Answer) -> bool:
    """Whether a request was to change something; a page that is refused a change misses it in a later step."""
    return answer.method not in {"GET", "HEAD", "OPTIONS"}


def is_not_opened(answer: Answer) -> bool:
    """Whether a stream was refused before it began."""
    return answer.resource in _STREAMS and not answer.status and bool(_NOT_OPENED.search(answer.reason))


def _refuses_change(answer: Answer) -> bool:
    """Whether a change was refused, and not who asks for it."""
    return is_change(answer) and answer.status >= 400 and answer.status != 401


class Peer(Struct, frozen=True, kw_only=True):
    """Another journey of the same run."""

    journey: str
    outcome: Outcome
    kind: str = ""
    steps: tuple[tuple[Check, str, bool], ...] = ()
    nodes: tuple[NodeCount, ...] = ()
    forbidden: str = ""
    is_refused_a_change: bool = False
    has_changed: bool = False
    record_by: RecordBy = ""
    role: str = ""
    let_in: tuple[str, ...] = ()
    kept_out: str = ""
    usual: dict[Occurrence, int] = {}
    waits: frozenset[tuple[str, str]] = frozenset()
    is_answered: bool = False
    meets_error: bool = False
    in_vain: frozenset[str] = frozenset()
    asked_target: bool = True


class TriageFacts(Struct, frozen=True, kw_only=True, dict=True):
    """All that triage reads of one journey's failure."""

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
    new: tuple[Answer, ...] = ()
    """Refusals that journeys which pass meet too, and none of this one's earlier runs that passed did."""
    peers: tuple[Peer, ...] = ()
    build: str = ""
    last_passed_build: str = ""
    disbelieved: str = ""
    took_s: float = 0.0
    mutates: tuple[str, ...] = ()
    begins: bool = False
    site: str = ""

    @cached_property
    def witnesses(self) -> tuple[Peer, ...]:
        """The other journeys that tell whether the target answers: one that passes without it does not."""
        return tuple(peer for peer in self.peers if peer.asked_target or peer.outcome != "passed")

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

    @cached_property
    def nodes(self) -> tuple[NodeCount, ...]:
        """How each node answered, over all journeys of the run that did not pass."""
        count: dict[str, list[int]] = {}
        for node_count in (*self.evidence.nodes, *(node for peer in self.peers for node in peer.nodes)):
            sums = count.setdefault(node_count.node, [0, 0])
            sums[0] += node_count.answers
            sums[1] += node_count.broken
        return tuple(NodeCount(node=node, answers=a, broken=b) for node, (a, b) in sorted(count.items()))

    def is_refused_everywhere(self, a: Answer) -> bool:
        """Whether a change was refused as those of other journeys were, and nobody's succeeded: it is not for one."""
        alike = sum(peer.is_refused_a_change for peer in self.peers)
        return _refuses_change(a) and alike >= MANY - 1 and not any(peer.has_changed for peer in self.peers)

    @cached_property
    def slow(self) -> tuple[Answer, ...]:
        """Answers that took long, slowest first."""
        return tuple(sorted(filter(_is_slow, self.evidence.answers), key=lambda answer: -answer.duration_ms))

    @property
    def breaks_as_most(self) -> bool:
        """Whether the server answered with an error, as it did to most journeys of the run: it is not for one."""
        alike = 1 + sum(peer.meets_error and peer.outcome == "failed" for peer in self.peers)
        return any(a.status >= 500 for a in self.unwanted) and alike > max(MANY, (len(self.witnesses) + 1) / 2)

    @property
    def is_slow_everywhere(self) -> bool:
        """Whether other journeys that did not pass waited long for many requests, so that none is slow by itself."""
        waiting = [peer.waits for peer in self.peers if peer.waits]
        return len(waiting) > 1 and len(frozenset().union(*waiting)) >= MANY

    @property
    def outlasting(self) -> tuple[Answer, ...]:
        """Changes that took longer than what was waited for in vain, so that it may still come."""
        wait = self.finding.wait
        return tuple(a for a in self.slow if wait and is_change(a) and a.duration_ms >= wait.within_s * 1000)

    @property
    def script_errors(self) -> tuple[str, ...]:
        """Uncaught errors of a page that may be why: none beside a contradicted answer, or where it was slow."""
        return () if self.asked or self.only_slow else self.evidence.page_errors

    @cached_property
    def unwanted(self) -> list[Answer]:
        """Answers that may be why it broke.

        What a journey asked for in a step that passed was as it expected; what a page asked for by itself there may
        still be missing in the next one. Whatever was only slow or old was refused nothing.
        """
        found = [a for a in self.evidence.answers if self.is_here(a) or (a.by == "page" and self._is_missed(a))]
        return found if self.kind else [a for a in found if a.status < 400]

    def is_here(self, a: Answer) -> bool:
        """Whether an answer belongs to a broken step, or to none."""
        steps = [self.step] if self.kind else [degradation.step for degradation in self.degradations]
        breaks = a.by == "api" or not a.resource or a.resource in _PAGE_BREAKS
        breaks = breaks or (a.resource in _STREAMS and (a.status >= 400 or is_not_opened(a)))
        return breaks and (not a.step or not any(steps) or any(step.startswith(a.step) for step in steps))

    def _is_missed(self, a: Answer) -> bool:
        own = a.resource in _PAGE_BREAKS - {"document"} and (a.status >= 500 or a.status == 0)
        return (
            own
            or a is self.page_that_never_came
            or (a.status >= 400 and (a.resource == "script" or (is_change(a) and a.resource in _PAGE_BREAKS)))
        )

    @cached_property
    def page_that_never_came(self) -> Answer | None:
        """The last page that was asked for, in whatever step, where it gave no answer and nothing is shown instead."""
        last = next((a for a in reversed(self.evidence.answers) if a.resource == "document"), None)
        is_lost = last is not None and not last.status and not last.reason.startswith("net::ERR_ABORTED")
        is_empty = any(not any(map(text_of, page.outline)) for page in self.evidence.pages[-1:])
        return last if is_lost and is_empty else None

    @cached_property
    def asked(self) -> tuple[str, str] | None:
        """The request that the failure itself names: it got another answer than expected, or none that is whole."""
        named = self.finding.contradiction or self.finding.refusal
        return (named.method, path_of(named.url) or "/") if named and named.method else None

    @property
    def is_elsewhere(self) -> bool:
        """Whether what gave no answer is not known to be the target: it has another host or port, or none was named."""
        refusal = self.finding.refusal
        if refusal is None or not self.site or self.kind not in {*NOT_REACHED, "tls"}:
            return False
        return not is_at(refusal.url, self.site) if refusal.url else self.kind == "request"

    @cached_property
    def led_away(self) -> Answer | None:
        """The answer by which the target led to the address that gave none, so that it was reached itself."""
        refusal = self.finding.refusal
        path = path_of(refusal.url) if refusal else None
        led = (a for a in reversed(self.evidence.answers) if self.is_here(a) and 300 <= a.status < 400)
        return next((a for a in led if a.by == "page" and a.path == path), None)

    @cached_property
    def log_ins(self) -> list[Answer]:
        """Where a password was sent, in the order of time."""
        return [a for a in self.evidence.answers if a.credentials == "password"]

    @property
    def acting(self) -> str:
        """The account that was let in last, or that Basic named in what is forbidden; empty when it is not known."""
        known = (a for a in reversed(self.log_ins) if 0 < a.status < 400 or a.status in _KNOWN)
        return next((a.account for a in known if a.account), "")

    @property
    def is_absent(self) -> bool:
        """Whether what a page should show was not there at all."""
        sought = self.finding.sought
        return sought is not None and sought.sight == "absent"

    @property
    def sought_s(self) -> float:
        """Seconds that an element was looked for."""
        return self.finding.sought.within_s if self.finding.sought else 0.0

    @property
    def only_slow(self) -> bool:
        """Whether time is all that is wrong: an element that was not there is another thing."""
        if not self.kind:
            return bool(self.degradations)
        here = sum(a.duration_ms for a in self.slow if self.is_here(a)) / 1000
        limit = self.sought_s if self.finding.sought else 0.0 if self.finding.wait else self.took_s
        return self.kind in {"deadline", "unresponsive"} or (self.kind == "timeout" and here * 2 >= limit > 0)


def facts_for(
    journey: JourneyVerdict,
    run: Verdict,
    *,
    last_passed_build: str = "",
    usual: Mapping[Occurrence, int] | None = None,
    peers_known: Callable[[], tuple[Peer, ...]] | None = None,
) -> TriageFacts:
    """What triage reads of one journey, out of a run's verdict.

    ``peers_known`` gives what `peers_of` made of the run, so that many journeys share it.
    """
    result = journey.telling
    degradations = journey.degradations_of(result) if result else ()
    failure = result.failure if result else None
    walked = list(walk_steps(result.steps)) if result else []
    steps = [step for _, step in walked]
    weak = {degradation.step for degradation in degradations}
    broken = [s for s in steps if s.status == "failed"] or [s for path, s in walked if path in weak]
    telling_step = next((s for s in reversed(broken) if s.checks), broken[-1] if broken else None)
    everybody = peers_known() if peers_known else peers_of(run)
    peers = tuple(peer for peer in everybody if peer.journey != journey.journey.id)
    wrong = failure.finding.contradiction if failure and failure.finding else None
    own = (result.facts if result else None) or Facts()
    evidence = without_usual(own, _usual(peers, usual or {}), wrong, run.run.identifiers)
    weightless = [a for a in own.answers if a not in evidence.answers]
    message = failure.message if failure else "\n".join(d.message for d in degradations) if result else journey.cause
    return TriageFacts(
        outcome=journey.outcome,
        intermittent=journey.intermittent,
        kind=failure.kind if failure else "deadline" if journey.waited else "",
        ours=journey.is_disbelieved or (failure.ours if failure else journey.outcome == "unknown"),
        message=message,
        finding=(failure.finding if failure else None) or Finding(),
        step=failure.step if failure else ", ".join(sorted(weak)),
        checks=telling_step.checks if telling_step else "",
        runbook=next((s.runbook for s in reversed(broken) if s.runbook), ""),
        role=next((s.role for s in reversed(broken) if s.role), ""),
        passed_steps=tuple((s.checks, s.role) for path, s in walked if _held(path, s, weak) and (s.checks or s.role)),
        degradations=degradations,
        evidence=evidence,
        new=tuple(a for a in weightless if usual is not None and request_of(a) not in usual),
        peers=peers,
        build=(result.build if result else "") or run.run.build,
        last_passed_build=last_passed_build,
        disbelieved=run.blind if journey.is_disbelieved else "",
        took_s=sum(s.duration_s for s in broken if not s.steps),
        mutates=journey.journey.mutates,
        begins=result is not None and _begins(result),
        site=run.run.base_url,
    )


def _begins(result: Result) -> bool:
    """Whether what broke is the first thing that it did, or the first after a log-in that was accepted."""
    sent = {a.step for a in (result.facts.answers if result.facts else ()) if a.credentials == "password"}
    before = takewhile(lambda step: step.status == "passed", (step for step in result.steps if not step.vital))
    return all(any(path in sent for path, _ in walk_steps([step])) for step in before)


def _usual(peers: tuple[Peer, ...], before: Mapping[Occurrence, int]) -> dict[Occurrence, int]:
    most = dict(before)
    for peer in peers:
        for request, times in peer.usual.items():
            if request[0] == "page":  # what another journey asked for by itself and expected says nothing of this one
                most[request] = max(most.get(request, 0), times)
    return most


def _held(path: str, step: Step, weak: Collection[str]) -> bool:
    """Whether a step did its job, and what it showed was neither slow nor old."""
    return step.status == "passed" and path not in weak


def peers_of(run: Verdict) -> tuple[Peer, ...]:
    """Every journey of a run, as the others see it."""
    return tuple(map(_peer, run.journeys))


def is_kept_out(seen: Facts, broken: str) -> bool:
    """Whether the step that broke sent the first password and got no further, or a page asks for it once more."""
    log_ins = [number for number, a in enumerate(seen.answers) if a.credentials == "password" and is_change(a)]
    if not log_ins:
        return False
    if any(page.asks_password for page in seen.pages[-1:]):
        return True
    first, last = seen.answers[log_ins[0]], seen.answers[log_ins[-1]]
    if last.by == "api" and (300 <= last.status < 400 or last.status in {404, 405, 410}):
        return False  # it asked where no log-in is
    went_on = any(a.by == "page" and not a.host and 0 < a.status < 400 for a in seen.answers[log_ins[-1] + 1 :])
    let_in = (bool(seen.pages) or went_on) and 0 < last.status < 400
    return bool(first.step) and broken.startswith(first.step) and not let_in


def _is_answered(answers: Iterable[Answer], broken: str) -> bool:
    """Whether each answer of a broken step came from the target itself, and not from what stands before it."""
    here = [a for a in answers if a.step and broken.startswith(a.step) and not a.host]
    return bool(here) and all(0 < a.status < 600 and a.status not in GATEWAYS | LIMITS for a in here)


def _peer(other: JourneyVerdict) -> Peer:
    last = other.results[-1] if other.results else None
    answers = last.facts.answers if last and last.facts else ()
    walked = list(walk_steps(last.steps)) if last else []
    steps = [step for _, step in walked]
    weak = {degradation.step for degradation in other.degradations_of(last)} if last else set[str]()
    broken = last.failure.step if last and last.failure else ""
    log_ins = [a for a in answers if a.credentials == "password"]
    sent = [a for a in log_ins if not (a.step and broken.startswith(a.step))]
    return Peer(
        journey=other.journey.id,
        outcome=other.outcome,
        kind=last.failure.kind if last and last.failure else "",
        steps=tuple((s.checks, s.role, _held(path, s, weak)) for path, s in walked if s.checks or s.role),
        nodes=last.facts.nodes if last and last.facts else (),
        forbidden=next((f"{a.method} {a.path}: {a.reason}" for a in answers if a.status == 403), ""),
        is_refused_a_change=any(_refuses_change(a) and broken.startswith(a.step or "\0") for a in answers),
        record_by=record_by(
            next((s.checks for s in reversed(steps) if s.checks and s.status == "failed"), ""),
            last.failure.finding if last and last.failure else None,
        ),
        asked_target=last is None or last.asked_target,
        has_changed=other.outcome == "passed" and bool(other.journey.mutates),
        role=next((s.role for s in reversed(steps) if s.role and s.status == "failed"), ""),
        kept_out=(log_ins[-1].account or "?") if last and is_kept_out(last.facts or Facts(), broken) else "",
        let_in=tuple(a.path for a in sent if 0 < a.status < 400),  # where the step of it broke, it may be refused
        waits=frozenset((a.method, a.path) for a in answers if other.outcome != "passed" and _is_slow(a)),
        is_answered=_is_answered(answers, broken),
        meets_error=any(
            a.status >= 500 and not a.host and (broken.startswith(a.step) if a.step else not broken) for a in answers
        ),
        in_vain=frozenset(a.path for a in answers if a.status in GATEWAYS),
        usual=usual_of(harmless(last.facts)) if last and other.outcome == "passed" and len(other.results) == 1 else {},
    )
