"""What changes too slowly to page anybody: a level that creeps up, and runs that become ragged."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Literal

from synthprobe.detection.window import GRID, Window, pack, unpack

_RECENT, _REFERENCE, _LOOK = 144, 1008, 12
_DRIFT_RATIO, _DRIFT_OVER = math.log(1.15) * GRID, math.log(1.08) * GRID
_DRIFT_Z, _RAGGED_Z = 5.0, 7.0
_RAGGED_SHARE, _RAGGED_OVER = 0.12, 0.08
_SLOWER = round(math.log(1.10) * GRID)
_USUAL_SHARE = 0.05


class Drift:
    """The last 144 runs against the 1,008 before, looked at once an hour of five-minute runs."""

    __slots__ = ("_count", "_drifting", "_ragged", "recent", "reference")

    def __init__(self) -> None:
        self.recent = Window(_RECENT)
        self.reference = Window(_REFERENCE)
        self._count = 0
        self._drifting = False
        self._ragged = False

    def add(self, point: int, *, is_degraded: bool) -> Literal["", "drift", "ragged"]:
        """One scheduled run."""
        left = self.recent.add(point)
        if left is not None:
            self.reference.add(left)
        self._count += 1
        if self._count % _LOOK or len(self.reference.ordered) < _REFERENCE:
            return ""
        return self._look(is_degraded)

    def _look(self, is_degraded: bool) -> Literal["", "drift", "ragged"]:
        shift = self.recent.median() - self.reference.median()
        if self._drifting:
            self._drifting = shift >= _DRIFT_OVER
        elif shift >= _DRIFT_RATIO and self._rank_z() >= _DRIFT_Z:
            self._drifting = True
            if not is_degraded:
                return "drift"
        share = self._slow_share()
        if self._ragged:
            self._ragged = share >= _RAGGED_OVER
        elif share >= _RAGGED_SHARE and self._share_z(share) >= _RAGGED_Z and not self._drifting:
            self._ragged = True
            if not is_degraded:
                return "ragged"
        return ""

    def _rank_z(self) -> float:
        """Rank-sum test (Wilcoxon, Mann, Whitney), normal approximation, ties counted half."""
        reference = self.reference.ordered
        n, m = len(self.recent.ordered), len(reference)
        wins = sum(bisect_left(reference, point) + bisect_right(reference, point) for point in self.recent.ordered) / 2
        return (wins - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)

    def _slow_share(self) -> float:
        """Share of recent runs slower than 1.1 times the reference's 95th percentile."""
        reference, recent = self.reference.ordered, self.recent.ordered
        limit = reference[int(len(reference) * (1 - _USUAL_SHARE))] + _SLOWER
        return (len(recent) - bisect_right(recent, limit)) / len(recent)

    def _share_z(self, share: float) -> float:
        """Binomial test against the share that is usual."""
        n = len(self.recent.ordered)
        return (share - _USUAL_SHARE) / math.sqrt(_USUAL_SHARE * (1 - _USUAL_SHARE) / n)

    def state(self) -> tuple[bytes, bytes, int, bool, bool]:
        """Everything, small."""
        return pack(self.recent.newest), pack(self.reference.newest), self._count, self._drifting, self._ragged

    @classmethod
    def from_state(cls, state: tuple[bytes, bytes, int, bool, bool]) -> Drift:
        """The lane of a state."""
        made = cls()
        made.recent.fill(unpack(state[0]))
        made.reference.fill(unpack(state[1]))
        _, _, made._count, made._drifting, made._ragged = state
        return made
