"""Holds a run to its target's guardrails: asked before each journey and each request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from synthprobe.errors import ConfigurationError, TargetError
from synthprobe.journey import steps
from synthprobe.targets.guardrails import change_refusal, egress_refusal
from synthprobe.targets.target import Target

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


class Guard:
    """What the running journey may do, and how fast."""

    def __init__(
        self,
        target: Target,
        folder: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        sharers: int = 1,
    ) -> None:
        self.target = target
        self.mutates: Collection[str] = ()
        self._requests = self._journeys = None
        if folder and target.requests_per_second:
            self._requests = Pace(folder / "pace-requests.json", target.requests_per_second / sharers, 1.0, sleep)
        if folder and target.journeys_per_minute:
            self._journeys = Pace(folder / "pace-journeys.json", target.journeys_per_minute / sharers, 60.0, sleep)

    def begin(self, mutates: Collection[str]) -> None:
        """A journey begins that declares these changes."""
        self.mutates = mutates

    def pace_journey(self) -> float:
        """Wait until the next journey may start; seconds waited."""
        return self._journeys.wait() if self._journeys else 0.0

    def pace_request(self) -> None:
        """Wait until the next request may be sent. The wait is ours, so no step's time holds it."""
        if self._requests and (waited_s := self._requests.wait()) and (recorder := steps.current()):
            recorder.leave_out(waited_s)

    def check(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: Any = None) -> None:
        """Refuse a request that may not be sent."""
        if recorder := steps.current():
            recorder.asked += 1
        if why := egress_refusal(self.target, url, headers):
            raise TargetError("egress", why)
        if why := change_refusal(self.target, method, url, self.mutates, headers, body):
            raise ConfigurationError(why)

    def check_tls(self, what: str, where: str) -> None:
        """Refuse to leave out the check of certificates on production."""
        if self.target.production:
            raise ConfigurationError(
                f"TLS checks were switched off by {what} for {where}, which belongs to a production target. "
                "Certificates are always checked there: remove it; an authority of your own goes into ca_file."
            )
