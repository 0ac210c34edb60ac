"""A slot that several machines look at: ``synthprobe run --plan`` and ``synthprobe run --conclude``."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import to_builtins
from rich.table import Table

from synthprobe import pipeline
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import Project
from synthprobe.errors import ConfigurationError
from synthprobe.fleet.conclude import conclude
from synthprobe.fleet.slots import Done, plan_of, slot_of
from synthprobe.records.plain_text import plain_line
from synthprobe.records.verdict import Verdict
from synthprobe.report.oncall import BADGES
from synthprobe.report.terminal import summary
from synthprobe.targets.target import Target


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
            {"part": part.number, "expected_s": part.expected_s, "journeys": [one.id for one in part.journeys]}
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
    for one in made.verdict.journeys:
        if {vote.outcome for vote in one.votes} != {"passed"}:
            signs = {vote.location: f"{BADGES[vote.outcome][0]} {vote.outcome}" for vote in one.votes}
            table.add_row(plain_line(one.journey.id), *(signs.get(location, "") for location in made.locations))
    table.add_row("passed", *(f"{_passed(made.verdict, location)}" for location in made.locations))
    return table


def _passed(verdict: Verdict, location: str) -> int:
    return sum(vote.location == location and vote.outcome == "passed" for one in verdict.journeys for vote in one.votes)
