"""Observations: what a run says of each journey, in the few words that incidents are made of."""

from __future__ import annotations

from synthprobe.model.incident import Observation
from synthprobe.model.verdict import JourneyVerdict, Verdict
from synthprobe.verdict.fingerprint import fingerprint, signature


def observe(verdict: Verdict) -> tuple[Observation, ...]:
    """What a run says of each journey.

    Args:
        verdict: the run's verdict.

    Returns:
        One observation for each journey, in the verdict's order.
    """
    return tuple(_observation(one, verdict) for one in verdict.journeys)


def _observation(one: JourneyVerdict, verdict: Verdict) -> Observation:
    run = verdict.run
    telling = [r for r in one.results if r.outcome not in {"passed", "skipped"}]
    last = telling[-1] if telling else None
    kind, step, message = "", "", one.cause
    if last is not None and last.failure is not None:
        kind, step, message = last.failure.kind, last.failure.step, last.failure.message
    elif last is not None and last.degradations:
        kind, step, message = last.degradations[0].kind, last.degradations[0].step, last.degradations[0].message
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
        fingerprint="" if sound else fingerprint(one.journey.id, step, kind or one.outcome, message),
        signature="" if sound else signature(kind or one.outcome, message),
        step="" if sound else step,
        cause=one.cause or (last.cause if last else ""),
        node=next((a.node for a in reversed(answers) if a.node), ""),
        build=(last.build if last else "") or run.build,
    )
