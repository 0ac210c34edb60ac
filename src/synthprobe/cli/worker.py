"""``synthprobe worker``: slots by a Temporal server."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated, Any

import typer

from synthprobe.cli.options import complete_targets
from synthprobe.cli.terminal import open_console
from synthprobe.config import Project
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.tools import needs


def worker(
    location: Annotated[str, typer.Option(help="Where this machine stands.")],
    capacity: Annotated[
        int, typer.Option(help="Parts it looks at at once; 0 looks at none, and ends.", min=0, max=1_000)
    ] = 1,
    parts: Annotated[
        int | None,
        typer.Option(help="Have the server begin each slot of the target, in so many parts.", min=1, max=10_000),
    ] = None,
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="With --parts: target of the configuration.")
    ] = None,
    address: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="The Temporal server; TEMPORAL_ADDRESS without it.", show_default=False),
    ] = "",
    namespace: Annotated[str, typer.Option(help="Its namespace.")] = "default",
    base_url: Annotated[
        str | None, typer.Option(help="Address at which the target is reached from here, in place of its own.")
    ] = None,
    metrics: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where Prometheus reads the age of the queue and the load.")
    ] = "",
) -> None:
    """Take parts of slots from a Temporal server until SIGTERM, which lets what was begun come to its end.

    With --parts the server first gets a schedule: each slot is begun, never two at once, and one that was missed is
    caught up.
    """
    project = Project.here(must_exist=True)
    if base_url is not None:
        if len(project.config.targets) != 1:
            raise ConfigurationError(
                f"--base-url is the address of one target, and the project has {len(project.config.targets)}: "
                f"{', '.join(project.config.targets)}. Give this location a project with one target, or leave "
                "the option out."
            )
        project.config.target(*project.config.targets, base_url=base_url)
    if parts is None and (target is not None or not capacity):
        raise ConfigurationError("--target and --capacity 0 belong to --parts, by which a slot is begun.")
    place = address or project.environ.get("TEMPORAL_ADDRESS", "") or "127.0.0.1:7233"
    with needs("temporal", "A fleet on a Temporal server"):
        from synthprobe.fleet import temporal
    if parts is not None:
        chosen = project.config.target(target)
        if not chosen.locations:
            raise ConfigurationError(
                f"Target {chosen.name} names no locations, so no worker would be asked. Write them into its table, for "
                f'example locations = ["fra", "iad"] in [targets.{chosen.name}].'
            )
        order = temporal.SlotOrder(target=chosen.name, parts=parts, interval_s=float(project.config.interval_s))
        name = _asked(temporal.schedule(place, namespace, order), place)
        seen_from = len(chosen.locations)
        open_console().print(f"Schedule {name}: every {project.config.interval_s} s, {parts} parts from {seen_from}.")
    if capacity:
        commands = temporal.Commands(project.root, location, base_url)
        open_console(stderr=True).print(f"Worker at {location}: up to {capacity} parts at once, from {place}.")
        _asked(temporal.work(place, namespace, commands, location, capacity, metrics), place)
    _leave()


def _leave() -> None:
    """End at once: Temporal's threads may abort an interpreter that ends in order (temporalio/sdk-python#300)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _asked(doing: Any, address: str) -> Any:
    try:
        return asyncio.run(doing)
    except RuntimeError as error:  # what Temporal's client raises when it cannot connect
        raise ToolError(
            f"The Temporal server at {address} cannot be used: {str(error).splitlines()[0]}. Give its address with "
            "--address, or look whether it runs: temporal operator cluster health"
        ) from None
