"""What is usual for a step: its own recent durations, at this hour, at the level it has."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from synthprobe.detection.window import FORGIVEN, GRID, Window, pack, unpack

WARM = 20
"""Runs before anything is judged."""

_WINDOW = 288
_LAG = 12
_PAST = 1008


class Baseline:
    """The last 288 healthy durations of a step, the newest 12 held back, and the thousand before them."""

    __slots__ = ("_pending", "past", "window")

    def __init__(self, points: Sequence[int] = ()) -> None:
        self.window = Window(_WINDOW)
        self.window.fill(points)
        self.past = Window(_PAST)
        self._pending: deque[int] = deque()

    @property
    def ready(self) -> bool:
        """Whether there is enough to judge by."""
        return len(self.window.ordered) >= WARM

    def surprise(self, point: int) -> float:
        """How surprising a duration is, forgiving ten per cent."""
        return self.window.surprise(point - FORGIVEN)

    def lately(self) -> int:
        """The median of the newest twelve, which are held back; the usual one while there are fewer."""
        pending = sorted(self._pending)
        return pending[_LAG // 2] if len(pending) == _LAG else self.window.median()

    def learn(self, point: int) -> None:
        """A healthy duration; it counts once twelve more were seen."""
        pending = self._pending
        pending.append(point)
        while len(pending) > (_LAG if self.ready else 0):
            left = self.window.add(pending.popleft())
            if left is not None:
                self.past.add(left)

    def hold(self) -> None:
        """A level begins: what was held back may belong to it, and is not learned."""
        self._pending.clear()

    def smallest_visible(self, surprise: float) -> float:
        """The slowdown that makes a usual run this surprising."""
        low, high = 0, 5 * GRID
        while low < high:
            middle = (low + high) // 2
            if self.surprise(self.window.median() + middle) >= surprise:
                high = middle
            else:
                low = middle + 1
        return math.exp(high / GRID)

    def state(self) -> tuple[bytes, bytes, bytes]:
        """Everything, small."""
        return pack(self.window.newest), pack(self._pending), pack(self.past.newest)

    @classmethod
    def from_state(cls, state: Sequence[bytes]) -> Baseline:
        """The baseline of a state; a ``TypeError`` when it is broken."""
        made = cls(unpack(state[0]))
        made._pending.extend(unpack(state[1]))
        made.past.fill(unpack(state[2]))
        return made
