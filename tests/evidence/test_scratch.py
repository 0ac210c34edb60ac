"""Folders that killed processes left are wiped, by whichever of several sessions comes first."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from synthprobe.files import private_folder


@pytest.fixture
def top(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def dead():
    """Number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_it_is_private_and_those_of_living_processes_stay(top, dead):
    (top / f"mine-{dead}-left").mkdir()
    (top / f"mine-{os.getppid()}-living").mkdir()
    (top / "mine-by-hand").mkdir()
    made = private_folder("mine-")
    assert made.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in top.iterdir()) == sorted(
        [made.name, f"mine-{os.getppid()}-living", "mine-by-hand"]
    )


def test_sessions_that_begin_at_once_do_not_trip_over_each_other(top, dead):
    for _ in range(20):
        for number in range(50):
            (top / f"mine-{dead}-{number}").mkdir()
        with ThreadPoolExecutor(8) as sessions:
            made = list(sessions.map(private_folder, ["mine-"] * 8))
        assert all(folder.is_dir() for folder in made)
        assert not list(top.glob(f"mine-{dead}-*"))
