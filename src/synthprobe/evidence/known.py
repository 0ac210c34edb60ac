"""Many texts, found at once. Making one more known costs about the same however many are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

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
        """Make texts known."""
        for text, rule in rules.items():
            if text and text not in self._texts:
                self._texts.add(text)
                at = max(0, (len(text) - _TELLING) // 2)
                middle = text[at : at + _TELLING]
                if middle not in self._by_middle:
                    self._new.append(middle)
                self._by_middle.setdefault(middle, []).append(_Known(text, at, rule))

    def matches(self, raw: bytes) -> Iterator[tuple[str, int, int]]:
        """Where known texts stand."""
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
