"""``synthprobe incident``: what is wrong, who has it, and how it ended."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, get_args

import typer
from msgspec.structs import replace

from synthprobe import words
from synthprobe.cli.lookup import RecordedIncidents, actor, journey_ids, known_actor, known_incidents
from synthprobe.cli.options import AsJson, complete_incidents, complete_journeys, complete_roles, complete_targets
from synthprobe.cli.terminal import open_console, print_json, print_records, print_wrapped
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.mistakes import nearest_or_all
from synthprobe.project import Project
from synthprobe.records.incident import Incident, IncidentEvent, ResolvedHow, Worth
from synthprobe.records.journey import duration_s

app = typer.Typer(no_args_is_help=True)
_console = open_console()
_LATE = timedelta(days=30)

_Id = Annotated[str, typer.Argument(autocompletion=complete_incidents, help="The incident's id.")]
_By = Annotated[
    str,
    typer.Option(
        "--by", autocompletion=complete_roles, help="Your role, never a name: `first-line`, `dispatch-desk` ..."
    ),
]


@app.command("list")
def list_incidents(
    target: Annotated[str | None, typer.Option(autocompletion=complete_targets, help="Only this target.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """List incidents, the open ones first."""
    incidents = _recorded()
    known = incidents.all(target)
    if not incidents.available:
        raise HistoryError(f"Which incidents are open is not known. {' '.join(incidents.notes)}")
    if target and not known:
        Project.here().config.target(target)  # an unknown one is refused
    found = [incident for incident in known if everything or incident.state != "resolved"]
    found.sort(key=lambda incident: (incident.state == "resolved", -incident.opened_at.timestamp(), incident.title))
    if as_json:
        print_json({"incidents": found, "notes": incidents.notes})
        return
    for note in incidents.notes:
        _console.print(note)
    if not found:
        known_here = ", as far as is known here" if incidents.notes else ""
        _console.print(f"No incident is {'recorded' if everything else 'open'}{known_here}.")
        return
    rows = [
        (
            incident.id,
            incident.target,
            incident.state + (", flapping" if incident.flapping else ""),
            incident.kind,
            f"{incident.first_seen_at:%m-%d %H:%M}",
            f"{incident.occurrences} ×",
            words.cause_and_page(incident.triage, incident.runbook, incident.general),
            incident.title,
        )
        for incident in found
    ]
    headings = ("Incident", "Target", "State", "Kind", "Since (UTC)", "Seen", "Cause, page", "What")
    print_records(_console, headings, rows, whole={*headings} - {"What"})


@app.command("show")
def show(id: _Id, as_json: AsJson = False) -> None:
    """Show one incident: what, where the cause lies, which runbook, and its record."""
    incident = next((found for found in known_incidents(Project.here()) if found.id == id), None) or _recorded().get(id)
    if as_json:
        print_json(incident)
        return
    lines = [
        f"{incident.id}  on {incident.target}  {incident.state}  {incident.kind}  {incident.severity}  "
        f"owner: {incident.owner or 'none'}",
        incident.title,
        f"first seen {incident.first_seen_at:%Y-%m-%d %H:%M} UTC, last {incident.last_seen_at:%Y-%m-%d %H:%M} UTC, "
        f"{incident.occurrences} times, fingerprint {incident.fingerprint}",
        f"journeys: {', '.join(incident.journeys)}"
        + (f"; blocked: {', '.join(incident.blocked)}" if incident.blocked else ""),
    ]
    if incident.triage:
        named = f"{incident.triage.cause_class} ({incident.triage.sure}), rule {incident.triage.rule}"
        lines.append(f"cause: {named}: {words.explanation(incident.triage)}")
    lines.append(f"{words.page(incident.runbook, incident.general)}. {incident.runbook_why}".rstrip())
    if incident.evidence:
        lines.append(f"known by: {'; '.join(incident.evidence)}")
    if incident.resolved_at:
        by = f" by {incident.resolved_how}" if incident.resolved_how else ""
        lines.append(f"ended {incident.resolved_at:%Y-%m-%d %H:%M} UTC{by}")
    lines += [f"  {event.at:%m-%d %H:%M} {event.role}: {event.text}" for event in incident.events]
    for line in lines:
        print_wrapped(_console, line)


@app.command("ack")
def acknowledge(
    id: _Id,
    by: _By,
    lasts: Annotated[str, typer.Option("--for", help="How long nobody is told of it, for example `8h`.")] = "24h",
) -> None:
    """Take an incident: nobody is told of it again until it becomes worse, is over, or the time has passed."""
    try:
        until = datetime.now(UTC) + timedelta(seconds=duration_s(lasts))
    except ValueError as error:
        raise ConfigurationError(f"--for cannot be used: {error}") from None
    _change(id, by, "took it", state="acknowledged", acknowledged_by=by, acknowledged_until=until)
    _console.print(f"If it still lasts at {until:%Y-%m-%d %H:%M} UTC, it is told again.")


@app.command("resolve")
def resolve(
    id: _Id,
    by: _By,
    how: Annotated[str, typer.Option(help=f"By what: {', '.join(get_args(ResolvedHow))}.")],
    note: Annotated[str, typer.Option(help="What was done, in a line.")] = "",
) -> None:
    """Say that an incident is over, and by what. The monitor opens another one if it is not."""
    if how not in get_args(ResolvedHow):
        raise ConfigurationError(f"--how is {how!r}; one of {', '.join(get_args(ResolvedHow))} was expected.")
    text = f"resolved it by {how}" + (f": {note}" if note else "")
    _change(id, by, text, state="resolved", resolved_at=datetime.now(UTC), resolved_how=how, resolved_by=by)


@app.command("note")
def note(
    id: Annotated[
        str,
        typer.Argument(
            autocompletion=complete_incidents, help="The incident's id; without it, one the monitor did not see."
        ),
    ] = "",
    by: _By = "first-line",
    text: Annotated[str, typer.Option(help="What was found, or what a user said, in a line, without names.")] = "",
    runbook: Annotated[
        Worth | None, typer.Option(help="What its runbook was worth, or that none knew it.", show_default=False)
    ] = None,
    reported: Annotated[bool, typer.Option("--user", help="A user reported it.")] = False,
    at: Annotated[
        str | None, typer.Option(help="When the user said so, UTC, as `2026-11-02T03:10`; now without it.")
    ] = None,
    journey: Annotated[
        str,
        typer.Option(
            autocompletion=complete_journeys, help="What the user could not do, for one the monitor did not see."
        ),
    ] = "",
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target of the configuration, with --journey.")
    ] = None,
) -> None:
    """Write down what people know of an incident: a line, what its runbook was worth, that a user reported it."""
    if bool(id) == bool(journey):
        raise ConfigurationError(
            "Give the incident's id, or --journey for what the monitor did not see; exactly one of both was expected."
        )
    by_user = reported or bool(journey) or at is not None
    if not (text or runbook or by_user):
        raise ConfigurationError("There is nothing to write down. Give --text, --runbook or --user.")
    if runbook:
        if by_user:
            raise ConfigurationError("--runbook and --user are two notes. Write down one after the other.")
        _worth(id, by, runbook, text)
        return
    if not by_user:
        _change(id, by, text)
        return
    heard, now = text, datetime.now(UTC)
    when = _moment(at, now) if at else now
    text = f"a user reported it at {when:%Y-%m-%d %H:%M} UTC" + (f": {heard}" if heard else "")
    if not journey:
        _change(id, by, text, reported_at=when)
        return
    project = Project.here()
    who = known_actor(by, project)
    name = project.config.target(target).name
    known = journey_ids(project)
    if journey not in known:
        raise ConfigurationError(
            f"There is no journey {journey!r}. {nearest_or_all(journey, known)} Give the one that comes nearest to "
            "what the user could not do, and the rest as --text."
        )
    digest = hashlib.sha256(f"{name}|{journey}|{when.isoformat()}|user".encode()).hexdigest()[:4].upper()
    unseen = Incident(
        id=f"{when:%y%m%d-%H%M}-U{digest}",
        target=name,
        kind="failing",
        state="open",
        fingerprint="",
        signature="",
        title=f"{journey}: a user reported it, the monitor did not see it" + (f": {heard}" if heard else ""),
        opened_at=when,
        first_seen_at=when,
        last_seen_at=when,
        journeys=(journey,),
        reported_at=when,
        occurrences=0,
        events=(IncidentEvent(at=now, role=who.role, text=text + "; the monitor had not seen it"),),
    )
    incidents = _recorded()
    if any(incident.id == unseen.id for incident in incidents.all()):
        raise ConfigurationError(f"{unseen.id} says that already: {journey} at {when:%H:%M} UTC. Nothing was changed.")
    incidents.put(unseen)
    _console.print(f"{unseen.id}: {who.role}: {text}. It ends with: synthprobe incident resolve {unseen.id}")


def _worth(id: str, by: str, worth: Worth, text: str) -> None:
    """What the page of an incident was worth after use; also of one that only its run knows."""
    project = Project.here()
    known = list(known_incidents(project))
    found = next((incident for incident in known if incident.id == id), None)
    if found is None:
        listed = ", ".join(incident.id for incident in known) or "none"
        raise ConfigurationError(f"No incident {id} is recorded. Known: {listed}.")
    sentence = words.runbook_mark(found.runbook, worth) + (f": {text}" if text else "")
    event = IncidentEvent(at=datetime.now(UTC), role=actor(by).role, text=sentence, runbook=found.runbook, worth=worth)
    noted = replace(found, runbook_outcome=worth, events=(*found.events, event))
    RecordedIncidents(project).put(noted)
    _console.print(f"Noted: {id} {worth}.")
    if worth == "missing":
        _console.print(f"Begin one from what was recorded: synthprobe runbook new {id}")


def _moment(at: str, now: datetime) -> datetime:
    """When a user said so: a date with a time, lately and not to come, because measures are counted from it."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or _is_date(at):
        what = "a time is missing" if moment else "it cannot be read"
        raise ConfigurationError(
            f"--at is {at!r}: {what}; a date and a time were expected, in UTC, as {now:%Y-%m-%dT%H:%M}."
        )
    when = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if when > now:
        raise ConfigurationError(
            f"--at is {when:%Y-%m-%d %H:%M} UTC, which is still to come. Give a moment before now."
        )
    if now - when > _LATE:
        raise ConfigurationError(
            f"--at is {when:%Y-%m-%d %H:%M} UTC, {(now - when).days} days ago; at most {_LATE.days} days back were "
            "expected. Look at the year and the month."
        )
    return when


def _is_date(at: str) -> bool:
    try:
        date.fromisoformat(at)
    except ValueError:
        return False
    return True


def _recorded() -> RecordedIncidents:
    return RecordedIncidents(Project.here())


def _change(id: str, by: str, text: str, **changes: object) -> None:
    project = Project.here()
    who, incidents = known_actor(by, project), RecordedIncidents(project)
    incident = incidents.get(id)
    if incident.state == "resolved" and incident.resolved_how == "itself" and changes.get("state") == "resolved":
        changes["resolved_at"] = incident.resolved_at  # the monitor knows when it ended, a person what ended it
    elif "state" in changes and incident.state == "resolved":
        raise ConfigurationError(f"{id} is over already, {incident.resolved_how or 'resolved'}. Nothing was changed.")
    if changes.get("state") == "resolved":
        changes["resolved_mark"] = who.mark
    event = IncidentEvent(at=datetime.now(UTC), role=who.role, text=text)
    incidents.put(replace(incident, events=(*incident.events, event), **changes))
    _console.print(f"{id}: {who.role} {text}.")
