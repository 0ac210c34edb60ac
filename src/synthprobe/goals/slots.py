"""Slots of one length: what was judged under another interval is told in slots of the present one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from synthprobe.records.history import JudgedSlot
from synthprobe.records.incident import Observation
from synthprobe.records.intervals import Interval, turn

_DAY_S = 86_400
_LATE_S = 7 * _DAY_S  # a slot may be judged late; slots of another length lie years apart


def in_slots(seen: Iterable[Observation], interval_s: int) -> Iterator[Observation]:
    """Tell what runs said in slots of one length, whatever the interval was when they ran."""
    for one in seen:
        length = slot_length(one.slot, one.at, interval_s)
        if length == interval_s:
            yield one
            continue
        begin = one.slot * length
        end = begin + max(length - interval_s, 0)
        for slot in range(begin // interval_s, end // interval_s + 1):
            yield msgspec.structs.replace(one, slot=slot)


def in_turns(seen: Iterable[Observation], interval_s: int, every_s: float) -> Iterator[Observation]:
    """The same in a journey's own interval: each observation stands in the look its slot belongs to."""
    for one in in_slots(seen, interval_s):
        yield msgspec.structs.replace(one, slot=turn(one.slot, interval_s, every_s)) if every_s > interval_s else one


def least_interval(slots: Sequence[JudgedSlot], intervals: Mapping[str, Interval], interval_s: int) -> float:
    """Seconds between two slots in which anything is due: the shortest interval of the journeys that are still there.

    A journey that was left out of its last two looks before the newest slot is gone.
    """
    last = {journey: one.slot for one in slots for journey in one.outcomes}
    newest = max(last.values(), default=0)
    known = {journey: intervals.get(journey, Interval()).every_s for journey in last}
    return min(
        (
            max(every_s, interval_s)
            for journey, every_s in known.items()
            if turn(newest, interval_s, every_s) - turn(last[journey], interval_s, every_s) < 2
        ),
        default=interval_s,
    )


def slot_length(slot: int, at: datetime, interval_s: int) -> int:
    """How long the slots were when a run judged one: a slot's number times its length is the time it began."""
    moment = at.timestamp()
    if slot <= 0 or abs(moment - slot * interval_s) <= _LATE_S:
        return interval_s
    fits = range(math.ceil((moment - _DAY_S) / (slot + 1)), min(int(moment // slot), _DAY_S) + 1)
    return max(fits, key=lambda length: math.gcd(length, _DAY_S), default=interval_s)
