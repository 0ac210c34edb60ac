"""Known values, found at once in bytes: whole, cut by somebody who shortens texts, and before all of it was typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from synthprobe.evidence.names import is_readable
from synthprobe.targets.secrets import SHORTEST

_TELLING = 12


class _Known(NamedTuple):
    text: bytes
    at: int
    rule: str


class KnownTexts:
    """Texts and the rule that each stands for.

    Looked for are at most 12 bytes out of the middle of each; where they stand, the whole text is compared. An
    automaton cannot grow, so there are several of falling size: a new one swallows those that are not twice as large
    as itself. A text is therefore built into one about as often as the number of texts has binary digits.
    """

    def __init__(self, rules: Mapping[bytes, str] | None = None) -> None:
        self._texts: set[bytes] = set()
        self._by_middle: dict[bytes, list[_Known]] = {}
        self._new: list[bytes] = []
        self._batches: list[tuple[list[bytes], BytesAhoCorasick]] = []
        self.add(rules or {})

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, rules: Mapping[bytes, str]) -> None:
        for text, rule in rules.items():
            if text and text not in self._texts:
                self._texts.add(text)
                at = max(0, (len(text) - _TELLING) // 2)
                middle = text[at : at + _TELLING]
                if middle not in self._by_middle:
                    self._new.append(middle)
                self._by_middle.setdefault(middle, []).append(_Known(text, at, rule))

    def matches(self, raw: bytes) -> Iterator[tuple[str, int, int]]:
        if self._new:
            batch, self._new = self._new, []
            while self._batches and len(self._batches[-1][0]) < 2 * len(batch):
                batch = self._batches.pop()[0] + batch
            kind = Implementation.NoncontiguousNFA  # quickest to build
            self._batches.append((batch, BytesAhoCorasick(batch, matchkind=MatchKind.Standard, implementation=kind)))
        for middles, automaton in self._batches:
            for number, first, _ in automaton.find_matches_as_indexes(raw, overlapping=True):
                for known in self._by_middle[middles[number]]:
                    start = first - known.at
                    if start >= 0 and raw.startswith(known.text, start):
                        yield known.rule, start, start + len(known.text)


SHORTEST_END = 4
"""Characters of a value beside a cut from which they are masked."""

_CUT = re.compile(r"\.\.\.|…")
_PLACE = re.compile(r"https?://[^/?#@\s]+/?")
_GOES_ON = re.compile(rb"[A-Za-z]")


class CutValues:
    """Masks the beginning of a known value before ``...``, and the end of one after it."""

    def __init__(self, mask: str) -> None:
        self._mask = mask
        self._new: list[str] = []
        self._known: dict[str, set[tuple[str, int]]] = {}  # a few characters: in which value they stand, and where

    def add(self, values: Iterable[str]) -> None:
        self._new += values

    def text(self, text: str) -> str:
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
        sizes = (
            at + SHORTEST_END
            for value, at in found
            if at + SHORTEST_END > _in_the_open(value) and text.endswith(value[: at + SHORTEST_END], 0, end)
        )
        return max(sizes, default=0)

    def _end(self, text: str, start: int) -> int:
        """Where the end of a value that begins at this place ends."""
        found = self._known.get(text[start : start + SHORTEST_END], ())
        return start + max((len(value) - at for value, at in found if text.startswith(value[at:], start)), default=0)


class Beginnings:
    """Finds the first half of a known value, and as much more of it as stands there."""

    def __init__(self) -> None:
        self._heads = KnownTexts()
        self._values: dict[bytes, list[tuple[bytes, int]]] = {}

    def add(self, value: str) -> None:
        head = value[:SHORTEST].encode("utf-8", "surrogatepass")
        self._heads.add({head: ""})
        self._values.setdefault(head, []).append((value.encode("utf-8", "surrogatepass"), _in_the_open(value)))

    def spans(self, raw: bytes, *, whole: bool = False) -> list[tuple[int, int]]:
        """Where beginnings stand; in a ``whole`` text a word that goes on otherwise than the value is another one."""
        spans = []
        for _, first, last in self._heads.matches(raw):
            for value, known_to_all in self._values[raw[first:last]]:
                pairs = enumerate(zip(value, raw[first : first + len(value)], strict=False))
                size = next((at for at, (known, given) in pairs if known != given), min(len(value), len(raw) - first))
                is_begun = size > known_to_all and (size - known_to_all) * 2 >= len(value) - known_to_all
                if is_begun and not (whole and _is_another_word(raw, first, first + size)):
                    spans.append((first, first + size))
        return spans


def _in_the_open(value: str) -> int:
    """How much of a value is no secret: of an address the host, which many others have."""
    place = _PLACE.match(value)
    return place.end() if place else 0


def _is_another_word(raw: bytes, first: int, last: int) -> bool:
    """Whether words begin like a value and go on: `tryton-search`, where `tryton-refresh` is known."""
    return bool(_GOES_ON.match(raw, last)) and is_readable(raw[first:last].decode("utf-8", "replace"))
