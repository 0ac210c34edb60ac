"""Whether somebody set the clock of this machine while a run was on."""

from __future__ import annotations

import time
from collections.abc import Callable

NOTED_S = 2.0
"""Seconds the clock may be off after a run before that is noted; time servers correct less all day."""


def passed_s() -> float:
    """Seconds that no clock setting changes; where the system can tell, those it slept are among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ClockWatch:
    """Compares the wall clock with the monotonic one, from now on."""

    def __init__(self, wall: Callable[[], float] = time.time, passed: Callable[[], float] = passed_s) -> None:
        self._wall, self._passed = wall, passed
        self._began = wall() - passed()

    def note(self) -> str:
        """What a person must know of the times in the report."""
        jumped_s = self._wall() - self._passed() - self._began
        if abs(jumped_s) <= NOTED_S:
            return ""
        return (
            f"The clock of this machine jumped by {jumped_s:+.0f} s during the run, so times in the report are off by "
            "as much, before or after the jump; durations are right. Look at what sets this clock, for example with "
            "timedatectl."
        )
