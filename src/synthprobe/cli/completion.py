"""What the shell offers for a word: the names there are. What cannot be read offers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthprobe.config import Config

Completion = Callable[[str], list[str]]


def _offered(read: Callable[[Path, Config], Iterable[str]]) -> Completion:
    def complete(incomplete: str) -> list[str]:
        from synthprobe.config import Project  # loaded only when the shell asks

        with suppress(Exception):
            return sorted({name for name in read(*Project.here()) if name.startswith(incomplete)})
        return []

    return complete


def _journeys(root: Path, config: Config) -> Iterable[str]:
    from synthprobe.runner.inventory import inventory_file, read_inventory

    for target in config.targets:
        known = read_inventory(inventory_file(root / config.folder, target))
        yield from (journey.id for journey in (known.journeys if known else ()))


def _incidents(root: Path, config: Config) -> Iterable[str]:
    from synthprobe.cli.recorded_incidents import RecordedIncidents

    return (incident.id for incident in RecordedIncidents(root, config).all() if incident.state != "resolved")


def _faults(root: Path, config: Config) -> Iterable[str]:
    from synthprobe.hooks import load_plugins

    return (fault.name for plan in load_plugins(config.plugins, root).drills() for fault in plan.faults)


def _fixes(root: Path, config: Config) -> Iterable[str]:
    from synthprobe.firstline.fixes import load_fixes

    return load_fixes(root / config.fixes.folder, config.fixes.roles)


complete_targets = _offered(lambda _, config: config.targets)
complete_journeys = _offered(_journeys)
complete_incidents = _offered(_incidents)
complete_runbooks = _offered(lambda root, config: (page.stem for page in (root / config.runbooks).rglob("*.md")))
complete_faults = _offered(_faults)
complete_fixes = _offered(_fixes)
complete_roles = _offered(lambda _, config: config.fixes.roles)
