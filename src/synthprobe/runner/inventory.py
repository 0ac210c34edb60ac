"""Which journeys are expected: those of the last run, unless their source says otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from synthprobe.config import Project
from synthprobe.files import read_record, write_whole
from synthprobe.project import read_table
from synthprobe.records.journey import Journey
from synthprobe.targets.target import Target


class Inventory(Struct, frozen=True, kw_only=True):
    """The journeys of a project at one state of their source."""

    revision: str
    journeys: tuple[Journey, ...]


def journey_places(project: Project, targets: Iterable[Target]) -> tuple[str, ...]:
    """What pytest collects: the folders of journeys, and the configuration's file where it holds ready-made ones."""
    if not any(target.ready_made for target in targets):
        return project.config.journeys
    return (
        *(name for name in project.config.journeys if (project.root / name).exists()),
        read_table(project.root).name,
    )


def source_revision(project: Project) -> str:
    """A hash of the journeys' source and of the configuration."""
    digest = hashlib.sha256()
    files = {project.root / name for name in ("synthprobe.toml", "pyproject.toml", "pytest.ini", "conftest.py")}
    for folder in project.config.journeys:
        files |= set((project.root / folder).rglob("*.py"))
    for path in sorted(file for file in files if file.is_file()):
        digest.update(f"{path.relative_to(project.root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def inventory_file(state: Path, target: str) -> Path:
    """Where the inventory of the last complete run is kept."""
    return state / "state" / target / "inventory.json"


def read_inventory(path: Path) -> Inventory | None:
    """The inventory of the last complete run."""
    return read_record(path, Inventory, None)


def write_inventory(path: Path, inventory: Inventory) -> None:
    """Keep an inventory for the next run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.encode(inventory))


def disappeared(
    known: Inventory | None, revision: str, collected: Sequence[Journey]
) -> tuple[tuple[Journey, ...], bool]:
    """Journeys of the last run that are not there any more."""
    if known is None:
        return (), True
    now = {journey.id for journey in collected}
    gone = tuple(journey for journey in known.journeys if journey.id not in now)
    return gone, known.revision != revision
