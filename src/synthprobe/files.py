"""Files that are there whole, or stay as they were; private folders for what is not redacted yet."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from synthprobe.records.decoding import from_json

R = TypeVar("R")
T = TypeVar("T")


def owner_of_ours() -> int:
    """Who owns the files that this account makes, by number; on Windows, which has none, 0 as its files say."""
    return os.getuid() if hasattr(os, "getuid") else 0


def read_record(path: Path, kind: type[R], otherwise: T) -> R | T:
    """The record in a file; something else where the file is not there, or cannot be read."""
    try:
        return from_json(path.read_bytes(), kind)
    except (OSError, msgspec.DecodeError):
        return otherwise


def read_lines(path: Path, kind: type[R]) -> Iterator[R]:
    """The record of each line of a file, if there is one; a line that a kill cut off is left out."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            with contextlib.suppress(msgspec.DecodeError):
                yield from_json(line, kind)


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file in one move, so that nobody ever reads half of it; its folder is there already."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        return temporary.replace(path)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk names no file
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def private_folder(prefix: str) -> Path:
    """Make a folder nobody else can read, and wipe those that processes left which were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        from psutil import pid_exists  # most sessions find nothing left

        pid = left.name.removeprefix(prefix).partition("-")[0]
        with suppress(FileNotFoundError):  # another session wiped it first
            if pid.isdigit() and not pid_exists(int(pid)) and left.stat().st_uid == owner_of_ours():
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))
