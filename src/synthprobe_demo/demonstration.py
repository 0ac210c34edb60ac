"""The demonstration: the whole tool at work on the dispatch centre."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from synthprobe import pipeline
from synthprobe.cli.report import make_site
from synthprobe.cli.terminal import open_console, print_records
from synthprobe.errors import ConfigurationError
from synthprobe.project import Project
from synthprobe.records.verdict import Verdict
from synthprobe.report.cards import broken_step
from synthprobe.report.live_line import LiveLine
from synthprobe.report.oncall import headline
from synthprobe.report.page import duration
from synthprobe.runner import RunOrder, run_journeys
from synthprobe_demo.process import running_centre

FOUND_BY = {
    "status_not_saved": {"unit-status", "second-call", "status-conflict"},
    "js_error_dead_button": {"call-intake", "call-repeated"},
}
"""Each fault the demonstration switches on, and the journeys that must fail because of it."""

_WELL = {"passed", "degraded"}
"""Outcomes without a fault; on a machine that is busy a journey may be over its budget."""

_console = open_console()


def demonstrate(*, workers: int) -> bool:
    """Watch the centre healthy, then with two faults, and build the report; whether exactly the faults were found."""
    project = Project.here()
    with ExitStack() as stack:
        with _phase("The dispatch centre is started") as notes:
            centre = stack.enter_context(running_centre())
            notes.append(f"at {centre.base_url}")
        target = project.config.target("demo", base_url=centre.base_url)

        def run() -> tuple[Path, Verdict]:
            return run_journeys(project, target, RunOrder(workers=workers), watching=_watching)

        with _phase("Every journey, the centre is healthy") as notes:
            healthy_folder, healthy = run()
            notes.append(headline(healthy))
        refuse_without_journeys(healthy)
        with _phase("Every journey, two faults are on") as notes, ExitStack() as broken:
            for fault in FOUND_BY:
                broken.enter_context(centre.broken(fault))
            faulty_folder, faulty = run()
            faulty = pipeline.explain_run(project, faulty_folder, faulty)
            notes.append(headline(faulty))
        with _phase("The report is made"):
            page = make_site(
                project,
                [healthy_folder, faulty_folder],
                labels={healthy_folder: "healthy", faulty_folder: "two faults"},
            )
    found = exactly_found(healthy, faulty)
    _console.print()
    _print_found(healthy, faulty)
    _console.print(
        "Exactly the injected faults were found."
        if found
        else "The outcome is not what was injected: see the lines marked ✗.",
        style="bold green" if found else "bold red",
    )
    _console.print(f"Open {page.as_uri()}")
    _console.print("With its traces: synthprobe report --serve. The centre itself: synthprobe demo serve")
    open_page(page.as_uri(), os.environ, is_terminal=_console.is_terminal)
    return found


def refuse_without_journeys(healthy: Verdict) -> None:
    """A project whose journeys cannot notice what will be broken would find nothing, and nothing wrong."""
    there = {judgement.journey.id for judgement in healthy.journeys}
    if lacking := sorted(set().union(*FOUND_BY.values()) - there):
        raise ConfigurationError(
            f"The demonstration is found by the journeys of synthprobe's own repository, and this project has no "
            f"{', '.join(lacking)}. Run it in a clone: make demo. The centre alone: synthprobe demo serve."
        )


def open_page(address: str, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Open an address in the browser of a person at a desktop; elsewhere nothing happens."""
    is_desktop = sys.platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    if not is_terminal or not is_desktop or environ.get("CI") or environ.get("SSH_CONNECTION"):
        return False
    return webbrowser.open(address)


@contextmanager
def _phase(what: str) -> Iterator[list[str]]:
    """Say what was done, what came of it, and how long it took."""
    began, notes = time.monotonic(), list[str]()
    yield notes
    _console.print(f"{what}{''.join(f': {text}' for text in notes)} ({duration(time.monotonic() - began)})")


def _watching(folder: Path) -> AbstractContextManager[Callable[[str], None]]:
    return LiveLine(folder, sys.stdout).shown()


def exactly_found(healthy: Verdict, faulty: Verdict) -> bool:
    """Whether none failed healthy, and exactly the journeys that should fail did.

    Args:
        healthy: verdict without faults.
        faulty: verdict with the faults of `FOUND_BY`.

    Returns:
        True when both are as expected.
    """
    expected = set().union(*FOUND_BY.values())
    return bool(healthy.journeys) and (
        all(journey.outcome in _WELL for journey in healthy.journeys)
        and len(faulty.journeys) == len(healthy.journeys)
        and all(j.outcome in ({"failed"} if j.journey.id in expected else _WELL) for j in faulty.journeys)
    )


def _print_found(healthy: Verdict, faulty: Verdict) -> None:
    before = {journey.journey.id: journey for journey in healthy.journeys}
    faults = {journey: fault for fault, journeys in FOUND_BY.items() for journey in journeys}
    rows, quiet = [], 0
    for verdict in faulty.journeys:
        id = verdict.journey.id
        first = before.get(id)
        right = first is not None and first.outcome in _WELL
        right = right and verdict.outcome in ({"failed"} if id in faults else _WELL)
        if right and id not in faults:
            quiet += 1
            continue
        cause = verdict.triage.cause_class if verdict.triage else ""
        outcomes = f"{first.outcome if first else 'missing'} → {verdict.outcome}"
        found = f"{'✓' if right else '✗'} {faults.get(id, 'none')}"
        broken = broken_step(verdict) or verdict.cause
        rows.append((id, found, outcomes, broken, cause, verdict.runbook))
    rows.sort(key=lambda row: (row[1], row[0]))
    headings = ("Journey", "Injected fault", "Outcome", "Broken step", "Likely cause", "Runbook")
    whole = {"Journey", "Injected fault", "Outcome", "Runbook"}
    print_records(_console, headings, rows, whole=whole, framed=True)
    incidents = {judgement.incident for judgement in faulty.journeys} - {""}
    _console.print(
        f"{len(incidents)} incidents for {len(FOUND_BY)} faults; {quiet} other journeys did their job both times."
    )
    slow = {j.journey.id: j.cause for v in (healthy, faulty) for j in v.journeys if j.outcome == "degraded"}
    for id, why in slow.items():
        _console.print(f"Slower than it should be, as this machine may be busy: {id}, {why}")
