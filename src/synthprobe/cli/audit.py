"""``synthprobe audit``."""

from __future__ import annotations

from pathlib import Path

import typer

from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.respond.audit import FileAudit

app = typer.Typer(help="The record of every fix.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """The record of every fix."""


@app.command("verify")
def verify() -> None:
    """Check that no line of the audit was changed, removed or put in between. Exit code 2 names the line."""
    root = find_root(Path.cwd())
    audit = FileAudit(root / read_config(root).folder / "audit.jsonl")
    count = len(audit.entries())
    entries = "1 entry" if count == 1 else f"{count} entries"
    open_console().print(f"The audit is whole: {entries}." if count else "No fix was planned yet: the audit is empty.")
