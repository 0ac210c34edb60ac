"""Copies of a store: all rows as lines of JSON for another database, or a small file that travels in a cache."""

from __future__ import annotations

import base64
import contextlib
import lzma
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from gzip import GzipFile
from pathlib import Path
from typing import IO, Any

import msgspec
from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from synthprobe.errors import HistoryError
from synthprobe.history import rollups
from synthprobe.history.database import METADATA, REVISIONS, make_engine
from synthprobe.records.decoding import from_json
from synthprobe.records.history import Retention

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
        head = from_json(next(stream))
        if head != {"synthprobe history": REVISIONS[-1]}:
            raise HistoryError(f"The export is of another version than {REVISIONS[-1]}. Nothing was imported.")
        read, current = 0, ""
        batch: list[dict[str, Any]] = []
        for line in stream:
            name, row = from_json(line, tuple[str, dict[str, Any]])
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


PACK = Retention(raw_days=2, failures_days=14, hourly_days=7, daily_days=396)
"""What travels in a pack: two days one by one, a week of hours, then days."""

_MAGIC = b"synthprobe history 1\n"


def write_pack(source: Path, path: Path) -> int:
    """Pack a store."""
    with whole_file(path) as temporary:
        copy = path.with_name(path.name + ".tmp.db")
        copy.unlink(missing_ok=True)
        try:
            _copy_small(source, copy)
            with temporary.open("wb") as file, copy.open("rb") as content:
                file.write(_MAGIC)
                with lzma.open(file, "wb", preset=4) as packed:
                    shutil.copyfileobj(content, packed)
            return temporary.stat().st_size
        except (sqlite3.Error, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise HistoryError(
                f"The history {source} cannot be packed: {cause}. Nothing was written. See what is wrong with it: "
                "synthprobe doctor history."
            ) from None
        finally:
            for suffix in ("", "-wal", "-shm"):
                copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def _copy_small(source: Path, copy: Path) -> None:
    """Copy a store, and leave out of the copy what does not travel."""
    with contextlib.closing(sqlite3.connect(source)) as live, contextlib.closing(sqlite3.connect(copy)) as out:
        live.backup(out)
        out.execute("PRAGMA journal_mode = DELETE")
    if damage := _damage(copy):
        raise sqlite3.DatabaseError(damage)
    engine = make_engine(f"sqlite:///{copy}")
    with engine.execution_options(write=True).begin() as connection:
        rollups.prune(connection, datetime.now(UTC), PACK)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as out:
        out.execute("PRAGMA journal_mode = DELETE")
        out.execute("VACUUM")


def read_pack(pack: Path, path: Path) -> None:
    """Put a pack in the place of a store that is not there."""
    if path.exists() and path.stat().st_size:
        raise HistoryError(f"{path} is there already and is kept. Move it away, then copy again.")
    try:
        data = pack.read_bytes()
        if not data.startswith(_MAGIC):
            raise HistoryError(f"{pack} is no pack of this version. The history begins anew without it.")
        content = lzma.decompress(data[len(_MAGIC) :])
    except FileNotFoundError:
        raise HistoryError(f"There is no {pack}. The history begins anew without it.") from None
    except (OSError, lzma.LZMAError) as error:
        raise HistoryError(f"{pack} cannot be read: {error}. The history begins anew without it.") from None
    if not content.startswith(b"SQLite format 3\x00"):
        raise HistoryError(f"{pack} holds no SQLite file. The history begins anew without it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(f"{path.parent} cannot be made: {error.strerror or error}.") from None
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
        if damage := _damage(temporary):
            raise HistoryError(f"What {pack} holds is damaged: {damage}. The history begins anew without it.")


def _damage(path: Path) -> str:
    """What SQLite finds wrong with a file that nobody writes to; nothing when it is sound."""
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as store:
            found = str(store.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write beside a file, and put it in place at the end."""
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise HistoryError(f"{path} is no file; the name of a file was expected. Nothing was written.")
    if not path.parent.is_dir():
        raise HistoryError(f"There is no folder {path.parent}. Make it, or choose another; nothing was written.")
    temporary = path.with_name(path.name + ".tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise HistoryError(
            f"{path} cannot be written: {error.strerror or error}. It stays as it was. Make room there, or choose "
            "another folder."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
