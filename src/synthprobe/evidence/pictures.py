"""What a PNG file says besides its picture: texts, some of them packed, and whatever was appended to it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress

PNG = b"\x89PNG\r\n\x1a\n"
_SHOWN = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sRGB", b"cHRM", b"pHYs", b"bKGD", b"sBIT"}
_PACKED = {b"zTXt", b"iTXt", b"iCCP"}
_LARGEST = 10_000_000


def picture_only(png: bytes) -> bytes:
    """A PNG without anything that is not shown."""
    chunks = list(_chunks(png))
    if not chunks or chunks[-1][0] != b"IEND":
        return b""
    return PNG + b"".join(whole for kind, whole, _ in chunks if kind in _SHOWN)


def packed_texts(png: bytes) -> Iterator[bytes]:
    """The unpacked texts of a PNG; a plain search finds those that are not packed."""
    for kind, _, data in _chunks(png):
        for at in _packed_at(data) if kind in _PACKED else ():
            with suppress(zlib.error):
                yield zlib.decompressobj().decompress(data[at:], _LARGEST)


def _packed_at(data: bytes) -> Iterator[int]:
    at = data.find(b"\x78")
    while at >= 0:
        yield at
        at = data.find(b"\x78", at + 1) if at < 200 else -1


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    at = len(PNG) if png.startswith(PNG) else len(png)
    while at + 12 <= len(png):
        size = int.from_bytes(png[at : at + 4])
        whole = png[at : at + 12 + size]
        if len(whole) < 12 + size:
            return
        yield whole[4:8], whole, whole[8:-4]
        if whole[4:8] == b"IEND":
            return
        at += len(whole)
