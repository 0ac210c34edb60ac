"""Which journeys are expected: those of the last run, unless their source says otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from synthprobe.config import Config
from synthprobe.model.journey import Journey


class Inventory(Struct, frozen=True, kw_only=True):
    """The journeys of a project at one state of their source.

    Attributes:
        revision: hash of everything that decides which journeys there are.
        journeys: the journeys.
    """

    revision: str
    journeys: tuple[Journey, ...]


def source_revision(root: Path, config: Config) -> str:
    """A hash of the journeys' source and of the configuration.

    Args:
        root: the project's root.
        config: the project's configuration.

    Returns:
        Hexadecimal digits; the same as long as nothing was changed.
    """
    digest = hashlib.sha256()
    files = {root / name for name in ("synthprobe.toml", "pyproject.toml", "pytest.ini", "conftest.py")}
    for folder in config.journeys:
        files |= set((root / folder).rglob("*.py"))
    for path in sorted(file for file in files if file.is_file()):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def inventory_file(state: Path, target: str) -> Path:
    """Where the inventory of the last complete run is kept.

    Args:
        state: the project's ``.synthprobe`` folder.
        target: the target's name.

    Returns:
        The file.
    """
    return state / "state" / target / "inventory.json"


def read_inventory(path: Path) -> Inventory | None:
    """The inventory of the last complete run.

    Args:
        path: where it is kept.

    Returns:
        The inventory; nothing when there is none that can be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Inventory)
    except (OSError, msgspec.DecodeError):
        return None


def write_inventory(path: Path, inventory: Inventory) -> None:
    """Keep an inventory for the next run.

    Args:
        path: where it is kept.
        inventory: the inventory.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(inventory))
    temporary.replace(path)


def disappeared(
    known: Inventory | None, revision: str, collected: Sequence[Journey]
) -> tuple[tuple[Journey, ...], bool]:
    """Journeys of the last run that are not there any more.

    Args:
        known: the inventory of the last run.
        revision: of the source now.
        collected: the journeys pytest collected now.

    Returns:
        The journeys, and whether a change of the source explains it.
    """
    if known is None:
        return (), True
    now = {journey.id for journey in collected}
    gone = tuple(journey for journey in known.journeys if journey.id not in now)
    return gone, known.revision != revision
