"""A file that is there whole, or stays as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from synthprobe.errors import HistoryError


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
