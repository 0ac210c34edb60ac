"""Owns a run from outside pytest: starts it, ends it at the deadline, and judges what was recorded."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from synthprobe import pipeline
from synthprobe.config import Config
from synthprobe.errors import ConfigurationError
from synthprobe.model.verdict import Verdict
from synthprobe.targets.target import Target

_USAGE_ERROR = 4
_GRACE_S = 6


def new_run_folder(root: Path, config: Config, target: Target) -> Path:
    """A name for a run's folder that sorts by time.

    Args:
        root: the project's root.
        config: the project's configuration.
        target: what is run against.

    Returns:
        The folder, not made yet.
    """
    now = datetime.now(UTC)
    slot = int(now.timestamp()) // config.interval_s
    return root / config.folder / "runs" / target.name / f"{slot}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def run_journeys(
    root: Path,
    config: Config,
    target: Target,
    *,
    paths: Sequence[str] = (),
    workers: int = 0,
    options: Sequence[str] = (),
    deadline_s: float = 240.0,
    environ: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> tuple[Path, Verdict]:
    """Run all journeys once, in a child process, and judge them.

    Args:
        root: the project's root.
        config: the project's configuration.
        target: what to run against.
        paths: journeys to run; all without it.
        workers: parallel workers; 0 runs in one process.
        options: more options for pytest.
        deadline_s: seconds after which the run is ended; what did not finish is ``unknown``.
        environ: environment of the child.
        quiet: whether pytest's own output is kept back.

    Returns:
        The run's folder and its verdict, which stands in ``verdict.json`` as well.

    Raises:
        ConfigurationError: when pytest refused what was typed; it has said why.
    """
    folder = new_run_folder(root, config, target)
    command = [sys.executable, "-m", "pytest", *(paths or config.journeys), "--target", target.name]
    command += ["--base-url", target.base_url, "--run-folder", str(folder), "-q", *options]
    if workers:
        command += ["-n", str(workers), "--dist", "loadgroup"]
    child = subprocess.Popen(
        command,
        cwd=root,
        env=dict(os.environ if environ is None else environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        start_new_session=True,
        text=True,
    )
    output = ""
    try:
        output = child.communicate(timeout=deadline_s)[0] or ""
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        _end(child)
    if child.returncode == _USAGE_ERROR or not (folder / "run.json").exists():
        raise ConfigurationError(
            (output.strip() + "\n" if output else "")
            + "pytest refused to start the journeys; its message above says why. Correct that, then run again."
        )
    return folder, pipeline.judge(folder)


def _end(child: subprocess.Popen[str]) -> None:
    """pytest alone gets the first signal, so that it can close its browsers in order."""
    for number, to_group in ((signal.SIGINT, False), (signal.SIGKILL, True)):
        try:
            if to_group:
                os.killpg(child.pid, number)
            else:
                child.send_signal(number)
            child.communicate(timeout=_GRACE_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
