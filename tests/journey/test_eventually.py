"""Waiting ends at its deadline, never later, and says what was seen."""

import pytest

from synthprobe import ConfigurationError, ExpectationError, eventually


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def test_it_returns_what_the_check_returns_once_it_holds():
    clock, answers = Clock(), iter([False, False, "ready"])
    assert eventually(lambda: next(answers), within="1s", clock=clock, pause=clock.pause) == "ready"
    assert clock.now == pytest.approx(0.4)


def test_at_the_deadline_it_tells_the_attempts_and_the_distinct_failures():
    clock = Clock()
    reasons = iter(["no row", "no row", "wrong unit", "wrong unit"])

    def check() -> None:
        raise AssertionError(next(reasons))

    with pytest.raises(ExpectationError) as caught:
        eventually(check, within="0.5s", clock=clock, pause=clock.pause)
    assert "within 0.5 s (4 attempts)" in str(caught.value)
    assert "2 × no row" in str(caught.value)
    assert "2 × wrong unit" in str(caught.value)
    assert clock.now == pytest.approx(0.5), "it must not overshoot its deadline"


def test_an_error_in_the_check_itself_is_not_waited_for():
    with pytest.raises(KeyError):
        eventually(lambda: {}["missing"], within="1s")


def test_a_wrong_duration_is_refused():
    with pytest.raises(ConfigurationError, match="is not a duration"):
        eventually(lambda: True, within="soon")
