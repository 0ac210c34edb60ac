"""The interval of each journey, and since when it has it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from synthprobe.history.database import JOURNEYS, from_ms, to_ms
from synthprobe.records.intervals import Interval
from synthprobe.records.verdict import Verdict


def write_intervals(connection: Connection, verdict: Verdict) -> None:
    """Note each journey's interval where a scheduled run has another than those before it."""
    if not verdict.run.scheduled:
        return
    known, at = read_intervals(connection, verdict.run.target), verdict.run.started_at
    for one in verdict.journeys:
        before, every_s = known.get(one.journey.id, Interval()), one.journey.every_s
        if before.every_s != every_s and (before.since is None or before.since <= at):
            here = (JOURNEYS.c.target == verdict.run.target, JOURNEYS.c.journey == one.journey.id)
            connection.execute(JOURNEYS.update().where(*here).values(every_s=round(every_s), every_since=to_ms(at)))


def read_intervals(connection: Connection, target: str) -> dict[str, Interval]:
    """The interval of each journey that is known."""
    query = select(JOURNEYS.c.journey, JOURNEYS.c.every_s, JOURNEYS.c.every_since).where(JOURNEYS.c.target == target)
    return {
        row.journey: Interval(
            every_s=row.every_s or 0, since=None if row.every_since is None else from_ms(row.every_since)
        )
        for row in connection.execute(query)
    }
