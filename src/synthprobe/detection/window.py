"""The law of a step's durations: its newest ones, and how surprising another is against them.

Durations are kept as whole numbers on a logarithmic grid (2,048 steps per factor e, 0.05 %), so that sums are exact,
the state is small, and a replay gives the same answer on every machine.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Sequence

GRID = 2048
"""Grid points per factor e."""

FORGIVEN = round(math.log(1.10) * GRID)
"""A run may be a tenth slower before it counts."""

_TAIL = 0.10
_PRIOR_EXCESS, _PRIOR_WEIGHT, _LEAST_EXCESS = 0.25, 4, 0.03
_FAR, _FAR_WEIGHT = 0.03, 1
_NEAR_LEAST, _NEAR_MORE = 100, 2
_MOST = 12.0


def to_grid(ms: float) -> int:
    """A duration on the grid."""
    return max(-14_147, min(37_428, round(math.log(ms) * GRID)))


def from_grid(point: float) -> float:
    """The duration at a grid point."""
    return math.exp(point / GRID)


class Window:
    """The newest durations of one kind, in order and sorted."""

    __slots__ = ("_fit", "newest", "ordered", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.newest: deque[int] = deque()
        self.ordered: list[int] = []
        self._fit: tuple[_Tail, _Tail] | None = None

    def add(self, point: int) -> int | None:
        """Add the newest."""
        self._fit = None
        self.newest.append(point)
        insort(self.ordered, point)
        if len(self.newest) <= self.size:
            return None
        oldest = self.newest.popleft()
        del self.ordered[bisect_left(self.ordered, oldest)]
        return oldest

    def fill(self, points: Sequence[int]) -> None:
        """Start again with these, oldest first."""
        self.newest = deque(points)
        self.ordered = sorted(points)
        self._fit = None

    def median(self) -> int:
        """The upper median."""
        return self.ordered[len(self.ordered) // 2]

    def surprise(self, point: int) -> float:
        """``-ln P`` that a healthy run is at least this slow.

        Ranks up to the 90th percentile. Above it an exponential tail in the logarithm of the duration, whose mean
        excess is drawn towards 0.25 while there is little to go by; above the 97th a tail of its own, where that makes
        less of it: the slowest runs of a step are often of another kind.
        """
        ordered, n = self.ordered, len(self.ordered)
        if point <= ordered[n - _slowest(n, _TAIL) - 1]:
            return -math.log((n - bisect_left(ordered, point) + 0.5) / (n + 1))
        if self._fit is None:
            self._fit = _tail(ordered, _TAIL, _PRIOR_WEIGHT), _tail(ordered, _FAR, _FAR_WEIGHT)
        (floor, threshold, mean), (far_floor, far, far_mean) = self._fit
        surprise = floor + (point - threshold) / mean
        if point > far:
            surprise = min(surprise, far_floor + (point - far) / far_mean)
        return min(_MOST, surprise)

    def moved(self, points: Sequence[int]) -> float:
        """How much better the durations here explain some others once all of them are moved by one factor."""
        ordered, n = self.ordered, len(self.ordered)
        width = max(_NEAR_LEAST, (ordered[3 * n // 4] - ordered[n // 4]) // 2)
        shift = sorted(points)[len(points) // 2] - self.median()

        def near(point: int) -> int:
            return bisect_right(ordered, point + width) - bisect_left(ordered, point - width) + _NEAR_MORE

        return sum(math.log(near(point - shift) / near(point)) for point in points)


_Tail = tuple[float, int, float]


def _slowest(runs: int, share: float) -> int:
    """How many of so many runs are the slowest share."""
    return max(4, int(runs * share))


def _tail(ordered: Sequence[int], share: float, weight: int) -> _Tail:
    """Surprise where the slowest share begins, where that is, and the mean excess of it, on the grid."""
    n = len(ordered)
    k = _slowest(n, share)
    threshold = ordered[n - k - 1]
    excess = (sum(ordered[n - k :]) - k * threshold) / GRID
    mean = max((excess + weight * _PRIOR_EXCESS) / (k + weight), _LEAST_EXCESS)
    return -math.log(k / n), threshold, mean * GRID


def pack(points: Sequence[int] | deque[int]) -> bytes:
    """Grid points as bytes, two each, the same on every machine."""
    packed = array("H", [point + 14_147 for point in points])
    if packed.itemsize != 2:
        raise OverflowError("An unsigned short of two bytes was expected on this machine.")
    return packed.tobytes() if _LITTLE else _swapped(packed)


def unpack(raw: bytes) -> list[int]:
    """The grid points of `pack`."""
    packed = array("H")
    packed.frombytes(raw)
    if not _LITTLE:
        packed.byteswap()
    return [point - 14_147 for point in packed]


_LITTLE = array("H", [1]).tobytes() == b"\x01\x00"


def _swapped(packed: array[int]) -> bytes:
    copy = array("H", packed)
    copy.byteswap()
    return copy.tobytes()
