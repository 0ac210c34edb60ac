"""Slower than usual: watches the durations of one step and says when they are no longer what they were.

Three lanes. **Paging**: the step leaves its level (`levels`). **Report**: what pages nobody: drift, ragged, and levels
that are better, lost again or accepted. **Failures**: a step that fails more often than it used to. How it was
chosen and what it finds on real data stands in docs/concepts/degradation.md.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

import msgspec
from msgspec import Struct

from synthprobe.detection.drift import Drift
from synthprobe.detection.failing import Failing
from synthprobe.detection.levels import STREAK, Level, Levels
from synthprobe.detection.window import from_grid, to_grid, unpack
from synthprobe.records.decoding import from_msgpack
from synthprobe.records.figures import shown_score
from synthprobe.words import counted

Rule = Literal[
    "burst", "streak", "drag", "shift", "again", "drift", "ragged", "faster", "eased", "lost", "accepted", "failing"
]
Lane = Literal["paging", "report", "failures"]

SURENESS = "at most one false alarm in 10,000 runs"
"""How sure the paging lane is, as measured on public series: docs/concepts/degradation.md."""

STATE_VERSION = 3

_BEFORE = 2
_KEPT = 48
_REPORTED = ("faster", "eased", "lost", "accepted")


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
        first_since: when the open alarm began that this is news of, seconds since the epoch; 0 when it is the first.
        first_ratio: what was told of it first, over usual.
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
    first_since: float = 0.0
    first_ratio: float = 0.0

    def sentence(self, step: str, *, is_score: bool = False) -> str:
        """What a tired person reads."""
        usual = _shown(self.usual_ms, is_score)
        since = f"since {_moment(self.since, self.time)} ({counted(self.runs, 'run')})"
        if self.rule == "failing":
            return f"{step} fails in {self.ratio:.0%} of its runs {since}"
        if self.rule == "ragged":
            return f"{step} is slow again and again, {self.ratio:.1f} × its usual {usual}, {since}"
        if self.rule == "lost":
            return f"{step} takes {self.ratio:.1f} × the {usual} it had come down to, {since}"
        ratio = f"{self.ratio:.{1 if self.ratio >= 1 else 2}f}"
        takes = f"{step} takes {ratio} × its usual {usual} {since}"
        if self.rule == "accepted":
            return f"{takes}; after so many runs this is its usual now"
        if self.first_since:
            first = f"{self.first_ratio:.1f} × since {_moment(self.first_since, self.time)}"
            return f"{takes}, {'better' if self.rule == 'eased' else 'worse'} than first told: {first}"
        return f"{takes}{' and it crept there' if self.rule == 'drift' else ''}"


class StepDetector:
    """Watches one step. Pure: the same samples give the same alarms, on every machine, also across `to_bytes`."""

    __slots__ = ("_drift", "_failed", "_failing", "_index", "_latest", "_levels", "_since_failing")

    def __init__(self) -> None:
        self._drift = Drift()
        self._levels = Levels()
        self._failing = Failing()
        self._failed: deque[bool] = deque(maxlen=_KEPT)
        self._since_failing: deque[float] = deque(maxlen=_KEPT)
        self._index = -1
        self._latest = -math.inf

    @property
    def degraded(self) -> bool:
        """Whether a paging alarm is open."""
        return self._levels.level is not None and self._levels.level.slower

    @property
    def ready(self) -> bool:
        """Whether enough runs were seen to judge by."""
        return self._levels.baseline.ready

    @property
    def usual_ms(self) -> float:
        """The usual duration in milliseconds; 0 before there is one."""
        return from_grid(self._levels.usual) if self._levels.baseline.window.ordered else 0.0

    def usual_at(self, at: float) -> float:
        """The usual duration in milliseconds at that hour."""
        return from_grid(self._levels.usual_at(at))

    def smallest_visible(self) -> float:
        """The slowdown this step can show: held by every run, half of them trip the streak rule."""
        return self._levels.baseline.smallest_visible(STREAK) if self.ready else math.inf

    def surprise(self, at: float, duration_ms: float) -> float:
        """How surprising a sample would be, without learning it."""
        if not self.ready or not _usable(duration_ms):
            return 0.0
        return self._levels.surprise(to_grid(duration_ms), at)

    def update(
        self, at: float, duration_ms: float, ok: bool = True, *, scheduled: bool = True, once_more: bool = True
    ) -> list[Alarm]:
        """Take one sample.

        A sample of the same time as one of the last 48 is the same run once more, and changes nothing. A failed run
        counts for the failures alone: what it took says nothing of a healthy one. A duration that is no number above
        zero is passed over. A re-run (not scheduled) raises or ends an alarm, but teaches nothing.
        """
        alarms: list[Alarm] = []
        if not math.isfinite(at) or (once_more and scheduled and at <= self._latest and at in self._since_failing):
            return alarms  # no time, or the same run once more
        self._index += 1
        if scheduled:
            self._latest = max(self._latest, at)
            self._failed.append(not ok)
            self._since_failing.append(at)
            if self._failing.add(ok, at):
                alarms.append(self._failing_alarm(at))
        if not ok or not _usable(duration_ms):
            return alarms
        point = to_grid(duration_ms)
        levels, level = self._levels, self._levels.level
        event = levels.update(at, point, scheduled=scheduled)
        if event:
            first = level if level is not None and level.slower and event != "accepted" else None
            alarms.append(self._alarm(at, event, first))
        if scheduled:
            slow = self._drift.add(point, is_degraded=self.degraded)
            if slow:
                alarms.append(self._report_alarm(at, slow))
        return alarms

    def accept(self) -> tuple[float, float] | None:
        """Take the level of an open alarm as the usual one: milliseconds before and now; nothing when none is open."""
        levels = self._levels
        if levels.level is None or not levels.level.slower:
            return None
        before, now = self.usual_ms, from_grid(levels.level.point)
        levels.accept()
        return before, now

    def _alarm(self, at: float, rule: Rule, first: Level | None) -> Alarm:
        levels = self._levels
        usual_ms, now_ms = from_grid(levels.before), from_grid(levels.now)
        return Alarm(
            index=self._index,
            time=at,
            rule=rule,
            since=levels.since,
            runs=levels.runs,
            ratio=now_ms / usual_ms,
            usual_ms=usual_ms,
            now_ms=now_ms,
            lane="report" if rule in _REPORTED else "paging",
            first_since=first.first_since if first else 0.0,
            first_ratio=from_grid(first.first_point) / usual_ms if first else 0.0,
        )

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

    def to_bytes(self) -> bytes:
        """The whole state, to go on with another time."""
        return msgspec.msgpack.encode(
            (
                STATE_VERSION,
                self._levels.state(),
                self._drift.state(),
                self._failing.state(),
                (list(self._failed), list(self._since_failing)),
                self._index,
            )
        )

    @classmethod
    def from_bytes(cls, state: bytes) -> StepDetector:
        """The detector that was saved, also by the version before."""
        try:
            version, *parts = from_msgpack(state)
            if version == _BEFORE:
                parts = list(_of_before(parts))
            elif version != STATE_VERSION:
                raise TypeError(f"it has version {version}, {STATE_VERSION} was expected")
            levels, drift, failing, failures, index = parts
            made = cls()
            made._drift = Drift.from_state(drift)
            made._levels = Levels.from_state(levels)
            made._failing = Failing.from_state(failing)
            made._failed.extend(failures[0])
            made._since_failing.extend(failures[1])
            made._latest = max(failures[1], default=-math.inf)
            made._index = index
        except (msgspec.DecodeError, TypeError, IndexError, AttributeError, OverflowError, ValueError) as error:
            raise ValueError(
                f"The detector's state cannot be read: {error}. "
                "A new detector is needed; it judges again after 20 runs."
            ) from None
        return made


def _of_before(parts: Sequence[Any]) -> tuple[Any, ...]:
    """The parts of version 2, which knew the usual level and that it was left; what it knew of hours is begun anew."""
    baseline, drift, failing, newest, failures, (alarm, age, calm, index, again) = parts
    level = None
    if alarm and newest[1]:
        points = sorted(unpack(newest[1]))
        now = points[len(points) // 2]
        level = (now, True, now, newest[2][0], age, calm, (b"", b"", b""))
    return ((*baseline[:2], b""), (-1, b"", b""), level, newest, (again, 0)), drift, failing, failures, index


def _moment(at: float, now: float) -> str:
    when = datetime.fromtimestamp(at, UTC)
    return f"{when:%H:%M}" if now - at < 20 * 3600 else f"{when:%d %B %H:%M}"


def _usable(duration_ms: float) -> bool:
    return math.isfinite(duration_ms) and duration_ms > 0


def _median(points: Sequence[float]) -> float:
    ordered = sorted(points)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _shown(ms: float, is_score: bool) -> str:
    if is_score:
        return shown_score(ms / 1000)
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.0f} s"
