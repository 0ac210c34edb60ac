"""Which process a run belongs to, so that others leave it alone as long as that lives."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_OWNER = "supervisor.pid"


def running(pid: int, created: float) -> psutil.Process | None:
    """A process that still runs; one that ended and was not collected by its parent does not."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def own(folder: Path) -> None:
    """Note that a run belongs to this process."""
    import psutil

    (folder / _OWNER).write_text(f"{os.getpid()} {psutil.Process().create_time()}")


def owner(folder: Path) -> psutil.Process | None:
    """The process that a run belongs to, while it lives."""
    with suppress(OSError, ValueError):
        pid, created = (folder / _OWNER).read_text().split()
        return running(int(pid), float(created))
    return None


def is_on(folder: Path) -> bool:
    """Whether a run belongs to another process that may still add to it."""
    process = owner(folder)
    return process is not None and process.pid != os.getpid()
