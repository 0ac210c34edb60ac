"""A step that has a new name goes on where the old one was."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import Connection, Table, and_, delete, exists, select, update

from synthprobe.history.database import (
    DAILY,
    DETECTOR_STATE,
    HOURLY,
    JOURNEYS,
    SERIES,
    SERVER_TIMING,
    STEPS,
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
