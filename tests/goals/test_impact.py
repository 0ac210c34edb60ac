"""The ranking puts planted workloads in their known order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, starmap

import pytest

from synthprobe.goals.impact import ceiling, compare, named_operation, rank, split
from synthprobe.goals.statements import OTHER, count_between, statement_totals
from synthprobe.records.impact import Change, OperationTotal, Snapshot, StatementCounter, Traffic

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
USES = (
    Traffic(journey="report", runs=288, uses_per_day=3),
    Traffic(journey="search", runs=288, uses_per_day=4_000),
    Traffic(journey="board", runs=288, uses_per_day=20_000),
)


def query(name: str, journey: str, mean_ms: float, **more) -> OperationTotal:
    return OperationTotal(
        name=name, journey=journey, calls=288, total_ms=288 * mean_ms, kind="operation", step=f"step of {name}", **more
    )


def snapshot(minutes: int, *rows: tuple[str, str, int, float], reset: int | None = 0) -> Snapshot:
    return Snapshot(
        at=NOON + timedelta(minutes=minutes),
        counters=tuple(StatementCounter(id=id, text=text, calls=calls, total_ms=ms) for id, text, calls, ms in rows),
        reset_at=None if reset is None else NOON + timedelta(minutes=reset),
    )


PLANTED = {
    "a rare query of 8 s costs less than 5 ms for everybody": (
        [query("yearly report", "report", 8_000), query("positions", "board", 5)],
        ["positions", "yearly report"],
    ),
    "what nobody uses comes after what somebody uses": (
        [query("admin", "nobody", 9_000), query("positions", "board", 5)],
        ["positions", "admin"],
    ),
    "one query in two journeys is one row": (
        [query("lookup", "search", 20), query("positions", "board", 5), query("lookup", "board", 2)],
        ["lookup", "positions"],
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_planted_workloads_come_out_in_their_known_order(case):
    operations, order = PLANTED[case]
    assert [row.name for row in rank(operations, USES)] == order


def test_the_impact_is_uses_times_mean_time_in_the_journey():
    twice = OperationTotal(name="q", journey="board", calls=2 * 288, total_ms=2 * 288 * 5, kind="operation")
    heavy = (Traffic(journey="board", runs=288, uses_per_day=20_000),)
    assert rank([twice], heavy)[0].impact_ms_per_day == pytest.approx(20_000 * 2 * 5)


def test_the_share_of_the_users_is_not_the_share_of_the_schedule():
    slow, often = sorted(
        rank([query("rare", "report", 900), query("often", "board", 100)], USES), key=lambda r: r.mean_ms
    )[::-1]
    assert (round(slow.probe_share, 2), round(often.probe_share, 2)) == (0.9, 0.1)
    assert often.production_share > 0.99 > 0.01 > slow.production_share


def test_time_over_budget_stands_beside_the_total_and_a_single_slow_run_does_not_decide():
    once = OperationTotal(
        name="new", journey="board", calls=1, total_ms=4_000, budget_ms=1_000, over_budget_calls=1, over_budget_ms=3_000
    )
    often = query("old", "search", 4_000, budget_ms=1_000, over_budget_calls=288, over_budget_ms=288 * 3_000)
    uses = (*USES[:2], Traffic(journey="board", runs=1, uses_per_day=4_000))
    new, old = rank([once, often], uses)
    assert new.few
    assert not old.few
    assert new.excess_ms_per_day < 0.25 * old.excess_ms_per_day
    assert old.excess_ms_per_day == pytest.approx(4_000 * 3_000, rel=0.02)
    within = rank([query("fine", "board", 5, budget_ms=100)], USES)[0]
    assert within.excess_ms_per_day == 0


def test_a_row_says_how_its_calls_changed():
    assert rank([query("q", "board", 15)], USES, before=[query("q", "board", 10)])[0].trend == pytest.approx(1.5)
    assert rank([query("q", "board", 15)], USES)[0].trend is None


@pytest.mark.parametrize("wrong", [float("nan"), -5.0])
def test_impossible_times_are_left_out(wrong):
    bad = OperationTotal(name="bad", journey="board", calls=3, total_ms=wrong)
    assert [row.name for row in rank([bad, query("good", "board", 1)], USES)] == ["good"]


def test_a_window_of_no_length_is_refused():
    with pytest.raises(ValueError, match="longer than nothing"):
        rank([], USES, days=0)


def between(snapshots):
    return list(starmap(count_between, pairwise(snapshots)))


def test_a_reset_in_mid_window_never_makes_time_negative():
    seen = [
        snapshot(0, ("1", "select 1", 1_000, 5_000.0)),
        snapshot(10, ("1", "select 1", 1_100, 5_500.0)),
        snapshot(20, ("1", "select 1", 40, 200.0), reset=15),
        snapshot(30, ("1", "select 1", 90, 450.0), reset=15),
    ]
    (total,) = statement_totals(between(seen))
    assert (total.calls, total.total_ms) == (100 + 40 + 50, 500.0 + 200.0 + 250.0)
    assert sum(counts.resets for counts in between(seen)) == 1


def test_a_reset_is_seen_even_when_the_counter_has_already_overtaken_its_old_value():
    seen = [snapshot(0, ("1", "select 1", 10, 10.0)), snapshot(60, ("1", "select 1", 500, 500.0), reset=5)]
    assert statement_totals(between(seen))[0].calls == 500


def test_a_database_that_does_not_say_when_it_was_reset_is_read_by_its_falling_counters():
    seen = [snapshot(0, ("1", "select 1", 10, 10.0), reset=None), snapshot(9, ("1", "select 1", 4, 4.0), reset=None)]
    assert statement_totals(between(seen))[0].calls == 4


def test_statements_the_database_forgot_are_shown_as_other():
    seen = [
        snapshot(0, ("1", "select a", 0, 0.0), ("2", "select b", 0, 0.0)),
        snapshot(10, ("1", "select a", 10, 10.0), ("2", "select b", 7, 70.0)),
        snapshot(20, ("1", "select a", 20, 20.0)),
    ]
    assert {
        statement_total.name: (statement_total.calls, statement_total.total_ms)
        for statement_total in statement_totals(between(seen))
    } == {
        "select a": (20, 20.0),
        OTHER: (7, 70.0),
    }


def test_the_same_sql_with_other_literals_is_one_row():
    seen = [
        snapshot(0),
        snapshot(
            10,
            ("1", "select a from t where id in ($1, $2)", 10, 10.0),
            ("2", "select a from t where id in ($1, $2, $3) /* board */", 5, 50.0),
        ),
    ]
    (row,) = rank(statement_totals(between(seen)), (), days=0.5)
    assert (row.calls, row.impact_ms_per_day) == (15, 120.0)


def test_only_the_time_per_call_is_a_changes_merit():
    before = [OperationTotal(name="q", calls=1_000, total_ms=50_000)]
    after = [OperationTotal(name="q", calls=400, total_ms=20_000)]
    made = split(before, after)
    assert (made.traffic_ms, made.per_call_ms) == (-30_000, 0)
    assert made.after_ms - made.before_ms == made.traffic_ms + made.per_call_ms
    both = split(before, [OperationTotal(name="q", calls=400, total_ms=8_000)])
    assert (both.traffic_ms, both.per_call_ms) == (-30_000, -12_000)
    new = split([], [OperationTotal(name="q", calls=10, total_ms=50)])
    assert (new.traffic_ms, new.per_call_ms) == (50, 0)


def test_a_fix_that_halves_the_first_lets_the_second_surface_with_the_predicted_share():
    before = rank([query("first", "board", 100), query("second", "board", 70)], USES)
    after = rank([query("first", "board", 50), query("second", "board", 70)], USES)
    assert ceiling(before, "first") == pytest.approx(100 / 170)
    assert ceiling(before, "nothing of that name") == 0
    change = Change(at=NOON, title="index on the first", operation="first", saves=0.5)
    second, first = compare(before, after, change)
    assert (second.name, second.rank_before, second.rank_predicted, second.rank_after) == ("second", 2, 1, 1)
    assert (first.rank_before, first.rank_predicted, first.rank_after) == (1, 2, 2)
    assert (first.moved, second.moved) == (False, False)


def test_load_that_moved_to_another_row_is_flagged():
    before = rank([query("first", "board", 100), query("second", "board", 70)], USES)
    after = rank([query("first", "board", 50), query("second", "board", 110), query("cache", "board", 9)], USES)
    change = Change(at=NOON, title="index", operation="first", saves=0.5)
    assert {row.name: row.moved for row in compare(before, after, change)} == {
        "first": False,
        "second": True,
        "cache": True,
    }


@pytest.mark.parametrize(
    ("description", "named"),
    [
        ("n=14", "db"),
        ("", "db"),
        ("n=3 SELECT a FROM t WHERE id = 4", "select a from t where id = ?"),
        ("geocoder; n=2", "db: geocoder"),
    ],
)
def test_a_server_timing_names_its_operation(description, named):
    assert named_operation("db", description) == named
