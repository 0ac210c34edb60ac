"""A small copy of a SQLite store that travels in a cache."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from synthprobe.errors import HistoryError
from synthprobe.history import rollups
from synthprobe.history.database import make_engine
from synthprobe.model.history import Retention

PACK = Retention(raw_days=2, failures_days=14, hourly_days=7, daily_days=396)
"""What travels in a pack: two days one by one, a week of hours, then days."""

_MAGIC = b"synthprobe history 1\n"


def write_pack(source: Path, path: Path) -> int:
    """Pack a store.

    Args:
        source: a SQLite file.
        path: where the pack is to be.

    Returns:
        Its size in bytes.
    """
    copy = path.with_name(path.name + ".tmp.db")
    copy.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(source)) as live, contextlib.closing(sqlite3.connect(copy)) as out:
            live.backup(out)
            out.execute("PRAGMA journal_mode = DELETE")
        engine = make_engine(f"sqlite:///{copy}")
        with engine.execution_options(write=True).begin() as connection:
            rollups.prune(connection, datetime.now(UTC), PACK)
        engine.dispose()
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as out:
            out.execute("PRAGMA journal_mode = DELETE")
            out.execute("VACUUM")
        temporary = path.with_name(path.name + ".tmp")
        with temporary.open("wb") as file, copy.open("rb") as content:
            file.write(_MAGIC)
            with lzma.open(file, "wb", preset=4) as packed:
                shutil.copyfileobj(content, packed)
        temporary.replace(path)
        return path.stat().st_size
    finally:
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def read_pack(pack: Path, path: Path) -> None:
    """Put a pack in the place of a store that is not there.

    Args:
        pack: made by `write_pack`.
        path: where the store is to be.

    Raises:
        HistoryError: when the pack cannot be read, or a store is there already.
    """
    if path.exists() and path.stat().st_size:
        raise HistoryError(f"{path} is there already and is kept. Move it away, then unpack again.")
    try:
        data = pack.read_bytes()
        if not data.startswith(_MAGIC):
            raise HistoryError(f"{pack} is no pack of this version. The history begins anew without it.")
        content = lzma.decompress(data[len(_MAGIC) :])
    except (OSError, lzma.LZMAError) as error:
        raise HistoryError(f"{pack} cannot be read: {error}. The history begins anew without it.") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
