"""Judges attempts, journeys and runs. Nothing passes by default, by timeout, by crash or by absence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from synthprobe import words
from synthprobe.records.incident import SEVERITIES
from synthprobe.records.journey import Journey
from synthprobe.records.result import Degradation, Failure, Outcome, Result, Run
from synthprobe.records.verdict import JourneyVerdict, Verdict

_WORST_FIRST: tuple[Outcome, ...] = ("failed", "unknown", "degraded", "skipped", "passed")
MUST_FAIL = "canary-must-fail"
MUST_PASS = "canary-must-pass"  # noqa: S105
"""Ids of the canaries: journeys against a target of our own whose outcome is known."""
OPEN_WALL = "open wall"
"""How a canary fails that reached what is not allowed; what it sees is right all the same."""
_GOOD: frozenset[Outcome] = frozenset({"passed", "degraded"})

_CUT_OFF = frozenset({"refused", "no connection", "dns", "protocol", "request", "no response", "timeout", "deadline"})
_ENDED = {"deadline": "the run reached its deadline"}


def judge_attempt(
    failure: Failure | None, degradations: Sequence[Degradation], *, finished: bool, skipped: str = ""
) -> tuple[Outcome, str]:
    """The outcome of one attempt."""
    if skipped:
        return "skipped", skipped
    if failure is not None:
        first = words.cause(failure)
        return ("unknown", f"{failure.kind}: {first}") if failure.ours else ("failed", first)
    if not finished:
        return "unknown", "The journey did not run to its end."
    if degradations:
        return "degraded", degradations[0].sentence
    return "passed", ""


class Unseen(Struct, frozen=True, kw_only=True):
    """Why a journey has no result, and whether it was in a step, waiting for something, when it was ended."""

    cause: str
    waited: bool = False


def judge_run(
    run: Run,
    expected: Sequence[Journey],
    results: Sequence[Result],
    now: datetime,
    *,
    missing: Callable[[Journey], Unseen] | None = None,
    blind: str = "",
    disbelieved: frozenset[Outcome] = frozenset(),
    cut_short: str = "",
) -> Verdict:
    """The outcome of every expected journey; ``cut_short`` says what kept second attempts from being made."""
    attempts: dict[str, list[Result]] = {}
    journeys = {journey.id: journey for journey in expected}
    for result in results:
        attempts.setdefault(result.journey.id, []).append(result)
        journeys.setdefault(result.journey.id, result.journey)
    verdicts = [
        _unless_cut_short(
            _judge_journey(journey, sorted(attempts.get(id, []), key=_order), missing, blind, disbelieved), cut_short
        )
        for id, journey in journeys.items()
    ]
    return Verdict(run=run, journeys=tuple(worst_first(verdicts)), finished_at=now, blind=blind)


def worst_first(verdicts: Sequence[JourneyVerdict]) -> list[JourneyVerdict]:
    """Verdicts in the order in which a person reads them."""

    def order(v: JourneyVerdict) -> tuple[int, int, str]:
        return _WORST_FIRST.index(v.outcome), SEVERITIES.index(v.journey.severity), v.journey.title

    return sorted(verdicts, key=order)


def _order(result: Result) -> tuple[int, int, datetime]:
    """The last one counts; of several first attempts, as xdist's ``--dist each`` makes them, that is the worst."""
    return result.attempt, -_WORST_FIRST.index(result.outcome), result.started_at


def _judge_journey(
    journey: Journey,
    attempts: list[Result],
    missing: Callable[[Journey], Unseen] | None,
    blind: str,
    disbelieved: frozenset[Outcome],
) -> JourneyVerdict:
    if not attempts:
        unseen = missing(journey) if missing else Unseen(cause="")
        cause = unseen.cause or "No result was recorded for this journey."
        return JourneyVerdict(journey=journey, outcome="unknown", cause=cause, waited=unseen.waited)
    last = attempts[-1]
    outcome, cause = last.outcome, last.cause
    if outcome in disbelieved:
        outcome, cause = "unknown", f"blind: {blind}"
    failed = [a for a in attempts if a.outcome == "failed"]
    intermittent = outcome in {"passed", "degraded"} and bool(failed)
    if outcome == "unknown" and last.outcome == "unknown" and failed:
        cause = f"{cause.rstrip('.')}. It failed before, at attempt {failed[-1].attempt}: {failed[-1].cause}"
    return JourneyVerdict(
        journey=last.journey,
        outcome=outcome,
        cause=cause or ("It failed, then passed at the second attempt." if intermittent else ""),
        intermittent=intermittent,
        since=attempts[0].started_at if outcome in {"failed", "unknown", "degraded"} else None,
        results=tuple(attempts),
    )


