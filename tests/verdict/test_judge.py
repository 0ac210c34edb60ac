"""Nothing passes by default, by crash or by absence."""

from datetime import UTC, datetime

import msgspec
import pytest

from synthprobe.records.journey import Journey
from synthprobe.records.result import Degradation, Failure, Outcome, Result, Run
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.verdict.judge import exit_code, judge_attempt, judge_run, unconfirmed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(id="r", target="t", base_url="http://t", slot=1, started_at=NOW)


def journey(id: str) -> Journey:
    return Journey(id=id, node_id=id, title=id)


def result(id: str, outcome: Outcome, attempt: int = 1) -> Result:
    return Result(
        run_id="r",
        target="t",
        journey=journey(id),
        attempt=attempt,
        outcome=outcome,
        cause="" if outcome == "passed" else outcome,
        started_at=NOW,
        duration_s=1.0,
    )


def failure(*, ours: bool) -> Failure:
    return Failure(kind="k", ours=ours, message="it broke\nmore", detail="")


@pytest.mark.parametrize(
    ("broke", "slow", "finished", "skipped", "outcome"),
    [
        (None, False, True, "", "passed"),
        (None, True, True, "", "degraded"),
        (None, False, False, "", "unknown"),
        (failure(ours=False), True, False, "", "failed"),
        (failure(ours=True), False, False, "", "unknown"),
        (failure(ours=True), False, True, "", "unknown"),
        (None, False, False, "not on production", "skipped"),
    ],
)
def test_one_attempt(broke, slow, finished, skipped, outcome):
    slowness = [Degradation(kind="over budget", step="s", message="slow")] if slow else []
    assert judge_attempt(broke, slowness, finished=finished, skipped=skipped)[0] == outcome


def test_what_an_attempt_found_is_not_lost_where_the_next_could_not_look():
    verdict = judge_run(RUN, [journey("a")], [result("a", "failed"), result("a", "unknown", attempt=2)], NOW)
    assert verdict.journeys[0].outcome == "unknown"
    assert all(attempt.cause in verdict.journeys[0].cause for attempt in verdict.journeys[0].results)


def test_an_expected_journey_without_a_result_is_unknown():
    verdict = judge_run(RUN, [journey("a"), journey("b")], [result("a", "passed")], NOW)
    assert [(j.journey.id, j.outcome) for j in verdict.journeys] == [("b", "unknown"), ("a", "passed")]
    assert exit_code(verdict) == 3


def test_failed_and_then_passed_is_intermittent_and_not_forgotten():
    verdict = judge_run(RUN, [journey("a")], [result("a", "failed"), result("a", "passed", 2)], NOW)
    (judgement,) = verdict.journeys
    assert (judgement.outcome, judgement.intermittent, len(judgement.results)) == ("passed", True, 2)


@pytest.mark.parametrize("outcomes", [("failed", "passed"), ("passed", "failed")])
def test_of_two_first_attempts_as_several_workers_make_them_the_worst_counts(outcomes):
    results = [msgspec.structs.replace(result("a", outcome), started_at=NOW.replace(second=second))
               for second, outcome in enumerate(outcomes)]  # fmt: skip
    (judgement,) = judge_run(RUN, [journey("a")], results, NOW).journeys
    assert (judgement.outcome, judgement.intermittent) == ("failed", False)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["passed"], 0),
        (["passed", "degraded"], 0),
        (["passed", "failed", "unknown"], 1),
        (["passed", "unknown"], 3),
        (["skipped"], 3),
        ([], 3),
    ],
)
def test_exit_codes(outcomes: list[Outcome], code: int):
    results = [result(str(number), outcome) for number, outcome in enumerate(outcomes)]
    assert exit_code(judge_run(RUN, [r.journey for r in results], results, NOW)) == code


def test_a_verdict_of_an_older_version_says_its_degradations_as_before():
    older = b"""{"journey": {"id": "j", "node_id": "j", "title": "j"}, "outcome": "degraded", "cause": "slow",
        "results": [
        {"run_id": "r", "target": "t", "journey": {"id": "j", "node_id": "j", "title": "j"}, "attempt": 1,
         "outcome": "degraded", "cause": "slow", "started_at": "2026-11-02T00:00:00Z", "duration_s": 1.0,
         "degradations": [{"kind": "above baseline", "step": "search", "message": "slow"}]}]}"""
    judged = msgspec.json.decode(older, type=JourneyVerdict)
    assert [found.kind for found in judged.degradations] == ["above baseline"]
    assert judged.telling is judged.results[-1]
    assert msgspec.json.decode(msgspec.json.encode(judged), type=JourneyVerdict) == judged


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        ("deadline", "the run reached its deadline before a second one could confirm it: slow."),
        ("", "no second one was recorded that confirms it: slow. The run's pytest.log says whether pytest ended early"),
    ],
)
def test_why_a_failure_was_not_tried_again_is_what_ended_the_run_where_that_is_known(ended, why):
    broken = msgspec.structs.replace(result("slow", "failed"), failure=failure(ours=False))
    run = msgspec.structs.replace(RUN, ended=ended)
    (note,) = unconfirmed(judge_run(run, [journey("slow")], [broken], NOW))
    assert note.startswith(f"Failed at the first attempt, and {why}")
    assert ("marker" in note) is not bool(ended), "nothing else is looked for"
