"""A board made of constructed days: a search that got slower, and an index that mended the queries beside it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from synthprobe.goals.impact import ceiling, compare, rank, split
from synthprobe.goals.objectives import judge_objective
from synthprobe.records.impact import Change, OperationTotal, Traffic
from synthprobe.records.latency import Alarm, StepSeries
from synthprobe.records.objective import Objective, Slice
from synthprobe.report.board import BoardChange, BoardData, BoardJourney, Day

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SLOT = int(NOW.timestamp()) // 300
SEARCH = "select id, address from incident where address like ?"
BOARD = "select id, status from unit where station_id in (…)"
HOSTILE = "<script>alert(1)</script>"
USES = (
    Traffic(journey="search", runs=2016, uses_per_day=4_000),
    Traffic(journey="live-board", runs=2016, uses_per_day=20_000),
    Traffic(journey="report", runs=2016, uses_per_day=3),
)


def total(name: str, journey: str, mean: float, kind: str = "step", step: str = "", **more) -> OperationTotal:
    return OperationTotal(
        name=name,
        journey=journey,
        kind=kind,
        calls=2016,
        total_ms=2016 * mean,
        step=step or name,
        p95_ms=2 * mean,
        **more,
    )


def operations(search_ms: float, board_ms: float) -> list[OperationTotal]:
    trace = "trace-viewer/index.html?trace=..%2Fruns%2Fr1%2Ftrace.zip"
    return [
        total(
            "find the address",
            "search",
            search_ms + 400,
            budget_ms=1_000,
            over_budget_calls=1900,
            over_budget_ms=1900 * (search_ms - 600) if search_ms > 600 else 0.0,
            slowest_trace=trace,
        ),
        total("open the board", "live-board", board_ms + 55),
        total("print the shift report", "report", 8_200, budget_ms=10_000),
        total(HOSTILE, "unweighted", 12),
        total(SEARCH, "search", search_ms, "operation", "find the address", slowest_trace=trace),
        total(BOARD, "live-board", board_ms, "operation", "open the board"),
        total("select sum(minutes) from shift", "report", 8_000, "operation", "print the shift report"),
    ]


def series(title: str, usual: float, *, slower_from: int = 10**9, times: float = 1, **more) -> StepSeries:
    points = []
    for slot in range(0, 2016, 3):
        at = NOW - timedelta(minutes=5 * (2016 - slot))
        wave = 1 + 0.08 * math.sin(slot / 3) + 0.1 * math.sin(slot / 46)
        points.append((at, usual * wave * (times if slot >= slower_from else 1)))
    return StepSeries(title=title, points=tuple(points), **more)


def board() -> BoardData:
    before, after = operations(1_300, 16), operations(1_300, 5)
    rows, earlier = rank(after, USES), rank(before, USES)
    change = Change(at=NOW - timedelta(days=7), title="index on unit.station_id", operation=BOARD, saves=0.7)
    board_before, board_after = (
        [operation for operation in totals if operation.name == BOARD] for totals in (before, after)
    )
    slow_since = NOW - timedelta(minutes=5 * 516)
    bad = [Slice(slot=SLOT - 8639 + n, state="good") for n in range(8600)]
    bad += [
        Slice(slot=SLOT - 39 + n, state="bad", fingerprint="v1:a", cause="the geocoder does not answer")
        for n in range(33)
    ]
    bad += [Slice(slot=SLOT - 6 + n, state="bad", fingerprint="v1:b", cause="sign in is refused") for n in range(7)]
    today = NOW.date()
    return BoardData(
        target="demo",
        made_at=NOW,
        window_days=7,
        rows=rank(after, USES, before=operations(620, 5)) if rows and earlier else (),
        journeys=(
            BoardJourney(
                id="search",
                title="An address is found",
                owner="dispatch-desk",
                uses_per_day=4_000,
                days=tuple(
                    Day(
                        day=today - timedelta(days=n),
                        state="degraded" if n < 2 else "failed" if n == 40 else "passed",
                        runs=288,
                        bad=9,
                    )
                    for n in range(70)
                ),
                steps=(
                    series("sign in", 410, usual_ms=410, smallest=1.372),
                    series(
                        "find the address",
                        820,
                        slower_from=1500,
                        times=2.1,
                        budget_ms=1_000,
                        alarms=(
                            Alarm(
                                at=slow_since, text="find the address takes 2.1 × its usual 820 ms since 17:00 (3 runs)"
                            ),
                        ),
                    ),
                ),
                objective=judge_objective(Objective(journey="search"), bad, now_slot=SLOT, interval_s=300),
            ),
            BoardJourney(
                id="live-board",
                title="The live board shows every unit",
                owner="fleet",
                uses_per_day=20_000,
                days=tuple(
                    Day(day=today - timedelta(days=n), state="unknown" if n == 5 else "passed", runs=288, bad=20)
                    for n in range(90)
                ),
                steps=(series("open the board", 60, usual_ms=60, smallest=math.inf),),
                objective=judge_objective(Objective(journey="live-board"), bad[:7000], now_slot=SLOT, interval_s=300),
            ),
            BoardJourney(id="report", title="The shift report is printed", uses_per_day=3),
            BoardJourney(id="unweighted", title=HOSTILE, steps=(StepSeries(title=HOSTILE),)),
        ),
        changes=(
            BoardChange(
                change=change,
                window_days=7,
                ceiling=ceiling(earlier, BOARD),
                split=split(board_before, board_after),
                forecast=compare(earlier, rows, change),
            ),
        ),
        notes=("The database's counters were reset once in this window; what ran shortly before is missing.",),
    )
