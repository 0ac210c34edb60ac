"""``synthprobe runbook``: find, read, check and begin runbooks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer

from synthprobe import words
from synthprobe.cli.completion import complete_incidents, complete_roles, complete_runbooks
from synthprobe.cli.known_incidents import judged_run, known_incidents, runbooks_of
from synthprobe.cli.markdown_text import print_markdown
from synthprobe.cli.page_changes import changed_since, last_changes
from synthprobe.cli.recorded import last_sight
from synthprobe.cli.recorded_incidents import RecordedIncidents, actor
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.config import find_root, read_config
from synthprobe.errors import ConfigurationError, ReportError
from synthprobe.firstline.fixes import load_fixes
from synthprobe.firstline.matching import Match, match, tell
from synthprobe.firstline.naming import named_alone
from synthprobe.firstline.runbook import Runbook
from synthprobe.firstline.runbook_lint import Known, Snooze, lint, read_snoozes
from synthprobe.firstline.runbook_marks import marks
from synthprobe.firstline.runbook_pages import as_followed, before_typing, draft, draft_id, opening
from synthprobe.firstline.runbooks import read_runbooks, read_shelf
from synthprobe.firstline.score_set import Sample, read_score_set, remembered, wrongly_claimed
from synthprobe.hooks import load_plugins
from synthprobe.records.incident import Incident, IncidentEvent, Worth
from synthprobe.records.result import Result
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.report.cards import broken_step
from synthprobe.report.oncall import headline
from synthprobe.runner.collected import collected_journeys, tests_of

app = typer.Typer(no_args_is_help=True)
_console = open_console()


@app.command("lint")
def lint_runbooks(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check every runbook: coverage, content, references, staleness, names. Exit code 1 when one is wrong."""
    root = find_root(Path.cwd())
    config = read_config(root)
    shelf = read_runbooks(root / config.runbooks, root)
    runbooks, refused = shelf.runbooks, list(shelf.refused)
    if not runbooks and not refused:
        raise ConfigurationError(
            f"There is no runbook under {config.runbooks}/. Begin one: synthprobe runbook new INCIDENT"
        )
    snoozes: tuple[Snooze, ...] = ()
    samples: tuple[Sample, ...] = ()
    try:
        snoozes = read_snoozes(root / config.runbooks)
        samples = read_score_set(root / config.runbooks)
    except ConfigurationError as error:
        refused.append(str(error))
    from synthprobe.cli.main import command_names  # which loads this module

    journeys = collected_journeys(root, config)
    recorded = RecordedIncidents(root, config).all()
    said = marks(recorded)
    doubted = {mark.runbook for mark in said}
    known = Known(
        journeys={one.id: one.runbook for one in journeys},
        commands=command_names(),
        tests=tests_of(journeys),
        fixes=load_fixes(root / config.fixes.folder, config.fixes.roles).keys(),
        drills=[
            fault.name for plan in load_plugins(config.plugins, root).drills() for fault in plan.faults if fault.cause
        ],
        changed=changed_since(root, runbooks),
        marks=said,
        rewritten=last_changes(root, (one for one in runbooks if one.id in doubted)),
        samples=(*samples, *remembered(recorded, {one.id: one.runbook for one in journeys})),
    )
    findings = lint(read_shelf(root / config.runbooks, root).runbooks, known, datetime.now(UTC).date(), snoozes=snoozes)
    errors = [*refused, *(str(finding) for finding in findings if finding.error)]
    if as_json:
        notices = [str(finding) for finding in findings if not finding.error]
        print_json({"runbooks": len(runbooks) + len(shelf.refused), "errors": errors, "notices": notices})
        raise typer.Exit(1 if errors else 0)
    for error_text in errors:
        _console.print(f"✗ {error_text}")
    texts = [finding.text for finding in findings if not finding.error]
    for text in dict.fromkeys(texts):
        count = texts.count(text)
        _console.print(f"! {count} of {len(runbooks)} runbooks: {text}")
    if known.samples:
        claims = sum(len(wrongly_claimed(one, known.samples)) for one in runbooks)
        _console.print(f"{len(known.samples)} failures whose page is known; claimed wrongly: {claims}.")
    total = len(runbooks) + len(shelf.refused)
    _console.print(f"{total} runbooks, {len(errors)} errors." if errors else f"{total} runbooks, all well.")
    raise typer.Exit(1 if errors else 0)


