"""Incidents as every command knows them: those that are recorded, and those that a run nobody remembers would open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synthprobe import pipeline
from synthprobe.cli.recorded_incidents import RecordedIncidents
from synthprobe.cli.terminal import open_console
from synthprobe.config import Project
from synthprobe.errors import ReportError
from synthprobe.firstline.naming import named_alone
from synthprobe.firstline.runbook import Runbook
from synthprobe.records.incident import Incident
from synthprobe.records.verdict import Verdict

_console = open_console()


def known_incidents(project: Project, run: Path | None = None) -> Iterator[Incident]:
    """Incidents that are known: those that are recorded, then those the given run would open."""
    kept = {one.id: one for one in RecordedIncidents(project).all()}
    yield from kept.values()
    try:
        verdict = judged_run(project, run)
    except ReportError:
        return
    remembered = {one.journey.id for one in verdict.journeys if one.incident in kept}
    for one in named_alone(verdict, runbooks_of(project)).incidents:
        if remembered.isdisjoint((*one.journeys, *one.blocked)):
            yield one


def judged_run(project: Project, run: Path | None) -> Verdict:
    """A run that is given, or the newest, as it was judged."""
    folder = run.absolute() if run else pipeline.newest_run(project.root, project.config.folder)
    written = folder / "verdict.json"
    # What was judged holds causes and incidents; judging it anew would write them away.
    return pipeline.read_verdict(written) if written.exists() else pipeline.judge(folder)


def runbooks_of(project: Project) -> list[Runbook]:
    """The project's runbooks; what cannot be read is said."""
    shelf = pipeline.shelf_of(project)
    for text in shelf.refused:
        _console.print(f"left out: {text}")
    return list(shelf.runbooks)
