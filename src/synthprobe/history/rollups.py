"""Retention: a measurement is kept one by one, then in its hour, then in its day, and in one of them only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select

from synthprobe.history.database import (
    ATTEMPTS,
    DAILY,
    HOURLY,
    OBSERVATIONS,
    OUTBOX,
    PASSED,
    RUNS,
    SERVER_TIMING,
    SLOTS,
    STEPS,
    to_ms,
    upsert,
)
from synthprobe.history.sketch import bucket, encode, merge
from synthprobe.model.history import Retention

_HOUR, _DAY = 3_600_000, 86_400_000
_KEPT_OBSERVATIONS = 14  # days, whatever raw_days says: opening and closing incidents needs them


def prune(connection: Connection, now: datetime, keep: Retention) -> dict[str, int]:
    """Roll up and remove what is older than it is kept.

    Args:
        connection: in a transaction that writes.
        now: the time, UTC.
        keep: how long what is kept.

    Returns:
        Rows removed from each table.
    """
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
    removed["outbox"] = _remove(connection, OUTBOX, OUTBOX.c.state != "waiting", OUTBOX.c.due_at < failures)
    return removed


def _remove(connection: Connection, table: Table, *where: Any) -> int:
    return connection.execute(delete(table).where(*where)).rowcount


def _roll_up(connection: Connection, source: Table, where: list[Any], into: Table, span: int) -> int:
    """Move rows into the roll-up they belong to."""
    groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in connection.execute(select(source).where(*where)):
        groups.setdefault((row.series_no, row.at // span * span), []).append(_as_roll_up(source, row))
    if not groups:
        return 0
    for (series_no, at), parts in sorted(groups.items()):
        key = [into.c.series_no == series_no, into.c.at == at]
        known = connection.execute(select(into).where(*key)).mappings().first()
        if known is not None:
            parts.append(dict(known))
        groups[series_no, at] = parts
    rows = [{"series_no": number, "at": at, **_join(parts)} for (number, at), parts in sorted(groups.items())]
    statement = upsert(connection, into)
    said = {name: statement.excluded[name] for name in rows[0] if name not in {"series_no", "at"}}
    connection.execute(statement.on_conflict_do_update(index_elements=["series_no", "at"], set_=said), rows)
    return _remove(connection, source, *where)


def _as_roll_up(source: Table, row: Any) -> dict[str, Any]:
    if source is STEPS:
        us = row.duration_us
        values = {"count": 1, "failed": row.failed, "total_us": us, "over_us": row.over_us or 0}
    elif source is SERVER_TIMING:
        us = round(row.total_us / max(row.calls, 1))
        # means are enough for operations: their sketch stays empty
        sums = {"count": row.calls, "failed": 0, "total_us": row.total_us, "over_us": 0}
        return {**sums, "min_us": us, "max_us": us, "sketch": b""}
    else:
        return dict(row._mapping)
    return {**values, "min_us": us, "max_us": us, "sketch": encode(Counter({bucket(us): values["count"]}))}


def _join(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    parts = list(parts)
    sums = {name: sum(part[name] for part in parts) for name in ("count", "failed", "total_us", "over_us")}
    return {
        **sums,
        "min_us": min(part["min_us"] for part in parts),
        "max_us": max(part["max_us"] for part in parts),
        "sketch": merge(bytes(part["sketch"]) for part in parts),
    }
