"""Holds a run to its target's guardrails: asked before each journey and each request."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from synthprobe.errors import ConfigurationError, TargetError
from synthprobe.probes.pace import Pace
from synthprobe.targets.guardrails import change_refusal, egress_refusal
from synthprobe.targets.target import Target


class Guard:
    """What the running journey may do, and how fast.

    Args:
        target: whose guardrails.
        folder: the run's folder, shared by its workers; without it nothing is slowed down.
    """

    def __init__(self, target: Target, folder: Path | None = None) -> None:
        self.target = target
        self.mutates: Collection[str] = ()
        self.pace_request = _pace(folder, "requests", target.requests_per_second, 1.0)
        self.pace_journey = _pace(folder, "journeys", target.journeys_per_minute, 60.0)

    def begin(self, mutates: Collection[str]) -> None:
        """A journey begins that declares these changes."""
        self.mutates = mutates

    def refusal(self, method: str, url: str) -> str:
        """Why a request may not be sent; empty when it may."""
        return egress_refusal(self.target, url) or change_refusal(self.target, method, url, self.mutates)

    def check(self, method: str, url: str) -> None:
        """Refuse a request that may not be sent.

        Args:
            method: the HTTP method.
            url: the whole address.

        Raises:
            TargetError: ``egress``, when its host is not allowed.
            ConfigurationError: when it may change a target that is read-only.
        """
        if why := egress_refusal(self.target, url):
            raise TargetError("egress", why)
        if why := change_refusal(self.target, method, url, self.mutates):
            raise ConfigurationError(why)


def _pace(folder: Path | None, name: str, rate: float, period_s: float) -> Callable[[], float]:
    return Pace(folder / f"pace-{name}.json", rate, period_s).wait if folder and rate else lambda: 0.0
