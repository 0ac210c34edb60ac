"""``synthprobe runbook``: find, read, check and begin runbooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.lookup import judged_run, known_incidents, runbooks_of
from synthprobe.cli.options import AsJson, complete_incidents, complete_runbooks
from synthprobe.cli.remembered import last_sight
from synthprobe.cli.terminal import open_console, print_json, print_markdown
from synthprobe.errors import ConfigurationError, ReportError
from synthprobe.firstline.matching import Match, match, tell
from synthprobe.firstline.naming import named_alone
from synthprobe.firstline.runbook import Runbook
from synthprobe.firstline.runbook_pages import as_followed, before_typing, draft, draft_id, opening
from synthprobe.mistakes import nearest_or_all
from synthprobe.project import Project
from synthprobe.records.incident import Incident
from synthprobe.records.journey import readable
from synthprobe.records.result import Result
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.report.cards import broken_step
from synthprobe.report.oncall import headline

app = typer.Typer(no_args_is_help=True)
_console = open_console()


@app.command("match")
def match_run(
    run: Annotated[Path | None, typer.Argument(help="Folder of a run; the newest run without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say which runbook fits each journey that did not pass, why, and what was next."""
    project = Project.here()
    runbooks, verdict = runbooks_of(project), judged_run(project, run)
    matches = {subject.subject.journey: match(runbooks, subject.subject) for subject in tell(verdict)}
    fixes = {page.id: page.fix for page in runbooks}
    named = [
        judgement for judgement in named_alone(verdict, runbooks).verdict.journeys if judgement.journey.id in matches
    ]
    recorded = {judgement.journey.id: judgement.incident for judgement in verdict.journeys}
    tied = []
    if as_json:
        data = [
            _match_data(
                judgement,
                matches[judgement.journey.id],
                recorded[judgement.journey.id],
                fixes.get(judgement.runbook, ""),
            )
            for judgement in named
        ]
        print_json({"run": verdict.run.id, "target": verdict.run.target, "journeys": data})
        raise typer.Exit(1 if any(found.tied for found in matches.values()) else 0)
    if not matches:
        judged = verdict.count("passed") == len(verdict.journeys) > 0
        good = "every journey passed, so no runbook is needed."
        _console.print(f"Run {verdict.run.id}: {good if judged else headline(verdict)}")
    for named_judgement in named:
        found, cause, step = matches[named_judgement.journey.id], named_judgement.triage, broken_step(named_judgement)
        id, fix = recorded[named_judgement.journey.id] or named_judgement.incident, fixes.get(named_judgement.runbook)
        lines = {
            "target": verdict.run.target,
            "incident": id,
            "cause": f"{cause.cause_class} ({cause.rule}, {cause.sure}): {cause.why}" if cause else "",
            "or": f"{cause.runner_up}: {cause.runner_up_why}" if cause and cause.runner_up else "",
            "runbook": named_judgement.runbook or f"none; begin one: synthprobe runbook new {id or 'INCIDENT'}",
            "general": named_judgement.general,
            "why": named_judgement.runbook_why,
            "fix": f"synthprobe fix plan {fix} --incident INCIDENT" if fix else "",
            "next": f"{found.runner_up}: {found.runner_up_why}" if found.runner_up else "",
        }
        if found.tied:
            tied.append(f"{named_judgement.journey.id}: {found.known}, {', '.join(found.tied)}")
        name = readable(named_judgement.journey.id)
        _console.print(f"{name}: {step}" if step else name, style="bold")
        for name, text in lines.items():
            if text:
                _console.print(f"  {name:8} {text}")
    for line in tied:
        _console.print(f"✗ Runbooks tie for {line}. Let one match more closely.")
    raise typer.Exit(1 if tied else 0)


def _match_data(judgement: JourneyVerdict, found: Match, incident: str, fix: str) -> dict[str, object]:
    return {
        "journey": judgement.journey.id,
        "step": broken_step(judgement),
        "incident": incident or judgement.incident,
        "triage": judgement.triage,
        "runbook": judgement.runbook,
        "general": judgement.general,
        "why": judgement.runbook_why,
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
    project = Project.here()
    incident = next(
        (incident for incident in known_incidents(project, run) if fingerprint in {incident.fingerprint, incident.id}),
        None,
    )
    if incident is None:
        raise ReportError(
            f"No incident {fingerprint} is recorded. Give an id of synthprobe incident list --all, or a fingerprint as "
            "synthprobe incident show prints it."
        )
    text = draft(incident, _showing(project, incident, run))
    path = project.root / project.config.runbooks / f"{draft_id(incident)}.md"
    if path.exists():
        raise ConfigurationError(
            f"{path.relative_to(project.root)} exists already. Complete that, or move it away first."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    _console.print(f"Begun: {path.relative_to(project.root)}. Complete every TODO, then: synthprobe doctor runbooks")


@app.command("show")
def show(id: Annotated[str, typer.Argument(autocompletion=complete_runbooks, help="The runbook's id.")]) -> None:
    """Show a runbook in the terminal."""
    project = Project.here()
    runbook = _runbook(project, id)
    proved = f"proved {runbook.last_exercised.at}" if runbook.last_exercised else "not proved by a drill yet"
    _console.print(f"{runbook.title}", style="bold")
    _console.print(f"{runbook.audience} · {runbook.severity} · {runbook.cause_class} · {runbook.owner} · {proved}\n")
    page = before_typing(project.root / project.config.runbooks)
    for line in opening(runbook, f"`{page.relative_to(project.root).as_posix()}`" if page else ""):
        print_markdown(_console, line)
    _console.print()
    print_markdown(_console, as_followed(runbook))


def _showing(project: Project, incident: Incident, run: Path | None) -> Result | None:
    """The attempt that showed an incident last: of the run that is given, else of the one that saw it last."""
    if run is None and (found := last_sight(project, incident)):
        return found
    try:
        journeys = judged_run(project, run).journeys
    except ReportError:
        if run is not None:
            raise
        return None  # its runs are forgotten; what the history holds of it is enough to begin
    return next(
        (
            judgement.telling
            for judgement in reversed(journeys)
            if judgement.journey.id in incident.journeys and judgement.telling
        ),
        None,
    )


def _runbook(project: Project, id: str) -> Runbook:
    runbooks = {runbook.id: runbook for runbook in runbooks_of(project)}
    if id not in runbooks:
        raise ConfigurationError(f"There is no runbook {id!r}. {nearest_or_all(id, list(runbooks))}")
    return runbooks[id]
