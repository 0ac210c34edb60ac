"""When a journey is looked at: in which slots it is expected, by its own interval and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from synthprobe.records.journey import Journey


class Interval(Struct, frozen=True, kw_only=True):
    """A journey's own interval, as the history remembers it.

    Attributes:
        every_s: seconds between two scheduled looks; 0 when every slot is one.
        since: when the first run began that had it, UTC; before it, only what was judged was expected.
    """

    every_s: float = 0.0
    since: datetime | None = None


def turn(slot: int, interval_s: float, every_s: float) -> int:
    """Which look at a journey a slot belongs to: the multiple of ``every_s`` since 1970 that its end has passed."""
    return int(((slot + 1) * interval_s - 1) // every_s) if every_s > interval_s else slot


def is_due(slot: int, interval_s: float, every_s: float) -> bool:
    """Whether a journey is looked at in a slot: when a multiple of ``every_s`` since 1970 lies in it."""
    return not interval_s or turn(slot, interval_s, every_s) != turn(slot - 1, interval_s, every_s)


def due_journeys(journeys: Iterable[Journey], slot: int, interval_s: float) -> list[Journey]:
    """The journeys that are expected in a slot.

    Example:
        >>> hourly = Journey(id="a", node_id="a", title="a", every_s=3600)
        >>> due_journeys([hourly], 13, 300)
        []
    """
    return [journey for journey in journeys if is_due(slot, interval_s, journey.every_s)]
