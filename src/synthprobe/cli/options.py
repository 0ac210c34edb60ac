"""Options that several commands have, and what the shell offers for them: what cannot be read offers nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from synthprobe.project import Project

Completion = Callable[[str], list[str]]


def _offered(read: Callable[[Project], Iterable[str]]) -> Completion:
    def complete(incomplete: str) -> list[str]:
        from synthprobe.project import Project  # loaded only when the shell asks

        with suppress(Exception):
            return sorted({name for name in read(Project.here()) if name.startswith(incomplete)})
        return []

    return complete


def _journeys(project: Project) -> Iterable[str]:
    from synthprobe.runner.inventory import inventory_file, read_inventory

    for target in project.config.targets:
        known = read_inventory(inventory_file(project.folder, target))
        yield from (journey.id for journey in (known.journeys if known else ()))


def _incidents(project: Project) -> Iterable[str]:
    from synthprobe.cli.lookup import RecordedIncidents

    return (incident.id for incident in RecordedIncidents(project).all() if incident.state != "resolved")


def _faults(project: Project) -> Iterable[str]:
    return (fault.name for plan in project.plugins.drills() for fault in plan.faults)


def _fixes(project: Project) -> Iterable[str]:
    from synthprobe.firstline.fixes import load_fixes

    return load_fixes(project.root / project.config.fixes.folder, project.config.fixes.roles)


complete_targets = _offered(lambda project: project.config.targets)
complete_journeys = _offered(_journeys)
complete_incidents = _offered(_incidents)
complete_runbooks = _offered(
    lambda project: (page.stem for page in (project.root / project.config.runbooks).rglob("*.md"))
)
complete_faults = _offered(_faults)
complete_fixes = _offered(_fixes)
complete_roles = _offered(lambda project: project.config.fixes.roles)

TargetName = Annotated[
    str | None, typer.Option("--target", autocompletion=complete_targets, help="Target of the configuration.")
]
BaseUrl = Annotated[str | None, typer.Option(help="Address that replaces the target's own.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def finite(value: float | None) -> float | None:
    """Refuse an option that is no number, or an endless one, which ranges let through; it may be left out."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} was typed: a number was expected, for example 7.")
    return value
