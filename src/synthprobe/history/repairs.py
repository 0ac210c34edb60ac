"""What is put right afterwards: steps that have a new name, and times of a clock that was ahead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, exists, func, select, update

from synthprobe.history.database import (
    ATTEMPTS,
    DAILY,
    DETECTOR_STATE,
    HOURLY,
    JOURNEYS,
    OBSERVATIONS,
    RUNS,
    SERIES,
    SERVER_TIMING,
    SLOTS,
    STEPS,
    to_ms,
    upsert,
)

_MEASURED = (STEPS, SERVER_TIMING, HOURLY, DAILY)


def rename_steps(connection: Connection, target: str, aliases: Mapping[str, Mapping[str, str]]) -> None:
    """Give what is known of steps to the steps they are called now, with the steps inside them."""
    query = (
        select(JOURNEYS.c.journey, SERIES)
        .join(JOURNEYS, JOURNEYS.c.no == SERIES.c.journey_no)
        .where(JOURNEYS.c.target == target, JOURNEYS.c.journey.in_(sorted(aliases)))
        .order_by(SERIES.c.no)
    )
    for row in connection.execute(query).all():
        renamed = _renamed(row.step, aliases[row.journey])
        if renamed != row.step:
            _rename(connection, row.no, row.journey_no, row.location, renamed, row.operation)


def _renamed(path: str, aliases: Mapping[str, str]) -> str:
    for old, new in aliases.items():
        # the step itself, the second of its name in a run, and what is inside it
        if found := re.fullmatch(rf"{re.escape(old)}((?: \(\d+\))?(?: › .*)?)", path, re.DOTALL):
            return new + found[1]
    return path


def _rename(connection: Connection, old: int, journey_no: int, location: str, step: str, operation: str) -> None:
    same = (SERIES.c.journey_no == journey_no, SERIES.c.location == location, SERIES.c.operation == operation)
    new = connection.execute(select(SERIES.c.no).where(*same, SERIES.c.step == step)).scalar()
    if new is None:
        connection.execute(update(SERIES).where(SERIES.c.no == old).values(step=step))
        return
    for table in (*_MEASURED, DETECTOR_STATE):
        _join(connection, table, old, new)
    if not any(connection.execute(select(exists().where(table.c.series_no == old))).scalar() for table in _MEASURED):
        connection.execute(delete(DETECTOR_STATE).where(DETECTOR_STATE.c.series_no == old))
        connection.execute(delete(SERIES).where(SERIES.c.no == old))


def _join(connection: Connection, table: Table, old: int, new: int) -> None:
    """What is known of a moment under the new name already stays under the old one."""
    known = table.alias()
    clash = known.c.series_no == new
    if "at" in table.c:
        clash = and_(clash, known.c.at == table.c.at)
    connection.execute(update(table).where(table.c.series_no == old, ~exists().where(clash)).values(series_no=new))


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
