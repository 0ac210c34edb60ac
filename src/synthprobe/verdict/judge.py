"""Judges attempts, journeys and runs. Nothing passes by default, by timeout, by crash or by absence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from synthprobe.model.journey import Journey
from synthprobe.model.result import Degradation, Failure, Outcome, Result, Run
from synthprobe.model.verdict import JourneyVerdict, Verdict

_WORST_FIRST: tuple[Outcome, ...] = ("failed", "unknown", "degraded", "skipped", "passed")
_SEVERITIES = ("blocker", "critical", "normal", "minor", "trivial")


def judge_attempt(
    failure: Failure | None, degradations: Sequence[Degradation], *, finished: bool, skipped: str = ""
) -> tuple[Outcome, str]:
    """The outcome of one attempt.

    Args:
        failure: what broke it.
        degradations: in which ways it was not well enough.
        finished: whether its body ran to its end.
        skipped: the reason, when policy skipped it.

    Returns:
        The outcome, and in one line why it is not ``passed``.

    Example:
        >>> judge_attempt(None, [], finished=False)
        ('unknown', 'The journey did not run to its end.')
    """
    if skipped:
        return "skipped", skipped
    if failure is not None:
        first = failure.message.splitlines()[0]
        return ("unknown", f"{failure.kind}: {first}") if failure.ours else ("failed", first)
    if not finished:
        return "unknown", "The journey did not run to its end."
    if degradations:
        return "degraded", degradations[0].message
    return "passed", ""


def judge_run(run: Run, expected: Sequence[Journey], results: Sequence[Result], now: datetime) -> Verdict:
    """The outcome of every expected journey.

    Args:
        run: the run.
        expected: the journeys that must be judged.
        results: what was recorded, in any order.
        now: when judging happens, UTC.

    Returns:
        One verdict for each expected journey, worst first; an expected journey without a result is ``unknown``.
    """
    attempts: dict[str, list[Result]] = {}
    journeys = {journey.id: journey for journey in expected}
    for result in results:
        attempts.setdefault(result.journey.id, []).append(result)
        journeys.setdefault(result.journey.id, result.journey)
    verdicts = [
        _judge_journey(journey, sorted(attempts.get(id, []), key=lambda r: (r.attempt, r.started_at)))
        for id, journey in journeys.items()
    ]
    verdicts.sort(key=lambda v: (_WORST_FIRST.index(v.outcome), _SEVERITIES.index(v.journey.severity), v.journey.title))
    return Verdict(run=run, journeys=tuple(verdicts), finished_at=now)


def _judge_journey(journey: Journey, attempts: list[Result]) -> JourneyVerdict:
    if not attempts:
        return JourneyVerdict(journey=journey, outcome="unknown", cause="No result was recorded for this journey.")
    last = attempts[-1]
    intermittent = last.outcome in {"passed", "degraded"} and any(a.outcome == "failed" for a in attempts)
    return JourneyVerdict(
        journey=last.journey,
        outcome=last.outcome,
        cause=last.cause,
        intermittent=intermittent,
        since=attempts[0].started_at if last.outcome in {"failed", "unknown", "degraded"} else None,
        results=tuple(attempts),
    )


def exit_code(verdict: Verdict, *, fail_on_degraded: bool = False) -> int:
    """The exit code of a run.

    Args:
        verdict: the run's verdict.
        fail_on_degraded: whether degraded counts as failed.

    Returns:
        0 all judged and nothing failed, 1 a journey failed, 3 the monitor was blind.

    Example:
        >>> from datetime import UTC
        >>> run = Run(id="1", target="t", base_url="http://t", slot=0, started_at=datetime.now(UTC))
        >>> exit_code(Verdict(run=run, journeys=(), finished_at=datetime.now(UTC)))
        3
    """
    if verdict.count("failed") or (fail_on_degraded and verdict.count("degraded")):
        return 1
    judged = verdict.count("passed") + verdict.count("degraded")
    return 3 if verdict.count("unknown") or not judged else 0
