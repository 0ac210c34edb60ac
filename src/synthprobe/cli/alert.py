"""``synthprobe alert``: the messages that wait, and whether any reach anybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from synthprobe import pipeline
from synthprobe.alerts import sending
from synthprobe.alerts.channels import AppriseChannel, read_back
from synthprobe.alerts.outbox import Outbox
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.project import Project

_console = open_console()


def alert(
    ids: Annotated[list[str] | None, typer.Argument(help="Messages that --drop takes out, by their ids.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Send a harmless message over every channel.")] = False,
    back: Annotated[
        bool, typer.Option("--read-back", help="With --test: read each one back where the route says how.")
    ] = False,
    send: Annotated[bool, typer.Option("--send", help="Send what waits, now.")] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Take IDS, or all of --route, out: they are never sent.")
    ] = False,
    route: Annotated[str | None, typer.Option(help="Only this route.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what waits as JSON.")] = False,
) -> None:
    """List the messages that no channel took yet; send or drop them, or prove with --test that messages arrive.

    Exit code 1: a channel did not take a message, or one still waits after --send.
    """
    if test + send + drop > 1:
        raise ConfigurationError("--test, --send and --drop do three things: one of them was expected.")
    if (ids and not drop) or (back and not test) or (send and route):
        raise ConfigurationError("IDS belong to --drop, --read-back to --test, and --send sends all that waits.")
    project = Project.here()
    if test:
        _test(project, route, back=back)
    elif send:
        _send(project)
    elif drop:
        _drop(project, ids or [], route)
    else:
        _list(project, route, as_json=as_json)


def _test(project: Project, route: str | None, *, back: bool) -> None:
    alerts = project.config.alerts
    names = [route.name for route in alerts.routes]
    if not names:
        raise ConfigurationError(
            "There is no route, so nobody is told of anything. Add a table [[alerts.routes]] to synthprobe.toml."
        )
    if route and route not in names:
        raise ConfigurationError(f"There is no route {route!r}. Known routes: {', '.join(names)}.")
    read = (lambda source: read_back(source, project.environ, alerts.timeout_s)) if back else None
    results = sending.drill(alerts, _channel(project), datetime.now(UTC), route=route, read=read)
    for name, works, sentence in results:
        _console.print(f"{'✓' if works else '✗'} {name}: {sentence}")
    raise typer.Exit(0 if all(works for _, works, _ in results) else 1)


def _send(project: Project) -> None:
    with _outbox(project) as outbox:
        done = sending.deliver(outbox, project.config.alerts, _channel(project), datetime.now(UTC), everything=True)
    _require_known(outbox, (*done.delivered, *done.waiting))
    for sentence in dict.fromkeys((*outbox.notes, *done.sentences)):
        _console.print(sentence)
    _console.print(f"{len(done.delivered)} delivered, {len(done.waiting)} waiting.")
    raise typer.Exit(1 if done.waiting else 0)


def _list(project: Project, route: str | None, *, as_json: bool) -> None:
    routes = {route.name for route in project.config.alerts.routes}
    with _outbox(project) as outbox:
        letters = [letter for letter in outbox.waiting() if route in {None, letter.alert.route}]
    _require_known(outbox, letters)
    if as_json:
        print_json({"waiting": letters})
        return
    for letter in letters:
        message, newest = letter.alert, letter.attempts[-1].why if letter.attempts else "It was not tried yet."
        gone = "" if message.route in routes else " (which is gone from the configuration)"
        _console.print(
            f"{message.id}  {message.at:%Y-%m-%d %H:%M} UTC  route {message.route}{gone}, {len(letter.attempts)} tries."
            f" {newest}\n  {message.title}"
        )
    _console.print(f"{len(letters)} waiting." if letters else "No message waits.")


def _drop(project: Project, ids: list[str], route: str | None) -> None:
    if bool(ids) == bool(route):
        raise ConfigurationError("Give ids of messages, or --route; exactly one of both was expected.")
    with _outbox(project) as outbox, outbox.lock(sending.TOTAL_S):
        letters = {letter.alert.id: letter.alert for letter in outbox.waiting()}
        chosen = ids or [id for id, message in letters.items() if message.route == route]
        if unknown := [id for id in chosen if id not in letters] or ([] if chosen else [f"on route {route!r}"]):
            raise ConfigurationError(f"No message {', '.join(unknown)} waits. synthprobe alert lists those that do.")
        for id in chosen:
            outbox.put_aside(id, datetime.now(UTC), "dropped")
            _console.print(f"Dropped {id}: {letters[id].title}")


def _outbox(project: Project) -> Outbox:
    """The messages of this machine, and what others that share its history made of them."""
    history = pipeline.open_history(project)
    return pipeline.open_outbox(project, history if history.is_shared else None)


def _require_known(outbox: Outbox, found: Sequence[object]) -> None:
    if not found and not outbox.history.is_kept:
        raise HistoryError(f"Which messages wait is not known. {' '.join(outbox.history.notes)}")


def _channel(project: Project) -> AppriseChannel:
    return AppriseChannel(project.environ, project.config.alerts.timeout_s)
