"""The folder of a run that pytest begins itself, or that the supervisor began before it."""

from __future__ import annotations

import secrets as random
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from synthprobe.hooks import load_plugins
from synthprobe.model.journey import Journey
from synthprobe.model.result import Run
from synthprobe.plugin.options import project_config, project_root
from synthprobe.targets.target import Target


def begin_run(config: pytest.Config, target: Target) -> tuple[Path, str]:
    """Make the run's folder, and write down which run it is.

    Args:
        config: pytest's configuration.
        target: the target.

    Returns:
        The folder, and the run's id.
    """
    project, now = project_config(config), datetime.now(UTC)
    slot = int(now.timestamp()) // project.interval_s
    run_id = f"{now:%Y%m%dT%H%M%S}-{random.token_hex(3)}"
    folder = project_root(config) / project.folder / "runs" / target.name / f"{slot}-{run_id}"
    if config.option.run_folder:
        folder = Path(config.option.run_folder).absolute()
    for part in ("journal", "progress", "evidence", "allure-results"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    run = Run(
        id=run_id,
        target=target.name,
        base_url=target.base_url,
        slot=slot,
        started_at=now,
        location=project.location,
        command=shlex.join(["pytest", *config.invocation_params.args]),
        identifiers=load_plugins(project.plugins, project_root(config)).identifiers(),
    )
    if (folder / "run.json").exists():  # the supervisor began this run; it does not know who moved the address
        begun = msgspec.json.decode((folder / "run.json").read_bytes(), type=Run)
        run = msgspec.structs.replace(begun, base_url=target.base_url)
    (folder / "run.json").write_bytes(msgspec.json.encode(run))
    return folder, run.id


def write_collected(folder: Path, worker: str, journeys: Sequence[Journey]) -> None:
    """Write down which journeys must be judged.

    Args:
        folder: the run's folder.
        worker: name of the xdist worker, or ``main``.
        journeys: what was collected.
    """
    written = folder / f"collected.{worker}.tmp"
    written.write_bytes(msgspec.json.encode(journeys))
    written.replace(folder / "collected.json")
