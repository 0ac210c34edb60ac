"""``synthprobe run``."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli.numbers import finite
from synthprobe.cli.terminal import open_console
from synthprobe.config import Config, read_config
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.evidence.redaction import Redactor
from synthprobe.project import NO_PROJECT, project_at
from synthprobe.report.allure_wish import grant_allure
from synthprobe.report.job_page import append_summary
from synthprobe.report.junit import PLACE, agree_with
from synthprobe.report.terminal import summary
from synthprobe.supervisor import RunOrder, run_again, run_journeys
from synthprobe.supervisor.slots import lease
from synthprobe.targets.target import Target
from synthprobe.verdict.judge import exit_code

FailOn = Literal["failed", "degraded"]

_console = open_console()


def run(
    paths: Annotated[list[str] | None, typer.Argument(help="Journeys to run; all without it.")] = None,
    target: Annotated[str | None, typer.Option(help="Target of the configuration.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address that replaces the target's own.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Parallel workers.", min=0)] = 0,
    deadline: Annotated[
        float, typer.Option(help="Seconds the whole run may take.", min=1, max=86_400, callback=finite)
    ] = 240.0,
    fail_on: Annotated[FailOn, typer.Option(help="`failed`, or `degraded` to count degraded as failed.")] = "failed",
    slot: Annotated[
        str | None,
        typer.Option(
            metavar="now|NUMBER",
            help="Judge this slot, as a scheduled run does: never twice, never while another run is on.",
        ),
    ] = None,
) -> None:
    """Run all journeys once, and judge them from outside pytest.

    Exit code 0: all judged, nothing failed. 1: a journey failed. 2: usage or configuration.
    3: the monitor was blind, something is unknown.
    """
    root = project_at(Path.cwd())
    if root is None:
        raise ConfigurationError(NO_PROJECT)
    config = read_config(root)
    chosen = config.target(target, base_url=base_url)
    order = RunOrder(paths=tuple(paths or ()), workers=workers, deadline_s=deadline, address_given=base_url is not None)
    if slot is None:
        raise typer.Exit(_run(root, config, chosen, order, fail_on))
    number = _slot(slot, config.interval_s)
    state = root / config.folder
    with lease(state, chosen.name) as held:
        if not held:
            _console.print(f"Another run against {chosen.name} is on; slot {number} is left to it. Nothing was run.")
            raise typer.Exit(0)
        judged, notes = pipeline.is_judged(root, config, chosen.name, number)
        if judged:
            _console.print(f"Slot {number} of {chosen.name} is already judged. Nothing was run.")
            raise typer.Exit(0)
        pipeline.beat_start(root, config, chosen.name, number)
        scheduled = replace(order, slot=number)
        raise typer.Exit(_run(root, config, chosen, scheduled, fail_on, notes))


def _run(
    root: Path, config: Config, target: Target, order: RunOrder, fail_on: FailOn, notes: Sequence[str] = ()
) -> int:
    mask = Redactor.of(config.secret_sources(), root).text
    until = time.monotonic() + order.deadline_s
    folder, verdict = run_journeys(root, config, target, order)
    verdict = replace(verdict, notes=(*notes, *verdict.notes))
    look_again = functools.partial(run_again, root, config, target, order, folder, until)
    verdict = pipeline.after_run(root, config, folder, verdict, mask=mask, look_again=look_again)
    _console.print(summary(verdict))
    for note in verdict.notes:
        _console.print(f"note: {note}")
    if trouble := grant_allure(folder, verdict):
        _console.print(f"note: {trouble}")
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            append_summary(verdict, Path(page), mask=mask)
        except OSError as error:
            _console.print(f"note: The job's page could not be written: {error}")
    if (place := folder / PLACE).exists():
        try:
            agree_with(verdict, Path(place.read_text("utf-8")), mask)
        except OSError as error:
            _console.print(f"note: The JUnit file could not be written: {error}")
    _console.print(f"Report: synthprobe report {os.path.relpath(folder)}")
    return exit_code(verdict, fail_on_degraded=fail_on == "degraded")


def _slot(given: str, interval_s: int) -> int:
    """A late run judges what is now; an old slot stays unjudged for ever."""
    current = int(time.time()) // interval_s
    if given == "now":
        return current
    if not given.isdecimal() or int(given) > current + 1:
        raise ToolError(f"--slot is {given!r}; `now` or the number of a slot was expected. The slot now is {current}.")
    if int(given) < current:
        _console.print(f"Slot {given} is over; slot {current} is judged instead.")
    return max(int(given), current)
