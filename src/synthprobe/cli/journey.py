"""``synthprobe journey``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.journey.lint import remarks
from synthprobe.records.plain_text import plain_line

app = typer.Typer(no_args_is_help=True)
_console = open_console()


@app.callback()
def journey() -> None:
    """Look at the source of journeys."""


@app.command("check")
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Files or folders; all journeys without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what in the source of journeys will hurt at night: sleeps, bare asserts, steps that mean nothing alone.

    Exit code 0: nothing to mend. 1: something is. 2: a file cannot be read.
    """
    root = find_root(Path.cwd())
    places = files or [root / name for name in read_config(root).journeys]
    if missing := [place for place in places if not place.exists()]:
        raise ConfigurationError(f"There is no {missing[0]}. Give files or folders of journeys that are there.")
    found = [(file, one) for place in places for file in _tests(place) for one in remarks(file)]
    if as_json:
        print_json([{"file": str(file), "line": one.line, "rule": one.rule, "text": one.text} for file, one in found])
    else:
        for file, one in found:
            _console.print(plain_line(f"{file}:{one.line}: {one.rule}: {one.text}"))
        if not found:
            _console.print("Nothing to mend.")
    if found:
        raise typer.Exit(1)


def _tests(place: Path) -> list[Path]:
    return sorted(place.rglob("test_*.py")) if place.is_dir() else [place]
