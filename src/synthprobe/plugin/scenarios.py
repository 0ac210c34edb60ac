"""Scenarios of pytest-bdd: each Given, When and Then is a step of the journey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from synthprobe.journey import steps as journey
from synthprobe.records.result import Step


class ScenarioSteps:
    """The plugin object that follows pytest-bdd, where it is installed."""

    def __init__(self) -> None:
        self._open: list[journey.step] = []
        self._titles: set[str] = set()
        self.functions: list[Callable[..., Any]] = []

    def begin(self) -> None:
        self._open.clear()
        self._titles.clear()
        self.functions.clear()

    def looked(self, steps: Sequence[Step]) -> bool:
        """Whether there are steps that the author wrote: that a scenario has a line proves nothing."""
        return any(step.title not in self._titles or step.steps for step in steps)

    @pytest.hookimpl(optionalhook=True)
    def pytest_bdd_before_step(self, step: Any, step_func: Callable[..., Any]) -> None:
        self.functions.append(step_func)
        if journey.current() is not None:
            self._open.append(journey.step(f"{step.keyword.strip()} {step.name}"))
            self._titles.add(self._open[-1].title)
            self._open[-1].__enter__()

    @pytest.hookimpl(optionalhook=True)
    def pytest_bdd_after_step(self) -> None:
        self._end(None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_bdd_step_error(self, exception: Exception) -> None:
        self._end(exception)

    def _end(self, error: Exception | None) -> None:
        if self._open:
            self._open.pop().__exit__(type(error) if error else None, error, None)
