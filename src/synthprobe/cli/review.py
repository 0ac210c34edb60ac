"""``synthprobe review``: how the last days were, for users and for those who are on call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from synthprobe import pipeline
from synthprobe.cli import remembered
from synthprobe.cli.impact import DAYS, make_board, marked, print_change, print_ranking
from synthprobe.cli.lookup import RecordedIncidents
from synthprobe.cli.measurements import Measurements
from synthprobe.cli.objectives import print_rules, print_statuses, statuses
from synthprobe.cli.options import AsJson, TargetName, finite
from synthprobe.cli.terminal import open_console, print_json, print_records
from synthprobe.errors import ConfigurationError
from synthprobe.goals.measures import SHIFT_HOURS, measure
from synthprobe.journey.database import collect
from synthprobe.pipeline.statements import add_snapshot
from synthprobe.project import Project
from synthprobe.records.history import LETTERS_KEPT
from synthprobe.records.measure import Page
from synthprobe.records.plain_text import plain_line
from synthprobe.report.index import read_index, whole_runs
from synthprobe.report.ops_page import OpsData, answer, render_ops
from synthprobe.report.store import FolderStore
from synthprobe.targets.target import Target
from synthprobe.words import counted

Part = Literal["objectives", "impact", "work"]
_WORK_DAYS = 30.0
_console = open_console()


def review(
    target: TargetName = None,
    only: Annotated[Part | None, typer.Option(help="Only this part.")] = None,
    days: Annotated[
        float | None,
        typer.Option(help="Days to count over: 7 for impact, 30 for work.", min=0.01, max=400, callback=finite),
    ] = None,
    as_json: AsJson = False,
    pages: Annotated[bool, typer.Option("--pages", help="Make the board and the page of measures instead.")] = False,
    change: Annotated[str | None, typer.Option(help="Compare before and after this marked change.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="What each burn-rate rule needs at this interval.")] = False,
    counted: Annotated[
        bool, typer.Option("--collect", help="First take in what pg_stat_statements counted; for a schedule.")
    ] = False,
    url: Annotated[
        str, typer.Option(envvar="SYNTHPROBE_DATABASE_URL", help="postgresql:// address for --collect, read-only role.")
    ] = "",
    shift: Annotated[
        float, typer.Option(help="Length of a shift in hours.", min=1, max=24, callback=finite)
    ] = SHIFT_HOURS,
    sleep: Annotated[str, typer.Option(help="When people sleep, as HH:MM-HH:MM.")] = "22:00-06:00",
    zone: Annotated[str, typer.Option(help="Time zone of those who are paged, for example Europe/Berlin.")] = "UTC",
) -> None:
    """Say how the last days were: each journey's objective, what costs users most, and how calm the work was."""
    if pages + as_json + rules > 1 or (change is not None and (pages or rules)):
        raise ConfigurationError(
            "--pages makes pages, --json, --rules and --change print: only one of them was expected, or --change with "
            "--json. Ask for them one after the other."
        )
    project = Project.here()
    chosen = project.config.target(target)
    if counted:
        _collect(project, chosen, url)
    if rules:
        print_rules(project)
        return
    if change is not None:
        with remembered.opened(project, chosen.name) as past:
            made = Measurements(past).judge_change(marked(project.root, change), days or DAYS)
        print_json(made) if as_json else print_change(made)
        return
    work = partial(ops_data, project, chosen.name, shift_hours=shift, sleep=night(sleep), zone=zone_named(zone))
    if pages:
        site = project.folder / "site"
        if only != "work":
            store = FolderStore(site.absolute())
            runs = whole_runs(store, read_index(store)[0], chosen.name, _console.print)
            _console.print(f"Impact board: {make_board(project, chosen, site, days or DAYS, runs)}")
        if only in {None, "work"}:
            _console.print(f"Operating measures: {render_ops(work(days=days or _WORK_DAYS), site)}")
        return
    found: dict[str, Any] = {"target": chosen.name}
    if only in {None, "objectives"}:
        found["objectives"] = statuses(project, chosen.name)
    titles: Mapping[str, str] = {}
    if only in {None, "impact"}:
        with remembered.opened(project, chosen.name) as past:
            known = Measurements(past)
            found["impact"], titles = known.ranked(days or DAYS), known.titles
    if only in {None, "work"}:
        found["work"] = work(days=days or _WORK_DAYS)
    if as_json:
        print_json(found)
        return
    if "objectives" in found:
        print_statuses(found["objectives"])
    if "impact" in found:
        print_ranking(found["impact"], titles, chosen.name, days or DAYS)
    if "work" in found:
        print_measures(found["work"], days or _WORK_DAYS)


def _collect(project: Project, target: Target, url: str) -> None:
    if not url:
        raise ConfigurationError("--collect needs --url, or the variable SYNTHPROBE_DATABASE_URL.")
    snapshot = collect(url)
    path = add_snapshot(project, target.name, snapshot)
    open_console(stderr=True).print(
        f"{len(snapshot.counters)} statements counted, added to {path.relative_to(project.root)}"
    )


_PAGES = frozenset({"opened", "worse", "repeat"})


def print_measures(made: OpsData, days: float) -> None:
    """Print who is first, what the first line can do alone, and what only one head knows."""
    opened = counted(made.measures.incidents, "incident")
    _console.print(f"{made.measures.target}, {days:g} days, {opened} opened. {answer(made.measures)}")
    rows = [(row.name, row.figure, row.text) for row in made.measures.measures]
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
    now = remembered.now()
    incidents = RecordedIncidents(project)
    known = incidents.all(target)
    made = measure(
        known,
        _pages_sent(project, {incident.id for incident in known}),
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
        Page(at=letter.done, incidents=letter.alert.incidents)
        for letter in letters
        if letter.done
        and letter.alert.urgency == "page"
        and letter.alert.reason in _PAGES
        and of & set(letter.alert.incidents)
    ]


def zone_named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"--zone is {name!r}; a time zone such as Europe/Berlin was expected.") from None


def night(text: str) -> tuple[time, time]:
    try:
        start, end = (datetime.strptime(part, "%H:%M").time() for part in text.split("-"))
    except ValueError:
        raise ConfigurationError(f"--sleep is {text!r}; HH:MM-HH:MM was expected, such as 22:00-06:00.") from None
    return start, end
