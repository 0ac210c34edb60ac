"""Data has an age by its own clock; too old is stale, from the future is wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from synthprobe import ExpectationError, Journey, Recorder, freshness, recording, step
from synthprobe.journey.freshness import measure_freshness

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_age_is_measured_against_the_limit():
    found = measure_freshness("position", "2026-01-01T11:58:30Z", limit="60s", now=NOON)
    assert (found.age_s, found.stale) == (90.0, True)
    assert found.message == "The position is 90 s old, the limit is 60 s."
    found = measure_freshness("position", NOON - timedelta(seconds=60.3), limit="60s", now=NOON)
    assert found.message == "The position is 60.3 s old, the limit is 60 s."


def test_the_targets_clock_is_used_and_its_skew_is_named():
    target_now = NOON + timedelta(hours=1)
    found = measure_freshness(
        "position", target_now - timedelta(seconds=5), limit="60s", now=NOON, target_now=target_now
    )
    assert not found.stale
    assert "differs from ours by +3600 s" in found.message


def test_data_from_the_future_contradicts():
    with pytest.raises(ExpectationError, match="120 s in the future"):
        measure_freshness("position", NOON + timedelta(minutes=2), limit="60s", now=NOON)


@pytest.mark.parametrize(("at", "why"), [("yesterday", "no ISO 8601 time"), ("2026-01-01T12:00:00", "no time zone")])
def test_a_time_that_cannot_be_used_is_named(at: str, why: str):
    with pytest.raises(ExpectationError, match=why):
        measure_freshness("position", at, limit="60s", now=NOON)


def test_stale_data_degrades_the_running_journey_without_failing_it():
    with recording(Recorder(Journey(id="x", node_id="x", title="x"))) as recorder, step("positions are fresh"):
        freshness("position of SYN-01", "2020-01-01T00:00:00Z", limit="60s")
    (degradation,) = recorder.degradations
    assert (degradation.kind, degradation.step) == ("stale", "positions are fresh")
