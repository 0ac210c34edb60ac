"""What runs saw issued, kept as keyed digests: `synthprobe doctor leaks` finds a token again that nobody wrote down."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_WORD = re.compile(rb"[A-Za-z0-9]{10,}")
_MIXED = re.compile(rb"[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]+[a-z]")
_ESCAPES = 3  # \n, %3D and the like stand before a word as if they were its beginning
RULE = "issued to a run"


def keep_digests(folder: Path, worker: str, state: Path, values: Collection[str]) -> None:
    """Write down what a worker saw issued."""
    if not values:
        return
    words = [filter(_MIXED.search, _WORD.findall(value.encode("utf-8", "replace"))) for value in values]
    longest, key = {max(candidates, key=len, default=b"") for candidates in words} - {b""}, _key(state)
    found = sorted(_digest(word, key) for word in longest)
    if found:
        (folder / "issued").mkdir(exist_ok=True)
        with (folder / "issued" / f"{worker}.txt").open("a") as file:
            file.write("\n".join(found) + "\n")


class IssuedValues:
    """Everything that the runs of a project saw issued, as far as their folders are still there."""

    def __init__(self, state: Path) -> None:
        path = state / "state" / "issued.key"
        self._key = path.read_bytes() if path.exists() else b""
        files = state.glob("runs/*/*/issued/*.txt") if self._key else ()
        self._digests = {digest for file in files for digest in file.read_text().split()}
        self._clean: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._digests)

    def rules(self, window: bytes) -> set[str]:
        """Whether one stands in these bytes."""
        if not self._digests:
            return set()
        words = set(_WORD.findall(window)) - self._clean
        if any(_digest(word[cut:], self._key) in self._digests for word in words for cut in range(_ESCAPES)):
            return {RULE}
        self._clean |= words
        return set()


def _digest(word: bytes, key: bytes) -> str:
    return hashlib.blake2b(word, key=key, digest_size=16).hexdigest()


def _key(state: Path) -> bytes:
    path = state / "state" / "issued.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(f".{secrets.token_hex(4)}")
    if not path.exists():
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_bytes(32))
        with suppress(FileExistsError):  # another worker was first
            os.link(made, path)
        made.unlink()
    return path.read_bytes()
