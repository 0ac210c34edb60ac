"""``synthprobe alert``: whether messages reach anybody."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from synthprobe import pipeline
from synthprobe.alerts import sending
from synthprobe.alerts.channels import AppriseChannel, read_back
from synthprobe.alerts.routes import lint as lint_routes
from synthprobe.alerts.routes import read_mutes
from synthprobe.cli.known_journeys import KnownJourneys
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import Config, find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.targets.windows import read_windows

app = typer.Typer(no_args_is_help=True)
_console = open_console()


@app.command("test")
def send_test(route: Annotated[str | None, typer.Option(help="Only this route.")] = None) -> None:
    """Send a harmless message over every channel of every route. Exit code 1 when one does not take it."""
    _drill(route, back=False)


@app.command("drill")
def drill(route: Annotated[str | None, typer.Option(help="Only this route.")] = None) -> None:
    """As `test`, and read each message back where the route says how. Meant for once a day."""
    _drill(route, back=True)


@app.command("replay")
def replay() -> None:
    """Send every message that waits in the outbox, now. Exit code 1 when one still waits."""
    root = find_root(Path.cwd())
    config = read_config(root)
    with pipeline.open_outbox(root, config) as outbox:
        done = sending.deliver(outbox, config.alerts, _channel(config), datetime.now(UTC), everything=True)
    for sentence in (*outbox.notes, *done.sentences):
        _console.print(sentence)
    _console.print(f"{len(done.delivered)} delivered, {len(done.waiting)} waiting.")
    raise typer.Exit(1 if done.waiting else 0)


@app.command("waiting")
def list_waiting() -> None:
    """List the messages that no channel took yet: since when, on which route, and why."""
    root = find_root(Path.cwd())
    config = read_config(root)
    routes = {route.name for route in config.alerts.routes}
    with pipeline.open_outbox(root, config) as outbox:
        letters = outbox.waiting()
    for letter in letters:
        alert, newest = letter.alert, letter.attempts[-1].why if letter.attempts else "It was not tried yet."
        gone = "" if alert.route in routes else " (which is gone from the configuration)"
        _console.print(
            f"{alert.id}  {alert.at:%Y-%m-%d %H:%M} UTC  route {alert.route}{gone}, {len(letter.attempts)} tries. "
            f"{newest}\n  {alert.title}",
            markup=False,
        )
    _console.print(f"{len(letters)} waiting." if letters else "No message waits.")


@app.command("drop")
def drop(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of messages, as `alert waiting` lists them.")] = None,
    route: Annotated[str | None, typer.Option(help="All messages that wait for this route.")] = None,
) -> None:
    """Drop waiting messages: they are never sent. What is still wrong is told with its next repeat."""
    root = find_root(Path.cwd())
    config = read_config(root)
    if bool(ids) == bool(route):
        raise ConfigurationError("Give ids of messages, or --route; exactly one of both was expected.")
    with pipeline.open_outbox(root, config) as outbox, outbox.lock(sending.TOTAL_S):
        letters = {letter.alert.id: letter.alert for letter in outbox.waiting()}
        chosen = ids or [id for id, alert in letters.items() if alert.route == route]
        if unknown := [id for id in chosen if id not in letters] or ([] if chosen else [f"on route {route!r}"]):
            raise ConfigurationError(
                f"No message {', '.join(unknown)} waits. synthprobe alert waiting lists those that do."
            )
        for id in chosen:
            outbox.put_aside(id, datetime.now(UTC), "dropped")
            _console.print(f"Dropped {id}: {letters[id].title}", markup=False)


@app.command("lint")
def lint(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Look for routes that lead nowhere and mutes that are not in order. Exit code 1 when there are any."""
    root = find_root(Path.cwd())
    config = read_config(root)
    mutes = read_mutes(root / config.alerts.mutes)
    journeys = KnownJourneys(root, config).ids() if mutes else None
    read_windows(root / config.windows)  # refused with a sentence
    found = lint_routes(config.alerts, mutes, datetime.now(UTC), journeys=journeys)
    if as_json:
        print_json({"findings": found})
    else:
        for sentence in found:
            _console.print(sentence)
        _console.print(f"{len(found)} findings." if found else "The routes and the mutes are in order.")
    raise typer.Exit(1 if found else 0)


def _drill(route: str | None, *, back: bool) -> None:
    config = read_config(find_root(Path.cwd()))
    names = [one.name for one in config.alerts.routes]
    if not names:
        raise ConfigurationError(
            "There is no route, so nobody is told of anything. Add a table [[alerts.routes]] to synthprobe.toml."
        )
    if route and route not in names:
        raise ConfigurationError(f"There is no route {route!r}. Known routes: {', '.join(names)}.")
    read = (lambda source: read_back(source, os.environ, config.alerts.timeout_s)) if back else None
    results = sending.drill(config.alerts, _channel(config), datetime.now(UTC), route=route, read=read)
    for name, works, sentence in results:
        _console.print(f"{'✓' if works else '✗'} {name}: {sentence}")
    raise typer.Exit(0 if all(works for _, works, _ in results) else 1)


def _channel(config: Config) -> AppriseChannel:
    return AppriseChannel(os.environ, config.alerts.timeout_s)
