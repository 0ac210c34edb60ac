"""How often something may happen, counted over all workers of a run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

_POLL_S = 0.005


class Pace:
    """At most so many in any period, whichever process asks.

    Places are booked in a small file under a lock, on the clock since boot that all processes share. Whoever comes too
    early sleeps until its own place.
    """

    def __init__(self, path: Path, rate: float, period_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._count = max(int(rate), 1)
        self._period_s = period_s * self._count / rate
        self._sleep = sleep

    def wait(self) -> float:
        """Wait for the next place."""
        from filelock import FileLock  # no collection waits

        lock = FileLock(self._path.with_name(f"{self._path.name}.lock"))
        with lock.acquire(poll_interval=_POLL_S), self._path.open("a+") as file:
            file.seek(0)
            booked: list[float] = json.loads(file.read() or "[]")
            now = time.monotonic()
            place = max(now, booked[-self._count] + self._period_s) if len(booked) >= self._count else now
            file.seek(0)
            file.truncate()
            file.write(json.dumps([*booked[-self._count :], place]))
        wait_s = place - now
        if wait_s > 0:
            self._sleep(wait_s)
        return wait_s
