"""Slower than usual: watches the durations of one step and says when they are no longer what they were.

Three lanes. **Paging**: burst (2 runs in a row, each slower than 999 of 1,000 usual ones), streak (3 runs in a row,
each slower than 96 of 100, or than 91 of 100 and all by one factor), drag (12 runs that are slow together) and again
(a run and its re-runs are slow together). **Report**: drift and
ragged, which are too slow to page anybody. **Failures**: a step that fails more often than it used to. How it was
chosen and what it finds on real data stands in docs/concepts/degradation.md.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Literal

import msgspec
from msgspec import Struct

from synthprobe.detection.baseline import Baseline, from_grid, pack, to_grid, unpack
from synthprobe.detection.drift import Drift
from synthprobe.detection.failing import Failing

Rule = Literal["burst", "streak", "drag", "again", "drift", "ragged", "failing"]
Lane = Literal["paging", "report", "failures"]

SUSPICIOUS = 2.3
"""Surprise of a run that is slower than nine of ten usual ones."""

SURENESS = "at most one false alarm in 10,000 runs"
"""How sure the paging lane is, as measured on public series: docs/concepts/degradation.md."""

STATE_VERSION = 2

_LEAST, _BURST, _STREAK, _LEVEL_LEAST, _LEVEL = 2.0, 7.0, 3.2, 2.4, 8.0
_DRAG_RUNS, _DRAG_CAP = 12, 4.0
_CALM_RUNS, _ACCEPT_RUNS = 6, 144
_KEPT = 48
_ONSET_RUNS, _ONSET_DRIFT = 36, 1.7


@cache
def _gamma_threshold(runs: int, log_chance: float) -> float:
    """The sum of so many exponential surprises that has this chance: the tail of Gamma(runs)."""
    low, high = float(runs), 400.0
    for _ in range(60):
        middle = (low + high) / 2
        total, term = 0.0, 1.0
        for i in range(runs):
            total += term
            term *= middle / (i + 1)
        low, high = (low, middle) if middle - math.log(total) > log_chance else (middle, high)
    return high


_DRAG = _gamma_threshold(_DRAG_RUNS, 8.5)
_AGAIN_CAP, _AGAIN_MOST = 7.0, 20


class Alarm(Struct, frozen=True, kw_only=True):
    """A step is no longer as usual.

    Attributes:
        index: number of the sample that raised it, from 0.
        time: when, seconds since the epoch.
        rule: which rule.
        since: when it began, as well as can be said, seconds since the epoch.
        runs: samples since then.
        ratio: now over usual; for ``failing`` the share of runs that failed since then.
        usual_ms: the usual duration, milliseconds.
        now_ms: the median duration since then, milliseconds.
        lane: who is told.
    """

    index: int
    time: float
    rule: Rule
    since: float
    runs: int
    ratio: float
    usual_ms: float
    now_ms: float
    lane: Lane = "paging"

    def sentence(self, step: str) -> str:
        """What a tired person reads."""
        began = datetime.fromtimestamp(self.since, UTC)
        day = "" if self.time - self.since < 20 * 3600 else f"{began:%d %B} "
        since = f"since {day}{began:%H:%M} ({self.runs} run{'' if self.runs == 1 else 's'})"
        if self.rule == "failing":
            return f"{step} fails in {self.ratio:.0%} of its runs {since}"
        if self.rule == "ragged":
            return f"{step} is slow again and again, {self.ratio:.1f} × its usual {_shown(self.usual_ms)}, {since}"
        creeping = " and it crept there" if self.rule == "drift" else ""
        return f"{step} takes {self.ratio:.1f} × its usual {_shown(self.usual_ms)} {since}{creeping}"


class StepDetector:
    """Watches one step. Pure: the same samples give the same alarms, on every machine, also across `to_bytes`."""

    __slots__ = (
        "_again",
        "_age",
        "_alarm",
        "_baseline",
        "_calm",
        "_drift",
        "_failed",
        "_failing",
        "_index",
        "_points",
        "_since_failing",
        "_surprises",
        "_times",
    )

    def __init__(self) -> None:
        self._baseline = Baseline()
        self._drift = Drift()
        self._failing = Failing()
        self._surprises: deque[float] = deque(maxlen=_KEPT)
        self._points: deque[int] = deque(maxlen=_KEPT)
        self._times: deque[float] = deque(maxlen=_KEPT)
        self._failed: deque[bool] = deque(maxlen=_KEPT)
        self._since_failing: deque[float] = deque(maxlen=_KEPT)
        self._alarm = False
        self._age = self._calm = self._again = 0
        self._index = -1

    @property
    def degraded(self) -> bool:
        """Whether a paging alarm is open."""
        return self._alarm

    @property
    def ready(self) -> bool:
        """Whether enough runs were seen to judge by."""
        return self._baseline.ready

    @property
    def usual_ms(self) -> float:
        """The usual duration in milliseconds; 0 before there is one."""
        return from_grid(self._baseline.window.median()) if self._baseline.window.ordered else 0.0

    def smallest_visible(self) -> float:
        """The slowdown this step can show: held by every run, half of them trip the streak rule."""
        return self._baseline.smallest_visible(_STREAK) if self.ready else math.inf

    def surprise(self, at: float, duration_ms: float) -> float:
        """How surprising a sample would be, without learning it."""
        if not self.ready or not _usable(duration_ms):
            return 0.0
        return self._baseline.surprise(to_grid(duration_ms), at)

    def update(
        self, at: float, duration_ms: float, ok: bool = True, *, scheduled: bool = True, once_more: bool = True
    ) -> list[Alarm]:
        """Take one sample.

        A sample of the same time as one of the last 48 is the same run once more, and changes nothing. A failed run
        counts for the failures alone: what it took says nothing of a healthy one. A duration that is no number above
        zero is passed over. A re-run (not scheduled) raises or ends an alarm, but teaches nothing.
        """
        alarms: list[Alarm] = []
        if not math.isfinite(at) or (once_more and scheduled and at in self._since_failing):
            return alarms  # no time, or the same run once more
        self._index += 1
        self._again = 0 if scheduled else self._again + 1
        if scheduled:
            self._failed.append(not ok)
            self._since_failing.append(at)
            if self._failing.add(ok, at):
                alarms.append(self._failing_alarm(at))
        if not ok or not _usable(duration_ms):
            return alarms
        point = to_grid(duration_ms)
        rule = self._paging(at, point, scheduled)
        if rule:
            alarms.append(self._paging_alarm(at, rule))
        if scheduled:
            self._baseline.learn_hour(point, at)
            slow = self._drift.add(point, told=self._alarm)
            if slow:
                alarms.append(self._report_alarm(at, slow))
        return alarms

    def _paging(self, at: float, point: int, scheduled: bool) -> Literal["", "burst", "streak", "drag", "again"]:
        baseline = self._baseline
        if not baseline.ready:
            if scheduled:
                baseline.learn(point)
            return ""
        surprise = baseline.surprise(point, at)
        self._surprises.append(surprise)
        self._points.append(point)
        self._times.append(at)
        if self._alarm:
            self._age += 1
            self._calm = self._calm + 1 if surprise < SUSPICIOUS else 0
            if self._calm >= _CALM_RUNS:
                self._close()
            elif self._age >= _ACCEPT_RUNS:
                baseline.accept(list(self._points))
                self._close()
            return ""
        rule = self._rule() if surprise >= _LEAST else ""
        if rule:
            self._alarm, self._age, self._calm = True, 1, 0
            baseline.hold()
        elif scheduled:
            baseline.learn(point)
        return rule

    def _rule(self) -> Literal["", "burst", "streak", "drag", "again"]:
        newest = self._surprises
        n = len(newest)
        last = newest[-1]
        before = newest[-2] if n > 1 else 0.0
        if last >= _BURST and before >= _BURST:
            return "burst"
        least = min(last, before, newest[-3]) if n > 2 else 0.0
        if least >= _STREAK:
            return "streak"
        if least >= _LEVEL_LEAST:
            points = self._points
            if self._baseline.window.moved((points[-3], points[-2], points[-1])) >= _LEVEL:
                return "streak"
        if n >= _DRAG_RUNS and sum([min(newest[-i], _DRAG_CAP) for i in range(1, _DRAG_RUNS + 1)]) >= _DRAG:
            return "drag"
        runs = min(self._again + 1, n, _AGAIN_MOST)
        if runs > 1 and sum([min(newest[-i], _AGAIN_CAP) for i in range(1, runs + 1)]) >= _gamma_threshold(runs, 8.5):
            return "again"
        return ""

    def _close(self) -> None:
        self._alarm = False
        self._surprises.clear()
        self._points.clear()
        self._times.clear()

    def _onset(self) -> int:
        """How many of the newest samples belong to it: the start that makes the sum of evidence largest."""
        best, total, runs = -1.0, 0.0, 1
        for i in range(1, min(len(self._surprises), _ONSET_RUNS) + 1):
            total += min(self._surprises[-i], _DRAG_CAP) - _ONSET_DRIFT
            if total > best:
                best, runs = total, i
        return runs

    def _paging_alarm(self, at: float, rule: Rule) -> Alarm:
        runs = self._onset()
        return self._made(at, rule, self._times[-runs], runs, _median(list(self._points)[-runs:]), "paging")

    def _report_alarm(self, at: float, rule: Rule) -> Alarm:
        recent, reference = self._drift.recent, self._drift.reference
        runs = len(recent.ordered)
        usual, now = reference.median(), recent.median()
        if rule == "ragged":
            slow = [point for point in recent.ordered if point > reference.ordered[int(len(reference.ordered) * 0.95)]]
            now = int(_median(slow))
        usual_ms, now_ms = from_grid(usual), from_grid(now)
        return Alarm(
            index=self._index,
            time=at,
            rule=rule,
            since=self._first_of_recent(at, runs),
            runs=runs,
            ratio=now_ms / usual_ms,
            usual_ms=usual_ms,
            now_ms=now_ms,
            lane="report",
        )

    def _first_of_recent(self, at: float, runs: int) -> float:
        """When the recent runs began, reckoned from the pace of the newest: their times are not kept."""
        paces = sorted(later - earlier for earlier, later in pairwise(self._since_failing))
        return at - max(_median(paces), 0.0) * (runs - 1) if paces else at

    def _failing_alarm(self, at: float) -> Alarm:
        since = self._failing.since if self._failing.since is not None else at
        seen = list(zip(self._failed, self._since_failing, strict=True))
        first = next((n for n, (failed, when) in enumerate(seen) if failed and when == since), 0)
        share = [failed for failed, _ in seen[first:]]
        return Alarm(
            index=self._index,
            time=at,
            rule="failing",
            since=since,
            runs=len(share),
            ratio=sum(share) / max(len(share), 1),
            usual_ms=self.usual_ms,
            now_ms=self.usual_ms,
            lane="failures",
        )

    def _made(self, at: float, rule: Rule, since: float, runs: int, now: float, lane: Lane) -> Alarm:
        usual_ms, now_ms = self.usual_ms, from_grid(now)
        return Alarm(
            index=self._index,
            time=at,
            rule=rule,
            since=since,
            runs=runs,
            ratio=now_ms / usual_ms,
            usual_ms=usual_ms,
            now_ms=now_ms,
            lane=lane,
        )

    def to_bytes(self) -> bytes:
        """The whole state, to go on with another time."""
        return msgspec.msgpack.encode(
            (
                STATE_VERSION,
                self._baseline.state(),
                self._drift.state(),
                self._failing.state(),
                (list(self._surprises), pack(self._points), list(self._times)),
                (list(self._failed), list(self._since_failing)),
                (self._alarm, self._age, self._calm, self._index, self._again),
            )
        )

    @classmethod
    def from_bytes(cls, state: bytes) -> StepDetector:
        """The detector that was saved."""
        try:
            version, *parts = msgspec.msgpack.decode(state)
            if version != STATE_VERSION:
                raise ValueError(
                    f"The detector's state has version {version}, {STATE_VERSION} was expected. "
                    "A new detector is needed; it judges again after 20 runs."
                )
            baseline, drift, failing, newest, failures, flags = parts
            made = cls()
            made._baseline = Baseline.from_state(baseline)
            made._drift = Drift.from_state(drift)
            made._failing = Failing.from_state(failing)
            made._surprises.extend(newest[0])
            made._points.extend(unpack(newest[1]))
            made._times.extend(newest[2])
            made._failed.extend(failures[0])
            made._since_failing.extend(failures[1])
            made._alarm, made._age, made._calm, made._index, made._again = flags
        except (msgspec.DecodeError, TypeError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"The detector's state cannot be read: {error}. "
                "A new detector is needed; it judges again after 20 runs."
            ) from None
        return made


def _usable(duration_ms: float) -> bool:
    return math.isfinite(duration_ms) and duration_ms > 0


def _median(points: Sequence[float]) -> float:
    ordered = sorted(points)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _shown(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.0f} s"
