"""A dispatch centre that a session of journeys starts for itself ends with it."""

import os
import subprocess
import sys
from pathlib import Path

from synthprobe import eventually
from synthprobe_demo.local_centre import is_served

DIES = """
import os, pathlib, signal

def test_dies(target):
    pathlib.Path("address").write_text(target.base_url)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_session_that_is_killed_takes_its_centre_with_it(tmp_path: Path) -> None:
    (tmp_path / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:1"\n')
    (tmp_path / "conftest.py").write_text("from synthprobe_demo.local_centre import pytest_configure\n")
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "test_it.py").write_text(DIES)
    command = [sys.executable, "-m", "pytest", "journeys", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, timeout=250, check=False)
    address = (tmp_path / "address").read_text()
    eventually(lambda: not is_served(address), within="10s")
