"""Keeps journeys of one ``xdist_group`` from running at the same time, in whatever way xdist deals them out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synthprobe.plugin.options import group_of

if TYPE_CHECKING:
    from filelock import BaseFileLock


class GroupLock:
    """The lock of the group whose journey runs now, shared by the workers of a run through a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: BaseFileLock | None = None

    def wait(self, item: pytest.Item) -> None:
        """Wait until no other worker runs a journey of the same group; at once without a group."""
        if name := group_of(item):
            self._folder.mkdir(exist_ok=True)
            from filelock import FileLock  # most sessions have no groups, and no collection has

            self._held = FileLock(self._folder / hashlib.sha256(name.encode()).hexdigest()[:16])
            self._held.acquire(poll_interval=0.02)

    def release(self) -> None:
        """Let the next journey of the group run."""
        if self._held is not None:
            self._held.release()
