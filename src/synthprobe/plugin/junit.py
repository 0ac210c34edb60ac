"""pytest's JUnit file of a session of journeys."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from synthprobe.evidence.scratch import private_folder
from synthprobe.plugin.inside_pytest import junit_writer
from synthprobe.report.junit import PLACE, in_words_of_junit


class JUnitOfJourneys:
    """Has pytest write its JUnit file into a private folder, and makes the real one of it."""

    def __init__(self, config: pytest.Config, folder: Path, mask: Callable[[str], str]) -> None:
        self._config = config
        self._folder = folder
        self._mask = mask

    def pytest_sessionstart(self) -> None:
        """A file of an earlier run must not pass for that of this one, should this one die."""
        if (writer := junit_writer(self._config)) is not None:
            Path(writer.logfile).unlink(missing_ok=True)
            if (self._folder / "run.json").exists():  # only the supervisor asks, and it begins the folder itself
                (self._folder / PLACE).write_text(writer.logfile, "utf-8")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        """Write the file."""
        writer = junit_writer(self._config)
        if writer is None:
            return (yield)
        folder, place = private_folder("synthprobe-junit-"), Path(writer.logfile)
        raw = folder / "junit.xml"
        try:
            writer.logfile = str(raw)
            done = yield
            if raw.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(in_words_of_junit(raw.read_bytes(), self._mask))
            return done
        finally:
            writer.logfile = str(place)
            shutil.rmtree(folder, ignore_errors=True)
