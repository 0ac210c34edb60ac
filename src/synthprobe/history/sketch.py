"""A small sketch of many durations that can be added up: counts in buckets that grow by 5 %."""

from __future__ import annotations

import math
from collections import Counter

_GROWTH = math.log(1.05)


def bucket(us: int) -> int:
    """The bucket of a duration."""
    return round(math.log(us) / _GROWTH) if us > 1 else 0


def encode(counts: Counter[int]) -> bytes:
    """Bytes of a sketch: distance to the bucket before, and its count, seven bits a byte."""
    out = bytearray()
    last = 0
    for number in sorted(counts):
        for value in (number - last, counts[number]):
            while value > 127:
                out.append(value & 127 | 128)
                value >>= 7
            out.append(value)
        last = number
    return bytes(out)


def decode(data: bytes) -> Counter[int]:
    """The sketch in some bytes."""
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    counts: Counter[int] = Counter()
    last = 0
    for distance, count in zip(values[::2], values[1::2], strict=True):
        last += distance
        counts[last] = count
    return counts


def slowest_us(counts: Counter[int], most: int) -> list[float]:
    """The longest durations of a sketch."""
    found: list[float] = []
    for number in sorted(counts, reverse=True):
        found += [math.exp(number * _GROWTH)] * min(counts[number], most - len(found))
        if len(found) >= most:
            break
    return found


def quantile_us(data: bytes, share: float) -> float:
    """The duration that a share of the measurements stay under."""
    counts = decode(data)
    rank = max(1, math.ceil(share * counts.total()))
    for number in sorted(counts):
        rank -= counts[number]
        if rank <= 0:
            return math.exp(number * _GROWTH)
    return 0.0
