"""Private folders for what is not redacted yet: raw traces and all other temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from synthprobe.files import owner_of_ours


def private_folder(prefix: str) -> Path:
    """Make a folder nobody else can read, and wipe those that processes left which were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        from psutil import pid_exists  # most sessions find nothing left

        pid = left.name.removeprefix(prefix).partition("-")[0]
        with suppress(FileNotFoundError):  # another session wiped it first
            if pid.isdigit() and not pid_exists(int(pid)) and left.stat().st_uid == owner_of_ours():
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))