def lost_attempts(verdict: Verdict, died: Mapping[tuple[str, int], str]) -> tuple[str, ...]:
    """What the probe lost of journeys that a later attempt found well: it changes no outcome, but is noted."""
    lost = []
    for judgement in verdict.journeys:
        if judgement.outcome not in {"passed", "degraded"} or not judgement.results:
            continue
        known, last = {result.attempt: result for result in judgement.results}, judgement.results[-1].attempt
        for number in range(1, last):
            result = known.get(number)
            if result is None:
                step = died.get((judgement.journey.id, number))
                why = f'its process died while "{step}" was running' if step else "its process died"
            elif result.outcome == "unknown":
                why = result.cause.rstrip(".")
            else:
                continue
            lost.append(
                f"{judgement.journey.title}: attempt {number} was lost ({why}); attempt {last} {judgement.outcome}."
            )
    return tuple(lost)


def _failed_alone(judgement: JourneyVerdict) -> bool:
    """Whether it failed at its only attempt; a target that asks to be left alone is not tried again."""
    failure = judgement.results[0].failure if [result.attempt for result in judgement.results] == [1] else None
    return judgement.outcome == "failed" and failure is not None and failure.kind != "throttled"


def _unless_cut_short(judgement: JourneyVerdict, why: str) -> JourneyVerdict:
    if not why or not _failed_alone(judgement):
        return judgement
    cause = f"{why} before the second attempt, so nothing confirms that it failed. At attempt 1: {judgement.cause}"
    return replace(judgement, outcome="unknown", cause=cause, unconfirmed=True)


def unconfirmed(verdict: Verdict) -> Sequence[str]:
    """What failed at the only attempt that was recorded."""
    alone = [judgement.journey.id for judgement in verdict.journeys if _failed_alone(judgement)]
    names, ended = ", ".join(alone), _ENDED.get(verdict.run.ended, "")
    why = (
        f"{ended} before a second one could confirm it: {names}."
        if ended
        else f"no second one was recorded that confirms it: {names}. The run's pytest.log says whether pytest ended "
        "early; a plugin or marker, such as --forked or flaky(reruns=0), may run journeys its own way, too."
    )
    return [f"Failed at the first attempt, and {why}"] if alone else []


def saw_nothing(verdict: Verdict) -> bool:
    """Whether no journey reached the target, so that the network of the probe may be at fault."""
    return any(_is_cut_off(judgement) for judgement in verdict.journeys) and not any(
        judgement.outcome in {"passed", "degraded"} for judgement in verdict.journeys
    )


def without_network(verdict: Verdict, why: str) -> Verdict:
    """A verdict of a probe that had no network."""
    journeys = tuple(
        replace(judgement, outcome="unknown", cause=f"network: {why}") if _is_cut_off(judgement) else judgement
        for judgement in verdict.journeys
    )
    return replace(verdict, journeys=journeys, blind=verdict.blind or why)


def _is_cut_off(judgement: JourneyVerdict) -> bool:
    failure = judgement.results[-1].failure if judgement.results else None
    return judgement.outcome == "failed" and failure is not None and failure.kind in _CUT_OFF


def judge_canaries(results: Sequence[Result]) -> tuple[str, frozenset[Outcome]]:
    """What canaries that ended as they must not say of a run, and which outcomes of journeys it takes the belief from.

    A canary that could not look shares its fate with the journeys.
    """
    why, disbelieved = "", frozenset[Outcome]()
    for result in results:
        wanted = "failed" if result.journey.id == MUST_FAIL else "passed"
        if result.outcome in {wanted, "unknown", "skipped"}:
            continue
        failure = result.failure
        sees_wrong = failure is not None and failure.phase == "call" and failure.kind != OPEN_WALL
        disbelieved |= _GOOD | ({"failed"} if sees_wrong else frozenset())
        cause = f" ({result.cause})" if result.cause else ""
        why = why or (
            f"The {result.journey.title} ended as {result.outcome}{cause}, {wanted} was expected, "
            f"so nothing this run {'says' if sees_wrong else 'calls good'} can be believed."
        )
    return why, disbelieved


def exit_code(verdict: Verdict, *, fail_on_degraded: bool = False) -> int:
    """The exit code of a run."""
    if verdict.count("failed") or (fail_on_degraded and verdict.count("degraded")):
        return 1
    if verdict.blind:
        return 3
    if verdict.is_idle:
        return 0
    judged = verdict.count("passed") + verdict.count("degraded")
    return 3 if verdict.count("unknown") or not judged else 0
