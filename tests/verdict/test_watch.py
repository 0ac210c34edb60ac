"""What a run is against what is usual, and what of it is said without paging anybody."""

from datetime import UTC, datetime, timedelta

from synthprobe.model.journey import Journey
from synthprobe.model.result import Result, Run
from synthprobe.model.verdict import JourneyVerdict, Verdict
from synthprobe.verdict.watch import watch


def test_a_journey_that_begins_to_fail_is_said_in_one_sentence_with_its_title_once():
    journey, states, notes = Journey(id="search", node_id="test_search", title="A person is found"), {}, ()
    for number in range(2):
        at = datetime(2026, 3, 1, 14, 5 * number, tzinfo=UTC)
        run = Run(id=str(number), target="demo", base_url="http://x", slot=number, started_at=at)
        result = Result(
            run_id=run.id, target="demo", journey=journey, attempt=1, outcome="failed", started_at=at, duration_s=1.0
        )  # fmt: skip
        one = JourneyVerdict(journey=journey, outcome="failed", results=(result,))
        watched = watch(Verdict(run=run, journeys=(one,), finished_at=at + timedelta(seconds=1)), states)
        states, notes = watched.states, watched.notes
    assert notes == ("A person is found fails in 100% of its runs since 14:00 (2 runs).",)
