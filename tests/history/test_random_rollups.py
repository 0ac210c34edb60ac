"""Whenever measurements arrive and whenever they are rolled up: their sums stay exact."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthprobe.history.store import History
from synthprobe.records.history import Retention
from synthprobe.records.journey import Journey
from synthprobe.records.result import Result, Run
from synthprobe.records.verdict import JourneyVerdict, Verdict

NOW = datetime(2026, 6, 1, tzinfo=UTC)
JOURNEY = Journey(id="a", node_id="a", title="a")
KEEP = Retention(raw_days=1, failures_days=3, hourly_days=7, daily_days=3660)
numbers = itertools.count()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with History.open(tmp_path_factory.mktemp("store") / "history.db", retention=KEEP) as opened:
        yield opened


measurement = st.tuples(st.integers(0, 30 * 1440), st.sampled_from([0.0, 1e-6, 0.25, 3.5, 1e6]), st.booleans())
event = st.one_of(measurement, st.timedeltas(timedelta(days=-40), timedelta(days=2)))


@settings(max_examples=25)
@given(events=st.lists(event, min_size=1, max_size=14))
def test_sums_are_the_same_however_late_a_run_and_however_often_rolled_up(store, events):
    target, count, failed, total_ms = f"t{next(numbers)}", 0, 0, 0.0
    for number, what in enumerate(events):
        if isinstance(what, timedelta):
            store.prune(NOW + what)
            continue
        minutes, seconds, passed = what
        at = NOW - timedelta(minutes=minutes)
        run = Run(id=f"{target}-{number}", target=target, base_url="http://x", slot=number, started_at=at)
        result = Result(
            run_id=run.id, target=target, journey=JOURNEY, attempt=1, outcome="passed" if passed else "failed",
            started_at=at, duration_s=seconds,
        )  # fmt: skip
        journey = JourneyVerdict(journey=JOURNEY, outcome=result.outcome, results=(result,))
        assert store.ingest(Verdict(run=run, journeys=(journey,), finished_at=at))
        count, failed, total_ms = count + 1, failed + (not passed), total_ms + seconds * 1000
    seen = store.step_series(target, "a", "", NOW - timedelta(days=400))
    assert sum(step_sum.count for step_sum in seen) == count
    assert sum(step_sum.failed for step_sum in seen) == failed
    assert sum(step_sum.total_ms for step_sum in seen) == pytest.approx(total_ms)
