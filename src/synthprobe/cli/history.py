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
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import find_root, read_config
from synthprobe.detection.watch import accept as accept_level
from synthprobe.detection.watch import read_accepted, read_state
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.records.plain_text import plain_line

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
        if level := read_accepted(state):
            _console.print(f"{path or journey}: {level.sentence(path)}.", markup=False)


def _nothing_open(states: Mapping[tuple[str, str], bytes], journey: str, step: str) -> str:
    named = f"step {step!r} of {journey}" if step else f"the journey {journey} as a whole"
    slow = sorted(key for key, state in states.items() if read_state(state)[0].degraded)
    listed = ", ".join(f"{id} {path!r}" if path else f"{id} as a whole" for id, path in slow) or "nothing"
    return (
        f"No alarm above the baseline is open for {named}, so there is no level to accept. Slower than usual: {listed}."
    )


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
def check(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Look at the whole store. Exit code 1 when something is wrong with it."""
    if as_json:
        root = find_root(Path.cwd())
        with pipeline.open_history(root, read_config(root)) as history:
            print_json({"troubles": (troubles := history.check()), "notes": history.notes})
        raise typer.Exit(1 if troubles else 0)
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
