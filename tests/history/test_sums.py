"""Sums of a window, made by the database: what counts, and what is told when some of it was rolled up."""

from datetime import timedelta
from statistics import quantiles

import pytest
from made_history import EVERY, START, verdict
from msgspec.structs import replace

WINDOW = (START, START + timedelta(days=1))
TIMES = [100 + 7.5 * number for number in range(57)]


def sums(history, since=WINDOW[0], until=WINDOW[1], **how):
    return {(step_sum.journey, step_sum.step): step_sum for step_sum in history.step_sums("demo", since, until, **how)}


def test_a_step_is_summed_with_its_exact_percentile_whatever_the_order_and_the_location(history):
    for number, ms in enumerate(reversed(TIMES)):
        history.ingest(verdict(number, ms=ms, location="north" if number % 3 else "south"))
    step = sums(history)["journey-0", "step 0"]
    assert (step.tried, step.count) == (57, 57)
    assert step.total_ms == pytest.approx(sum(TIMES))
    over = [ms - 300 for ms in TIMES if ms > 300]
    assert (step.over_budget_calls, step.over_budget_ms) == (len(over), pytest.approx(sum(over)))
    assert step.p95_ms == pytest.approx(quantiles(TIMES, n=20, method="inclusive")[-1], abs=0.001)
    (operation,) = history.operations("demo", *WINDOW)
    per_call = [ms / 4 for ms in TIMES]
    assert operation.p95_ms == pytest.approx(quantiles(per_call, n=20, method="inclusive")[-1], abs=0.001)


def test_a_broken_attempt_is_counted_as_tried_and_its_times_are_left_out(history):
    history.ingest(verdict(0, ms=400, steps=2))
    history.ingest(verdict(1, ms=9_000, steps=2, outcome="failed"))
    found = sums(history)
    assert {key: (step_sum.tried, step_sum.count, step_sum.total_ms) for key, step_sum in found.items()} == {
        ("journey-0", ""): (2, 1, 800),
        ("journey-0", "step 0"): (2, 1, 400),
        ("journey-0", "step 1"): (2, 1, 400),
    }
    assert found["journey-0", "step 1"].p95_ms == 400


def test_a_degraded_attempt_came_to_its_end_and_counts(history):
    history.ingest(verdict(0, ms=400))
    history.ingest(verdict(1, ms=800, outcome="degraded"))
    step = sums(history)["journey-0", "step 0"]
    assert (step.count, step.total_ms, step.over_budget_calls) == (2, 1200, 2)
    assert step.p95_ms == pytest.approx(780)


def test_only_the_window_counts_and_only_the_target(history):
    for number in range(4):
        history.ingest(verdict(number, ms=100 * (number + 1)))
    history.ingest(verdict(1, ms=7_000, target="other", run_id="of-another"))
    step = sums(history, START + EVERY, START + 3 * EVERY)["journey-0", "step 0"]
    assert (step.count, step.total_ms) == (2, 500)
    assert sums(history, START - timedelta(days=2), START) == {}


def test_what_was_rolled_up_counts_the_same_and_its_percentile_is_near(history):
    for number in range(24):
        history.ingest(verdict(number, ms=400 if number else 4_000))
    before = sums(history)
    history.prune(START + timedelta(days=20))
    after = sums(history)
    for key, step_sum in after.items():
        assert replace(step_sum, p95_ms=None) == replace(before[key], p95_ms=None)
    assert after["journey-0", "step 0"].p95_ms == pytest.approx(400, rel=0.03)


def test_without_the_percentile_nothing_is_asked_for_it(history):
    history.ingest(verdict(0))
    assert {step_sum.p95_ms for step_sum in sums(history, p95=False).values()} == {None}
