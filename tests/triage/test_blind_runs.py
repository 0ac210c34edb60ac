"""An incident of the run itself goes on until a run saw something: what was cancelled says nothing."""

from __future__ import annotations

from datetime import timedelta

from verdicts import NOW

from synthprobe.records.journey import Journey
from synthprobe.records.result import Run
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.triage.blind_runs import blind_run_incident


def run_of(*outcomes, id, blind="", ended=""):
    run = Run(id=id, target="demo", base_url="http://shop.invalid", slot=1, started_at=NOW, scheduled=True, ended=ended)
    journeys = tuple(
        JourneyVerdict(journey=Journey(id=str(number), node_id=str(number), title=str(number)), outcome=outcome)
        for number, outcome in enumerate(outcomes)
    )
    return Verdict(run=run, journeys=journeys, finished_at=NOW, blind=blind)


def test_a_cancelled_run_says_nothing_a_blind_one_continues_it_and_what_sees_something_ends_it():
    assert blind_run_incident(None, run_of("passed", id="a"), "", NOW) is None
    known = blind_run_incident(None, run_of("unknown", "unknown", id="b"), "no module", NOW)
    assert (known.kind, known.severity, known.occurrences) == ("monitor blind", "critical", 1)
    cancelled = run_of("unknown", "unknown", id="c", ended="cancelled")
    assert blind_run_incident(known, cancelled, "", NOW) is known
    again = run_of("unknown", "unknown", id="d", blind="a canary failed")
    known = blind_run_incident(known, again, "", NOW + timedelta(minutes=5))
    assert (known.state, known.occurrences) == ("open", 2)
    seen = run_of("unknown", "failed", id="e")
    assert blind_run_incident(known, seen, "", NOW + timedelta(minutes=10)).state == "resolved"


def test_a_run_whose_canary_failed_opens_none_by_itself():
    assert blind_run_incident(None, run_of("unknown", id="a", blind="a canary failed"), "", NOW) is None
