"""Journeys and series: the small numbers by which rows name them, how new rows are written fast, and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import OperationalError

from synthprobe.history.database import JOURNEYS, SERIES, from_ms, to_ms, upsert
from synthprobe.records.intervals import Interval
from synthprobe.records.verdict import Verdict

SeriesKey = tuple[str, str, str]
"""Journey, step and operation; an empty step is the whole journey, an empty operation the step itself."""


def journey_numbers(connection: Connection, target: str, ids: Iterable[str]) -> dict[str, int]:
    """The number of each of these journeys of a target; those not known yet are given one."""
    wanted = set(ids)
    query = select(JOURNEYS.c.journey, JOURNEYS.c.no).where(JOURNEYS.c.target == target, JOURNEYS.c.journey.in_(wanted))
    known: dict[str, int] = {row.journey: row.no for row in connection.execute(query)}
    new = sorted(wanted - set(known))  # in one order, so that two writers never wait for each other
    if new:
        rows = [{"target": target, "journey": id} for id in new]
        connection.execute(upsert(connection, JOURNEYS).on_conflict_do_nothing(), rows)
        known = {row.journey: row.no for row in connection.execute(query)}
    return known


def series_numbers(
    connection: Connection, location: str, journeys: Mapping[str, int], keys: Iterable[SeriesKey]
) -> dict[SeriesKey, int]:
    """The number of each series of one location; those not known yet are given one."""
    names = {number: journey for journey, number in journeys.items()}
    columns = (SERIES.c.journey_no, SERIES.c.step, SERIES.c.operation, SERIES.c.no)
    query = select(*columns).where(SERIES.c.location == location, SERIES.c.journey_no.in_(list(names)))

    def read() -> dict[SeriesKey, int]:
        rows = connection.execute(query)
        return {(names[journey_no], step, operation): no for journey_no, step, operation, no in rows}

    known = read()
    new = sorted(set(keys) - set(known))
    if new:
        rows = [{"journey_no": journeys[j], "location": location, "step": s, "operation": o} for j, s, o in new]
        connection.execute(upsert(connection, SERIES).on_conflict_do_nothing(), rows)
        known = read()
    return known


_STREAMED = 200
"""Rows from which they are streamed."""


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that are not there yet; many at once go to PostgreSQL as one stream."""
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    found = {tuple(row[name] for name in key): row for row in reversed(rows)}
    names = list(rows[0])
    if connection.dialect.name == "sqlite":  # the driver lays rows out for less CPU than SQLAlchemy
        places = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608
        connection.exec_driver_sql(statement, [tuple(row[name] for name in names) for row in found.values()])
        return
    if len(found) < _STREAMED:
        connection.execute(upsert(connection, table).on_conflict_do_nothing(), [*found.values()])
        return
    statement = f"COPY {table.name} ({', '.join(names)}) FROM STDIN"
    driver, errors = connection.connection.driver_connection, connection.dialect.loaded_dbapi
    assert driver is not None
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as stream:
            for row in found.values():
                stream.write_row([row[name] for name in names])
    except errors.Error as error:
        raise OperationalError(statement, None, error) from error


def write_intervals(connection: Connection, verdict: Verdict) -> None:
    """Note each journey's interval where a scheduled run has another than those before it."""
    if not verdict.run.scheduled:
        return
    known, at = read_intervals(connection, verdict.run.target), verdict.run.started_at
    for judgement in verdict.journeys:
        before, every_s = known.get(judgement.journey.id, Interval()), judgement.journey.every_s
        if before.every_s != every_s and (before.since is None or before.since <= at):
            here = (JOURNEYS.c.target == verdict.run.target, JOURNEYS.c.journey == judgement.journey.id)
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
