"""``synthprobe audit``: everything that was done with fixes, and whether the record of it is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from synthprobe.cli.completion import complete_fixes, complete_roles
from synthprobe.cli.fix import known_fixes, recorded_audit
from synthprobe.cli.recorded_incidents import fixing_actor
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import Project
from synthprobe.errors import AuditError, ConfigurationError
from synthprobe.firstline import policy
from synthprobe.firstline.audit import AuditEntry

_console = open_console()


def audit(
    fix: Annotated[str | None, typer.Option(autocompletion=complete_fixes, help="Only this fix.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    begin: Annotated[
        bool, typer.Option("--begin-anew", help="Begin a new one after one that cannot be believed.")
    ] = False,
    by: Annotated[
        str, typer.Option("--by", autocompletion=complete_roles, help="Your role, one that may approve fixes.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why the audit cannot be believed any more, in a line.")] = "",
) -> None:
    """List what was planned, refused, approved and applied, oldest first, and check that no line was tampered with.

    Exit code 2 names the first line that was changed, removed or put in between; 1 when the lines could not be
    compared with the shared history.
    """
    project = Project.here()
    if begin:
        _begin(project, by, reason)
        return
    if by or reason:
        raise ConfigurationError("--by and --reason belong to --begin-anew.")
    known = recorded_audit(project)
    entries = known.entries()
    listed = [entry for entry in entries if fix in {None, entry.fix}]
    if not listed:
        known_fixes(project, fix)
    if as_json:
        print_json({"entries": listed, "notes": known.notes})
        raise typer.Exit(1 if known.notes else 0)
    for entry in listed:
        digest = f" {entry.digest}" if entry.digest else ""
        what = f"{entry.fix} on {entry.target} for {entry.incident}" if entry.fix else "anew"
        _console.print(
            f"{entry.number} {entry.at:%Y-%m-%d %H:%M:%S} {entry.event} {what} by {entry.role}{digest}: {entry.text}"
        )
    if not listed:
        _console.print(f"Nothing was planned or applied yet{f' with {fix}' if fix else ''}.")
    if entries:
        _console.print(f"The audit is whole: {'1 entry' if len(entries) == 1 else f'{len(entries)} entries'}.")
    for note in known.notes:
        _console.print(note)
    raise typer.Exit(1 if known.notes else 0)


def _begin(project: Project, by: str, reason: str) -> None:
    """Begin a new audit after one that cannot be believed, which stays as evidence."""
    if not by or not reason.strip():
        raise ConfigurationError(
            "--begin-anew needs --by ROLE, and --reason: why the audit cannot be believed any more."
        )
    who, known = fixing_actor(by, project), recorded_audit(project)
    policy.check_role(project.config.fixes, who.role, "approve")
    try:
        known.entries()
    except AuditError as error:
        text = f"{reason.strip()} ({error})"
    else:
        raise ConfigurationError("The audit is whole, so no new one is begun. Nothing was changed.")
    first = AuditEntry(
        at=datetime.now(UTC), event="begun", fix="", target="", incident="", role=who.role, who=who.mark, text=text
    )
    known.begin(first)
    _console.print("A new audit was begun; the former one stays in the history, and what it counts is not reset.")
