"""Tools of other makers, run as processes: package managers, Node, Allure."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_SHOWN = 300


def tool_failure(
    command: Sequence[str], *, timeout_s: float, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> str:
    """Run a tool; why it did not do its work, in a few words, and nothing when it did."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=None if environ is None else dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {timeout_s:g} s"
    except OSError as error:
        return f"{command[0]} could not be started ({error.strerror})"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or line.startswith(("E:", "npm ERR!"))]
    return f"exit code {done.returncode}, {(telling or lines[-1:] or ['no output'])[0][:_SHOWN]}"
