"""Extends pytest-playwright's fixture ladder: which browser is launched, and that it is watched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from synthprobe.errors import ConfigurationError
from synthprobe.plugin.leaks import without_secrets
from synthprobe.plugin.options import project_config
from synthprobe.plugin.session import JourneySession


@pytest.fixture(scope="session")
def playwright(playwright: Any, pytestconfig: pytest.Config) -> Any:
    """pytest-playwright's own; whatever it opens is guarded, and traces that are asked of it are redacted."""
    session = JourneySession.required(pytestconfig)
    new_client = playwright.request.new_context

    def new_redacting_client(**kwargs: Any) -> Any:
        client = new_client(**kwargs)
        session.browser_evidence().hold_client(client)
        return client

    playwright.request.new_context = new_redacting_client
    return session.guarded_browser().hold(playwright)


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_name: str, pytestconfig: pytest.Config
) -> dict[str, Any]:
    """pytest-playwright's arguments, with the browser `synthprobe doctor` names."""
    session = JourneySession.required(pytestconfig)
    ours: dict[str, Any] = {"traces_dir": session.scratch}
    if browser_name == "chromium" and not browser_type_launch_args.get("channel"):
        executable = session.browser_executable()
        if executable:
            ours["executable_path"] = executable
    given = browser_type_launch_args.get("env") or os.environ
    return {**ours, **browser_type_launch_args, "env": without_secrets(given, project_config(pytestconfig))}


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
                kind = getattr(session.guarded_browser().hold(another), browser_name)
                return kind.launch(**{**browser_type_launch_args, **kwargs})

            return session.browser_evidence().watch(launch_browser(**kwargs), again)

        yield launch
