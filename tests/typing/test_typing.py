"""What authors import is typed: both checkers accept good journeys and find each mistake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import playwright
import pytest

HERE = Path(__file__).parent
JOURNEY = (HERE / "journey_of_others.py").read_text()
WRONG = {number for number, line in enumerate(JOURNEY.splitlines(), 1) if line.endswith("# WRONG")}
CACHE = HERE.parents[1] / ".mypy_cache" / "outside"  # what mypy knows of the libraries from an earlier test
NODE = Path(playwright.__file__).parent / "driver" / "node"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository that holds nothing but a journey."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "test_calls.py").write_text(JOURNEY)
    return folder


def test_mypy_finds_the_mistakes_and_no_other(project: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={CACHE}", "test_calls.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=250, check=False)
    found = {int(number) for number in re.findall(r"^test_calls\.py:(\d+): error", done.stdout, re.MULTILINE)}
    assert found == WRONG, done.stdout + done.stderr
    assert not re.search(r"^(?!test_calls|Found )\S+: error", done.stdout, re.MULTILINE), done.stdout


def test_pyright_finds_the_mistakes_and_no_other(project: Path) -> None:
    import pyright

    program = Path(pyright.__file__).parent / "dist" / "index.js"
    command = [os.fspath(NODE), os.fspath(program), "--outputjson", "--pythonpath", sys.executable, "test_calls.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=250, check=False)
    problems = json.loads(done.stdout)["generalDiagnostics"]
    found = {problem["range"]["start"]["line"] + 1 for problem in problems if problem["severity"] == "error"}
    assert found == WRONG, done.stdout
