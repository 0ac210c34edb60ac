"""The numbers by which rows name journeys and series: small, and given once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from synthprobe.history.database import JOURNEYS, SERIES, upsert

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
