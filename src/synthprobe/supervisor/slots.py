"""Slots: which five minutes a run judges, that only one run judges them, and what an earlier run left undone."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from synthprobe import pipeline
from synthprobe.errors import ReportError
from synthprobe.evidence.scratch import private_folder

_OWNER = "supervisor.pid"
_SCRATCH = "synthprobe-run-"


def runs_folder(state: Path, target: str) -> Path:
    """Where the runs of a target are.

    Args:
        state: the project's ``.synthprobe`` folder.
        target: the target's name.

    Returns:
        The folder.
    """
    return state / "runs" / target


@contextmanager
def lease(state: Path, target: str) -> Iterator[bool]:
    """Hold the right to run against a target. The system releases it when its holder dies, however it dies.

    Args:
        state: the project's ``.synthprobe`` folder.
        target: the target's name.

    Yields:
        Whether we hold it; false when another run is on.
    """
    path = state / "state" / target / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def own(folder: Path) -> None:
    """Note which process owns a run, so that a later one can tell it died.

    Args:
        folder: the run's folder.
    """
    (folder / _OWNER).write_text(f"{os.getpid()} {psutil.Process().create_time()}")


def judge_abandoned(state: Path, target: str) -> list[Path]:
    """Judge runs whose supervisor was killed: what they did not record is ``unknown``.

    Args:
        state: the project's ``.synthprobe`` folder.
        target: the target's name.

    Returns:
        The folders of the runs that were judged now.
    """
    judged = []
    for owner in sorted(runs_folder(state, target).glob(f"*/{_OWNER}")):
        folder = owner.parent
        if (folder / "verdict.json").exists() or _alive(owner):
            continue
        with contextlib.suppress(ReportError):
            pipeline.judge(folder, missing="The supervisor was killed before this journey was recorded.")
            judged.append(folder)
    return judged


@contextmanager
def scratch() -> Iterator[Path]:
    """A private folder for raw traces and all other temporary files of a run; wiped at the end.

    What a killed supervisor left is wiped as well.

    Yields:
        The folder, readable by nobody else.
    """
    folder = private_folder(_SCRATCH)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _alive(owner: Path) -> bool:
    try:
        pid, created = owner.read_text().split()
        return abs(psutil.Process(int(pid)).create_time() - float(created)) < 1
    except (OSError, ValueError, psutil.NoSuchProcess):
        return False
