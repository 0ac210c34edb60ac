"""``synthprobe sweep``."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from synthprobe import pipeline
from synthprobe.cli.completion import complete_targets
from synthprobe.cli.terminal import open_console, print_records
from synthprobe.config import find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.api import Api
from synthprobe.journey.guard import Guard
from synthprobe.journey.killswitch import kill_switch_reason
from synthprobe.journey.testdata import Swept, signed_in, sweep
from synthprobe.targets.secrets import Secret, proxies_for, read_credentials, read_secret
from synthprobe.targets.target import Target

_ORDER = ("left", "not tried", "in use", "removed", "gone")


def sweep_command(
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target of the configuration.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Address that replaces the target's own.")] = None,
    limit: Annotated[int, typer.Option(help="Entries that are tried at most.", min=1)] = 50,
) -> None:
    """Remove the test data that killed runs left at a target.

    Only objects that carry a token of the ledger, only after their lease. Exit code 0: nothing is left that should be
    gone. 1: something is. 2: usage or configuration.
    """
    console = open_console()
    root = find_root(Path.cwd())
    config = read_config(root)
    chosen = config.target(target, base_url=base_url)

    def session() -> Api:
        proxies = partial(proxies_for, chosen, os.environ, root)
        if reason := kill_switch_reason(chosen.kill_switch, os.environ, proxies):
            console.print(f"Nothing was swept at target {chosen.name}. {reason}")
            raise typer.Exit(1)
        return _session(chosen)

    with pipeline.open_history(root, config) as history:
        lock = root / config.folder / f"sweep-{chosen.name}.lock"
        found = sweep(chosen, history, session, now=datetime.now(UTC), limit=limit, lock=lock)
        for note in history.notes:
            console.print(f"note: {note}")
    if not found:
        console.print(f"Nothing to sweep at target {chosen.name}.")
        return
    _print_swept(found)
    counts: Counter[str] = Counter(one.status for one in found)
    console.print(", ".join(f"{counts[status]} {status}" for status in _ORDER if counts[status]) + ".")
    if counts["left"] or counts["not tried"]:
        raise typer.Exit(1)


def _session(target: Target) -> Api:
    redactor = Redactor()

    def secret(name: str) -> Secret:
        if name not in target.secrets:
            raise ConfigurationError(
                f"The sweeper of target {target.name!r} needs the secret {name!r}, which the target does not declare. "
                f'Add it to [targets.{target.name}.secrets], for example {name} = "env:{name.upper()}".'
            )
        found = read_secret(name, os.environ, source=target.secrets[name])
        redactor.add(found)
        return found

    guard = Guard(target)
    guard.begin(tuple(target.testdata))
    shown = read_credentials(target, os.environ)
    return signed_in(Api(target, redactor, guard=guard, credentials=shown), target.sweeper, secret)


def _print_swept(found: list[Swept]) -> None:
    headings = ("What", "Kind", "Token", "Created", "Run", "Why")
    rows = [
        (one.status, one.entry.kind, one.entry.token, f"{one.entry.at:%Y-%m-%d %H:%M:%S}", one.entry.run_id, one.detail)
        for one in sorted(found, key=lambda one: (_ORDER.index(one.status), one.entry.at))
    ]
    print_records(open_console(), headings, rows, whole={*headings} - {"Why"})
