"""What is usual at an hour: how much slower than the step's usual it was at that hour of other days and weeks."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

from synthprobe.detection.window import GRID, Window, pack, unpack

_DAYS, _WEEKS = 7, 4
_KEPT = _WEEKS * 7 * 24 + 24
_WEEK = 168
_NONE = -14_147
_LEAST = math.log(1.15) * GRID
_SPREADS = 2.0
_SURE = 4
_MOST = 30_000
_SLOT_MOST = 60


class Hours:
    """One figure for each hour of the last four weeks: its median over what was usual then.

    An hour is slower by what all but the slowest of its last seven days show, or all but the slowest of its last four
    weeks. So one bad day teaches nothing, and what comes every day or every week is usual the third time.
    """

    __slots__ = ("_answer", "_asked", "_base", "_figures", "_hour", "_runs", "_slot", "sure")

    def __init__(self) -> None:
        self._hour = self._asked = -1
        self._answer = (_NONE, _NONE, _MOST)
        self._slot: list[int] = []
        self._base, self._runs = 0, 1
        self.sure = False
        self._figures = array("h", [_NONE]) * _KEPT

    def learn(self, over: int, at: float) -> None:
        """How much a run took over the usual of its time, on the grid."""
        hour = int(at) // 3600
        if hour != self._hour:
            self._move_to(hour)
        if len(self._slot) < _SLOT_MOST:
            self._slot.append(max(_NONE + 1, min(_MOST, over + self._base)))

    def follow(self, moved: int) -> None:
        """The usual has moved by what was learned, and the hours have not."""
        self._base += moved

    def _move_to(self, hour: int) -> None:
        if self._slot:
            ordered = sorted(self._slot)
            self._figures[self._hour % _KEPT] = ordered[len(ordered) // 2]
            self._runs = len(ordered)
            self.sure = self._runs >= _SURE
        for skipped in range(max(self._hour + 1, hour - _KEPT + 1), hour + 1):
            self._figures[skipped % _KEPT] = _NONE
        if hour < self._hour - 24:  # the clock was set back: what is known has hours that are to come
            self._figures = array("h", [_NONE]) * _KEPT
        self._hour, self._slot, self._asked = hour, [], -1

    def slower_by(self, at: float, window: Window) -> int:
        """How much slower this hour is than the window, on the grid; 0 where it is as any other."""
        most, others, _ = self._answer if int(at) // 3600 == self._asked else self._known(at)
        if most - self._base < _LEAST or most - others < _LEAST:
            return 0
        most -= max(others, self._base)
        ordered = window.ordered
        n = len(ordered)
        return most if most * math.sqrt(self._runs + 0.6) >= _SPREADS * (ordered[n // 2] - ordered[n // 10]) else 0

    def faster_by(self, at: float) -> int:
        """How much faster this hour is on most days, on the grid; 0 where it is not."""
        return min(0, self._known(at)[2] - self._base)

    def _known(self, at: float) -> tuple[int, int, int]:
        hour = int(at) // 3600
        if hour != self._asked:
            days, weeks = self._of(hour, 24, _DAYS), self._of(hour, _WEEK, _WEEKS)
            most = max(days[-2:-1] + weeks[-2:-1], default=_NONE)
            others = self._others() if most - self._base >= _LEAST else _NONE
            self._asked, self._answer = hour, (most, others, days[1] if len(days) > 1 else _MOST)
        return self._answer

    def _others(self) -> int:
        """What nine of ten hours of the last week show: where all of them became slower, no hour is."""
        first = (self._hour - _WEEK) % _KEPT
        week = self._figures[first : first + _WEEK] + self._figures[: max(0, first + _WEEK - _KEPT)]
        known = sorted(week)[week.count(_NONE) :]
        return known[len(known) // 10] if known else _NONE

    def _of(self, hour: int, apart: int, times: int) -> list[int]:
        """The figures of the same hour so many times before, in order."""
        first, end = max(hour - apart * times, self._hour - _KEPT + 1), min(hour, self._hour)
        before = [past for past in range(hour - apart, hour - apart * times - 1, -apart) if first <= past < end]
        return sorted([figure for past in before if (figure := self._figures[past % _KEPT]) != _NONE])

    def state(self) -> tuple[int, bytes, bytes, int, int]:
        """Everything, small."""
        known = self._figures if any(figure != _NONE for figure in self._figures) else ()
        return self._hour, pack(self._slot), pack(known), self._base, self._runs

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Hours:
        """The hours of a state; a ``TypeError`` when it is broken."""
        made = cls()
        made._hour, slot, figures, *others = state
        made._base, made._runs = others or (0, 1)
        made.sure = made._runs >= _SURE
        made._slot = unpack(slot)
        figures = unpack(figures)
        if not isinstance(made._hour, int) or len(figures) not in (0, _KEPT):
            raise TypeError("the hours of four weeks were expected")
        made._figures = array("h", figures) if figures else made._figures
        return made
