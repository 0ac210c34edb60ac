"""A Playwright that a journey, or a fixture of its project, starts itself: held to the guardrails and recorded."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from playwright.sync_api import Error, Playwright, sync_playwright

from synthprobe.plugin.options import JOURNEY
from synthprobe.plugin.session import JourneySession

_BREAKS = ("addError", "addFailure")


class OwnPlaywright:
    """The plugin object that stands where a Playwright is started: journeys share one, as a thread can have only one.

    Whoever starts it gets a copy to stop; it ends when all copies are stopped.
    """

    def __init__(self, session: JourneySession) -> None:
        self._session = session
        self._shared: Playwright | None = None
        self._ask: Callable[..., Any] = lambda: None
        self._end: Callable[[], None] = lambda: None
        self._holders: dict[int, Any] = {}

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        manager = type(sync_playwright())
        start, end = manager.__enter__, manager.__exit__
        session.config.add_cleanup(lambda: setattr(manager, "__enter__", start))
        session.config.add_cleanup(lambda: setattr(manager, "__exit__", end))

        def start_shared(starting: Any) -> Playwright:
            if self._session.attempt is None:
                return start(starting)
            if threading.current_thread() is not threading.main_thread():
                return self._session.browsers.hold(start(starting))
            if self._shared is None or not self._is_alive():
                self._shared = self._started(start, end, starting)
                self._ask, self._end = self._shared.request.new_context, lambda: end(starting)
            own = copy.copy(self._shared)
            own.stop = lambda: end_shared(starting)  # type: ignore[method-assign]
            self._holders[id(starting)] = starting
            self._session.browsers.begin_own(id(starting))
            return own

        def end_shared(starting: Any, *error: Any) -> None:
            if self._holders.pop(id(starting), None) is None:
                if self._shared is None or threading.current_thread() is not threading.main_thread():
                    end(starting, *error)
                return
            self._session.browsers.end_own(id(starting))
            if not self._holders and self._shared is not None:
                self._session.browsers.wall().release()
                self._shared = None
                self._end()

        manager.__enter__, manager.__exit__ = start_shared, end_shared  # type: ignore[method-assign]

    def _started(self, start: Callable[..., Playwright], end: Callable[..., None], starting: Any) -> Playwright:
        """One that is held to the guardrails; where it cannot be held, none."""
        made = start(starting)
        try:
            return self._session.browsers.hold(made)
        except BaseException:
            end(starting)
            raise

    def _is_alive(self) -> bool:
        try:
            self._ask().dispose()
        except Error:  # its process ended, and with it all that was opened
            self._holders.clear()
            self._session.browsers.wall().release()
            self._shared = None
        return self._shared is not None

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """What pytest-playwright opens it closes itself."""
        browsers = self._session.browsers
        before, module = browsers.is_fixtures, fixturedef.func.__module__
        browsers.is_fixtures = module.startswith("pytest_playwright")
        try:
            return (yield)
        finally:
            browsers.is_fixtures = before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A test case of unittest ends what it opened before pytest hears that it broke."""
        for name in _BREAKS if JOURNEY in item.stash else ():
            if (hear := getattr(item, name, None)) is not None:
                setattr(item, name, self._captured(hear))
        return (yield)

    def _captured(self, hear: Any) -> Any:
        def captured(*arguments: Any, **more: Any) -> Any:
            if (evidence := self._session.browsers.evidence) is not None:
                self._session.journal.capture(evidence)
            return hear(*arguments, **more)

        return captured
