"""A small sketch of many durations that can be added up: counts in buckets that grow by 5 %."""

from __future__ import annotations

import math
from collections import Counter

_GROWTH = math.log(1.05)


def bucket(us: int) -> int:
    """The bucket of a duration.

    Args:
        us: microseconds.

    Returns:
        The bucket's number; 0 for nothing and less.
    """
    return round(math.log(us) / _GROWTH) if us > 1 else 0


def encode(counts: Counter[int]) -> bytes:
    """Bytes of a sketch: distance to the bucket before, and its count, seven bits a byte.

    Args:
        counts: measurements in each bucket.

    Returns:
        A few bytes for each bucket in use.

    Example:
        >>> decode(encode(Counter({3: 1, 400: 12})))
        Counter({400: 12, 3: 1})
    """
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
    """The sketch in some bytes.

    Args:
        data: made by `encode`.

    Returns:
        Measurements in each bucket.
    """
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
    """The longest durations of a sketch.

    Args:
        counts: measurements in each bucket.
        most: how many are wanted.

    Returns:
        Microseconds, each within 3 %, the longest first.

    Example:
        >>> [round(us) for us in slowest_us(Counter({bucket(100): 5, bucket(4000): 1}), 2)]
        [4001, 98]
    """
    found: list[float] = []
    for number in sorted(counts, reverse=True):
        found += [math.exp(number * _GROWTH)] * min(counts[number], most - len(found))
        if len(found) >= most:
            break
    return found


def quantile_us(data: bytes, share: float) -> float:
    """The duration that a share of the measurements stay under.

    Args:
        data: made by `encode`.
        share: 0 to 1.

    Returns:
        Microseconds, within 3 %; 0 for an empty sketch.

    Example:
        >>> round(quantile_us(encode(Counter({bucket(480_000): 20})), 0.95) / 480_000, 1)
        1.0
    """
    counts = decode(data)
    rank = max(1, math.ceil(share * counts.total()))
    for number in sorted(counts):
        rank -= counts[number]
        if rank <= 0:
            return math.exp(number * _GROWTH)
    return 0.0
