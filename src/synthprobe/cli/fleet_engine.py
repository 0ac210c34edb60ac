"""``synthprobe fleet``: slots by a Temporal server."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated, Any

import typer

from synthprobe.cli.completion import complete_targets
from synthprobe.cli.fleet import project
from synthprobe.cli.terminal import open_console
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.extras import needs

app = typer.Typer(no_args_is_help=True)

_Address = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="The Temporal server; TEMPORAL_ADDRESS without it.", show_default=False)
]
_Namespace = Annotated[str, typer.Option(help="Its namespace.")]


@app.command()
def schedule(
    parts: Annotated[int, typer.Option(help="How many parts a slot has.", min=1, max=10_000)],
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target of the configuration.")
    ] = None,
    address: _Address = "",
    namespace: _Namespace = "default",
) -> None:
    """Have a Temporal server begin each slot of a target: never two at once, and one that was missed caught up."""
    _, config = project()
    chosen = config.target(target)
    if not chosen.locations:
        raise ConfigurationError(
            f"Target {chosen.name} names no locations, so no worker would be asked. Write them into its table, for "
            f'example locations = ["fra", "iad"] in [targets.{chosen.name}].'
        )
    engine = _engine()
    order = engine.SlotOrder(target=chosen.name, parts=parts, interval_s=float(config.interval_s))
    name = _asked(engine.schedule(_place(address), namespace, order), _place(address))
    open_console().print(f"Schedule {name}: every {config.interval_s} s, {parts} parts from {len(chosen.locations)}.")
    _leave()


@app.command()
def worker(
    location: Annotated[str, typer.Option(help="Where this machine stands.")],
    capacity: Annotated[int, typer.Option(help="Parts it looks at at once.", min=1, max=1_000)] = 1,
    address: _Address = "",
    namespace: _Namespace = "default",
    base_url: Annotated[
        str | None, typer.Option(help="Address at which the target is reached from here, in place of its own.")
    ] = None,
    metrics: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where Prometheus reads the age of the queue and the load.")
    ] = "",
) -> None:
    """Take parts of slots from a Temporal server until SIGTERM, which lets what was begun come to its end."""
    root, config = project()
    if base_url is not None:
        if len(config.targets) != 1:
            raise ConfigurationError(
                f"--base-url is the address of one target, and the project has {len(config.targets)}: "
                f"{', '.join(config.targets)}. Give this location a project with one target, or leave the option out."
            )
        config.target(*config.targets, base_url=base_url)
    engine = _engine()
    commands = engine.Commands(root, location, base_url)
    open_console(stderr=True).print(f"Worker at {location}: up to {capacity} parts at once, from {_place(address)}.")
    _asked(engine.work(_place(address), namespace, commands, location, capacity, metrics), _place(address))
    _leave()


def _leave() -> None:
    """End at once: Temporal's threads may abort an interpreter that ends in order (temporalio/sdk-python#300)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _place(address: str) -> str:
    return address or os.environ.get("TEMPORAL_ADDRESS", "") or "127.0.0.1:7233"


def _engine() -> Any:
    with needs("temporal", "A fleet on a Temporal server"):
        from synthprobe.fleet import temporal
    return temporal


def _asked(doing: Any, address: str) -> Any:
    try:
        return asyncio.run(doing)
    except RuntimeError as error:  # what Temporal's client raises when it cannot connect
        raise ToolError(
            f"The Temporal server at {address} cannot be used: {str(error).splitlines()[0]}. Give its address with "
            "--address, or look whether it runs: temporal operator cluster health"
        ) from None
