"""`synthprobe init` makes a project that passes its own run, and overwrites nothing."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[2]


def synthprobe(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synthprobe", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def test_the_scaffold_passes_its_own_run_against_the_demo(tmp_path):
    made = synthprobe(tmp_path, "init")
    assert made.returncode == 0, made.stderr
    linted = synthprobe(tmp_path, "runbook", "lint")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    ran = synthprobe(tmp_path, "run", "--slot", "now")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The only journey passes on demo" in ran.stdout


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "synthprobe.toml").write_text("mine = true")
    made = synthprobe(tmp_path, "init")
    assert made.returncode == 2
    assert "synthprobe.toml is there already" in made.stderr
    assert (tmp_path / "synthprobe.toml").read_text() == "mine = true"
    assert [path.name for path in tmp_path.iterdir()] == ["synthprobe.toml"]


def test_the_scaffold_starts_the_demo_as_this_project_does():
    assert (files("synthprobe.cli") / "scaffold" / "conftest.py.txt").read_text() == (ROOT / "conftest.py").read_text()
