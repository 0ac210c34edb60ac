"""What authors import is typed: a checker accepts good journeys and finds each mistake. mypy does in `make check`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import playwright

HERE = Path(__file__).parent
JOURNEY = re.sub(r"  # type: ignore\[[\w-]+\]", "", (HERE / "journey_of_others.py").read_text())
WRONG = {number for number, line in enumerate(JOURNEY.splitlines(), 1) if line.endswith("# WRONG")}
NODE = Path(playwright.__file__).parent / "driver" / "node"


def test_pyright_finds_the_mistakes_and_no_other(tmp_path: Path) -> None:
    """In a folder outside the repository that holds nothing but a journey."""
    import pyright

    (tmp_path / "test_calls.py").write_text(JOURNEY)
    program = Path(pyright.__file__).parent / "dist" / "index.js"
    command = [os.fspath(NODE), os.fspath(program), "--outputjson", "--pythonpath", sys.executable, "test_calls.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False)
    problems = json.loads(done.stdout)["generalDiagnostics"]
    found = {problem["range"]["start"]["line"] + 1 for problem in problems if problem["severity"] == "error"}
    assert found == WRONG, done.stdout
