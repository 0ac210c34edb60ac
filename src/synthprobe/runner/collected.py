"""The journeys there are, as pytest itself collects them: no other reading of their files agrees with it for long."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from synthprobe.config import Project
from synthprobe.errors import ConfigurationError
from synthprobe.files import read_record
from synthprobe.records.journey import Journey
from synthprobe.runner.inventory import Inventory, journey_places, read_inventory, source_revision, write_inventory

_NOTHING = 5
"""pytest's exit code when there is no test."""


def collected_journeys(project: Project) -> tuple[Journey, ...]:
    """Collect the project's journeys; none of them is run, and none is collected again before a source changes."""
    kept, revision = project.folder / "state" / "collected.json", source_revision(project)
    if (known := read_inventory(kept)) is not None and known.revision == revision:
        return known.journeys
    journeys = collect(project)
    with suppress(OSError):
        write_inventory(kept, Inventory(revision=revision, journeys=journeys))
    return journeys


def collect(project: Project) -> tuple[Journey, ...]:
    """As `collected_journeys`, anew: what options and the environment do to it is seen as well."""
    places = journey_places(project, project.config.targets.values())
    folders = [name for name in places if (project.root / name).is_file() or any((project.root / name).rglob("*"))]
    if not folders:
        return ()
    with TemporaryDirectory() as place:
        folder = Path(place) / "run"
        command = [
            sys.executable,
            "-m",
            "pytest",
            *folders,
            "--collect-only",
            "-q",
            "--synthprobe-run-folder",
            str(folder),
        ]
        try:
            done = subprocess.run(
                [*command, "-p", "no:cacheprovider"],
                cwd=project.root,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConfigurationError(
                "The journeys could not be collected within two minutes. Look why: pytest journeys --collect-only"
            ) from None
        if done.returncode == _NOTHING:
            return ()
        if done.returncode:
            said = next(
                (line for line in reversed((done.stdout + done.stderr).splitlines()) if line.startswith("ERROR")), ""
            )
            raise ConfigurationError(
                f"pytest cannot collect the journeys{f' ({said})' if said else ''}. Correct what it says: pytest "
                f"{' '.join(folders)} --collect-only"
            )
        return read_record(folder / "collected.json", tuple[Journey, ...], ())


def tests_of(journeys: Iterable[Journey]) -> set[str]:
    """What commands may name of journeys: each test without its parameters, its class and its file."""
    found = set()
    for journey in journeys:
        parts = journey.node_id.partition("[")[0].split("::")
        found |= {"::".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return found
