"""Which journeys there are, as pytest collects them, and which are expected: those of the last run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from synthprobe.errors import ConfigurationError
from synthprobe.files import read_record, write_whole
from synthprobe.project import Project
from synthprobe.records.journey import Journey
from synthprobe.root import read_table
from synthprobe.targets.target import Target


class Inventory(Struct, frozen=True, kw_only=True):
    """The journeys of a project at one state of their source."""

    revision: str
    journeys: tuple[Journey, ...]


_SETTINGS = ("pyproject.toml", "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")


def journey_places(project: Project, targets: Iterable[Target]) -> tuple[str, ...]:
    """What pytest collects: the folders of journeys, and the configuration's file where it holds ready-made ones."""
    if not any(target.ready_made for target in targets):
        return project.config.journeys
    return (
        *(name for name in project.config.journeys if (project.root / name).exists()),
        read_table(project.root).name,
    )


def source_revision(project: Project) -> str:
    """What decides which journeys there are: their files, what pytest reads on the way to them, and its settings."""
    digest = hashlib.sha256()
    files = {project.root / name for name in ("synthprobe.toml", *_SETTINGS)}
    for place in (project.root / name for name in project.config.journeys):
        files |= {place, *place.rglob("*.py")}
        files |= {folder / "conftest.py" for folder in place.parents if folder.is_relative_to(project.root)}
    for path in sorted(file for file in files if file.is_file()):
        digest.update(f"{path.relative_to(project.root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def inventory_file(state: Path, target: str) -> Path:
    return state / "state" / target / "inventory.json"


def read_inventory(path: Path) -> Inventory | None:
    return read_record(path, Inventory, None)


def write_inventory(path: Path, inventory: Inventory) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.encode(inventory))


def disappeared(
    known: Inventory | None, revision: str, collected: Sequence[Journey]
) -> tuple[tuple[Journey, ...], bool]:
    if known is None:
        return (), True
    now = {journey.id for journey in collected}
    gone = tuple(journey for journey in known.journeys if journey.id not in now)
    return gone, known.revision != revision


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
            error_line = next(
                (line for line in reversed((done.stdout + done.stderr).splitlines()) if line.startswith("ERROR")), ""
            )
            raise ConfigurationError(
                f"pytest cannot collect the journeys{f' ({error_line})' if error_line else ''}. Correct what it says: "
                f"pytest {' '.join(folders)} --collect-only"
            )
        return read_record(folder / "collected.json", tuple[Journey, ...], ())


def tests_of(journeys: Iterable[Journey]) -> set[str]:
    """What commands may name of journeys: each test without its parameters, its class and its file."""
    found = set()
    for journey in journeys:
        parts = journey.node_id.partition("[")[0].split("::")
        found |= {"::".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return found
