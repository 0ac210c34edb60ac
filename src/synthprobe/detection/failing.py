"""Failures that come and go: a Bernoulli CUSUM against a step's own rate of failure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_PRIOR_RUNS, _PRIOR_FAILURES = 300.0, 0.3
_LEAST_USUAL = 0.001
_MEMORY = 4000.0
_ACCEPT_RUNS, _ACCEPT_SHARE = 144, 0.25
_LEAST_BAD, _TIMES, _ALARM = 0.17, 4.0, 7.2  # chosen by benchmarks/failing.py


class Failing:
    """Sums the evidence that a step fails more often than it used to (E. S. Page, Biometrika 41, 1954).

    At a usual rate of one in a thousand, two failures in a row raise it, one never does. After 144 runs in alarm their
    share of failures is learned, up to a quarter: what fails more often than that is never usual.
    """

    __slots__ = ("_failures", "_in_alarm", "_runs", "alarm", "alarm_at", "least_bad", "since", "times", "total")

    def __init__(self, *, least_bad: float = _LEAST_BAD, times: float = _TIMES, alarm_at: float = _ALARM) -> None:
        self.least_bad, self.times, self.alarm_at = least_bad, times, alarm_at
        self._runs, self._failures = _PRIOR_RUNS, _PRIOR_FAILURES
        self.total = 0.0
        self.since: float | None = None
        self.alarm = False
        self._in_alarm = [0, 0]

    def add(self, ok: bool, at: float) -> bool:
        """One scheduled run."""
        if ok and not self.total and not self.alarm:
            self._learn(1, 0)
            return False
        usual = max(_LEAST_USUAL, self._failures / self._runs)
        bad = min(0.9, max(self.least_bad, self.times * usual))
        if self.total == 0.0 and not ok:
            self.since = at
        self.total += math.log((1 - bad) / (1 - usual)) if ok else math.log(bad / usual)
        self.total = min(max(self.total, 0.0), 2 * self.alarm_at)
        if self.alarm:
            runs, failures = self._in_alarm = [self._in_alarm[0] + 1, self._in_alarm[1] + (not ok)]
            if runs >= _ACCEPT_RUNS and failures <= _ACCEPT_SHARE * runs:
                self._learn(runs, failures)
                self.total = 0.0
            self.alarm = self.total > 0.0
            return False
        if self.total >= self.alarm_at:
            self.alarm, self._in_alarm = True, [0, 0]
            return True
        self._learn(1, not ok)
        return False

    def _learn(self, runs: int, failures: int) -> None:
        self._runs, self._failures = self._runs + runs, self._failures + failures
        if self._runs > _MEMORY:
            self._runs, self._failures = self._runs / 2, self._failures / 2

    def state(self) -> tuple[Any, ...]:
        """Everything, small."""
        return self._runs, self._failures, self.total, self.since, self.alarm, *self._in_alarm

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Failing:
        """The lane of a state."""
        made = cls()
        made.restore(state)
        return made

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from a state, also of the version before, which did not count in an alarm."""
        self._runs, self._failures, self.total, self.since, self.alarm, *counted = state
        self._in_alarm = counted or [0, 0]
