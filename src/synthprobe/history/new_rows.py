"""Writes rows that are new, as fast as the database takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import OperationalError

from synthprobe.history.database import upsert

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
