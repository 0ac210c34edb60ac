"""Extends pytest-playwright's fixture ladder: which browser is launched, and that it is watched.

All of it for journeys alone: an ordinary test of the same session gets what pytest-playwright gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from synthprobe.errors import ConfigurationError
from synthprobe.plugin.options import JOURNEY
from synthprobe.plugin.session import JourneySession

_OF_ONE_KIND = ("base_url", "playwright", "launch_browser")


class Changeover:
    """Between a journey and an ordinary test nothing of a browser is shared: what they would share is ended."""

    def __init__(self) -> None:
        self._is_journey: bool | None = None
        self._made: list[tuple[pytest.FixtureDef[Any], Any]] = []

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> None:
        """Know what stands to be ended."""
        if fixturedef.argname in _OF_ONE_KIND:
            self._made.append((fixturedef, request))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """End what the tests before left, with all that was made of it."""
        before, self._is_journey = self._is_journey, JOURNEY in item.stash
        if before is not self._is_journey:
            for definition, request in self._made:
                definition.finish(request)
            self._made.clear()


@pytest.fixture(scope="session")
def base_url(base_url: str | None, pytestconfig: pytest.Config) -> str | None:
    """The target's address; for an ordinary test the one that pytest was given."""
    session = JourneySession.required(pytestconfig)
    return session.own_base_url if session.attempt is None else session.target.base_url


@pytest.fixture(scope="session")
def playwright(playwright: Any, pytestconfig: pytest.Config) -> Iterator[Any]:
    """pytest-playwright's own, which is guarded and recorded as any that a journey starts."""
    session = JourneySession.required(pytestconfig)
    if session.attempt is None:
        yield playwright
        return
    from synthprobe.browser.inside_playwright import expecting_within

    with expecting_within(session.target.action_timeout_s):
        yield playwright


@pytest.fixture(scope="session")
def launch_browser(
    launch_browser: Callable[..., Any], connect_options: dict[str, Any] | None, pytestconfig: pytest.Config
) -> Callable[..., Any]:
    """pytest-playwright's launcher, which connects to no browser elsewhere."""
    if connect_options and JourneySession.required(pytestconfig).attempt is not None:
        raise ConfigurationError(
            "A browser that runs elsewhere was to be connected to; which hosts it reaches cannot be limited from here. "
            "Remove the fixture connect_options."
        )
    return launch_browser
