from datetime import timedelta

import msgspec
import pytest
import sqlalchemy
from made_history import EVERY, START, opened, verdict

from synthprobe.records.incident import Incident

LATER = START + timedelta(days=1)


def test_a_run_is_taken_in_once_however_often_it_is_tried(history):
    assert [history.ingest(verdict()) for _ in range(3)] == [True, False, False]
    (sample,) = history.step_series("demo", "journey-0", "step 0", START)
    assert (sample.count, sample.total_ms) == (1, 400)


def test_observations_are_the_last_of_each_journey_with_the_newest_last(history):
    for number in range(5):
        history.ingest(verdict(number, journeys=2, outcome="failed" if number == 4 else "passed"))
    seen = history.observations("demo", last=2)
    assert [(o.journey, o.run_id, o.outcome) for o in seen if o.journey == "journey-1"] == [
        ("journey-1", "run-000003", "passed"),
        ("journey-1", "run-000004", "failed"),
    ]
    assert len(seen) == 4
    assert history.observations("demo", "journey-0", last=1)[0].step == "step 0"
    assert history.observations("another") == []


def test_an_observation_is_completed_with_its_fingerprint(history):
    history.ingest(verdict(outcome="failed"))
    (seen,) = history.observations("demo")
    complete = msgspec.structs.replace(seen, fingerprint="v1:abc", signature="s", node="a")
    assert history.ingest(verdict(outcome="failed"), [complete]) is False
    assert history.observations("demo") == [complete]


def test_the_detectors_state_is_replaced_and_belongs_to_one_location(history):
    history.put_detector_states("demo", {("j", "sign in"): b"\x00one", ("j", "search"): b"two"}, location="north")
    history.put_detector_states("demo", {("j", "sign in"): b"\xffthree"}, location="north")
    known = history.detector_states("demo", location="north")
    assert known == {("j", "sign in"): b"\xffthree", ("j", "search"): b"two"}
    assert history.detector_states("demo") == {}


def test_of_two_verdicts_on_a_slot_the_one_that_tells_most_stays_in_whatever_order_they_come(history):
    orders = (("unknown", "failed", "passed"), ("passed", "failed", "unknown"))
    for day, order in enumerate(orders):
        for outcome in order:
            history.ingest(verdict(at=START + timedelta(days=day), outcome=outcome, run_id=f"{day}{outcome}"))
    slots = history.judged_slots("demo", START, START + timedelta(days=9))
    assert [slot.outcomes for slot in slots] == [{"journey-0": "failed"}] * 2


def test_a_run_started_by_hand_judges_no_slot(history):
    made = verdict()
    history.ingest(msgspec.structs.replace(made, run=msgspec.structs.replace(made.run, scheduled=False)))
    assert history.judged_slots("demo", START, LATER) == []


def test_operations_are_summed_for_each_journey_and_step_the_costliest_first(history):
    for number in range(3):
        history.ingest(verdict(number, steps=2, ms=100 * (number + 1)))
    found = history.operations("demo", START + EVERY, LATER)
    assert [(o.step, o.name, o.calls, o.total_ms) for o in found] == [
        ("step 0", "db query 0", 4, 250),
        ("step 1", "db query 1", 4, 250),
    ]


@pytest.mark.parametrize("duration", [0.0, -3.0, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_never_stored_as_one(history, duration):
    assert history.ingest(verdict(ms=duration * 1000))
    assert history.step_series("demo", "journey-0", "step 0", START)[0].total_ms == 0


def test_a_step_that_comes_twice_is_two_series(history):
    made = verdict(steps=1)
    (judged,) = made.journeys
    (result,) = judged.results
    twice = msgspec.structs.replace(result, steps=result.steps * 2)
    judged = msgspec.structs.replace(judged, results=(twice,))
    history.ingest(msgspec.structs.replace(made, journeys=(judged,)))
    assert history.step_series("demo", "journey-0", "step 0", START)[0].count == 1
    assert history.step_series("demo", "journey-0", "step 0 (2)", START)[0].count == 1


def test_an_incident_is_replaced_by_what_is_known_later(history):
    made = Incident(
        id="i1",
        target="demo",
        kind="failing",
        state="open",
        fingerprint="f",
        signature="s",
        title="Sign in is broken",
        opened_at=START,
        first_seen_at=START,
        last_seen_at=START,
    )
    history.put_incident(made)
    history.put_incident(msgspec.structs.replace(made, id="i2", target="another"))
    ended = msgspec.structs.replace(made, state="resolved", resolved_at=LATER)
    history.put_incident(ended)
    assert all(incident.state != "open" for incident in history.incidents("demo"))
    assert history.incident("i1") == ended
    assert [i.id for i in history.incidents()] == ["i1", "i2"]
    assert history.incident("i3") is None


def test_the_audit_can_be_added_to_and_never_changed(history, place):
    history.append_audit({"n": 1, "hash": "a"})
    history.append_audit({"n": 2, "hash": "b"})
    engine = sqlalchemy.create_engine(place if "://" in place else f"sqlite:///{place}")
    for act in ("UPDATE audit SET body = '{}'", "DELETE FROM audit"):
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql(act)
    engine.dispose()
    assert [entry["n"] for entry in history.audit_entries()] == [1, 2]


def test_what_was_stored_is_there_when_it_is_opened_again(history, place, tmp_path):
    history.ingest(verdict())
    with opened(place, tmp_path) as again:
        assert (again.ingest(verdict()), again.notes, again.check()) == (False, [], [])
