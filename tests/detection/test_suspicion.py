"""Slow once: who is looked at again, and when the probe is to blame."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from synthprobe.detection.degradation import StepDetector
from synthprobe.detection.suspicion import LookedAgain, is_calm, judge_probe, suspect, with_reruns
from synthprobe.detection.watch import watch
from synthprobe.records.journey import Journey
from synthprobe.records.result import Result, Run
from synthprobe.records.verdict import JourneyVerdict, Verdict

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("sign in", "search", "board", "units")


def verdict(number: int, took: dict[str, float], reference_ms: float = 10.0) -> Verdict:
    at = BEGAN + timedelta(minutes=5 * number)
    run = Run(id=str(number), target="demo", base_url="http://x", slot=number, started_at=at, reference_ms=reference_ms)
    journeys = []
    for name, seconds in took.items():
        journey = Journey(id=name, node_id=f"test_{name}", title=name)
        result = Result(
            run_id=run.id, target="demo", journey=journey, attempt=1, outcome="passed", started_at=at,
            duration_s=seconds,
        )  # fmt: skip
        journeys.append(JourneyVerdict(journey=journey, outcome="passed", results=(result,)))
    return Verdict(run=run, journeys=tuple(journeys), finished_at=at)


@pytest.fixture
def states():
    """Sixty healthy runs of four journeys that take about a second, on a steady probe."""
    noise, known = random.Random(1), {}
    for number in range(60):
        judgement = verdict(number, {name: noise.uniform(0.95, 1.1) for name in NAMES}, noise.uniform(9, 11))
        known |= watch(judgement, known).states | judge_probe(judgement, known).states
    return known


def usual(**other: float) -> dict[str, float]:
    return dict.fromkeys(NAMES, 1.0) | other


def test_only_what_is_slower_than_its_own_usual_is_looked_at_again(states):
    (suspicion,) = suspect(verdict(60, usual(search=2.0)), states)
    assert suspicion.journey == "search"
    assert list(suspicion.steps) == [""]
    assert suspect(verdict(60, usual()), states) == ()
    assert suspect(verdict(60, usual(search=2.0)), {}) == ()


def test_a_failed_journey_has_its_second_attempt_and_is_not_looked_at_again(states):
    slow = verdict(60, usual(search=2.0))
    failed = tuple(
        replace(journey, results=(replace(journey.results[0], outcome="failed"),), outcome="failed")
        for journey in slow.journeys
    )
    assert suspect(replace(slow, journeys=failed), states) == ()


def test_reruns_open_the_alarm_in_the_same_run_and_teach_nothing(states):
    slow = verdict(60, usual(search=2.0))
    (why,) = suspicions = suspect(slow, states)
    result = next(journey.results[0] for journey in slow.journeys if journey.journey.id == "search")
    reruns = [replace(result, started_at=result.started_at + timedelta(seconds=n)) for n in range(1, 9)]
    as_usual = replace(result, duration_s=1.0)
    assert not any(why.is_calm(reruns[:n]) for n in range(9))
    assert why.is_calm([as_usual])
    assert not why.is_calm([replace(as_usual, outcome="failed")])
    assert not why.is_calm([*reruns[:3], as_usual])  # one of five does not outweigh the four
    assert [why.is_usual(rerun) for rerun in (as_usual, reruns[0], replace(as_usual, outcome="failed"))] == [
        True, False, False,
    ]  # fmt: skip
    alone = watch(slow, states).verdict
    assert alone.count("degraded") == 0
    again = watch(with_reruns(slow, suspicions, LookedAgain(results=tuple(reruns))), states).verdict
    assert [journey.journey.id for journey in again.journeys if journey.outcome == "degraded"] == ["search"]


def test_most_journeys_slow_by_one_factor_is_the_probe_for_three_runs_f74(states):
    sentences = []
    for number in range(60, 65):
        judged = judge_probe(verdict(number, dict.fromkeys(NAMES, 2.0)), states)
        states = states | judged.states
        sentences.append(judged.suspected)
    assert sentences[0].startswith("Probe suspected: 4 of 4 journeys took 1.9 × their usual in the same run.")
    assert [bool(sentence) for sentence in sentences] == [True, True, True, False, False]
    judged = judge_probe(verdict(65, usual()), states)
    assert judged.suspected == ""
    assert judge_probe(verdict(66, dict.fromkeys(NAMES, 2.0)), states | judged.states).suspected


def test_a_busy_hour_of_one_journey_hides_no_slow_probe():
    noise, known = random.Random(2), {}

    def took(number: int) -> dict[str, float]:
        return usual(search=3.0 if 8 <= number // 12 % 24 < 10 else 1.0)

    for number in range(0, 4 * 288, 3):
        judgement = verdict(
            number, {name: seconds * noise.uniform(0.95, 1.1) for name, seconds in took(number).items()}
        )
        known |= watch(judgement, known).states
    busy = 4 * 288 + 8 * 12 + 6
    slow = verdict(busy, {name: 2 * seconds for name, seconds in took(busy).items()})
    assert "4 of 4 journeys took 2.0 ×" in judge_probe(slow, known).suspected


@pytest.mark.parametrize("took", [usual(search=2.0, board=2.0), {"sign in": 2, "search": 4, "board": 8, "units": 16}])
def test_other_factors_are_the_targets(states, took):
    assert judge_probe(verdict(60, took), states).suspected == ""


def test_a_slow_reference_task_is_the_probe_f74(states):
    judged = judge_probe(verdict(60, usual(search=2.0), reference_ms=40.0), states)
    assert "took 40 ms for a fixed task that usually takes 10 ms" in judged.suspected


def test_reruns_in_a_busy_hour_are_compared_with_that_hour():
    noise, detector, again, alarms = random.Random(50), StepDetector(), 0, []
    for number in range(288 * 20):
        at = 300.0 * number
        busy = 1.5 if 8 <= at // 3600 % 24 < 18 else 1.0
        first, *reruns = (200 * busy * math.exp(noise.gauss(0, 0.2)) for _ in range(9))
        surprises = [detector.surprise(at, took) for took in (first, *reruns)]
        alarms += detector.update(at, first)
        for n, took in enumerate(reruns, 1):
            if is_calm(surprises[:n]):
                break
            alarms += detector.update(at, took, scheduled=False)
            again += 1
    known = 2 * 86_400  # what comes every day is usual the third time
    assert [alarm for alarm in alarms if alarm.rule == "again" and alarm.time >= known] == []
    assert 0 < again < 0.15 * 288 * 20
