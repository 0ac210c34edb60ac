"""Incidents as files, for a project whose history is not shared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import msgspec

from synthprobe.errors import ConfigurationError
from synthprobe.model.incident import Incident, IncidentEvent


class Incidents(Protocol):
    """Where incidents are read, and their record is added to."""

    def get(self, id: str) -> Incident:
        """The incident of that id."""

    def record(self, id: str, event: IncidentEvent) -> None:
        """Add a line to its record."""


class IncidentFiles:
    """One JSON file an incident."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, id: str) -> Incident:
        """The incident of that id."""
        try:
            return msgspec.json.decode(self._path(id).read_bytes(), type=Incident)
        except (OSError, msgspec.DecodeError):
            raise ConfigurationError(f"There is no readable incident {id!r}. See: synthprobe incident list.") from None

    def all(self) -> list[Incident]:
        """Every incident there is; a file that cannot be read is left where it is."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Incident))
            except (OSError, msgspec.DecodeError):
                continue
        return found

    def remove(self, id: str) -> None:
        """Remove the file of an incident that is kept elsewhere now."""
        self._path(id).unlink(missing_ok=True)

    def put(self, incident: Incident) -> None:
        """Write an incident."""
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._path(incident.id).with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(incident)))
        temporary.replace(self._path(incident.id))

    def record(self, id: str, event: IncidentEvent) -> None:
        """Add a line to its record."""
        incident = self.get(id)
        self.put(msgspec.structs.replace(incident, events=(*incident.events, event)))

    def _path(self, id: str) -> Path:
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', id)}.json"
