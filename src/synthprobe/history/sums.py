"""What steps and backend operations took in a window, summed by the database however many measurements there are."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, select

from synthprobe.history.database import DAILY, HOURLY, JOURNEYS, SERIES, SERVER_TIMING, STEPS, to_ms
from synthprobe.history.rollups import decode, slowest_us
from synthprobe.records.history import OperationSum, StepSum

P95 = 0.95
_NOTHING: Counter[int] = Counter()


class _Sum:
    """Measurements of one step."""

    def __init__(self) -> None:
        self.tried = self.count = self.total_us = self.over_calls = self.over_us = 0
        self.locations: dict[str, tuple[int, float]] = {}
        self.passed: dict[int, int] = {}  # measurements of attempts that passed, by series
        self.others: list[int] = []  # of the others, one by one
        self.rolled_up: Counter[int] = Counter()

    def add(self, location: str, count: int, total_us: int, over_calls: int, over_us: int) -> None:
        its_count, its_ms = self.locations.get(location, (0, 0.0))
        self.locations[location] = (its_count + count, its_ms + total_us / 1000)
        self.tried, self.count = self.tried + count, self.count + count
        self.total_us, self.over_us = self.total_us + total_us, self.over_us + over_us
        self.over_calls += over_calls


def read_step_sums(
    connection: Connection, target: str, since: datetime, until: datetime, *, p95: bool = True
) -> list[StepSum]:
    """What steps took, of the attempts that reached their end; roll-ups count when they begin in the window."""
    query = select(SERIES, JOURNEYS.c.journey).join(JOURNEYS, JOURNEYS.c.no == SERIES.c.journey_no)
    series = {
        row.no: row for row in connection.execute(query.where(JOURNEYS.c.target == target, SERIES.c.operation == ""))
    }
    found: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    inside = [STEPS.c.series_no.in_(list(series)), STEPS.c.at >= to_ms(since), STEPS.c.at < to_ms(until)]
    over_us = func.coalesce(func.sum(STEPS.c.over_us), 0)
    sums = select(STEPS.c.series_no, func.count(), func.sum(STEPS.c.duration_us), func.count(STEPS.c.over_us), over_us)
    for no, count, total, over_calls, over in connection.execute(
        sums.where(*inside, STEPS.c.kept == 0).group_by(STEPS.c.series_no)
    ):
        step_sum = found[series[no].journey, series[no].step]
        step_sum.add(series[no].location, count, int(total), over_calls, int(over))
        step_sum.passed[no] = count
    _add_others(found, series, connection.execute(select(STEPS).where(*inside, STEPS.c.kept == 1)).all())
    _add_rolled_up(connection, found, series, since, until)
    tails = _Tails(connection, STEPS, STEPS.c.duration_us, since, until, STEPS.c.kept == 0)
    return [
        StepSum(
            journey=journey,
            step=step,
            tried=step_sum.tried,
            count=step_sum.count,
            total_ms=step_sum.total_us / 1000,
            over_budget_calls=step_sum.over_calls,
            over_budget_ms=step_sum.over_us / 1000,
            p95_ms=tails.p95_us(step_sum.passed, step_sum.others, step_sum.rolled_up) / 1000
            if p95 and step and step_sum.count
            else None,
            locations=step_sum.locations,
        )
        for (journey, step), step_sum in found.items()
    ]


def read_operations(
    connection: Connection, target: str, since: datetime, until: datetime, *, p95: bool = True
) -> list[OperationSum]:
    """What backend operations took in a window, the costliest first; roll-ups count when they begin in it."""
    query = select(SERIES, JOURNEYS.c.journey).join(JOURNEYS, JOURNEYS.c.no == SERIES.c.journey_no)
    series = {
        row.no: (row.journey, row.step, row.operation)
        for row in connection.execute(query.where(JOURNEYS.c.target == target, SERIES.c.operation != ""))
    }
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    walks: dict[tuple[str, str, str], dict[int, int]] = defaultdict(dict)
    for table, calls in ((SERVER_TIMING, "calls"), (HOURLY, "count"), (DAILY, "count")):
        summed = select(
            table.c.series_no,
            func.count(func.nullif(table.c[calls], 0)),
            func.sum(table.c[calls]),
            func.sum(table.c.total_us),
        )
        inside = (table.c.series_no.in_(list(series)), table.c.at >= to_ms(since), table.c.at < to_ms(until))
        for no, rows, count, total_us in connection.execute(summed.where(*inside).group_by(table.c.series_no)):
            key = series[no]
            before = sums.get(key, (0, 0))
            sums[key] = (before[0] + int(count), before[1] + int(total_us))
            if p95 and table is SERVER_TIMING and rows:
                walks[key][no] = rows
    per_call = SERVER_TIMING.c.total_us / func.nullif(SERVER_TIMING.c.calls, 0)
    tails = _Tails(connection, SERVER_TIMING, per_call, since, until, SERVER_TIMING.c.calls > 0)
    found = [
        OperationSum(
            journey=journey,
            step=step,
            name=name,
            calls=calls,
            total_ms=total / 1000,
            p95_ms=tails.p95_us(walks[journey, step, name]) / 1000 if walks[journey, step, name] else None,
        )
        for (journey, step, name), (calls, total) in sums.items()
    ]
    return sorted(found, key=lambda o: (-o.total_ms, o.journey, o.step, o.name))


class _Tails:
    """Asks for the slowest measurements of a series only: a percentile needs no others."""

    def __init__(
        self,
        connection: Connection,
        table: Table,
        value: ColumnElement[Any],
        since: datetime,
        until: datetime,
        where: ColumnElement[bool],
    ) -> None:
        self._connection = connection
        self._query = (
            select(value)
            .where(table.c.series_no == bindparam("no"), table.c.at >= to_ms(since), table.c.at < to_ms(until), where)
            .order_by(value.desc())
            .limit(bindparam("most"))
            .offset(bindparam("skip"))
        )

    def p95_us(
        self, counts: Mapping[int, int], others: Sequence[int] = (), rolled_up: Counter[int] = _NOTHING
    ) -> float:
        """Of all measurements of some series, between the two nearest: exact where they are kept one by one."""
        number = sum(counts.values()) + len(others) + rolled_up.total()
        place = P95 * (number - 1)
        needed = number - math.floor(place)
        slowest: list[float] = [*others, *slowest_us(rolled_up, needed)]
        # of one series alone the two nearest are enough, and so the last of the slowest
        skip = max(needed - 2, 0) if len(counts) == 1 and not slowest else 0
        for no in counts:
            asked = {"no": no, "most": needed - skip, "skip": skip}
            slowest += map(float, self._connection.execute(self._query, asked).scalars())
        slowest.sort(reverse=True)
        needed -= skip
        lower, upper = slowest[needed - 1], slowest[max(needed - 2, 0)]
        return lower + (upper - lower) * (place - math.floor(place))


def _add_others(found: Mapping[tuple[str, str], _Sum], series: Mapping[int, Any], rows: Iterable[Any]) -> None:
    """Attempts that did not pass: what one took counts when it was degraded, and so came to its end."""
    listed = [(series[row.series_no], row) for row in rows]
    broken = {
        (journey_series.journey, row.run_no, row.attempt)
        for journey_series, row in listed
        if not journey_series.step and row.failed
    }
    for row_series, row in listed:
        of = found[row_series.journey, row_series.step]
        if row.failed or (row_series.journey, row.run_no, row.attempt) in broken:
            of.tried += 1
        else:
            of.add(row_series.location, 1, row.duration_us, int(row.over_us is not None), row.over_us or 0)
            of.others.append(row.duration_us)


def _add_rolled_up(
    connection: Connection,
    found: Mapping[tuple[str, str], _Sum],
    series: Mapping[int, Any],
    since: datetime,
    until: datetime,
) -> None:
    for table in (HOURLY, DAILY):
        query = select(table).where(
            table.c.series_no.in_(list(series)), table.c.at >= to_ms(since), table.c.at < to_ms(until)
        )
        for row in connection.execute(query).mappings():
            row_series, count = series[row["series_no"]], row["count"]
            of = found[row_series.journey, row_series.step]
            if row["failed"]:  # what broken attempts took cannot be told from the rest any more
                of.tried += count
                of.count += 0 if row_series.step else count - row["failed"]
            else:
                of.add(row_series.location, count, row["total_us"], count if row["over_us"] else 0, row["over_us"])
                of.rolled_up.update(decode(row["sketch"]))
