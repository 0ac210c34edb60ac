"""The pytest plugin. Wiring only: options, markers, hooks; each piece stands in the module it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from synthprobe.plugin.session import JourneySession


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    from synthprobe.plugin.options import add_options

    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; where journeys are to run, prepare the run."""
    from synthprobe.plugin.options import MARKER, MUTATES, wants_journeys

    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", MUTATES)
    from synthprobe.plugin import fixtures

    config.pluginmanager.register(fixtures, "synthprobe-fixtures")
    if wants_journeys(config):
        from synthprobe.plugin import ladder
        from synthprobe.plugin.session import JourneySession

        # Registered here, after every installed plugin, so that these fixtures extend pytest-playwright's
        # whatever order the two were loaded in.
        config.pluginmanager.register(ladder, "synthprobe-ladder")
        session: JourneySession = JourneySession.of(config)
        config.pluginmanager.register(session, "synthprobe-session")
