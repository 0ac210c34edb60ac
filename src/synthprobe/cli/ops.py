"""How calm the work is."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from synthprobe import pipeline
from synthprobe.cli import recorded
from synthprobe.cli.recorded_incidents import RecordedIncidents
from synthprobe.cli.terminal import open_console, print_records
from synthprobe.config import Project
from synthprobe.errors import ConfigurationError
from synthprobe.goals.measures import SHIFT_HOURS, measure
from synthprobe.records.history import LETTERS_KEPT
from synthprobe.records.measure import Page
from synthprobe.records.plain_text import plain_line
from synthprobe.report.ops_page import OpsData, answer
from synthprobe.words import counted

_PAGES = frozenset({"opened", "worse", "repeat"})
_console = open_console()


def print_measures(made: OpsData, days: float) -> None:
    """Print who is first, what the first line can do alone, and what only one head knows."""
    opened = counted(made.measures.incidents, "incident")
    _console.print(f"{made.measures.target}, {days:g} days, {opened} opened. {answer(made.measures)}")
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
    project: Project,
    target: str,
    *,
    days: float = 30.0,
    shift_hours: float = SHIFT_HOURS,
    sleep: tuple[time, time] = (time(22), time(6)),
    zone: ZoneInfo | None = None,
) -> OpsData:
    """Count the measures up to now."""
    now = recorded.now()
    incidents = RecordedIncidents(project)
    known = incidents.all(target)
    made = measure(
        known,
        _pages_sent(project, {one.id for one in known}),
        target=target,
        since=now - timedelta(days=days),
        until=now,
        pages_since=now - LETTERS_KEPT,
        shift_hours=shift_hours,
        sleep=sleep,
        zone=zone or UTC,
    )
    notes = list(incidents.notes)
    if not project.config.alerts.routes:
        notes.append("No route for alerts is configured, so nobody is paged: see [alerts].")
    elif days > LETTERS_KEPT.days:
        kept = LETTERS_KEPT.days
        notes.append(f"Sent pages are kept {kept} days, so what counts pages counts the last {kept} days.")
    return OpsData(measures=made, made_at=now, notes=tuple(notes))


def _pages_sent(project: Project, of: set[str]) -> list[Page] | None:
    """The pages that reached somebody; tickets, recoveries and drills are none."""
    with pipeline.open_outbox(project) as outbox:
        letters = outbox.letters()
    if not letters and not (project.config.alerts.routes and (project.folder / "runs").is_dir()):
        return None
    return [
        Page(at=one.done, incidents=one.alert.incidents)
        for one in letters
        if one.done and one.alert.urgency == "page" and one.alert.reason in _PAGES and of & set(one.alert.incidents)
    ]


def zone_named(name: str) -> ZoneInfo:
    """The time zone that was typed."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"--zone is {name!r}; a time zone such as Europe/Berlin was expected.") from None


def night(text: str) -> tuple[time, time]:
    """When people sleep, as it was typed."""
    try:
        start, end = (datetime.strptime(part, "%H:%M").time() for part in text.split("-"))
    except ValueError:
        raise ConfigurationError(f"--sleep is {text!r}; HH:MM-HH:MM was expected, such as 22:00-06:00.") from None
    return start, end
