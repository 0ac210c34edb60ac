"""Files that are there whole, or stay as they were."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

R = TypeVar("R")
T = TypeVar("T")


def owner_of_ours() -> int:
    """Who owns the files that this account makes, by number; on Windows, which has none, 0 as its files say."""
    return os.getuid() if hasattr(os, "getuid") else 0


def read_record(path: Path, kind: type[R], otherwise: T) -> R | T:
    """The record in a file; something else where the file is not there, or cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return otherwise


def read_lines(path: Path, kind: type[R]) -> Iterator[R]:
    """The record of each line of a file, if there is one; a line that a kill cut off is left out."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            with contextlib.suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=kind)


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file in one move, so that nobody ever reads half of it; its folder is there already."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        return temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
