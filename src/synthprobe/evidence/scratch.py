"""Private folders for what is not redacted yet: raw traces and all other temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def private_folder(prefix: str) -> Path:
    """Make a folder nobody else can read, and wipe those that processes left which were killed.

    Args:
        prefix: what its name begins with; this process's number follows.

    Returns:
        The folder; the caller removes it.
    """
    top = Path(tempfile.gettempdir())
    for left in top.glob(f"{prefix}*"):
        pid = left.name.removeprefix(prefix).partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)) and left.stat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
