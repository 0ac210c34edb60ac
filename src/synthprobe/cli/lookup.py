"""What is known by a name that was typed: journeys, incidents, runs and runbooks; and who acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli import remembered
from synthprobe.cli.terminal import open_console
from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError, ReportError
from synthprobe.firstline.identity import Actor, Signatures, identity, logged_in_account
from synthprobe.firstline.naming import named_alone
from synthprobe.firstline.runbook import Runbook
from synthprobe.project import Project
from synthprobe.records.incident import Incident, IncidentEvent
from synthprobe.records.journey import Journey
from synthprobe.records.verdict import Verdict
from synthprobe.runner.inventory import collected_journeys, inventory_file, read_inventory

_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_console = open_console()


def present_journeys(project: Project) -> dict[str, Journey]:
    """The journeys of the files and of the last runs, of every target."""
    found: dict[str, Journey] = {}
    for name in project.config.targets:
        kept = read_inventory(inventory_file(project.folder, name))
        found |= {journey.id: journey for journey in (kept.journeys if kept else ())}
        found |= remembered.journeys(remembered.verdicts(project, name))
    with suppress(ConfigurationError):  # a file that cannot be collected takes nothing from what is known besides
        found |= {journey.id: journey for journey in collected_journeys(project)}
    return found


def journey_ids(project: Project) -> set[str]:
    """Every journey's id, also of those that only the history knows."""
    with pipeline.open_history(project) as history:
        seen = {
            observation.journey for name in project.config.targets for observation in history.observations(name, last=1)
        }
        seen |= {id for incident in history.incidents() if incident.occurrences for id in incident.journeys}
    return seen | set(present_journeys(project))


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
        runs = self._project.folder / "runs"
        with pipeline.open_history(self._project) as history:
            for name in [target] if target else self._project.config.targets:  # what a run could not leave there
                pipeline.take_in(history, runs / name)
            found = history.incidents(target)
            self.notes, self.available = tuple(history.notes), history.available
        self._read |= {incident.id: incident for incident in found}
        return found

    def get(self, id: str) -> Incident:
        known = self.all()
        for incident in known:
            if incident.id == id:
                return incident
        there = ", ".join(incident.id for incident in known if incident.state != "resolved") or "none"
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
        incident = self.get(id)
        self.put(replace(incident, events=(*incident.events, event)))


def known_incidents(project: Project, run: Path | None = None) -> Iterator[Incident]:
    """Incidents that are known: those that are recorded, then those the given run would open."""
    kept = {incident.id: incident for incident in RecordedIncidents(project).all()}
    yield from kept.values()
    try:
        verdict = judged_run(project, run)
    except ReportError:
        return
    remembered = {judgement.journey.id for judgement in verdict.journeys if judgement.incident in kept}
    for new_incident in named_alone(verdict, runbooks_of(project)).incidents:
        if remembered.isdisjoint((*new_incident.journeys, *new_incident.blocked)):
            yield new_incident


def judged_run(project: Project, run: Path | None) -> Verdict:
    """A run that is given, or the newest, as it was judged."""
    folder = run.absolute() if run else pipeline.newest_run(project.root, project.config.folder)
    written = folder / "verdict.json"
    # What was judged holds causes and incidents; judging it anew would write them away.
    return pipeline.read_verdict(written) if written.exists() else pipeline.judge(folder)


def runbooks_of(project: Project) -> list[Runbook]:
    """The project's runbooks; what cannot be read is said."""
    shelf = pipeline.shelf_of(project)
    for text in shelf.refused:
        _console.print(f"left out: {text}")
    return list(shelf.runbooks)


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
        known |= {journey.owner for journey in present_journeys(project).values()}
        known |= {incident.owner for incident in RecordedIncidents(project).all()}
        known -= {""}
    if role not in known:
        raise ConfigurationError(
            f"--by is {role!r}, a role that is not known. Known roles: {', '.join(sorted(known))}. They are the keys "
            "of [fixes.roles], the owners of journeys, and alerts.probe_owner."
        )
    return who


def account() -> str:
    """What tells two people apart where nothing is changed: ``SYNTHPROBE_WHO``, or the account that logged in."""
    return ENVIRONMENT.get("SYNTHPROBE_WHO") or logged_in_account()
