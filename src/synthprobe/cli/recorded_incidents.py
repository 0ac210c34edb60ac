"""Where every command finds and keeps incidents: the history, and files while that cannot be used."""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli.known_journeys import KnownJourneys
from synthprobe.config import Config
from synthprobe.errors import ConfigurationError
from synthprobe.model.incident import Incident, IncidentEvent
from synthprobe.respond.applying import Actor
from synthprobe.respond.identity import identity, logged_in_account
from synthprobe.respond.incident_files import IncidentFiles

_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class RecordedIncidents:
    """The project's incidents.

    What was kept in files while the history could not be used goes into the history as soon as it can.
    """

    def __init__(self, root: Path, config: Config) -> None:
        self._root, self._config = root, config
        self._files = IncidentFiles(root / config.folder / "incidents")
        self.notes: tuple[str, ...] = ()
        """What a person must know of the history, as sentences."""

    def all(self, target: str | None = None) -> list[Incident]:
        """Every incident that is known."""
        with pipeline.open_history(self._root, self._config) as history:
            if history.available:
                for kept in self._files.all():
                    known = history.incident(kept.id)
                    history.put_incident(kept if known is None else _joined(known, kept))
                    self._files.remove(kept.id)
            self.notes = tuple(history.notes)
            found = {one.id: one for one in (*history.incidents(target), *self._files.all())}
        some = [one for one in found.values() if target in {None, one.target}]
        return sorted(some, key=lambda one: (one.opened_at, one.id))

    def get(self, id: str) -> Incident:
        """The incident of that id."""
        known = self.all()
        for one in known:
            if one.id == id:
                return one
        there = ", ".join(one.id for one in known if one.state != "resolved") or "none"
        blind = f" {' '.join(self.notes)}" if self.notes else ""
        raise ConfigurationError(
            f"There is no incident {id!r}. Open ones: {there}. See synthprobe incident list --all.{blind}"
        )

    def put(self, incident: Incident) -> None:
        """Keep an incident as it is now."""
        with pipeline.open_history(self._root, self._config) as history:
            self.notes = tuple(history.notes)
            if history.available:
                history.put_incident(incident)
            else:
                self._files.put(incident)

    def record(self, id: str, event: IncidentEvent) -> None:
        """Add a line to an incident's record."""
        one = self.get(id)
        self.put(replace(one, events=(*one.events, event)))


def actor(role: str) -> Actor:
    """Who acts: a role, and a hash that tells two people apart."""
    if not _ROLE.fullmatch(role):
        raise ConfigurationError(
            f"--by is {role!r}; a role in small letters was expected, such as first-line. Names of people are not kept."
        )
    return Actor(role, account())


def fixing_actor(role: str, root: Path, config: Config) -> Actor:
    """Who applies or approves a fix: a role as it was typed, and a person as nobody can type it."""
    return Actor(actor(role).role, identity(config.fixes.identity, os.environ, root))


def known_actor(role: str, root: Path, config: Config) -> Actor:
    """Who acts, by a role there is: of ``[fixes.roles]``, the owner of a journey, or ``alerts.probe_owner``."""
    who, known = actor(role), {*config.fixes.roles, config.alerts.probe_owner}
    if role not in known:
        known |= KnownJourneys(root, config).owners()
    if role not in known:
        raise ConfigurationError(
            f"--by is {role!r}, a role that is not known. Known roles: {', '.join(sorted(known))}. They are the keys "
            "of [fixes.roles], the owners of journeys, and alerts.probe_owner."
        )
    return who


def account() -> str:
    """What tells two people apart where nothing is changed: ``SYNTHPROBE_WHO``, otherwise the account that logged in.

    Only a hash of it is kept. Who applies a fix is known by `fixing_actor`.
    """
    return os.environ.get("SYNTHPROBE_WHO") or logged_in_account()


def _joined(known: Incident, kept: Incident) -> Incident:
    """What people said while the history could not be used, added to what the history holds."""
    events = sorted({*known.events, *kept.events}, key=lambda event: event.at)
    said = {
        name: getattr(kept, name)
        for name in (
            "reported_at",
            "acknowledged_by",
            "resolved_how",
            "resolved_by",
            "resolved_mark",
            "runbook_outcome",
        )
        if getattr(kept, name) and not getattr(known, name)
    }
    if kept.state == "resolved" and known.state != "resolved":
        said |= {"state": "resolved", "resolved_at": kept.resolved_at}
    return replace(known, events=tuple(events), **said)
