"""Extends pytest-playwright's fixture ladder: which browser is launched, and that it is watched.

All of it for journeys alone: an ordinary test of the same session gets what pytest-playwright gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest

from synthprobe.browser.trace import DOWNLOADS
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.plugin.admission import without_secrets
from synthprobe.plugin.options import JOURNEY, project_of
from synthprobe.plugin.session import JourneySession

_OF_ONE_KIND = ("base_url", "playwright", "browser_type_launch_args", "launch_browser")


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
    """pytest-playwright's own; whatever it opens is guarded, and traces that are asked of it are redacted."""
    session = JourneySession.required(pytestconfig)
    if session.attempt is None:
        yield playwright
        return
    from synthprobe.browser.inside_playwright import expecting_within

    new_client = playwright.request.new_context

    def new_redacting_client(**kwargs: Any) -> Any:
        client = new_client(**kwargs)
        session.browsers.recorder().hold_client(client)
        return client

    playwright.request.new_context = new_redacting_client
    with expecting_within(session.target.action_timeout_s):
        yield session.browsers.wall().hold(playwright, partial(_executable, pytestconfig))
        session.browsers.wall().release()


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_name: str, pytestconfig: pytest.Config
) -> dict[str, Any]:
    """pytest-playwright's arguments, with the browser `synthprobe doctor` names."""
    session = JourneySession.required(pytestconfig)
    if session.attempt is None:
        return browser_type_launch_args
    ours: dict[str, Any] = {"traces_dir": session.scratch, "downloads_path": session.scratch / DOWNLOADS}
    if browser_name == "chromium" and not browser_type_launch_args.get("channel"):
        executable = _executable(pytestconfig)
        if executable:
            ours["executable_path"] = executable
    project = project_of(pytestconfig)
    given = browser_type_launch_args.get("env") or project.environ
    return {**ours, **browser_type_launch_args, "env": without_secrets(given, project.config)}


@pytest.fixture(scope="session")
def launch_browser(
    launch_browser: Callable[..., Any],
    browser_type_launch_args: dict[str, Any],
    browser_name: str,
    connect_options: dict[str, Any] | None,
    pytestconfig: pytest.Config,
) -> Iterator[Callable[..., Any]]:
    """pytest-playwright's launcher; every context the browser opens is recorded, and what died is started again."""
    session = JourneySession.required(pytestconfig)
    if session.attempt is None:
        yield launch_browser
        return
    if connect_options:
        raise ConfigurationError(
            "A browser that runs elsewhere was to be connected to; which hosts it reaches cannot be limited from here. "
            "Remove the fixture connect_options."
        )
    with ExitStack() as stack:

        def launch(**kwargs: Any) -> Any:
            def again() -> Any:
                from playwright.sync_api import Error, sync_playwright

                with suppress(Error):
                    return launch_browser(**kwargs)
                another = sync_playwright().start()  # Playwright's own process died with its browser
                stack.callback(another.stop)
                kind = getattr(session.browsers.wall().hold(another, partial(_executable, pytestconfig)), browser_name)
                return kind.launch(**{**browser_type_launch_args, **kwargs})

            return session.browsers.recorder().watch(launch_browser(**kwargs), again)

        yield launch


def _executable(config: pytest.Config) -> str | None:
    """The browser to launch; nothing means Playwright's own."""
    from synthprobe.browser.installation import find_browser

    project = project_of(config)
    found = find_browser(project.config.browser.executable or None, project.environ)
    if found is None:
        raise ToolError(
            "No browser was found on this machine, so journeys with a page cannot run. "
            "Install one with: synthprobe doctor --fix",
            kind="browser",
        )
    return str(found.path) if found.path else None
