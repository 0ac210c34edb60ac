"""What users install is the wheel: it holds all that a first project needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built wheel in it, unpacked as pip does."""
    dist, site = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", os.fspath(dist)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=250)
    (wheel,) = dist.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, os.fspath(site), os.fspath(wheel)], check=True, capture_output=True, timeout=250)
    return site


def test_a_first_project_is_begun_run_and_reported_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.fspath(installed)}

    def call(*arguments: str, folder: Path) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = call("-c", "import synthprobe; print(synthprobe.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(installed), "this is the checkout, not the wheel"
    call("-m", "synthprobe", "init", "--demo", "probes", folder=tmp_path)
    project = tmp_path / "probes"
    assert "The only journey passes on demo" in call("-m", "synthprobe", "run", folder=project)
    call("-m", "synthprobe", "report", folder=project)
    site = project / ".synthprobe" / "site"
    assert (site / "index.html").is_file()
    assert list(site.glob("**/allure/index.html"))
    assert (site / "runbooks" / "sign-in-page.html").is_file()
    assert "nothing is wrong" in call("-m", "synthprobe", "doctor", "history", folder=project)
