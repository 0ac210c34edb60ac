"""The child process that runs pytest: its output passes through us, and nothing it started outlives it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from synthprobe.evidence.cap import capped
from synthprobe.project import Project
from synthprobe.records.ending import FILE_VARIABLE
from synthprobe.records.plain_text import coloured_line
from synthprobe.runner.ending import last_words_file
from synthprobe.tools import die_with_parent

INTERRUPT_GRACE_S = 4.0
"""Seconds pytest gets to close its browsers after an interrupt; a cancelled CI job allows 7.5 in all."""

TERMINATE_GRACE_S = 0.8
"""The same after SIGTERM, when CI kills everything 2.5 s later."""

LOG_CAP = 2_000_000
"""Characters of pytest's output that are kept; of what comes after them the last lines."""

_LAST_LINES = 200
_POLL_S = 0.05
_PR_SET_CHILD_SUBREAPER = 36
_ASKS = os.name == "posix"


class Child:
    """One pytest process and everything it starts."""

    def __init__(
        self,
        command: Sequence[str],
        project: Project,
        folder: Path,
        scratch: Path,
        relay: Callable[[str], None] | None = None,
    ) -> None:
        self._others = {process.pid for process in psutil.Process().children(recursive=True)}
        _adopt_orphans()
        self.process = subprocess.Popen(
            command,
            cwd=project.root,
            env={**project.environ, "TMPDIR": str(scratch), FILE_VARIABLE: str(last_words_file(folder))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=functools.partial(die_with_parent, os.getpid()) if _ASKS else None,
        )
        self._clean = project.redactor.text
        self._reader = threading.Thread(target=self._read, args=(relay, folder / "pytest.log"), daemon=True)
        self._reader.start()

    def wait(self, ended: Callable[[], str]) -> str:
        """Wait until the child ends, or there is a reason to end it."""
        while self.process.poll() is None:
            if reason := ended():
                return reason
            time.sleep(_POLL_S)
        return ""

    def end(self, grace_s: float) -> None:
        """Interrupt pytest alone, so that it closes its browsers in order; after that time nothing is left alive.

        Windows has no signal that asks one process: there all that runs is ended at once.
        """
        if _ASKS and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=grace_s)
        self.clear()

    def family(self) -> list[psutil.Process]:
        """The child, and everything it started that still runs."""
        return [process for process in psutil.Process().children(recursive=True) if process.pid not in self._others]

    def clear(self) -> int:
        left = self.family()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1)
        self._reader.join(timeout=1)
        return len([process for process in left if process.pid != self.process.pid])

    def _read(self, relay: Callable[[str], None] | None, log: Path) -> None:
        """Read on whatever happens to a line: a child whose output nobody takes stands still."""
        assert self.process.stdout is not None
        written, last = 0, deque[str](maxlen=_LAST_LINES)
        for raw in self.process.stdout:
            line = coloured_line(self._clean(capped(raw.decode("utf-8", "replace").rstrip("\r\n"))))
            written += len(line)
            if written > LOG_CAP:
                last.append(line)  # what pytest says last tells why it ended
            else:
                _append(log, [line])
            if relay is not None:
                with contextlib.suppress(OSError, ValueError):  # nobody reads what we print
                    relay(line)
        if last:
            _append(log, [f"... ({written - LOG_CAP} more characters; the last lines are:)", *last])


def _append(log: Path, lines: Sequence[str]) -> None:
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as kept:  # a full disk
        kept.writelines(f"{line}\n" for line in lines)


def _adopt_orphans() -> None:
    """Make processes whose parent died ours, so that they are found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
