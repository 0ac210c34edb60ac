"""``synthprobe history``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthprobe import pipeline
from synthprobe.cli.history_replay import replay
from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.errors import HistoryError

if TYPE_CHECKING:
    from synthprobe.history.store import History

app = typer.Typer(no_args_is_help=True)
_console = open_console()
app.command("replay")(replay)
_File = Annotated[Path, typer.Argument(help="The file.")]


@contextmanager
def _history() -> Iterator[History]:
    root = find_root(Path.cwd())
    with pipeline.open_history(root, read_config(root)) as history:
        said = len(history.notes)
        _say(history.notes)
        try:
            yield history
        finally:
            _say(history.notes[said:])


def _say(notes: Sequence[str]) -> None:
    for note in notes:
        _console.print(f"note: {note}")


@app.command()
def prune() -> None:
    """Roll up and remove what is older than it is kept. Every run does so, once an hour."""
    with _history() as history:
        removed = history.prune(datetime.now(UTC))
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in removed.items() if count)
    _console.print(f"Removed or rolled up: {said or 'nothing was due'}.")


@app.command()
def export(file: _File) -> None:
    """Write all that is known to a file of JSON lines, compressed."""
    with _history() as history:
        _console.print(f"{history.export(file)} rows were written to {file}.")


@app.command("import")
def import_(file: _File) -> None:
    """Read an export into an empty history."""
    with _history() as history:
        _console.print(f"{history.import_(file)} rows were read from {file}.")


@app.command()
def check() -> None:
    """Look at the whole store. Exit code 1 when something is wrong with it."""
    with _history() as history:
        troubles = history.check()
    for trouble in troubles:
        if trouble not in history.notes:
            _console.print(trouble)
    if troubles:
        raise typer.Exit(1)
    _console.print("The history is sound.")


@app.command()
def pack(file: _File) -> None:
    """Write a small copy that travels in the cache of a CI runner whose disk does not last."""
    with _history() as history:
        _console.print(f"{history.pack(file) / 1e6:.2f} MB were written to {file}.")


@app.command()
def unpack(file: _File) -> None:
    """Put a pack in the place of a history that is not there. A pack that cannot be read is said, not an error."""
    from synthprobe.history.packs import read_pack

    root = find_root(Path.cwd())
    config = read_config(root)
    path = root / config.folder / "history.db"
    if path.exists():
        raise HistoryError(f"{path} is there already and is kept. Move it away, then unpack again.")
    try:
        read_pack(file, path)
    except HistoryError as error:
        _console.print(f"note: {error}")
        return
    _console.print(f"The history of {file} is in place.")
