"""Keeps Playwright's event loop from journeys without a browser: once one was open, asyncio ran in none of them."""

from __future__ import annotations

from asyncio import AbstractEventLoop, events
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class EventLoops:
    """The plugin object that sets aside the loop which Playwright leaves running between two calls."""

    def __init__(self) -> None:
        self._aside: AbstractEventLoop | None = None

    @contextmanager
    def back(self) -> Iterator[None]:
        """Playwright's loop runs, for what the session itself asks of a browser."""
        if self._aside is None:
            yield
            return
        now = events._get_running_loop()
        events._set_running_loop(self._aside)
        try:
            yield
        finally:
            events._set_running_loop(now)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with self._set_aside(item):
            return (yield)

    pytest_runtest_call = pytest_runtest_teardown = pytest_runtest_setup

    @contextmanager
    def _set_aside(self, item: pytest.Item) -> Iterator[None]:
        loop = events._get_running_loop()
        if loop is None or "playwright" in getattr(item, "fixturenames", ()):
            yield
            return

        def create_task(coroutine: Any, **how: Any) -> Any:
            """What Playwright begins each call with: who asks for a browser in a body has its loop from then on."""
            if events._get_running_loop() is None and loop.is_running():
                events._set_running_loop(loop)
            return type(loop).create_task(loop, coroutine, **how)

        self._aside, vars(loop)["create_task"] = loop, create_task
        events._set_running_loop(None)
        try:
            yield
        finally:
            self._aside = None
            del vars(loop)["create_task"]
            events._set_running_loop(loop if loop.is_running() else None)  # the last journey ends Playwright
