"""Slots of one length: what was judged under another interval is told in slots of the present one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from synthprobe.model.incident import Observation

_DAY_S = 86_400
_LATE_S = 7 * _DAY_S  # a slot may be judged late; slots of another length lie years apart


def in_slots(seen: Iterable[Observation], interval_s: int) -> Iterator[Observation]:
    """Tell what runs said in slots of one length, whatever the interval was when they ran.

    Args:
        seen: what the runs said.
        interval_s: seconds between two slots now.

    Yields:
        Each observation in its slot. Of a longer slot than now it comes once for every slot that begins in it; several
        of shorter slots come in one.

    Example:
        >>> from datetime import UTC
        >>> at = datetime.fromtimestamp(300 * 6_000_000, UTC)
        >>> one = Observation(run_id="", slot=6_000_000, at=at, target="t", journey="j", outcome="passed")
        >>> [told.slot for told in in_slots([one], 100)]
        [18000000, 18000001, 18000002]
    """
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
    """How long the slots were when a run judged one: a slot's number times its length is the time it began.

    Args:
        slot: the slot's number.
        at: when its run began, UTC.
        interval_s: seconds between two slots now; taken when it fits, or no length does.

    Returns:
        Seconds. Of several lengths that fit, which happens with hours only, the one that divides a day best.

    Example:
        >>> from datetime import UTC
        >>> slot_length(21_000, datetime.fromtimestamp(21_000 * 86_400 + 7, UTC), 300)
        86400
    """
    moment = at.timestamp()
    if slot <= 0 or abs(moment - slot * interval_s) <= _LATE_S:
        return interval_s
    fits = range(math.ceil((moment - _DAY_S) / (slot + 1)), min(int(moment // slot), _DAY_S) + 1)
    return max(fits, key=lambda length: math.gcd(length, _DAY_S), default=interval_s)
