"""Slots: which five minutes a run judges, that only one run judges them, and what an earlier run left undone."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.errors import ReportError
from synthprobe.files import private_folder, read_record, write_whole
from synthprobe.pipeline.run_state import owner, running
from synthprobe.runner.machine import passed_s

AROUND_S = 180.0
"""Seconds that all before and after the journeys may take together: a lease is that much longer than the deadline."""

_LOCK_WAIT_S = 2.0
_SCRATCH = "synthprobe-run-"


def runs_folder(state: Path, target: str) -> Path:
    return state / "runs" / target


class Lease(Struct, frozen=True, kw_only=True):
    """The right to run against a target, as it stands in ``lease.json``.

    Attributes:
        token: grows with each holder, so that one that was overtaken knows it.
        host: name of the holder's machine.
        pid: number of its process; 0 once it let go.
        created: when that process began, seconds since the epoch.
        until: end of the lease, seconds since this machine started.
        until_wall: the same, seconds since the epoch, for other machines.
    """

    token: int = 0
    host: str = ""
    pid: int = 0
    created: float = 0.0
    until: float = 0.0
    until_wall: float = 0.0


class Held(Struct, frozen=True, kw_only=True):
    """What a run holds."""

    path: Path
    lease: Lease
    overtook: str = ""

    def is_ours(self) -> bool:
        """Whether no other run has overtaken this one."""
        return read_record(self.path, Lease, Lease()).token <= self.lease.token  # a file that went overtakes nobody


@contextmanager
def lease(state: Path, target: str, seconds: float) -> Iterator[Held | None]:
    """Hold the right to run against a target, for a time: a run that froze is ended and overtaken."""
    from filelock import FileLock, Timeout  # it loads asyncio, and who types a run holds no lease

    path = state / "state" / target / "lease.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    held = None
    with suppress(Timeout), FileLock(path.with_name("run.lock"), timeout=_LOCK_WAIT_S):
        known = read_record(path, Lease, Lease())
        if not _stands(known):
            overtook = _overtake(known)
            now = passed_s()
            ours = Lease(
                token=known.token + 1,
                host=socket.gethostname(),
                pid=os.getpid(),
                created=psutil.Process().create_time(),
                until=now + seconds,
                until_wall=time.time() + seconds,
            )
            _write_lease(path, ours)
            held = Held(path=path, lease=ours, overtook=overtook)
    try:
        yield held
    finally:
        if held is not None:
            with suppress(OSError, Timeout), FileLock(path.with_name("run.lock"), timeout=_LOCK_WAIT_S):
                if held.is_ours():
                    _write_lease(path, replace(held.lease, pid=0))


def _write_lease(path: Path, held: Lease) -> None:
    write_whole(path, msgspec.json.encode(held))


def _stands(held: Lease) -> bool:
    """Whether its holder may still be on. Of another machine nothing but the time is known."""
    if not held.pid:
        return False
    if held.host != socket.gethostname():
        return time.time() < held.until_wall
    return _holder(held) is not None and passed_s() < held.until


def _holder(held: Lease) -> psutil.Process | None:
    return running(held.pid, held.created)


def _overtake(held: Lease) -> str:
    """End a holder that outlived its lease, so that two runs never load the target at once."""
    process = _holder(held) if held.pid and held.host == socket.gethostname() else None
    if process is None:
        return ""
    with suppress(psutil.Error):
        process.kill()
        process.wait(timeout=_LOCK_WAIT_S)
    return (
        f"The run before this one (process {held.pid}) outlived its lease: it froze, or something it waited for did. "
        "It was ended, and what it did not record is unknown."
    )


def owned(state: Path, target: str) -> Path | None:
    found = None
    with suppress(OSError):
        for folder in sorted(runs_folder(state, target).iterdir()):
            process = owner(folder)
            if process is not None and process.pid == os.getpid():
                found = folder
    return found


def judge_abandoned(state: Path, target: str) -> list[Path]:
    """Judge runs whose supervisor was killed: what they did not record is ``unknown``."""
    judged = []
    for path in sorted(runs_folder(state, target).glob("*/supervisor.pid")):
        folder = path.parent
        if (folder / "verdict.json").exists() or owner(folder) is not None:
            continue
        with contextlib.suppress(ReportError):
            pipeline.judge(folder, missing="The supervisor was killed before this journey was recorded.")
            judged.append(folder)
    return judged


@contextmanager
def scratch() -> Iterator[Path]:
    """A private folder for raw traces and all other temporary files of a run; wiped at the end.

    What a killed supervisor left is wiped as well.
    """
    folder = private_folder(_SCRATCH)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
