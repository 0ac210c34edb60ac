"""A slot that several machines look at: ``synthprobe worker``, and `run --plan` and `run --conclude`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from msgspec import to_builtins
from rich.table import Table

from synthprobe import pipeline
from synthprobe.cli.options import complete_targets
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.errors import ConfigurationError
from synthprobe.fleet.conclude import conclude
from synthprobe.fleet.slots import Done, plan_of, slot_of
from synthprobe.project import Project
from synthprobe.records.plain_text import plain_line
from synthprobe.records.verdict import Verdict
from synthprobe.report.oncall import BADGES
from synthprobe.report.terminal import summary
from synthprobe.targets.target import Target
from synthprobe.tools import needs
from synthprobe.words import counted


def print_plan(
    project: Project, target: Target, parts: int, slot: str | None, locations: Sequence[str], *, as_json: bool
) -> None:
    """Deal the journeys of a slot out to parts that take about equally long; with a slot the plan is kept."""
    with pipeline.open_history(project) as history:
        number, _ = slot_of(history.fleet, project.config, slot or "now")
        made = plan_of(history.fleet, project, target, number, parts, locations, keep=bool(slot))
    if len(made.parts) != parts:
        raise ConfigurationError(
            f"Slot {number} of {target.name} has a plan of {len(made.parts)} parts already, {parts} were asked for. "
            "It stands until the slot is over; change the number of parts for the next one."
        )
    if as_json:
        shown = [
            {"part": part.number, "expected_s": part.expected_s, "journeys": [journey.id for journey in part.journeys]}
            for part in made.parts
        ]
        names = ("target", "slot", "digest", "revision", "locations", "quorum")
        print_json({name: getattr(made, name) for name in names} | {"parts": shown})
        return
    console = open_console()
    for part in made.parts:
        console.print(f"part {part.number}/{parts}: {len(part.journeys)} journeys, about {part.expected_s:.0f} s")
    kept = "kept for every machine" if slot else "only shown; --slot keeps it"
    console.print(f"plan {made.digest} of slot {made.slot} of {made.target}, {kept}")


def print_conclusion(
    project: Project, target: Target, slot: str, *, wait_s: float, degraded_fails: bool, as_json: bool
) -> int:
    """Judge a slot once, of what all parts say from every location, and tell people; the exit code of a run."""
    made = conclude(project, target, slot, wait_s=wait_s, degraded_fails=degraded_fails)
    console = open_console(stderr=as_json)
    if made.verdict is not None:
        console.print(summary(made.verdict))
        if len(made.locations) > 1:
            console.print(matrix(made))
        for note in made.verdict.notes:
            console.print(f"note: {note}")
    if made.why:
        console.print(made.why)
    if as_json:
        known = {"exit_code": made.code, "folder": str(made.folder or ""), "nothing_done": made.why}
        print_json(known | {"locations": made.locations} | (to_builtins(made.verdict) if made.verdict else {}))
    return made.code


def matrix(made: Done) -> Table:
    """Journeys × locations: each journey that some location did not find well, and how many passed everywhere."""
    assert made.verdict is not None
    table = Table("journey", *(plain_line(location) for location in made.locations), box=None)
    for judgement in made.verdict.journeys:
        if {vote.outcome for vote in judgement.votes} != {"passed"}:
            signs = {vote.location: f"{BADGES[vote.outcome][0]} {vote.outcome}" for vote in judgement.votes}
            table.add_row(plain_line(judgement.journey.id), *(signs.get(location, "") for location in made.locations))
    table.add_row("passed", *(f"{_passed(made.verdict, location)}" for location in made.locations))
    return table


def _passed(verdict: Verdict, location: str) -> int:
    return sum(
        vote.location == location and vote.outcome == "passed"
        for judgement in verdict.journeys
        for vote in judgement.votes
    )


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
    project = Project.here()
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
        console, at_once = open_console(stderr=True), counted(capacity, "part")
        commands = temporal.Commands(project.root, location, base_url, console.print)
        console.print(f"Worker at {location}: up to {at_once} at once, from {place}.")
        _asked(temporal.work(place, namespace, commands, location, capacity, metrics), place)
    _leave(0)


def _leave(code: int) -> None:
    """End at once: Temporal's threads may abort an interpreter that ends in order (temporalio/sdk-python#300)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _asked(doing: Any, address: str) -> Any:
    try:
        return asyncio.run(doing)
    except RuntimeError as error:  # what Temporal's client raises when it cannot connect
        open_console(stderr=True).print(
            f"synthprobe: The Temporal server at {address} cannot be used: {str(error).splitlines()[0]}. Give its "
            "address with --address, or look whether it runs: temporal operator cluster health"
        )
        _leave(2)
