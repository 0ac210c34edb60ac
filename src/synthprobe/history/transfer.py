"""All rows of a store as lines of JSON, and back, for moving between databases."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from gzip import GzipFile
from typing import IO, Any

import msgspec
from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, func, insert, select, text

from synthprobe.errors import HistoryError
from synthprobe.history.database import METADATA, REVISIONS

_BATCH = 2000


def write_rows(connection: Connection, file: IO[bytes] | GzipFile) -> int:
    """Write every row of every table."""
    file.write(msgspec.json.encode({"synthprobe history": REVISIONS[-1]}) + b"\n")
    written = 0
    for table in METADATA.sorted_tables:
        for row in connection.execution_options(yield_per=_BATCH).execute(select(table)).mappings():
            values = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in row.items()}
            file.write(msgspec.json.encode([str(table.name), values]) + b"\n")
            written += table.name != "meta"  # is not read again: the new store keeps its own
    return written


def read_rows(connection: Connection, lines: Iterable[bytes]) -> int:
    """Read rows into a store that has none."""
    for table in METADATA.sorted_tables:
        if table.name != "meta" and connection.execute(select(func.count()).select_from(table)).scalar():
            raise HistoryError("An export is read into an empty history only, and this one is not. Choose another url.")
    stream = iter(lines)
    try:
        head = msgspec.json.decode(next(stream))
        if head != {"synthprobe history": REVISIONS[-1]}:
            raise HistoryError(f"The export is of another version than {REVISIONS[-1]}. Nothing was imported.")
        read, current = 0, ""
        batch: list[dict[str, Any]] = []
        for line in stream:
            name, row = msgspec.json.decode(line, type=tuple[str, dict[str, Any]])
            if batch and (name != current or len(batch) >= _BATCH):
                connection.execute(insert(METADATA.tables[current]), batch)
                batch = []
            current = name
            if name == "meta":
                continue
            batch.append(_row(METADATA.tables[name], row))
            read += 1
        if batch:
            connection.execute(insert(METADATA.tables[current]), batch)
    except (StopIteration, msgspec.DecodeError, KeyError, ValueError) as error:
        raise HistoryError(f"The export cannot be read: {error}. Nothing was imported.") from None
    if connection.dialect.name == "postgresql":
        for name in ("runs", "journeys", "series", "audit"):
            sequence = f"pg_get_serial_sequence('{name}', 'no')"
            connection.execute(text(f"SELECT setval({sequence}, coalesce(max(no), 0) + 1, false) FROM {name}"))  # noqa: S608
    return read


def _row(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(row.keys() - table.columns.keys()):
        raise ValueError(f"{table.name} has no {unknown[0]}")
    return {column.name: _value(column, row[column.name]) for column in table.columns}


def _value(column: Column[Any], value: Any) -> Any:
    """SQLite would take anything for a number."""
    if value is None and column.nullable:
        return None
    if isinstance(column.type, Integer):
        sound = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 64
    else:
        sound = isinstance(value, str)
    if not sound:
        raise ValueError(f"{value!r} is no {column.table.name}.{column.name}")
    return base64.b64decode(str(value), validate=True) if isinstance(column.type, LargeBinary) else value
