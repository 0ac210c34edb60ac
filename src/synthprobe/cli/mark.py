"""``synthprobe mark``: a change, or a level that is usual now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from synthprobe import pipeline
from synthprobe.cli import remembered
from synthprobe.cli.measurements import Measurements
from synthprobe.cli.options import TargetName, complete_journeys, finite
from synthprobe.cli.terminal import open_console
from synthprobe.detection.watch import accept as accept_level
from synthprobe.detection.watch import read_state
from synthprobe.errors import ConfigurationError
from synthprobe.goals.impact import ceiling
from synthprobe.project import Project
from synthprobe.records.impact import Change
from synthprobe.records.plain_text import plain_line
from synthprobe.report.board import KINDS, percent
from synthprobe.targets.changes import mark_change, parse_moment
from synthprobe.targets.target import Target

_console = open_console()


def mark(
    title: Annotated[
        str, typer.Argument(help="What was done, for example: index on incident.created; with --accept why.")
    ],
    operation: Annotated[str, typer.Option(help="Name of the row it is to make cheaper; with --accept the step.")] = "",
    saves: Annotated[
        float, typer.Option(help="Part of that row's time it is expected to save, 0 to 1.", callback=finite)
    ] = 1.0,
    at: Annotated[str | None, typer.Option(help="When it went live, as 2026-03-02T12:00Z; now without it.")] = None,
    expected: Annotated[
        str, typer.Option(help="slower: the level it brings that row, or all steps where none is named, is usual.")
    ] = "",
    accept: Annotated[
        str | None,
        typer.Option(
            metavar="JOURNEY",
            autocompletion=complete_journeys,
            help="Take the level of this journey's open alarm as usual, at once.",
        ),
    ] = None,
    target: TargetName = None,
    location: Annotated[str | None, typer.Option(help="With --accept: of the probe; this one's without it.")] = None,
) -> None:
    """Mark a change in changes.toml, and say what it can save at most; or accept a level that is slower than usual."""
    project = Project.here()
    if accept is not None:
        if at or expected or saves != 1.0:
            raise ConfigurationError("--at, --expected and --saves are of a change; --accept takes the level of now.")
        _accept(project, project.config.target(target).name, (accept, operation), title, location)
        return
    if location is not None:
        raise ConfigurationError("--location belongs to --accept: a change is marked for all of them.")
    now = remembered.now().replace(microsecond=0)
    moment = parse_moment(at, now) if at else now
    chosen = project.config.target(target) if operation or target else None
    if expected not in {"", "slower"}:
        raise ConfigurationError(f"--expected is {expected!r}: slower was expected, or nothing.")
    change = Change(at=moment, title=title, operation=operation, saves=saves, expected="slower" if expected else "")
    path = mark_change(project.root, change)
    _console.print(f"Marked in {path.name}: {title}")
    if operation and chosen:
        _print_ceiling(project, chosen, change)


def _print_ceiling(project: Project, target: Target, change: Change) -> None:
    with remembered.opened(project, target.name) as past:
        window = Measurements(past).measured(change.at - timedelta(days=7), change.at)
    ranked = window.ranked()
    most = ceiling(ranked, change.operation)
    kind = next((KINDS[row.kind][0].lower() for row in ranked if row.name == change.operation), "")
    known = f"at most {percent(most)} of the waiting for {kind}"
    _console.print(f"What it can save: {known if most else 'unknown: no row of that name was measured'}")


def _accept(project: Project, target: str, slow: tuple[str, str], reason: str, location: str | None) -> None:
    """Take the level of an open alarm as usual. What is slower than it, or as before, is told."""
    if not reason.strip():
        raise ConfigurationError("A level is accepted for a reason, which the board shows. Give it before --accept.")
    (journey, step), place = slow, project.config.location if location is None else location
    with pipeline.open_history(project) as history:
        states = history.detector_states(target, location=place)
        accepted = accept_level(states, journey, step, datetime.now(UTC), plain_line(reason))
        if not accepted:
            raise ConfigurationError(_nothing_open(states, journey, step))
        history.put_detector_states(target, accepted, location=place)
        for note in history.notes:
            _console.print(f"note: {note}")
    for (_, path), state in sorted(accepted.items()):
        if level := read_state(state).accepted:
            _console.print(f"{path or journey}: {level}.")


def _nothing_open(states: Mapping[tuple[str, str], bytes], journey: str, step: str) -> str:
    named = f"step {step!r} of {journey}" if step else f"the journey {journey} as a whole"
    slow = sorted(key for key, state in states.items() if read_state(state).detector.degraded)
    listed = ", ".join(f"{id} {path!r}" if path else f"{id} as a whole" for id, path in slow) or "nothing"
    return (
        f"No alarm above the baseline is open for {named}, so there is no level to accept. Slower than usual: {listed}."
    )
