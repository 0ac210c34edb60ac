"""At which level a step is, and when it leaves it: one event after another, each against the level told before.

A level is the usual law moved by one factor, until the runs at that level make a law of their own. A slowdown, a
further one inside an open alarm and an improvement that is lost are the same thing: runs that are slow for the level.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, Literal

from synthprobe.detection.baseline import Baseline
from synthprobe.detection.hours import Hours
from synthprobe.detection.window import FORGIVEN, GRID, Window, pack, unpack

Slow = Literal["burst", "streak", "drag", "shift", "again"]
Event = Literal["", Slow, "lost", "faster", "eased", "accepted"]

STREAK = 3.2
"""Surprise of a usual run at the least slowdown that three runs in a row show."""

SUSPICIOUS = 2.3
"""Surprise of a run that is slower than nine of ten usual ones."""

_LEAST, _BURST = 2.0, 7.0
_STREAK_LEAST, _STREAK_CAP, _STREAK_MOVED, _STREAK = 1.5, 6.0, 0.75, 21.25
_DRAG_RUNS, _DRAG_CAP, _DRAG = 12, 4.0, 28.2  # the sum of twelve surprises: one chance in 5,000
_HALF, _SHIFTS = 0.69, ((12, 10, 12.0), (24, 18, 14.0))
_CALM_RUNS, _ACCEPT_RUNS = 6, 144
_KEPT = 48
_PAST_LEAST = 288
_ONSET_RUNS, _ONSET_DRIFT, _SHIFT_DRIFT = 36, 1.7, 1.0
_AGAIN_CAP, _AGAIN, _AGAIN_MOST = 7.0, 23.0, 20
_WORSE, _BETTER = round(math.log(1.2) * GRID), round(math.log(1.3) * GRID)
_LOOK, _EASED_RUNS, _FASTER_RUNS, _TURNED_RUNS = 12, 12, 24, 300


class Level:
    """What a step takes where that is not its usual: what was told of it, and its own law."""

    __slots__ = ("calm", "first_point", "first_since", "law", "point", "runs", "slower")

    def __init__(self, point: int, *, slower: bool, first_point: int = 0, first_since: float = 0.0) -> None:
        self.point, self.slower = point, slower
        self.first_point, self.first_since = first_point, first_since
        self.law = Baseline()
        self.runs = self.calm = 0

    def state(self) -> tuple[Any, ...]:
        """Everything, small."""
        figures = (self.point, self.slower, self.first_point, self.first_since)
        return (*figures, self.runs, self.calm, self.law.state())

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Level:
        """The level of a state."""
        point, slower, first_point, first_since, runs, calm, law = state
        made = cls(point, slower=slower, first_point=first_point, first_since=first_since)
        made.runs, made.calm, made.law = runs, calm, Baseline.from_state(law)
        return made


class Levels:
    """The usual level of a step and the one it is at now.

    After an event ``since``, ``runs``, ``now`` (grid) and ``before`` (grid, what ``now`` is compared with) say of it.
    """

    __slots__ = (
        "_again", "_looked", "_slow", "baseline", "before", "hours", "level", "now", "points", "runs", "since",
        "surprises", "times",
    )  # fmt: skip

    def __init__(self) -> None:
        self.baseline = Baseline()
        self.hours = Hours()
        self.level: Level | None = None
        self.surprises: deque[float] = deque(maxlen=_KEPT)
        self.points: deque[int] = deque(maxlen=_KEPT)
        self.times: deque[float] = deque(maxlen=_KEPT)
        self._again = self._looked = self._slow = 0
        self.since, self.runs, self.now, self.before = 0.0, 0, 0, 0

    @property
    def usual(self) -> int:
        """The usual duration, on the grid."""
        return self.baseline.window.median()

    def _extra(self, at: float) -> int:
        """How much slower than usual this hour is, on the grid."""
        return self.hours.slower_by(at, self.baseline.window)

    def usual_at(self, at: float) -> int:
        """The usual duration of that hour, on the grid."""
        return self.usual + self._extra(at)

    def surprise(self, point: int, at: float) -> float:
        """How surprising a duration is against the usual, or what the step has come down to."""
        point -= self._lately()
        usual = self._against_usual(point, at)
        return usual if self.level is None or self.level.slower else self._against_level(point, usual, at)

    def _against_usual(self, point: int, at: float) -> float:
        surprise = self.baseline.surprise(point)
        if surprise > _HALF and (extra := self._extra(at)):
            surprise = min(surprise, self.baseline.surprise(point - extra))
        past = self.baseline.past
        if surprise >= _LEAST and len(past.ordered) >= _PAST_LEAST:
            surprise = min(surprise, past.surprise(point - FORGIVEN))
        return surprise

    def _against_level(self, point: int, usual: float, at: float) -> float:
        level = self.level
        if level is None:
            return usual
        window, moved = self._law(level)
        if level.slower:
            return min(usual, window.surprise(point - moved))
        return window.surprise(point - moved - self._extra(at))

    def _law(self, level: Level | None) -> tuple[Window, int]:
        """What is judged by, and how far a run may be over it: a level's own law, or the usual one moved."""
        if level is None:
            return self.baseline.window, FORGIVEN
        if level.law.ready:
            return level.law.window, FORGIVEN
        return self.baseline.window, level.point - self.usual + FORGIVEN + (_WORSE if level.slower else 0)

    def update(self, at: float, point: int, *, scheduled: bool) -> Event:
        """Take one run; what it brings about."""
        self._again = 0 if scheduled else self._again + 1
        if not self.baseline.ready:
            if scheduled:
                self.baseline.learn(point)
            return ""
        usual = self._against_usual(point, at)
        surprise = usual if self.level is None else self._against_level(point, usual, at)
        self._keep(point, at, surprise)
        event = self._event(usual, surprise, at)
        if scheduled:
            self._learn(point, at)
        return event

    def _keep(self, point: int, at: float, surprise: float) -> None:
        self.surprises.append(surprise)
        self.points.append(point)
        self.times.append(at)
        self._slow = self._slow << 1 & 0xFFFFFF | (surprise > _HALF)

    def _learn(self, point: int, at: float) -> None:
        level, hours, window = self.level, self.hours, self.baseline.window
        usual = window.median()
        hours.learn(point - usual, at)
        if (level is None or not level.slower) and not (hours.sure and hours.slower_by(at, window)):
            self.baseline.learn(point)
            if level is None:
                hours.follow(window.median() - usual)
        if level is not None:
            level.law.learn(point)

    def _event(self, usual: float, surprise: float, at: float) -> Event:
        rule = self._rule(surprise) if surprise > _HALF else ""
        if rule:
            return self._slower(rule)
        level = self.level
        if level is not None:
            level.runs += 1
            level.calm = level.calm + 1 if usual < SUSPICIOUS else 0
            if level.slower and level.calm >= _CALM_RUNS:
                self._move_to(None)
                return ""
            if level.slower and level.runs >= _ACCEPT_RUNS:
                self.runs, self.since, self.now, self.before = level.runs, level.first_since, level.point, self.usual
                self.accept()
                return "accepted"
            if not level.slower and level.runs >= _TURNED_RUNS:
                self._move_to(None)  # by now all that is usual was learned at this level
                self.baseline.past.fill(())
                return ""
        self._looked += 1
        return self._faster(at) if self._looked % _LOOK == 0 else ""

    def _rule(self, last: float) -> Literal["", Slow]:
        newest = self.surprises
        n = len(newest)
        before = newest[-2] if n > 1 else 0.0
        if last >= _BURST and before >= _BURST:
            return "burst"
        if self._again:
            return "again" if self._evidence(min(self._again + 1, n, _AGAIN_MOST)) >= _AGAIN else ""
        for runs, slow, evidence in _SHIFTS:
            if n >= runs and (self._slow & (1 << runs) - 1).bit_count() >= slow and self._moved(runs) >= evidence:
                return "shift"
        if last < _LEAST:
            return ""
        if n > 2 and (least := min(last, before, newest[-3])) >= _STREAK_LEAST:
            evidence = 2 * least + sum(min(surprise, _STREAK_CAP) for surprise in (last, before, newest[-3]))
            if evidence + _STREAK_MOVED * self._moved(3) >= _STREAK:
                return "streak"
        if n >= _DRAG_RUNS and sum([min(newest[-i], _DRAG_CAP) for i in range(1, _DRAG_RUNS + 1)]) >= _DRAG:
            return "drag"
        return ""

    def _moved(self, runs: int) -> float:
        """How much better the newest runs are explained by one factor than by the level of now."""
        window, moved = self._law(self.level)
        return window.moved([point - moved for point in islice(self.points, len(self.points) - runs, None)])

    def _evidence(self, runs: int) -> float:
        """How surprising a run and its re-runs are, and by one factor, beyond what this hour and the last runs were."""
        window, moved = self._law(self.level)
        first = len(self.points) - runs
        moved += max(self._lately(), self._extra(self.times[-1]))
        points = [point - moved for point in islice(self.points, first, None)]
        return window.moved(points) + sum(min(window.surprise(point), _AGAIN_CAP) for point in points)

    def _lately(self) -> int:
        """How much slower than the level of now the newest healthy runs were, on the grid; 0 where they were not."""
        window, moved = self._law(self.level)
        return max(0, self.baseline.lately() - moved - window.median())

    def _onset(self, rule: Slow) -> int:
        """How many of the newest runs belong to it: the start that makes the sum of evidence largest."""
        best, total, runs = -1.0, 0.0, 1
        drift = _SHIFT_DRIFT if rule == "shift" else _ONSET_DRIFT
        for i in range(1, min(len(self.surprises), _ONSET_RUNS) + 1):
            total += min(self.surprises[-i], _DRAG_CAP) - drift
            if total > best:
                best, runs = total, i
        return runs

    def _found(self, runs: int, before: int) -> None:
        self.runs, self.since, self.before = runs, self.times[-runs], before
        self.now = _median(list(islice(self.points, len(self.points) - runs, None)))

    def _slower(self, rule: Slow) -> Event:
        level, runs = self.level, self._onset(rule)
        if level is not None and not level.slower:
            self._found(runs, level.point)
            newest = list(zip(self.points, self.times, strict=True))[-runs:]
            self._move_to(None)
            for point, at in newest:
                self._keep(point, at, self._against_usual(point, at))
            slow: Literal["", Slow] = self._rule(self.surprises[-1])
            if not slow:
                return "lost"
            rule, level = slow, None
        self._found(runs, self.usual_at(self.times[-1]))
        first = (self.now, self.since) if level is None else (level.first_point, level.first_since)
        self.baseline.hold()
        self._move_to(Level(self.now, slower=True, first_point=first[0], first_since=first[1]))
        return rule

    def _faster(self, at: float) -> Event:
        """Whether three of four of the newest runs are faster than the level told, and than this hour mostly is."""
        level = self.level
        eased = level is not None and level.slower
        runs = _EASED_RUNS if eased else _FASTER_RUNS
        if len(self.points) < runs:
            return ""
        point = self.usual + self.hours.faster_by(at) if level is None else level.point
        newest = sorted(islice(self.points, len(self.points) - runs, None))
        if newest[3 * runs // 4] >= point - _BETTER:
            return ""
        self._found(runs, self.usual)
        made = Level(self.now, slower=eased)
        if level is not None:
            made.first_point, made.first_since = level.first_point, level.first_since
        self._move_to(made)
        return "eased" if eased else "faster"

    def _move_to(self, level: Level | None) -> None:
        self.level = level
        self.surprises.clear()
        self.points.clear()
        self.times.clear()
        self._slow = 0

    def accept(self) -> None:
        """The level of now is the usual one: by its own law, or by the usual one moved while that is too young."""
        level = self.level
        if level is None:
            return
        moved = level.point - self.usual
        own = level.law.window.newest
        self.baseline = Baseline(
            list(own) if level.law.ready else [point + moved for point in self.baseline.window.newest]
        )
        self._move_to(None)

    def state(self) -> tuple[Any, ...]:
        """Everything, small."""
        return (
            self.baseline.state(),
            self.hours.state(),
            None if self.level is None else self.level.state(),
            (list(self.surprises), pack(self.points), list(self.times)),
            (self._again, self._looked),
        )

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Levels:
        """The levels of a state."""
        baseline, hours, level, newest, (again, looked) = state
        made = cls()
        made.baseline = Baseline.from_state(baseline)
        made.hours = Hours.from_state(hours)
        made.level = None if level is None else Level.from_state(level)
        for surprise, point, at in zip(newest[0], unpack(newest[1]), newest[2], strict=True):
            made._keep(point, at, surprise)
        made._again, made._looked = again, looked
        return made


def _median(points: Sequence[int]) -> int:
    ordered = sorted(points)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
