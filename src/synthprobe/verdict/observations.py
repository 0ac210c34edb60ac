"""Observations: what a run says of each journey, in the few words that incidents are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import takewhile

from msgspec.structs import replace

from synthprobe.model.incident import Observation
from synthprobe.model.verdict import JourneyVerdict, Verdict
from synthprobe.verdict.fingerprint import fingerprint, former_fingerprint, signature
from synthprobe.verdict.isolation import Isolation


def observe(verdict: Verdict, isolation: Isolation | None = None) -> tuple[Observation, ...]:
    """What a run says of each journey."""
    isolation = isolation or Isolation()
    return tuple(
        isolation.judge(
            one.journey.title, partial(_observation, one, verdict), otherwise=_bare_observation(one, verdict)
        )
        for one in verdict.journeys
    )


def seen_in_a_row(
    verdict: Verdict, before: Mapping[str, Sequence[Observation]], isolation: Isolation | None = None
) -> Verdict:
    """Say of what was measured in how many runs in a row it was seen, where that is more than one."""
    isolation = isolation or Isolation()
    journeys = (
        isolation.judge(
            one.journey.title, partial(_in_a_row, one, verdict, before.get(one.journey.id, ())), otherwise=one
        )
        for one in verdict.journeys
    )
    return replace(verdict, journeys=tuple(journeys))


def _in_a_row(one: JourneyVerdict, verdict: Verdict, seen: Sequence[Observation]) -> JourneyVerdict:
    last = one.results[-1] if one.results else None
    if one.outcome != "degraded" or last is None or not last.degradations:
        return one
    first, *others = last.degradations
    failure = (one.journey.id, first.step, first.kind, first.message)
    same = {fingerprint(*failure, verdict.run.identifiers), former_fingerprint(*failure)}
    earlier = [old for old in seen if old.run_id != verdict.run.id and old.at < verdict.run.started_at]
    runs = 1 + sum(1 for _ in takewhile(lambda old: old.fingerprint in same, reversed(earlier)))
    if runs == 1 or first.kind == "above baseline":
        return one
    surer = replace(first, sure=f"measured in {runs} runs in a row")
    cause = surer.told if one.cause == first.told else one.cause
    last = replace(last, degradations=(surer, *others), cause=cause if last.cause == first.told else last.cause)
    return replace(one, cause=cause, results=(*one.results[:-1], last))


def _bare_observation(one: JourneyVerdict, verdict: Verdict) -> Observation:
    run = verdict.run
    return Observation(
        run_id=run.id,
        slot=run.slot,
        at=run.started_at,
        target=run.target,
        journey=one.journey.id,
        outcome=one.outcome,
        intermittent=one.intermittent,
        cause=one.cause,
        location=run.location,
    )


def _observation(one: JourneyVerdict, verdict: Verdict) -> Observation:
    run = verdict.run
    telling = [r for r in one.results if r.outcome not in {"passed", "skipped"}]
    last = telling[-1] if telling else None
    kind, step, message = "", "", one.cause
    if last is not None and last.failure is not None:
        kind, step, message = last.failure.kind, last.failure.step, last.failure.message
    elif last is not None and last.degradations:
        kind, step, message = last.degradations[0].kind, last.degradations[0].step, last.degradations[0].message
    failure = (one.journey.id, step, kind or one.outcome, message)
    sound = one.outcome in {"passed", "skipped"} and not one.intermittent
    answers = last.facts.answers if last and last.facts else ()
    return Observation(
        run_id=run.id,
        slot=run.slot,
        at=run.started_at,
        target=run.target,
        journey=one.journey.id,
        outcome=one.outcome,
        intermittent=one.intermittent,
        fingerprint="" if sound else fingerprint(*failure, run.identifiers),
        former_fingerprint="" if sound else former_fingerprint(*failure),
        signature="" if sound else signature(kind or one.outcome, message, run.identifiers),
        step="" if sound else step,
        cause=one.cause or (last.cause if last else ""),
        node=next((a.node for a in reversed(answers) if a.node), ""),
        build=(last.build if last else "") or run.build,
        location=run.location,
    )
