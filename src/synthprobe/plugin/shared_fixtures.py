"""Fixtures that journeys share: one that breaks does so once, and each journey is told how."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from synthprobe.plugin.inside_pytest import keep_error


class SharedFixtures:
    """The plugin object that keeps how a fixture ended, where pytest does not."""

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """A program that ends itself in a fixture breaks each journey by that, not by what pytest asserts."""
        try:
            return (yield)
        except SystemExit as end:
            keep_error(fixturedef, request, end)
            raise
