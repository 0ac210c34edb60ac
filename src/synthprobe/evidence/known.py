"""Many texts, found at once. Making one more known costs about the same however many are known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ahocorasick_rs import BytesAhoCorasick, MatchKind


def searcher(words: Collection[bytes]) -> BytesAhoCorasick:
    """Finds many words at once, in a time that does not grow with their number.

    Args:
        words: what to find; at one place the longest wins.

    Returns:
        The automaton, whose matches are number of the word, first byte, and the byte after the last.

    Example:
        >>> searcher([b"car", b"cart"]).find_matches_as_indexes(b"a cart")
        [(1, 2, 6)]
    """
    return BytesAhoCorasick(words, matchkind=MatchKind.LeftmostLongest)


class KnownTexts:
    """Texts and the rule that each stands for.

    An automaton cannot grow, so there are several of falling size: a new one swallows those that are not twice as
    large as itself. A text is therefore built into one about as often as the number of texts has binary digits.

    Example:
        >>> known = KnownTexts({b"cart": "vehicle"})
        >>> list(known.matches(b"a cart"))
        [('vehicle', 2, 6)]
    """

    def __init__(self, rules: Mapping[bytes, str] | None = None) -> None:
        self._rules: dict[bytes, str] = {}
        self._new: list[bytes] = []
        self._batches: list[tuple[list[bytes], BytesAhoCorasick]] = []
        self.add(rules or {})

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, rules: Mapping[bytes, str]) -> None:
        """Make texts known.

        Args:
            rules: rule by text; one that is known keeps its rule.
        """
        new = {text: rule for text, rule in rules.items() if text and text not in self._rules}
        self._rules |= new
        self._new += new

    def matches(self, raw: bytes) -> Iterator[tuple[str, int, int]]:
        """Where known texts stand.

        Args:
            raw: what is searched.

        Yields:
            Rule, first byte, and the byte after the last; in no order.
        """
        if self._new:
            batch, self._new = self._new, []
            while self._batches and len(self._batches[-1][0]) < 2 * len(batch):
                batch = self._batches.pop()[0] + batch
            self._batches.append((batch, searcher(batch)))
        for texts, automaton in self._batches:
            for number, first, last in automaton.find_matches_as_indexes(raw):
                yield self._rules[texts[number]], first, last
