"""The times of a run: read from the wall clock once, moved on by the monotonic one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SteadyClock:
    """A clock that keeps its pace when somebody sets the clock of the machine.

    Two times of one such clock lie as far apart as they really did, so a difference of them is a duration.
    """

    def __init__(self) -> None:
        self._at, self._began = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        """The time."""
        return self._at + timedelta(seconds=time.monotonic() - self._began)
