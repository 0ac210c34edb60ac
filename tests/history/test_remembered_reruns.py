"""Re-runs of a journey that was slower than usual are samples of its steps, and judge nothing."""

from datetime import timedelta

import sqlalchemy
from made_history import START, verdict
from msgspec.structs import replace

from synthprobe.history.database import ATTEMPTS

LATER = START + timedelta(days=1)


def with_reruns(*durations, outcome="passed"):
    made = verdict(0, journeys=2)
    first, second = made.journeys
    reruns = tuple(
        verdict(0, ms=ms, outcome=outcome, at=START + timedelta(seconds=20 * n)).journeys[0].results[0]
        for n, ms in enumerate(durations, start=1)
    )
    return replace(made, journeys=(replace(first, reruns=reruns), second))


def test_every_rerun_is_a_sample_of_its_own_at_its_own_time(history):
    assert history.ingest(with_reruns(900, 800))
    assert history.ingest(with_reruns(900, 800)) is False
    samples = history.step_series("demo", "journey-0", "step 0", START)
    assert [(sample.at - START, sample.total_ms) for sample in samples] == [
        (timedelta(), 400),
        (timedelta(seconds=20), 900),
        (timedelta(seconds=40), 800),
    ]
    assert len(history.step_series("demo", "journey-1", "step 0", START)) == 1
    assert {operation.journey: operation.calls for operation in history.operations("demo", START, LATER)} == {
        "journey-0": 6,
        "journey-1": 2,
    }


def test_reruns_change_neither_the_outcome_nor_the_slot(history, place):
    history.ingest(with_reruns(900, outcome="failed"))
    assert {seen.outcome for seen in history.observations("demo")} == {"passed"}
    (slot,) = history.judged_slots("demo", START, LATER)
    assert slot.outcomes == {"journey-0": "passed", "journey-1": "passed"}
    engine = sqlalchemy.create_engine(place if "://" in place else f"sqlite:///{place}")
    with engine.connect() as connection:
        numbers = connection.execute(sqlalchemy.select(ATTEMPTS.c.attempt).order_by(ATTEMPTS.c.attempt)).scalars()
        assert list(numbers) == [1, 1, 101]
    engine.dispose()


def test_reruns_join_the_roll_ups(history):
    history.ingest(with_reruns(900, 800))
    history.prune(START + timedelta(days=30))
    (hour,) = history.step_series("demo", "journey-0", "step 0", START)
    assert (hour.count, hour.total_ms) == (3, 2100)
