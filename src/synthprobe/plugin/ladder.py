"""Extends pytest-playwright's fixture ladder: which browser is launched, and that it is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from synthprobe.plugin.session import JourneySession


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
    return {**ours, **browser_type_launch_args}


@pytest.fixture(scope="session")
def launch_browser(launch_browser: Callable[..., Any], pytestconfig: pytest.Config) -> Callable[..., Any]:
    """pytest-playwright's launcher; every context the browser opens is recorded."""
    session = JourneySession.required(pytestconfig)

    def launch(**kwargs: Any) -> Any:
        return session.browser_evidence().watch(launch_browser(**kwargs), lambda: launch_browser(**kwargs))

    return launch
