"""``synthprobe plan`` and ``synthprobe conclude``: a slot that several machines look at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec import to_builtins
from rich.table import Table

from synthprobe import pipeline
from synthprobe.cli.completion import complete_targets
from synthprobe.cli.numbers import finite
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import Config, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.evidence.redaction import Redactor
from synthprobe.fleet.conclude import Concluded
from synthprobe.fleet.conclude import conclude as conclude_slot
from synthprobe.fleet.slots import plan_of, slot_of
from synthprobe.project import NO_PROJECT, project_at
from synthprobe.records.plain_text import plain_line
from synthprobe.records.verdict import Verdict
from synthprobe.report.oncall import BADGES
from synthprobe.report.terminal import summary

_Target = Annotated[str | None, typer.Option(autocompletion=complete_targets, help="Target of the configuration.")]


def plan(
    parts: Annotated[int, typer.Option(help="How many parts.", min=1, max=10_000)],
    target: _Target = None,
    slot: Annotated[
        str,
        typer.Option(metavar="now|NUMBER", help="Keep the plan, so that every machine goes by it."),
    ] = "",
    location: Annotated[
        list[str] | None, typer.Option(help="From where each part is looked at; repeat it. Otherwise the target's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON document.")] = False,
) -> None:
    """Deal the journeys of a slot out to parts that take about equally long."""
    root, config = project()
    chosen = config.target(target)
    with pipeline.open_history(root, config) as history:
        number, _ = slot_of(history.fleet, config, slot or "now")
        made = plan_of(history.fleet, root, config, chosen, number, parts, location or (), keep=bool(slot))
    if len(made.parts) != parts:
        raise ConfigurationError(
            f"Slot {number} of {chosen.name} has a plan of {len(made.parts)} parts already, {parts} were asked for. "
            "It stands until the slot is over; change the number of parts for the next one."
        )
    if as_json:
        shown = [
            {"part": part.number, "expected_s": part.expected_s, "journeys": [one.id for one in part.journeys]}
            for part in made.parts
        ]
        print_json(
            {
                "target": made.target,
                "slot": made.slot,
                "digest": made.digest,
                "revision": made.revision,
                "locations": made.locations,
                "quorum": made.quorum,
                "parts": shown,
            }
        )
        return
    console = open_console()
    for part in made.parts:
        console.print(f"part {part.number}/{parts}: {len(part.journeys)} journeys, about {part.expected_s:.0f} s")
    kept = "kept for every machine" if slot else "only shown; --slot keeps it"
    console.print(f"plan {made.digest} of slot {made.slot} of {made.target}, {kept}")


def conclude(
    slot: Annotated[str, typer.Option(metavar="now|NUMBER", help="The slot to judge.")],
    target: _Target = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for parts that are not done.", min=0, max=86_400, callback=finite)
    ] = 0.0,
    fail_on: Annotated[
        Literal["failed", "degraded"], typer.Option(help="`failed`, or `degraded` to count degraded as failed.")
    ] = "failed",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as one JSON document.")] = False,
) -> None:
    """Judge a slot once, of what all parts say from every location, and tell people.

    Exit codes are those of `synthprobe run`.
    """
    root, config = project()
    chosen = config.target(target)
    mask = Redactor.of(config.secret_sources(), root).text
    made = conclude_slot(
        root, config, chosen, slot, wait_s=wait, degraded_fails=fail_on == "degraded", mask=mask, environ=os.environ
    )
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
    raise typer.Exit(made.code)


def matrix(made: Concluded) -> Table:
    """Journeys × locations: each journey that some location did not find well, and how many passed everywhere."""
    assert made.verdict is not None
    table = Table("journey", *(plain_line(location) for location in made.locations), box=None)
    for one in made.verdict.journeys:
        if {vote.outcome for vote in one.votes} != {"passed"}:
            signs = {vote.location: f"{BADGES[vote.outcome][0]} {vote.outcome}" for vote in one.votes}
            table.add_row(plain_line(one.journey.id), *(signs.get(location, "") for location in made.locations))
    table.add_row("passed", *(f"{_passed(made.verdict, location)}" for location in made.locations))
    return table


def _passed(verdict: Verdict, location: str) -> int:
    return sum(vote.location == location and vote.outcome == "passed" for one in verdict.journeys for vote in one.votes)


def project() -> tuple[Path, Config]:
    """The project of this folder."""
    root = project_at(Path.cwd())
    if root is None:
        raise ConfigurationError(NO_PROJECT)
    return root, read_config(root)
