"""`synthprobe init` makes a project that passes its own run, and overwrites nothing."""

import os
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import yaml

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


def made_wheel(path):
    info = f"{path.name.split('-')[0]}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nothing-of-that-name\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_the_workflow_installs_only_what_a_lockfile_names_with_its_hash(tmp_path):
    made = synthprobe(tmp_path, "init")
    assert "uv pip compile --generate-hashes" in made.stdout
    assert "synthprobe[demo]" in (tmp_path / "requirements.in").read_text()
    workflow = yaml.safe_load((tmp_path / ".github" / "workflows" / "journeys.yml").read_text())
    steps = {step.get("id"): step.get("run", "") for step in workflow["jobs"]["journeys"]["steps"]}
    assert [step for step in steps.values() if "pip install" in step] == [steps["install"]]
    made_wheel(tmp_path / "nothing_of_that_name-1.0-py3-none-any.whl")
    (tmp_path / "requirements.lock").write_text("nothing-of-that-name==1.0\n")
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PATH": python}
    done = subprocess.run(
        steps["install"], shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    assert done.returncode != 0
    assert "Hashes are required" in done.stderr