@app.command("match")
def match_run(
    run: Annotated[Path | None, typer.Argument(help="Folder of a run; the newest run without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which runbook fits each journey that did not pass, why, and what was next."""
    root = find_root(Path.cwd())
    runbooks, verdict = runbooks_of(root), judged_run(root, run)
    told = {one.subject.journey: match(runbooks, one.subject) for one in tell(verdict)}
    fixes = {page.id: page.fix for page in runbooks}
    named = [one for one in named_alone(verdict, runbooks).verdict.journeys if one.journey.id in told]
    recorded = {one.journey.id: one.incident for one in verdict.journeys}
    tied = []
    if as_json:
        data = [
            _match_data(one, told[one.journey.id], recorded[one.journey.id], fixes.get(one.runbook, ""))
            for one in named
        ]
        print_json({"run": verdict.run.id, "target": verdict.run.target, "journeys": data})
        raise typer.Exit(1 if any(found.tied for found in told.values()) else 0)
    if not told:
        judged = verdict.count("passed") == len(verdict.journeys) > 0
        good = "every journey passed, so no runbook is needed."
        _console.print(f"Run {verdict.run.id}: {good if judged else headline(verdict)}")
    for one in named:
        found, cause, step = told[one.journey.id], one.triage, broken_step(one)
        lines = [("target", verdict.run.target)]
        if id := recorded[one.journey.id] or one.incident:
            lines.append(("incident", id))
        if cause is not None:
            lines.append(("cause", f"{cause.cause_class} ({cause.rule}, {cause.sure}): {cause.why}"))
            if cause.runner_up:
                lines.append(("or", f"{cause.runner_up}: {cause.runner_up_why}"))
        lines.append(("runbook", one.runbook or f"none; begin one: synthprobe runbook new {id or 'INCIDENT'}"))
        if one.general:
            lines.append(("general", one.general))
        lines.append(("why", one.runbook_why))
        if fix := fixes.get(one.runbook):
            lines.append(("fix", f"synthprobe fix plan {fix} --incident INCIDENT"))
        if found.runner_up:
            lines.append(("next", f"{found.runner_up}: {found.runner_up_why}"))
        if found.tied:
            tied.append(f"{one.journey.id}: {found.known}, {', '.join(found.tied)}")
        _console.print(f"{one.journey.id}: {step}" if step else one.journey.id, style="bold")
        for name, text in lines:
            _console.print(f"  {name:8} {text}")
    for line in tied:
        _console.print(f"✗ Runbooks tie for {line}. Let one match more closely.")
    raise typer.Exit(1 if tied else 0)


def _match_data(one: JourneyVerdict, found: Match, incident: str, fix: str) -> dict[str, object]:
    return {
        "journey": one.journey.id,
        "step": broken_step(one),
        "incident": incident or one.incident,
        "triage": one.triage,
        "runbook": one.runbook,
        "general": one.general,
        "why": one.runbook_why,
        "fix": fix,
        "runner_up": found.runner_up,
        "tied": found.tied,
    }


@app.command("new")
def new(
    fingerprint: Annotated[
        str, typer.Argument(autocompletion=complete_incidents, help="Fingerprint or id of a recorded incident.")
    ],
    run: Annotated[
        Path | None, typer.Option(help="Folder of a run; the one that saw the incident last without it.")
    ] = None,
) -> None:
    """Begin a runbook from what was recorded of an incident: what was seen, steps, evidence, how it ended."""
    root = find_root(Path.cwd())
    incident = next((one for one in known_incidents(root, run) if fingerprint in {one.fingerprint, one.id}), None)
    if incident is None:
        raise ReportError(
            f"No incident {fingerprint} is recorded. Give an id of synthprobe incident list --all, or a fingerprint as "
            "synthprobe incident show prints it."
        )
    text = draft(incident, _showing(root, incident, run))
    path = root / read_config(root).runbooks / f"{draft_id(incident)}.md"
    if path.exists():
        raise ConfigurationError(f"{path.relative_to(root)} exists already. Complete that, or move it away first.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    _console.print(f"Begun: {path.relative_to(root)}. Complete every TODO, then: synthprobe runbook lint")


@app.command("show")
def show(id: Annotated[str, typer.Argument(autocompletion=complete_runbooks, help="The runbook's id.")]) -> None:
    """Show a runbook in the terminal."""
    root = find_root(Path.cwd())
    config = read_config(root)
    runbook = _runbook(id)
    proved = f"proved {runbook.last_exercised.at}" if runbook.last_exercised else "not proved by a drill yet"
    _console.print(f"{runbook.title}", style="bold")
    _console.print(f"{runbook.audience} · {runbook.severity} · {runbook.cause_class} · {runbook.owner} · {proved}\n")
    page = before_typing(root / config.runbooks)
    for line in opening(runbook, f"`{page.relative_to(root).as_posix()}`" if page else ""):
        print_markdown(_console, line)
    _console.print()
    print_markdown(_console, as_followed(runbook))


@app.command("outcome")
def outcome(
    incident: Annotated[str, typer.Argument(autocompletion=complete_incidents, help="Id of the incident.")],
    said: Annotated[str, typer.Argument(help="helped, outdated or missing.", metavar="OUTCOME")],
    by: Annotated[str, typer.Option(autocompletion=complete_roles, help="The role that says so.")] = "first-line",
) -> None:
    """Say after use whether the runbook helped, was outdated, or was missing."""
    if said not in get_args(Worth):
        raise ConfigurationError(f"{said!r} is no outcome. Say helped, outdated or missing.")
    root = find_root(Path.cwd())
    known = list(known_incidents(root))
    found = next((one for one in known if one.id == incident), None)
    if found is None:
        raise ReportError(f"No incident {incident} is recorded. Known: {', '.join(one.id for one in known) or 'none'}.")
    worth = msgspec.convert(said, Worth)
    text = words.runbook_mark(found.runbook, worth)
    event = IncidentEvent(at=datetime.now(UTC), role=actor(by).role, text=text, runbook=found.runbook, worth=worth)
    noted = msgspec.structs.replace(found, runbook_outcome=said, events=(*found.events, event))
    RecordedIncidents(root, read_config(root)).put(noted)
    _console.print(f"Noted: {incident} {said}.")
    if said == "missing":
        _console.print(f"Begin one from what was recorded: synthprobe runbook new {incident}")


def _showing(root: Path, incident: Incident, run: Path | None) -> Result | None:
    """The attempt that showed an incident last: of the run that is given, else of the one that saw it last."""
    if run is None and (found := last_sight(root, read_config(root).folder, incident)):
        return found
    try:
        journeys = judged_run(root, run).journeys
    except ReportError:
        if run is not None:
            raise
        return None  # its runs are forgotten; what the history holds of it is enough to begin
    return next(
        (one.telling for one in reversed(journeys) if one.journey.id in incident.journeys and one.telling), None
    )


def _runbook(id: str) -> Runbook:
    root = find_root(Path.cwd())
    runbooks = {one.id: one for one in runbooks_of(root)}
    if id not in runbooks:
        import difflib

        near = difflib.get_close_matches(id, runbooks, n=3)
        raise ConfigurationError(
            f"There is no runbook {id!r}. "
            + (f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(runbooks)}.")
        )
    return runbooks[id]
