"""The pytest plugin. Wiring only: options, markers, hooks; each piece stands in the module it names.

In a session that has nothing to do with a project of ours, the options are all there is.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from synthprobe.plugin import gate
from synthprobe.root import NO_PROJECT

if TYPE_CHECKING:
    from synthprobe.plugin.session import JourneySession


def pytest_addoption(parser: pytest.Parser) -> None:
    gate.add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str], parser: pytest.Parser
) -> Generator[None, None, None]:
    """Declare the options' short names, once the project's own options are known."""
    gate.forget_values(early_config.known_args_namespace.file_or_dir, args)
    gate.note_markers(early_config, of_project=True)
    yield
    gate.add_short_names(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Before a conftest.py may give the target another address."""
    gate.set_address_aside(config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a project of ours, declare the markers and fixtures; where journeys are to run, prepare the run."""
    concern = gate.concern_of(config)
    if concern.root is None:
        return
    from synthprobe.plugin import fixtures
    from synthprobe.plugin.options import MARKER, MUTATES

    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", MUTATES)
    config.pluginmanager.register(fixtures, "synthprobe-fixtures")
    if concern.journeys:
        from synthprobe.plugin import browser_fixtures
        from synthprobe.plugin.collection import JourneyCollection
        from synthprobe.plugin.left_changed import LeftChanged
        from synthprobe.plugin.own_playwright import OwnPlaywright
        from synthprobe.plugin.quiet import QuietConsole, SessionSummary, is_quiet
        from synthprobe.plugin.session import JourneySession

        # Registered here, after every installed plugin, so that these fixtures extend pytest-playwright's
        # whatever order the two were loaded in.
        config.pluginmanager.register(browser_fixtures, "synthprobe-browser-fixtures")
        config.pluginmanager.register(browser_fixtures.Changeover(), "synthprobe-changeover")
        session: JourneySession = JourneySession.of(config)
        config.pluginmanager.register(session, "synthprobe-session")
        config.pluginmanager.register(OwnPlaywright(session), "synthprobe-own-playwright")
        config.pluginmanager.register(SessionSummary(session), "synthprobe-summary")
        config.pluginmanager.register(session.scenarios, "synthprobe-scenarios")
        config.pluginmanager.register(LeftChanged(session), "synthprobe-left-changed")
        config.pluginmanager.register(JourneyCollection(session), "synthprobe-collection")
        if is_quiet(config):
            config.pluginmanager.register(QuietConsole(session), "synthprobe-quiet")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say how to begin where there are journeys and no configuration."""
    return [f"synthprobe: {NO_PROJECT}"] if gate.lacks_configuration(config) else []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A journey never runs without its target's guardrails."""
    gate.refuse_unguarded(item)
