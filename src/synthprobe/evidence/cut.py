"""What is left of a value that somebody cut: pytest, reprlib and browsers shorten long texts, secrets with them."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORTEST_END = 4
"""Characters of a value beside a cut from which they are masked."""

_CUT = re.compile(r"\.\.\.|…")


class CutValues:
    """Masks the beginning of a known value before ``...``, and the end of one after it."""

    def __init__(self, mask: str) -> None:
        self._mask = mask
        self._new: list[str] = []
        self._known: dict[str, set[tuple[str, int]]] = {}  # a few characters: in which value they stand, and where

    def add(self, values: Iterable[str]) -> None:
        """Make values known."""
        self._new += values

    def text(self, text: str) -> str:
        """Mask what is left of known values."""
        gaps = list(_CUT.finditer(text))
        if gaps:
            self._learn()
        kept, at = [], 0
        for gap in gaps:
            before = (gap.start() - self._head(text, gap.start()), gap.start())
            for first, last in (before, (gap.end(), self._end(text, gap.end()))):
                if at <= first < last:
                    kept += [text[at:first], self._mask]
                    at = last
        return "".join(kept) + text[at:]

    def _learn(self) -> None:
        for value in self._new:
            for at in range(len(value) - SHORTEST_END + 1):
                self._known.setdefault(value[at : at + SHORTEST_END], set()).add((value, at))
        self._new.clear()

    def _head(self, text: str, end: int) -> int:
        """How many characters before this place begin a value."""
        found = self._known.get(text[max(0, end - SHORTEST_END) : end], ())
        sizes = (at + SHORTEST_END for value, at in found if text.endswith(value[: at + SHORTEST_END], 0, end))
        return max(sizes, default=0)

    def _end(self, text: str, start: int) -> int:
        """Where the end of a value that begins at this place ends."""
        found = self._known.get(text[start : start + SHORTEST_END], ())
        return start + max((len(value) - at for value, at in found if text.startswith(value[at:], start)), default=0)
