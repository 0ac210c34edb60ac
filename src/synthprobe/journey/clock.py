"""The times of a run: read from the wall clock once, moved on by the monotonic one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_REAL = (datetime, time.monotonic)  # in a tuple, where what freezes time for a journey (freezegun) does not look


def monotonic() -> float:
    """Seconds on the monotonic clock, also where a journey freezes its own time."""
    return _REAL[1]()


def real_now() -> datetime:
    """The machine's time, also where a journey freezes its own."""
    return _REAL[0].now(UTC)


class SteadyClock:
    """A clock that keeps its pace when somebody sets the clock of the machine.

    Two times of one such clock lie as far apart as they really did, so a difference of them is a duration.
    """

    def __init__(self) -> None:
        self._at, self._began = real_now(), monotonic()

    def now(self) -> datetime:
        """The time."""
        return self._at + timedelta(seconds=monotonic() - self._began)
