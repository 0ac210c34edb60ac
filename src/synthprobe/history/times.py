"""Times that cannot be: of runs whose machine had a clock that was ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from synthprobe.history.database import ATTEMPTS, OBSERVATIONS, RUNS, SERVER_TIMING, SLOTS, STEPS, to_ms, upsert


def read_clock_ahead(connection: Connection) -> timedelta:
    """How far the database's clock is ahead of this machine's; nothing where both are one."""
    if connection.dialect.name != "postgresql":
        return timedelta(0)
    asked = datetime.now(UTC)
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return theirs - (asked + (datetime.now(UTC) - asked) / 2)


def has_runs_after(connection: Connection, target: str, at: datetime, *, location: str = "") -> bool:
    """Whether a run of a location began after a moment."""
    here = (RUNS.c.target == target, RUNS.c.location == location, RUNS.c.started_at > to_ms(at))
    return connection.execute(select(RUNS.c.no).where(*here).limit(1)).first() is not None


def repair_times(connection: Connection, target: str, latest: datetime, until: datetime, interval_s: int) -> list[str]:
    """Give runs of a clock that was ahead the time before a moment, at the distances they had.

    A location whose runs lead up to the future without a leap is left alone: it is the clock now that went back.
    """
    ahead = (RUNS.c.target == target, RUNS.c.started_at > to_ms(latest))
    rows = connection.execute(select(RUNS).where(*ahead).order_by(RUNS.c.no)).all()
    repaired: list[str] = []
    for location in sorted({row.location for row in rows}):
        runs = [row for row in rows if row.location == location]
        here = (RUNS.c.target == target, RUNS.c.location == location)
        before = select(RUNS.c.started_at).where(*here, RUNS.c.no < runs[0].no, RUNS.c.started_at <= to_ms(latest))
        last = connection.execute(before.order_by(RUNS.c.no.desc()).limit(1)).scalar()
        if last is not None and runs[0].started_at - last <= 2000 * interval_s:
            continue
        shift = max(row.started_at for row in runs) - to_ms(until) + 1
        _shift(connection, target, location, runs, shift, interval_s)
        repaired += [row.id for row in runs]
    return repaired


def _shift(connection: Connection, target: str, location: str, runs: list[Any], shift: int, interval_s: int) -> None:
    numbers = [row.no for row in runs]
    slots = round(shift / 1000 / interval_s)
    for table in (OBSERVATIONS, STEPS, SERVER_TIMING):
        connection.execute(update(table).where(table.c.run_no.in_(numbers)).values(at=table.c.at - shift))
    connection.execute(
        update(ATTEMPTS).where(ATTEMPTS.c.run_no.in_(numbers)).values(started_at=ATTEMPTS.c.started_at - shift)
    )
    times = {"started_at": RUNS.c.started_at - shift, "finished_at": RUNS.c.finished_at - shift}
    connection.execute(update(RUNS).where(RUNS.c.no.in_(numbers)).values(slot=RUNS.c.slot - slots, **times))
    judged = (SLOTS.c.target == target, SLOTS.c.location == location, SLOTS.c.slot.in_([row.slot for row in runs]))
    for row in connection.execute(select(SLOTS).where(*judged)).mappings().all():
        moved = {**row, "slot": row["slot"] - slots, "at": row["at"] - shift}
        connection.execute(delete(SLOTS).where(*judged, SLOTS.c.slot == row["slot"]))
        connection.execute(upsert(connection, SLOTS).values(moved).on_conflict_do_nothing())
