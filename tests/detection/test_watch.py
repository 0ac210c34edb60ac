"""What a run is against what is usual, and what of it is said without paging anybody."""

from datetime import UTC, datetime, timedelta

import pytest

from synthprobe.detection.watch import watch
from synthprobe.records.journey import Journey
from synthprobe.records.result import Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.words import degradation


@pytest.mark.parametrize(
    ("outcome", "noted"),
    [("passed", ("A person is found fails in 100% of its runs since 14:00 (2 runs).",)), ("failed", ())],
    ids=["passes at its second attempt", "has an incident"],
)
def test_a_journey_that_begins_to_fail_is_told_in_one_sentence_with_its_title_once(outcome, noted):
    journey, states, notes = Journey(id="search", node_id="test_search", title="A person is found"), {}, ()
    for number in range(2):
        at = datetime(2026, 3, 1, 14, 5 * number, tzinfo=UTC)
        run = Run(id=str(number), target="demo", base_url="http://x", slot=number, started_at=at)
        result = Result(
            run_id=run.id, target="demo", journey=journey, attempt=1, outcome="failed", started_at=at, duration_s=1.0
        )  # fmt: skip
        judgement = JourneyVerdict(journey=journey, outcome=outcome, results=(result,))
        watched = watch(Verdict(run=run, journeys=(judgement,), finished_at=at + timedelta(seconds=1)), states)
        states, notes = watched.states, watched.notes
    assert notes == noted


def test_a_journey_that_is_called_like_its_slow_step_is_told_by_the_step():
    journey, states = Journey(id="sign-in", node_id="test_sign_in", title="sign in"), {}
    for number in range(44):
        at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=5 * number)
        run = Run(id=str(number), target="demo", base_url="http://x", slot=number, started_at=at)
        took = 0.2 if number >= 40 else 0.050 + number % 5 / 1000
        steps = (Step(title="sign in", status="passed", started_at=at, duration_s=took),)
        result = Result(
            run_id=run.id, target="demo", journey=journey, attempt=1, outcome="passed", started_at=at,
            duration_s=took + 0.023, steps=steps,
        )  # fmt: skip
        judgement = JourneyVerdict(journey=journey, outcome="passed", results=(result,))
        watched = watch(Verdict(run=run, journeys=(judgement,), finished_at=at + timedelta(seconds=1)), states)
        states = watched.states
    (judged,) = watched.verdict.journeys
    (worsening,) = judged.degradations
    assert judged.results == (result,), "what an attempt wrote stays as it was written"
    assert judged.outcome_of(judged.results[-1]) == "degraded"
    assert judged.cause == worsening.sentence
    assert worsening.message.startswith("sign in takes 3.8 × its usual 52 ms since 03:20 (4 runs)")


def test_a_page_that_begins_to_jump_about_is_told_as_a_number_without_a_unit():
    journey, states = Journey(id="board", node_id="test_board", title="The board opens"), {}
    for number in range(44):
        at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=5 * number)
        run = Run(id=str(number), target="demo", base_url="http://x", slot=number, started_at=at)
        jumped = 0.25 if number >= 40 else 0.01
        shift = Step(title="jumps", status="passed", started_at=at, duration_s=jumped, vital="score")
        steps = (Step(title="open", status="passed", started_at=at, duration_s=0.05, steps=(shift,)),)
        result = Result(
            run_id=run.id, target="demo", journey=journey, attempt=1, outcome="passed", started_at=at,
            duration_s=0.07, steps=steps,
        )  # fmt: skip
        judgement = JourneyVerdict(journey=journey, outcome="passed", results=(result,))
        watched = watch(
            Verdict(run=run, journeys=(judgement,), finished_at=at + timedelta(seconds=1)), states, least_ms=50
        )
        states = watched.states
    (worsening,) = watched.verdict.journeys[0].degradations
    assert worsening.message.startswith("open › jumps takes 25.0 × its usual 0.01 since 03:20 (4 runs)")
    assert degradation(worsening, journey.title) == '"jumps" 0.01 → 0.25'
