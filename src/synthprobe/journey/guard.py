"""Holds a run to its target's guardrails: asked before each journey and each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from synthprobe.errors import ConfigurationError, TargetError
from synthprobe.journey import steps
from synthprobe.journey.pace import Pace
from synthprobe.targets.guardrails import change_refusal, egress_refusal
from synthprobe.targets.target import Target


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
