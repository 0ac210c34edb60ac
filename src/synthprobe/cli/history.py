"""``synthprobe history``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthprobe import pipeline
from synthprobe.cli.history_replay import replay
from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.detection.watch import accept as accept_level
from synthprobe.detection.watch import read_state
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.records.plain_text import plain_line

if TYPE_CHECKING:
    from synthprobe.history.store import History

app = typer.Typer(no_args_is_help=True)
_console = open_console()
app.command("replay")(replay)


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
def accept(
    journey: Annotated[str, typer.Argument(help="The journey's id.")],
    step: Annotated[
        str, typer.Argument(help="The step's title, as the alarm names it; none is the whole journey.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why it may take as long as it does now.")] = "",
    target: Annotated[str | None, typer.Option(help="Target of the configuration.")] = None,
    location: Annotated[str | None, typer.Option(help="Where the probe stands; this one's without it.")] = None,
) -> None:
    """Take the level of an open alarm as usual. What is slower than it, or as before, is told again."""
    if not reason.strip():
        raise ConfigurationError('A level is accepted for a reason, which the board shows. Add --reason "…".')
    root = find_root(Path.cwd())
    config = read_config(root)
    name, place = config.target(target).name, config.location if location is None else location
    with _history() as history:
        states = history.detector_states(name, location=place)
        accepted = accept_level(states, journey, step, datetime.now(UTC), plain_line(reason))
        if not accepted:
            raise ConfigurationError(_nothing_open(states, journey, step))
        history.put_detector_states(name, accepted, location=place)
    for (_, path), state in sorted(accepted.items()):
        if level := read_state(state).accepted:
            _console.print(f"{path or journey}: {level}.", markup=False)


def _nothing_open(states: Mapping[tuple[str, str], bytes], journey: str, step: str) -> str:
    named = f"step {step!r} of {journey}" if step else f"the journey {journey} as a whole"
    slow = sorted(key for key, state in states.items() if read_state(state).detector.degraded)
    listed = ", ".join(f"{id} {path!r}" if path else f"{id} as a whole" for id, path in slow) or "nothing"
    return (
        f"No alarm above the baseline is open for {named}, so there is no level to accept. Slower than usual: {listed}."
    )


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

    root = find_root(Path.cwd())
    config = read_config(root)
    path = root / config.folder / "history.db"
    if path.exists():
        raise HistoryError(f"{path} is there already and is kept. Move it away, then copy again.")
    try:
        read_pack(file, path)
    except HistoryError as error:
        _console.print(f"note: {error}")
        return
    _console.print(f"The history of {file} is in place.")
