"""Every string in what a run wrote, however it is packed: the candidates for a token that works."""

from __future__ import annotations

import base64
import binascii
import gzip
import html
import io
import json
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

SHORTEST = 16
_DEPTH = 4
_WORDS = [
    re.compile(characters + b"{%d,}" % SHORTEST)
    for characters in (rb"[\w.~+/=:%@|!$-]", rb"[\w.~+/=:-]", rb"[\w+/=-]", rb"[\w.:-]", rb"[\w-]", rb"[A-Za-z0-9]")
]
_PACKED = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
_DIGITS = re.compile(rb"(?:[0-9a-fA-F]{2}){16,}")
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"wOF2", b"RIFF")


def texts_of(content: bytes, depth: int = 0) -> Iterator[bytes]:
    """A file's text, and that of all that is packed in it: archives, databases, JSON, base64, digits."""
    yield content
    if depth > _DEPTH or content.startswith(_IMAGES):
        return
    for inner in _unpacked(content):
        yield from texts_of(inner, depth + 1)
    if content.startswith((b"PK\x03\x04", b"\x1f\x8b", b"SQLite")):
        return
    values: list[str] = []
    for line in [content, *content.splitlines()][: 1 if b"\n" not in content.strip() else None]:
        with suppress(ValueError, RecursionError):
            values += _strings(json.loads(line))
    text = content.decode("utf-8", "replace")
    others = {*values, html.unescape(text), unquote(text), text.replace("\0", ""), re.sub(r"\\[nrt]", "\n", text)}
    for other in others - {text}:
        yield from texts_of(other.encode("utf-8", "replace"), depth + 1 if other in values else _DEPTH)


def candidates(content: bytes) -> Iterator[str]:
    """Whatever could be a token."""
    seen: set[bytes] = set()
    for text in texts_of(content):
        if text in seen:
            continue
        seen.add(text)
        for pattern in _WORDS:
            for word in pattern.findall(text):
                yield word.decode()
                yield from (part.decode() for part in re.split(rb"[=:|%]", word) if len(part) >= SHORTEST)
        if len(text) < 10_000 and b"\n" not in text:
            yield text.decode("utf-8", "replace").strip()


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)
    elif content.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError, zlib.error):
            yield gzip.decompress(content)
    elif content.startswith(b"SQLite format 3\0"):
        yield from _of_database(content)
    else:
        for word in set(_PACKED.findall(content)):
            for start in range(4 if len(word) < 2_000 else 1):  # where an escape before it was swallowed
                with suppress(binascii.Error):
                    plain = base64.urlsafe_b64decode(
                        word[start:].rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_") + b"=="
                    )
                    if len(plain) >= SHORTEST and _is_text(plain):
                        yield plain
                        break
        for digits in set(_DIGITS.findall(content)):
            plain = bytes.fromhex(digits.decode())
            if _is_text(plain):
                yield plain


def _is_text(content: bytes) -> bool:
    plain = content.replace(b"\0", b"")
    return content.startswith((b"PK\x03\x04", b"\x1f\x8b")) or (
        bool(plain) and sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in plain) >= 0.9 * len(plain)
    )


def _of_database(content: bytes) -> Iterator[bytes]:
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        file.write(content)
        file.flush()
        with suppress(sqlite3.DatabaseError):
            store = sqlite3.connect(file.name)
            for (table,) in store.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in store.execute(f'select * from "{table}"'):
                    for value in row:
                        if isinstance(value, str | bytes):
                            yield value.encode("utf-8", "replace") if isinstance(value, str) else value
            store.close()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(inner)
    if isinstance(value, dict):
        yield from value
