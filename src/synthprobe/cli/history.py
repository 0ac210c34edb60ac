"""``synthprobe history``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthprobe import pipeline
from synthprobe.cli.history_replay import replay
from synthprobe.cli.terminal import open_console
from synthprobe.config import Project
from synthprobe.errors import ConfigurationError, HistoryError

if TYPE_CHECKING:
    from synthprobe.history.store import History

app = typer.Typer(no_args_is_help=True)
_console = open_console()
app.command("replay")(replay)


@contextmanager
def _history() -> Iterator[History]:
    with pipeline.open_history(Project.here()) as history:
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
def copy(
    to: Annotated[Path | None, typer.Option("--to", help="Write to this file.")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="Read this file.")] = None,
    pack: Annotated[
        bool, typer.Option("--pack", help="A small one, for the cache of a CI runner whose disk does not last.")
    ] = False,
) -> None:
    """Copy the history to a file or back: all of it, between two databases, or with --pack what a CI cache can hold.

    All is read into an empty history only. A pack goes to where no history is; one that cannot be read is said, and
    is no error: the history begins anew.
    """
    if (to is None) == (source is None):
        raise ConfigurationError("Give --to FILE or --from FILE; exactly one of both was expected.")
    if source is not None and pack:
        _unpack(source)
        return
    with _history() as history:
        if to is not None and pack:
            _console.print(f"{history.pack(to) / 1e6:.2f} MB were written to {to}.")
        elif to is not None:
            _console.print(f"{history.export(to)} rows were written to {to}.")
        elif source is not None:
            _console.print(f"{history.import_(source)} rows were read from {source}.")


def _unpack(file: Path) -> None:
    from synthprobe.history.packs import read_pack

    project = Project.here()
    path = project.folder / "history.db"
    if path.exists():
        raise HistoryError(f"{path} is there already and is kept. Move it away, then copy again.")
    try:
        read_pack(file, path)
    except HistoryError as error:
        _console.print(f"note: {error}")
        return
    _console.print(f"The history of {file} is in place.")
