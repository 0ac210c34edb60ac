"""``synthprobe ops``: how calm the work is."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from synthprobe import pipeline
from synthprobe.cli import recorded
from synthprobe.cli.completion import complete_targets
from synthprobe.cli.numbers import finite
from synthprobe.cli.recorded_incidents import RecordedIncidents
from synthprobe.cli.terminal import open_console, print_json, print_records
from synthprobe.config import Config, find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.goals.measures import SHIFT_HOURS, measure
from synthprobe.records.history import LETTERS_KEPT
from synthprobe.records.measure import Page
from synthprobe.records.plain_text import plain_line
from synthprobe.report.ops_page import OpsData, answer, render_ops

_PAGES = frozenset({"opened", "worse", "repeat"})
_console = open_console()


def ops(
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target of the configuration.")
    ] = None,
    days: Annotated[float, typer.Option(help="Days to count over.", min=1, max=3650, callback=finite)] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Make the page site/ops/TARGET/index.html.")] = False,
    shift: Annotated[
        float, typer.Option(help="Length of a shift in hours.", min=1, max=24, callback=finite)
    ] = SHIFT_HOURS,
    sleep: Annotated[str, typer.Option(help="When people sleep, as HH:MM-HH:MM.")] = "22:00-06:00",
    zone: Annotated[str, typer.Option(help="Time zone of those who are paged, for example Europe/Berlin.")] = "UTC",
) -> None:
    """Count how calm the work is: who is first, what the first line can do alone, and what only one head knows."""
    root = find_root(Path.cwd())
    config = read_config(root)
    name = config.target(target).name
    made = ops_data(root, config, name, days=days, shift_hours=shift, sleep=_sleep(sleep), zone=_zone(zone))
    if page:
        _console.print(f"Operating measures: {render_ops(made, root / config.folder / 'site')}")
        return
    if as_json:
        print_json(made)
        return
    counted = made.measures.incidents
    opened = f"{counted} incident{'' if counted == 1 else 's'} opened"
    _console.print(f"{name}, {days:g} days, {opened}. {answer(made.measures)}")
    rows = [(one.name, one.figure, one.text) for one in made.measures.measures]
    print_records(_console, ("Measure", "Figure", "What was counted"), rows, whole={"Measure", "Figure"})
    for head in made.measures.one_head:
        title = plain_line(head.title)
        _console.print(f"only {head.role} knows: {title} (synthprobe runbook new {head.incident})")
    for share in made.measures.roles:
        _console.print(f"resolved by {share.role}: {share.n} of {share.of}")
    for note in made.notes:
        _console.print(note)


def ops_data(
    root: Path,
    config: Config,
    target: str,
    *,
    days: float = 30.0,
    shift_hours: float = SHIFT_HOURS,
    sleep: tuple[time, time] = (time(22), time(6)),
    zone: ZoneInfo | None = None,
) -> OpsData:
    """Count the measures up to now."""
    now = recorded.now()
    incidents = RecordedIncidents(root, config)
    known = incidents.all(target)
    made = measure(
        known,
        _pages_sent(root, config, {one.id for one in known}),
        target=target,
        since=now - timedelta(days=days),
        until=now,
        pages_since=now - LETTERS_KEPT,
        shift_hours=shift_hours,
        sleep=sleep,
        zone=zone or UTC,
    )
    notes = list(incidents.notes)
    if not config.alerts.routes:
        notes.append("No route for alerts is configured, so nobody is paged: see [alerts].")
    elif days > LETTERS_KEPT.days:
        kept = LETTERS_KEPT.days
        notes.append(f"Sent pages are kept {kept} days, so what counts pages counts the last {kept} days.")
    return OpsData(measures=made, made_at=now, notes=tuple(notes))


def _pages_sent(root: Path, config: Config, of: set[str]) -> list[Page] | None:
    """The pages that reached somebody; tickets, recoveries and drills are none."""
    with pipeline.open_outbox(root, config) as outbox:
        letters = outbox.letters()
    if not letters and not (config.alerts.routes and (root / config.folder / "runs").is_dir()):
        return None
    return [
        Page(at=one.done, incidents=one.alert.incidents)
        for one in letters
        if one.done and one.alert.urgency == "page" and one.alert.reason in _PAGES and of & set(one.alert.incidents)
    ]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"--zone is {name!r}; a time zone such as Europe/Berlin was expected.") from None


def _sleep(text: str) -> tuple[time, time]:
    try:
        start, end = (datetime.strptime(part, "%H:%M").time() for part in text.split("-"))
    except ValueError:
        raise ConfigurationError(f"--sleep is {text!r}; HH:MM-HH:MM was expected, such as 22:00-06:00.") from None
    return start, end
