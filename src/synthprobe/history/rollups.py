"""Retention: a measurement is kept one by one, then in its hour, then in its day, by a small sketch that adds up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, delete, select

from synthprobe.history import incidents
from synthprobe.history.database import (
    ATTEMPTS,
    DAILY,
    HOURLY,
    OBSERVATIONS,
    PARTS,
    PASSED,
    PLANS,
    RUNS,
    SERVER_TIMING,
    SLOTS,
    STEPS,
    put,
    to_ms,
)
from synthprobe.records.history import LETTERS_KEPT, MOST_LETTERS, Retention

_GROWTH = math.log(1.05)


def bucket(us: int) -> int:
    """The bucket of a duration."""
    return round(math.log(us) / _GROWTH) if us > 1 else 0


def encode(counts: Counter[int]) -> bytes:
    """Bytes of a sketch: distance to the bucket before, and its count, seven bits a byte."""
    out = bytearray()
    last = 0
    for number in sorted(counts):
        for value in (number - last, counts[number]):
            while value > 127:
                out.append(value & 127 | 128)
                value >>= 7
            out.append(value)
        last = number
    return bytes(out)


def decode(data: bytes) -> Counter[int]:
    """The sketch in some bytes."""
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    counts: Counter[int] = Counter()
    last = 0
    for distance, count in zip(values[::2], values[1::2], strict=True):
        last += distance
        counts[last] = count
    return counts


def slowest_us(counts: Counter[int], most: int) -> list[float]:
    """The longest durations of a sketch."""
    found: list[float] = []
    for number in sorted(counts, reverse=True):
        found += [math.exp(number * _GROWTH)] * min(counts[number], most - len(found))
        if len(found) >= most:
            break
    return found


_HOUR, _DAY = 3_600_000, 86_400_000
_ROWS, _GROUPS = 2000, 500  # read and written at a time
_KEPT_PLANS = 2  # days: each holds all journeys
_KEPT_OBSERVATIONS = 14  # days, whatever raw_days says: opening and closing incidents needs them


def prune(connection: Connection, now: datetime, keep: Retention) -> dict[str, int]:
    """Roll up and remove what is older than it is kept."""
    raw, failures, hourly, daily = (
        to_ms(now) - round(days * _DAY)
        for days in (keep.raw_days, max(keep.raw_days, keep.failures_days), keep.hourly_days, keep.daily_days)
    )
    # whole hours, so that an hour is rolled up once
    raw, failures, hourly = raw // _HOUR * _HOUR, failures // _HOUR * _HOUR, hourly // _DAY * _DAY
    removed = {}
    passed = [STEPS.c.at < raw, STEPS.c.kept == 0]
    kept = [STEPS.c.at < failures, STEPS.c.kept == 1]
    removed["steps"] = sum(_roll_up(connection, STEPS, where, HOURLY, _HOUR) for where in (passed, kept))
    removed["server_timing"] = _roll_up(connection, SERVER_TIMING, [SERVER_TIMING.c.at < raw], HOURLY, _HOUR)
    removed["hourly"] = _roll_up(connection, HOURLY, [HOURLY.c.at < hourly], DAILY, _DAY)
    bad = RUNS.c.no.in_(select(ATTEMPTS.c.run_no).where(ATTEMPTS.c.outcome != PASSED))
    removed["attempts"] = _remove(connection, ATTEMPTS, ATTEMPTS.c.started_at < raw, ATTEMPTS.c.outcome == PASSED)
    removed["attempts"] += _remove(connection, ATTEMPTS, ATTEMPTS.c.started_at < failures)
    seen = min(raw, to_ms(now) - _KEPT_OBSERVATIONS * _DAY)
    removed["observations"] = _remove(connection, OBSERVATIONS, OBSERVATIONS.c.at < seen, OBSERVATIONS.c.body.is_(None))
    removed["observations"] += _remove(connection, OBSERVATIONS, OBSERVATIONS.c.at < min(seen, failures))
    # a run is remembered as long as its failures, so that it cannot be taken in twice
    removed["runs"] = _remove(connection, RUNS, RUNS.c.started_at < min(seen, failures), ~bad)
    removed["daily"] = _remove(connection, DAILY, DAILY.c.at < daily)
    removed["slots"] = _remove(connection, SLOTS, SLOTS.c.at < daily)
    removed["plans"] = _remove(connection, PLANS, PLANS.c.at < to_ms(now) - _KEPT_PLANS * _DAY)
    removed["parts"] = _remove(connection, PARTS, PARTS.c.taken_at < raw)
    removed["letters"] = incidents.remove_letters(connection, now - LETTERS_KEPT, MOST_LETTERS)
    removed["ledger"] = incidents.remove_closed(connection, now, keep.raw_days)
    return removed


def _remove(connection: Connection, table: Table, *where: Any) -> int:
    return connection.execute(delete(table).where(*where)).rowcount


def _roll_up(connection: Connection, source: Table, where: list[Any], into: Table, span: int) -> int:
    """Move rows into the roll-up they belong to, a few at a time however many there are."""
    query = select(source).where(*where).order_by(source.c.series_no, source.c.at)
    rows = connection.execute(query, execution_options={"yield_per": _ROWS}).mappings()
    groups = groupby(rows, key=lambda row: (row["series_no"], row["at"] // span * span))
    sums = ((key, _summed(source, group)) for key, group in groups)
    while batch := dict(islice(sums, _GROUPS)):
        _add(connection, into, batch)
    return _remove(connection, source, *where)


class _Sum:
    """Measurements of one hour or day."""

    def __init__(self) -> None:
        self.count = self.failed = self.total_us = self.over_us = self.max_us = 0
        self.min_us: int | None = None
        self.sketch: Counter[int] = Counter()

    def add(self, count: int, failed: int, total_us: int, over_us: int, least_us: int, most_us: int) -> None:
        self.count, self.failed = self.count + count, self.failed + failed
        self.total_us, self.over_us = self.total_us + total_us, self.over_us + over_us
        self.min_us = least_us if self.min_us is None else min(self.min_us, least_us)
        self.max_us = max(self.max_us, most_us)

    def add_roll_up(self, row: RowMapping) -> None:
        self.add(*(row[name] for name in ("count", "failed", "total_us", "over_us", "min_us", "max_us")))
        self.sketch.update(decode(row["sketch"]))

    def row(self) -> dict[str, Any]:
        sums = {name: getattr(self, name) for name in ("count", "failed", "total_us", "over_us", "min_us", "max_us")}
        return {**sums, "sketch": encode(self.sketch)}


def _summed(source: Table, rows: Iterable[RowMapping]) -> _Sum:
    made = _Sum()
    for row in rows:
        if source is STEPS:
            us = row["duration_us"]
            made.add(1, row["failed"], us, row["over_us"] or 0, us, us)
            made.sketch[bucket(us)] += 1
        elif source is SERVER_TIMING:
            us = round(row["total_us"] / max(row["calls"], 1))
            made.add(row["calls"], 0, row["total_us"], 0, us, us)  # means are enough: their sketch stays empty
        else:
            made.add_roll_up(row)
    return made


def _add(connection: Connection, into: Table, sums: Mapping[tuple[int, int], _Sum]) -> None:
    """Write roll-ups; one that is known already gets the new measurements as well."""
    numbers, times = ({key[place] for key in sums} for place in (0, 1))
    query = select(into).where(into.c.series_no.in_(numbers), into.c.at.in_(times))
    for known in connection.execute(query).mappings():
        if (series_sum := sums.get((known["series_no"], known["at"]))) is not None:
            series_sum.add_roll_up(known)
    put(
        connection,
        into,
        [{"series_no": number, "at": at, **series_sum.row()} for (number, at), series_sum in sums.items()],
    )
