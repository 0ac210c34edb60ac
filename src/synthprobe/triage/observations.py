"""Observations: what a run says of each journey, in the few words that incidents are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import takewhile

from msgspec.structs import replace

from synthprobe import words
from synthprobe.records.incident import Observation
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.triage.facts import Peer, facts_for, peers_of
from synthprobe.triage.fingerprint import fingerprint, former_fingerprint, is_bare, signature
from synthprobe.triage.shared_evidence import evidence_of, says_which
from synthprobe.triage.usual import Occurrence
from synthprobe.verdict.isolation import Isolation


def observe(
    verdict: Verdict, isolation: Isolation | None = None, usual: Mapping[str, Mapping[Occurrence, int]] | None = None
) -> tuple[Observation, ...]:
    """What a run says of each journey; ``usual`` is what was refused in runs in which it passed."""
    isolation = isolation or Isolation()
    peers = cache(partial(peers_of, verdict))

    def seen(judgement: JourneyVerdict) -> Observation:
        return _observation(judgement, verdict, peers, (usual or {}).get(judgement.journey.id, {}))

    return tuple(
        isolation.judge(judgement.journey.title, partial(seen, judgement), otherwise=verdict.observation(judgement))
        for judgement in verdict.journeys
    )


def seen_in_a_row(
    verdict: Verdict, before: Mapping[str, Sequence[Observation]], isolation: Isolation | None = None
) -> Verdict:
    """Say of what was measured in how many runs in a row it was seen, where that is more than one."""
    isolation = isolation or Isolation()
    journeys = (
        isolation.judge(
            judgement.journey.title,
            partial(_in_a_row, judgement, verdict, before.get(judgement.journey.id, ())),
            otherwise=judgement,
        )
        for judgement in verdict.journeys
    )
    return replace(verdict, journeys=tuple(journeys))


def _in_a_row(judgement: JourneyVerdict, verdict: Verdict, seen: Sequence[Observation]) -> JourneyVerdict:
    if judgement.outcome != "degraded" or not judgement.degradations:
        return judgement
    first, *others = judgement.degradations
    failure = (judgement.journey.id, first.step, first.kind, first.message)
    same = {fingerprint(*failure, verdict.run.identifiers), former_fingerprint(*failure)}
    earlier = [old for old in seen if old.run_id != verdict.run.id and old.at < verdict.run.started_at]
    runs = 1 + sum(1 for _ in takewhile(lambda old: old.fingerprint in same, reversed(earlier)))
    if runs == 1 or first.kind == "above baseline":
        return judgement
    surer = replace(first, sure=f"measured in {runs} runs in a row")
    return replace(judgement, cause=surer.sentence, degradations=(surer, *others))


def _observation(
    judgement: JourneyVerdict, verdict: Verdict, peers: Callable[[], tuple[Peer, ...]], usual: Mapping[Occurrence, int]
) -> Observation:
    bare, run, telling = verdict.observation(judgement), verdict.run, judgement.telling
    bare = replace(bare, seen_from=words.seen_from(judgement.votes))
    if judgement.alone:
        return replace(bare, step="")
    if judgement.outcome in {"passed", "skipped"} and not judgement.intermittent:
        return replace(bare, step="")
    kind, step, message = str(judgement.outcome), "", judgement.cause
    if telling is not None and telling.failure is not None:
        kind, step, message = telling.failure.kind, telling.failure.step, telling.failure.message
    elif telling is not None and (found := judgement.degradations_of(telling)):
        kind, step, message = found[0].kind, found[0].step, found[0].message
    failure = (judgement.journey.id, step, kind, message)
    test = judgement.journey.node_id.partition("[")[0] if is_bare(message) else ""
    answers = telling.facts.answers if telling and telling.facts else ()
    facts = facts_for(judgement, verdict, usual=usual, peers_known=peers)
    return replace(
        bare,
        fingerprint=fingerprint(*failure, run.identifiers),
        former_fingerprint=former_fingerprint(*failure),
        signature=signature(kind, f"{test}{message}", run.identifiers) if says_which(message, kind) else "",
        evidence=evidence_of(facts, judgement.triage, run.identifiers),
        by_itself=evidence_of(replace(facts, peers=()), judgement.triage, run.identifiers),
        step=step,
        cause=judgement.cause or (judgement.cause_of(telling) if telling else ""),
        node=next((a.node for a in reversed(answers) if a.node), ""),
        build=(telling.build if telling else "") or run.build,
    )
