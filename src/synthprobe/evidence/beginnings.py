"""Beginnings of known values: what a value was before all of it was typed, or sent."""

from __future__ import annotations

from synthprobe.evidence.known import KnownTexts
from synthprobe.targets.secrets import SHORTEST


class Beginnings:
    """Finds the first half of a known value, and as much more of it as stands there."""

    def __init__(self) -> None:
        self._heads = KnownTexts()
        self._values: dict[bytes, list[bytes]] = {}

    def add(self, value: str) -> None:
        """Make a value known."""
        head = value[:SHORTEST].encode("utf-8", "surrogatepass")
        self._heads.add({head: ""})
        self._values.setdefault(head, []).append(value.encode("utf-8", "surrogatepass"))

    def spans(self, raw: bytes) -> list[tuple[int, int]]:
        """Where values begin."""
        spans = []
        for _, first, last in self._heads.matches(raw):
            for value in self._values[raw[first:last]]:
                pairs = enumerate(zip(value, raw[first : first + len(value)], strict=False))
                size = next((at for at, (known, given) in pairs if known != given), min(len(value), len(raw) - first))
                if size * 2 >= len(value):
                    spans.append((first, first + size))
        return spans
