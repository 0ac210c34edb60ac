"""The journeys there are and who owns them: as pytest collects them, from recorded runs, and from the history."""

from __future__ import annotations

from contextlib import suppress

from synthprobe import pipeline
from synthprobe.cli import recorded
from synthprobe.config import Project
from synthprobe.errors import ConfigurationError
from synthprobe.records.journey import Journey
from synthprobe.runner.inventory import collected_journeys, inventory_file, read_inventory


class KnownJourneys:
    """What a name that was typed is compared with."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def present(self) -> dict[str, Journey]:
        """The journeys of the files and of the last runs, of every target."""
        found: dict[str, Journey] = {}
        for name in self._project.config.targets:
            kept = read_inventory(inventory_file(self._project.folder, name))
            found |= {one.id: one for one in (kept.journeys if kept else ())}
            found |= recorded.journeys(recorded.verdicts(self._project, name))
        with suppress(ConfigurationError):  # a file that cannot be collected takes nothing from what is known besides
            found |= {one.id: one for one in collected_journeys(self._project)}
        return found

    def ids(self) -> set[str]:
        """Every journey's id, also of those that only the history knows."""
        with pipeline.open_history(self._project) as history:
            seen = {one.journey for name in self._project.config.targets for one in history.observations(name, last=1)}
            seen |= {id for one in history.incidents() if one.occurrences for id in one.journeys}
        return seen | set(self.present())

    def owners(self) -> set[str]:
        """Every role that owns a journey or an incident."""
        with pipeline.open_history(self._project) as history:
            told = history.incidents()
        return ({one.owner for one in self.present().values()} | {one.owner for one in told}) - {""}
