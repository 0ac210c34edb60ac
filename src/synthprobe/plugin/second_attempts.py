"""How long a second attempt waits: a hiccup has time to pass, and what a second attempt met again is no hiccup."""

from __future__ import annotations

import time

from synthprobe.records.result import Failure, Result
from synthprobe.targets.addresses import host_of
from synthprobe.triage.fingerprint import signature


class SecondAttempts:
    """Waits before second attempts, as long as their failure is not one that a second attempt has confirmed already.

    So a target that is down costs the wait once, and not once for each of hundreds of journeys.
    """

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._seen: dict[str, str] = {}
        self._confirmed: set[str] = set()

    def wait(self, journey: str) -> None:
        """Wait, where the last attempt at that journey failed in a way that may pass."""
        if self._seen.get(journey) not in self._confirmed:
            time.sleep(self._delay_s)

    def saw(self, result: Result) -> None:
        """Note how an attempt ended."""
        evidence = _evidence(result.failure) if result.failure is not None else ""
        if evidence and self._seen.get(result.journey.id) == evidence:
            self._confirmed.add(evidence)
        self._seen[result.journey.id] = evidence


def _evidence(failure: Failure) -> str:
    """What journeys that fail by one cause have in common, whatever each asked for."""
    found = failure.finding
    if found is not None and (refusal := found.refusal):
        return f"{refusal.kind} {host_of(refusal.url)}"
    if found is not None and (wrong := found.contradiction) and wrong.about == "status":
        return f"{wrong.got} {host_of(wrong.url)}"
    return signature(failure.kind, failure.message)
