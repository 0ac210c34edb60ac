"""``synthprobe incident``: what is wrong, who has it, and how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from synthprobe import pipeline
from synthprobe.config import find_root, read_config
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.model.incident import Incident, IncidentEvent, ResolvedHow

if TYPE_CHECKING:
    from synthprobe.history.store import History

app = typer.Typer(help="Incidents: one cause each, from the first sight to how it ended.", no_args_is_help=True)
_console = Console(highlight=False, soft_wrap=True)

_Id = Annotated[str, typer.Argument(help="The incident's id.")]
_By = Annotated[str, typer.Option("--by", help="Your role, never a name: `first-line`, `dispatch-desk` ...")]
_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@app.command("list")
def list_incidents(
    target: Annotated[str | None, typer.Option(help="Only this target.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> None:
    """List incidents, the open ones first."""
    with _history() as history:
        found = [one for one in history.incidents(target) if everything or one.state != "resolved"]
    if not found:
        _console.print("No incident is open." if not everything else "No incident is recorded.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Incident", "State", "Kind", "Since (UTC)", "Seen", "What", "Runbook"):
        table.add_column(heading, overflow="fold")
    for one in sorted(found, key=lambda one: (one.state == "resolved", -one.opened_at.timestamp())):
        state = one.state + (", flapping" if one.flapping else "")
        table.add_row(
            one.id, state, one.kind, f"{one.first_seen_at:%m-%d %H:%M}", f"{one.occurrences} ×", one.title, one.runbook
        )
    _console.print(table)


@app.command("show")
def show(id: _Id) -> None:
    """Show one incident: what, where the cause lies, which runbook, and its record."""
    with _history() as history:
        one = _incident(history, id)
    lines = [
        f"{one.id}  {one.state}  {one.kind}  {one.severity}  owner: {one.owner or 'none'}",
        one.title,
        f"first seen {one.first_seen_at:%Y-%m-%d %H:%M} UTC, last {one.last_seen_at:%Y-%m-%d %H:%M} UTC, "
        f"{one.occurrences} times, fingerprint {one.fingerprint}",
        f"journeys: {', '.join(one.journeys)}" + (f"; blocked: {', '.join(one.blocked)}" if one.blocked else ""),
    ]
    if one.triage:
        lines.append(f"cause: {one.triage.cause_class} ({one.triage.sure}), rule {one.triage.rule}: {one.triage.why}")
    lines.append(f"runbook: {one.runbook or 'none'}. {one.runbook_why}".rstrip())
    if one.resolved_at:
        lines.append(f"ended {one.resolved_at:%Y-%m-%d %H:%M} UTC by {one.resolved_how or 'nobody said what'}")
    lines += [f"  {event.at:%m-%d %H:%M} {event.role}: {event.text}" for event in one.events]
    for line in lines:
        _console.print(line, markup=False)


@app.command("ack")
def acknowledge(id: _Id, by: _By) -> None:
    """Take an incident, so that it is not told again and again."""
    _change(id, by, "took it", state="acknowledged", acknowledged_by=by)


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


@app.command("report-user")
def report_user(
    id: _Id,
    by: _By,
    at: Annotated[datetime | None, typer.Option(help="When the user said so, UTC; now without it.")] = None,
) -> None:
    """Record that a user reported it: whether we or they were first cannot be measured otherwise."""
    when = (at or datetime.now(UTC)).replace(tzinfo=UTC)
    _change(id, by, f"a user reported it at {when:%Y-%m-%d %H:%M} UTC", reported_at=when)


@contextmanager
def _history() -> Iterator[History]:
    root = find_root(Path.cwd())
    with pipeline.open_history(root, read_config(root)) as history:
        if not history.available:
            raise HistoryError(" ".join(history.notes) or "The history cannot be used, and incidents are kept there.")
        yield history


def _incident(history: History, id: str) -> Incident:
    found = history.incident(id)
    if found is None:
        known = ", ".join(one.id for one in history.incidents() if one.state != "resolved") or "none"
        raise ConfigurationError(
            f"There is no incident {id!r}. Open ones: {known}. See synthprobe incident list --all."
        )
    return found


def _change(id: str, by: str, text: str, **changes: object) -> None:
    if not _ROLE.fullmatch(by):
        raise ConfigurationError(
            f"--by is {by!r}; a role in small letters was expected, such as first-line. Names of people are not kept."
        )
    with _history() as history:
        one = _incident(history, id)
        event = IncidentEvent(at=datetime.now(UTC), role=by, text=text)
        history.put_incident(replace(one, events=(*one.events, event), **changes))
    _console.print(f"{id}: {by} {text}.", markup=False)
