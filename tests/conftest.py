"""What several tests share: a dispatch centre, and a small project with journeys of its own."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from prepared_starts import PREPARED, FromPrepared

from synthprobe import pipeline
from synthprobe.browser.installation import find_browser
from synthprobe.records.result import Result
from synthprobe.report.allure_results import write_results
from synthprobe_demo.process import DispatchCentre, running_centre

# The tests start Python some two thousand times; without compiled files each start would compile synthprobe anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Each browser has a driver of Node, which compiled 3 MB of JavaScript anew at every start.
os.environ.setdefault("NODE_COMPILE_CACHE", os.path.join(tempfile.gettempdir(), f"synthprobe-node-{os.getuid()}"))
# A search for garbage among thousands of tests that are being collected finds none.
gc.disable()
# A worker of xdist is told the width of whoever started it; what is printed here is read as from a log.
os.environ.pop("COLUMNS", None)
os.unsetenv("COLUMNS")  # GNU readline sets it behind Python's back
# The runs of these tests are not what the page of the CI job that runs them should speak of.
os.environ.pop("GITHUB_STEP_SUMMARY", None)
os.environ.pop("GITHUB_OUTPUT", None)

# The same examples on every machine, however slow it is.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")


LONGEST = (
    "cli/test_drill.py",
    "workflows/test_whole_play.py",
    "cli/test_demo.py",
    "faults/test_probe.py",
    "runner/test_supervised_run.py",
    "faults/test_total_deadlines.py",
    "faults/test_clock_jump.py",
    "runner/test_again.py",
    "faults/test_endings.py",
    "report/test_cards.py",
    "docs/test_first_line_guide.py",
    "faults/test_target.py",
    "demo/test_faults.py",
    "cli/test_half_broken.py",
    "leaks/test_leaks.py",
    "typing/test_typing.py",
    "cli/test_drill_of_a_project.py",
)
"""Files that take longest, in that order: a worker that begins with one leaves nobody waiting at the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fresh-starts", action="store_true", help="Start every Python afresh (prepared_python.py).")
    parser.addoption("--long", action="store_true", help="Run what takes long too, as every night.")
    parser.addoption("--kill-turns", type=int, default=1, help="How often test data is left at each point of a kill.")


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("long"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session", autouse=True)
def plain_projects() -> None:
    """What these tests themselves are written with is no part of a journey project, and slow to load."""
    os.environ.setdefault("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio -p no:pytest-bdd")


@pytest.fixture(scope="session", autouse=True)
def prepared_starts(pytestconfig: pytest.Config) -> Iterator[None]:
    """What tests start with ``python -m`` is forked from a Python that has its libraries loaded."""
    if is_fresh(pytestconfig):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", FromPrepared)
        yield
    PREPARED.end()


def is_fresh(config: pytest.Config) -> bool:
    return bool(config.getoption("fresh_starts")) or any(name.startswith("COVERAGE") for name in os.environ)


@pytest.fixture(scope="session")
def shell_environ(pytestconfig: pytest.Config) -> dict[str, str]:
    """What a shell needs beside other variables to know the command ``synthprobe``."""
    if is_fresh(pytestconfig):
        return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return PREPARED.command()


@pytest.fixture
def without_allure(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the other pages: Allure's takes longest to make."""
    monkeypatch.setenv("SYNTHPROBE_NODE", "none")


class Centre:
    """A running dispatch centre."""

    def __init__(self, system: DispatchCentre) -> None:
        self.url, self.system = system.base_url, system

    def fault(self, name: str, **how: object) -> None:
        self.system.switch(name, **{"on": True, **how})

    def decoy(self, name: str, *, on: bool = True) -> None:
        self.system.switch(name, on=on)

    def heal(self) -> None:
        self.system.heal()


@pytest.fixture(scope="session")
def one_centre() -> Iterator[Centre]:
    with running_centre() as system:
        yield Centre(system)


@pytest.fixture
def centre(one_centre: Centre) -> Iterator[Centre]:
    """A healthy centre; faults are switched off afterwards."""
    yield one_centre
    one_centre.heal()


@dataclass
class Ran:
    """What a pytest run of journeys left behind."""

    code: int
    output: str
    folder: Path

    @property
    def results(self) -> dict[str, Result]:
        return {result.journey.id.rsplit(".", 1)[-1]: result for result in pipeline.read_results(self.folder)}

    @property
    def all_results(self) -> list[Result]:
        return pipeline.read_results(self.folder)

    def allure(self, kind: str = "result") -> list[dict[str, Any]]:
        """Allure's files of a kind, as they are made once the run is judged."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            write_results(self.folder, pipeline.judge(self.folder, write=False), Path(folder))
            return [json.loads(path.read_bytes()) for path in Path(folder).glob(f"*-{kind}.json")]

    def bytes_written(self) -> Iterator[tuple[str, bytes]]:
        """Everything in the run's folder."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                yield path.name, path.read_bytes()


class Project:
    """A project folder with a configuration and journeys."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "journeys").mkdir()
        self.configure("http://127.0.0.1:9")

    def configure(self, base_url: str, more: str = "") -> None:
        text = f'[targets.demo]\nbase_url = "{base_url}"\naction_timeout_s = 2\n{more}'
        (self.root / "synthprobe.toml").write_text(text)

    def journeys(self, text: str, name: str = "test_it.py") -> None:
        (self.root / "journeys" / name).write_text(text)

    def run(self, *options: str, environ: dict[str, str] | None = None, folder: str | None = "run") -> Ran:
        """Run the journeys; without a folder, the run is kept where a project keeps it."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            *(() if any(option.startswith("journeys") for option in options) else ("journeys",)),
            *(("--run-folder", folder) if folder else ()),
            "-p",
            "no:cacheprovider",
            *options,
        ]
        done = subprocess.run(
            command,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
            env={**os.environ, **(environ or {})},
        )
        return Ran(done.returncode, done.stdout + done.stderr, self.root / (folder or ""))


@pytest.fixture(scope="session")
def new_project() -> type[Project]:
    """Makes a project in a folder, for tests that share one run."""
    return Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a process; Playwright's sync API is started only once."""
    found = find_browser()
    assert found is not None, "These tests need a browser: run `synthprobe doctor --fix`."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.path)
        yield browser
        browser.close()


__all__ = ["Centre", "Project", "Ran"]
