"""A small copy of a SQLite store that travels in a cache."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from synthprobe.errors import HistoryError
from synthprobe.history import rollups
from synthprobe.history.database import make_engine
from synthprobe.history.whole_file import whole_file
from synthprobe.records.history import Retention

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
            said = error.orig if isinstance(error, DBAPIError) else error
            raise HistoryError(
                f"The history {source} cannot be packed: {said}. Nothing was written. See what is wrong with it: "
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
