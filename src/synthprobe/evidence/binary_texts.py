"""Named values in binary bodies that write the length of a text before it, as CBOR and MessagePack do."""

from __future__ import annotations

import re
from collections.abc import Iterator

_READ = 200_000
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f-\xff]")
_LENGTHS = {0x78: 1, 0x79: 2, 0xD9: 1, 0xDA: 2}
"""How many bytes hold a length after these: CBOR, then MessagePack."""


def binary_pairs(content: bytes) -> Iterator[tuple[str, str]]:
    """Each text that stands right after another, which may be its name."""
    content = content[:_READ]
    if not _CONTROL.search(content):
        return
    ends: dict[int, str] = {}
    for place, first in enumerate(content):
        head, size = 1, first & 0x1F
        if (width := _LENGTHS.get(first)) is not None:
            head, size = 1 + width, int.from_bytes(content[place + 1 : place + 1 + width])
        elif not (0x62 <= first <= 0x77 or 0xA2 <= first <= 0xBF):
            continue
        start = place + head
        found = _TEXT.fullmatch(content, start, start + size) if start + size <= len(content) else None
        if found:
            text = found[0].decode()
            ends[start + size] = text
            if name := ends.get(place):
                yield name, text
