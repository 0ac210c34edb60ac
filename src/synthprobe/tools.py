"""Tools of other makers: programs run as processes, libraries that come with an extra, and how long a process lives."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from synthprobe.errors import SynthprobeError, ToolError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_SHOWN = 300
_PR_SET_PDEATHSIG = 1


def run_tool(
    command: Sequence[str], *, timeout_s: float, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str]:
    """Run a tool; its exit code, and all it printed. Nothing that it started is left, whatever ends the wait for it."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=None if environ is None else dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            printed, _ = process.communicate(timeout=timeout_s)
        except BaseException:
            _end(process)
            raise
    return process.returncode, printed


def tool_failure(
    command: Sequence[str], *, timeout_s: float, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> str:
    """Run a tool; why it did not do its work, in a few words, and nothing when it did."""
    try:
        code, printed = run_tool(command, timeout_s=timeout_s, environ=environ, cwd=cwd)
    except OSError as error:
        return f"{command[0]} could not be started ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"no end after {timeout_s:g} s"
    if code == 0:
        return ""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or line.startswith(("E:", "npm ERR!"))]
    return f"exit code {code}, {(telling or lines[-1:] or ['no output'])[0][:_SHOWN]}"


def _end(process: subprocess.Popen[str]) -> None:
    """End a tool with what it started: what stands in the path is often a script that begins the program itself."""
    import psutil  # most tools end by themselves

    with suppress(psutil.NoSuchProcess):
        tool = psutil.Process(process.pid)
        for each in (*tool.children(recursive=True), tool):
            with suppress(psutil.NoSuchProcess):
                each.kill()


def die_with_parent(parent: int, by: int = 0) -> None:
    """In a child: when its parent is killed, it must not go on alone; a crash leaves no memory (Linux)."""
    if sys.platform != "linux" or resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, by or signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def missing(extra: str, what: str) -> str:
    """The sentence for a library that is not there."""
    return f"{what} needs the extra {extra!r}, which is not installed. Install it: pip install 'synthprobe[{extra}]'"


@contextmanager
def needs(extra: str, what: str, error: type[SynthprobeError] = ToolError) -> Iterator[None]:
    """Around an import: a library that is missing becomes a sentence with the extra that brings it."""
    try:
        yield
    except ImportError:
        raise error(missing(extra, what)) from None
