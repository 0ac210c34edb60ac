"""Fresh runs of journeys that were slower than usual, one after the other, until they are worth no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synthprobe.detection.suspicion import Suspicion, Suspicions
from synthprobe.plugin.inside_pytest import tear_down
from synthprobe.plugin.options import is_repeatable
from synthprobe.records.decoding import from_json
from synthprobe.records.journey import Journey
from synthprobe.records.result import Result

_JOURNEY, _NUMBER = pytest.StashKey[str](), pytest.StashKey[int]()


class Reruns:
    """What is run again, and what of it was seen."""

    def __init__(self, path: Path) -> None:
        given = from_json(path.read_bytes(), Suspicions)
        self._most, self._left = given.most, given.budget
        self._suspicions: dict[str, Suspicion] = {suspicion.journey: suspicion for suspicion in given.journeys}
        self._seen: dict[str, list[Result]] = {journey: [] for journey in self._suspicions}

    def repeat(self, items: list[pytest.Item], journey_of: Callable[[pytest.Item], Journey]) -> list[pytest.Item]:
        """Choose what may be run again, as often as it may be at most."""
        repeated = []
        reach = self._left  # what is left for a journey at best: those before it take at least one each
        for suspicion in self._suspicions.values():
            chosen = next((item for item in items if journey_of(item).id == suspicion.journey), None)
            if chosen is None or not is_repeatable(chosen):
                continue
            for number in range(1, max(1, min(self._most, reach)) + 1):
                fresh = chosen if number == 1 else next(_fresh(chosen), None)
                if fresh is not None:
                    fresh.stash[_JOURNEY], fresh.stash[_NUMBER] = suspicion.journey, number
                    repeated.append(fresh)
            reach -= 1
        return repeated

    def is_settled(self, item: pytest.Item) -> bool:
        """Whether a test need not run any more."""
        journey = item.stash[_JOURNEY]
        return self._left <= 0 or self._suspicions[journey].is_calm(self._seen[journey])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """A journey that is as usual again is not run once more."""
        if not self.is_settled(item):
            return None
        tear_down(item, nextitem)  # what ran before left what it would have shared with this
        return True

    def number(self, item: pytest.Item) -> int:
        return item.stash[_NUMBER]

    def saw(self, result: Result) -> None:
        """Count a re-run."""
        self._left -= 1
        self._seen[result.journey.id].append(result)


def _fresh(item: pytest.Item) -> Iterator[pytest.Item]:
    """The same test collected once more: fixtures of one test are set up once for each."""
    module = item.getparent(pytest.Module)
    if module is not None:
        again = pytest.Module.from_parent(module.parent, path=module.path)
        yield from (fresh_item for fresh_item in item.session.genitems(again) if fresh_item.nodeid == item.nodeid)
