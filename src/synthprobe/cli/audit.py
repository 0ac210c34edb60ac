"""``synthprobe audit``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.completion import complete_roles
from synthprobe.cli.recorded_audit import recorded_audit
from synthprobe.cli.recorded_incidents import fixing_actor
from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.errors import AuditError, ConfigurationError
from synthprobe.firstline import policy
from synthprobe.firstline.audit import AuditEntry

app = typer.Typer(no_args_is_help=True)
_console = open_console()


@app.callback()
def _root() -> None:
    """The record of every fix."""


@app.command("verify")
def verify() -> None:
    """Check that no line of the audit was changed, removed or put in between.

    Exit code 2 names the line; 1 when it could not be compared with the history.
    """
    root = find_root(Path.cwd())
    audit = recorded_audit(root, read_config(root))
    count = len(audit.entries())
    entries = "1 entry" if count == 1 else f"{count} entries"
    _console.print(f"The audit is whole: {entries}." if count else "No fix was planned yet: the audit is empty.")
    for note in audit.notes:
        _console.print(note)
    raise typer.Exit(1 if audit.notes else 0)


@app.command("begin")
def begin(
    by: Annotated[
        str, typer.Option("--by", autocompletion=complete_roles, help="Your role, one that may approve fixes.")
    ],
    reason: Annotated[str, typer.Option(help="Why the audit cannot be believed any more, in a line.")],
) -> None:
    """Begin a new audit after one that cannot be believed, which stays as evidence."""
    root = find_root(Path.cwd())
    config = read_config(root)
    who, audit = fixing_actor(by, root, config), recorded_audit(root, config)
    policy.check_role(config.fixes, who.role, "approve")
    if not reason.strip():
        raise ConfigurationError("--reason is empty. Say why the audit cannot be believed any more.")
    try:
        audit.entries()
    except AuditError as error:
        text = f"{reason.strip()} ({error})"
    else:
        raise ConfigurationError("The audit is whole, so no new one is begun. Nothing was changed.")
    first = AuditEntry(
        at=datetime.now(UTC), event="begun", fix="", target="", incident="", role=who.role, who=who.mark, text=text
    )
    audit.begin(first)
    _console.print("A new audit was begun; the former one stays in the history, and what it counts is not reset.")
