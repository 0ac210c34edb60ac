"""Where every command finds and keeps incidents, and who acts."""

from __future__ import annotations

import re

from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli.known_journeys import KnownJourneys
from synthprobe.config import Project
from synthprobe.errors import ConfigurationError
from synthprobe.firstline.identity import Actor, Signatures, identity, logged_in_account
from synthprobe.project import ENVIRONMENT
from synthprobe.records.incident import Incident, IncidentEvent

_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class RecordedIncidents:
    """The project's incidents."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._read: dict[str, Incident] = {}
        self.available = True
        """Whether the history could be used."""
        self.notes: tuple[str, ...] = ()
        """What a person must know of the history, as sentences."""

    def all(self, target: str | None = None) -> list[Incident]:
        """Every incident that is known."""
        with pipeline.open_history(self._project) as history:
            found = history.incidents(target)
            self.notes, self.available = tuple(history.notes), history.available
        self._read |= {one.id: one for one in found}
        return found

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
        """Keep an incident as it is now; what others made of it since it was read is not lost."""
        with pipeline.open_history(self._project) as history:
            history.put_incident(incident, base=self._read.get(incident.id))
            self.notes = tuple(history.notes)

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


def fixing_actor(role: str, project: Project, *, approves: bool = False) -> Actor:
    """Who applies or approves a fix: a role as it was typed, and a person as nobody can type it."""
    known_by = project.config.fixes.identity.of_approvals() if approves else project.config.fixes.identity
    return Actor(actor(role).role, identity(known_by, project.environ, project.root))


def signatures_of(project: Project) -> Signatures | None:
    """What approvals of fixes are signed with, and held to; nothing where they need not be."""
    known_by = project.config.fixes.identity.of_approvals()
    return Signatures(known_by, project.root) if known_by.kind == "ssh" else None


def known_actor(role: str, project: Project) -> Actor:
    """Who acts, by a role there is: of ``[fixes.roles]``, the owner of a journey, or ``alerts.probe_owner``."""
    who, known = actor(role), {*project.config.fixes.roles, project.config.alerts.probe_owner}
    if role not in known:
        known |= KnownJourneys(project).owners()
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
    return ENVIRONMENT.get("SYNTHPROBE_WHO") or logged_in_account()
