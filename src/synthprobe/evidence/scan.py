"""Searches final bytes for secrets: inside zip, gzip and base64, and fails closed where it cannot look."""

from __future__ import annotations

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from synthprobe.evidence.known import KnownTexts
from synthprobe.evidence.pictures import PNG, packed_texts

DEEPEST = 4
LARGEST = 256_000_000
TOO_DEEP = "container nested too deep to look into"
TOO_LARGE = "container too large to look into"
UNREADABLE = "container that cannot be opened"

_WINDOW = 8_000_000
_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b\x08"
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}(?:(?:\r?\n|\\n)[A-Za-z0-9+/_-]{4,})*")
_TRANSLATED = bytes.maketrans(b"-_", b"+/")


class Finding(msgspec.Struct, frozen=True):
    """One file in which something was found; never what, nor how long it is."""

    file: str
    rules: tuple[str, ...]


class Scanner:
    """Looks for byte sequences in whatever they are packed.

    Example:
        >>> Scanner({b"correct horse": "user"}).content(b"a correct horse")
        ['user']
    """

    def __init__(
        self,
        needles: Mapping[bytes, str],
        deepest: int = DEEPEST,
        largest: int = LARGEST,
        issued: Callable[[bytes], set[str]] | None = None,
    ) -> None:
        self.known = KnownTexts()
        self._phrases: list[tuple[re.Pattern[bytes], str]] = []
        self._overlap = 0
        self.add(needles)
        self._deepest = deepest
        self._largest = largest
        self.issued = issued

    def add(self, needles: Mapping[bytes, str]) -> None:
        self.known.add(needles)
        self._overlap = max([self._overlap, *(len(needle) * 2 + 64 for needle in needles)])

    def add_phrase(self, pattern: str, rule: str) -> None:
        self._phrases.append((re.compile(pattern.encode()), rule))

    def content(self, content: bytes) -> list[str]:
        return self._sorted(io.BytesIO(content))

    def path(self, path: Path) -> list[Finding]:
        """Look into a file, or all files of a folder, their names included."""
        files = sorted(
            found_path for found_path in path.rglob("*") if found_path.is_file() and not found_path.is_symlink()
        )
        findings = []
        for number, file in enumerate(files if path.is_dir() else [path], 1):
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            with file.open("rb") as opened:
                rules = self._sorted(opened)
            if named := self._search(name.encode()):
                rules, name = sorted({*rules, *named}), f"file {number}, whose name holds it"
            if rules:
                findings.append(Finding(name, tuple(rules)))
        return findings

    def _sorted(self, opened: IO[bytes]) -> list[str]:
        if not (self.known or self.issued or self._phrases):
            return []
        return sorted(set(self._stream(opened, 0, _Allowance(self._largest))))

    def _stream(self, opened: IO[bytes], depth: int, allowance: _Allowance) -> Iterator[str]:
        head = opened.read(4)
        opened.seek(0)
        if head == _ZIP or head.startswith(_GZIP):
            if depth >= self._deepest:
                yield TOO_DEEP
                return
            try:
                yield from (self._zip if head == _ZIP else self._gzip)(opened, depth, allowance)
            except _TooLarge:
                yield TOO_LARGE
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError):
                yield UNREADABLE
            opened.seek(0)
        if head == PNG[:4]:
            for text in packed_texts(opened.read(self._largest)):
                yield from self._search(text)
            opened.seek(0)
        tail = b""
        while chunk := opened.read(_WINDOW):
            window = tail + chunk
            yield from self._search(window)
            yield from self._base64(window, depth, allowance)
            tail = window[-self._overlap :]

    def _search(self, window: bytes) -> set[str]:
        found = {rule for rule, _, _ in self.known.matches(window)}
        found |= {rule for pattern, rule in self._phrases if pattern.search(window)}
        return found | self.issued(window) if self.issued else found

    def _base64(self, window: bytes, depth: int, allowance: _Allowance) -> Iterator[str]:
        """A run may begin in the middle of something else, so all four alignments are tried."""
        for match in _BASE64.finditer(window):
            run = re.sub(rb"\r?\n|\\n", b"", match[0]).translate(_TRANSLATED)
            for start in range(4):
                aligned = run[start : start + (len(run) - start) // 4 * 4]
                rest = run[start + len(aligned) :]
                decoded = base64.b64decode(aligned + (rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""))
                yield from self._search(decoded)
                if decoded.startswith((_ZIP, _GZIP)):
                    yield from self._stream(io.BytesIO(decoded), depth + 1, allowance)

    def _zip(self, opened: IO[bytes], depth: int, allowance: _Allowance) -> Iterator[str]:
        with zipfile.ZipFile(opened) as archive:
            yield from self._search(archive.comment)
            for info in archive.infolist():
                yield from self._search(info.filename.encode("utf-8", "surrogateescape") + b"\0" + info.comment)
                with archive.open(info) as member:
                    unpacked = allowance.take(_pieces(member))
                yield from self._stream(io.BytesIO(unpacked), depth + 1, allowance)

    def _gzip(self, opened: IO[bytes], depth: int, allowance: _Allowance) -> Iterator[str]:
        yield from self._stream(io.BytesIO(allowance.take(_gunzip(opened))), depth + 1, allowance)


class _TooLarge(Exception):
    pass


class _Allowance:
    """What may still be unpacked; shared by all containers of one file, so that many small bombs are one."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, pieces: Iterable[bytes]) -> bytes:
        taken = bytearray()
        for piece in pieces:
            self.left -= len(piece)
            if self.left < 0:
                raise _TooLarge
            taken += piece
        return bytes(taken)


def _pieces(opened: IO[bytes]) -> Iterator[bytes]:
    while piece := opened.read(1 << 20):
        yield piece


def _gunzip(opened: IO[bytes]) -> Iterator[bytes]:
    rest = opened.read(1 << 20)
    while rest:
        member = zlib.decompressobj(31)
        while not member.eof:
            if not rest:
                raise EOFError
            yield member.decompress(rest, 1 << 20)
            rest = member.unconsumed_tail or (b"" if member.eof else opened.read(1 << 20))
        rest = member.unused_data or opened.read(1 << 20)
