"""Slots of one length: what was judged under another interval is told in slots of the present one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from synthprobe.records.incident import Observation

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


def slot_length(slot: int, at: datetime, interval_s: int) -> int:
    """How long the slots were when a run judged one: a slot's number times its length is the time it began."""
    moment = at.timestamp()
    if slot <= 0 or abs(moment - slot * interval_s) <= _LATE_S:
        return interval_s
    fits = range(math.ceil((moment - _DAY_S) / (slot + 1)), min(int(moment // slot), _DAY_S) + 1)
    return max(fits, key=lambda length: math.gcd(length, _DAY_S), default=interval_s)
