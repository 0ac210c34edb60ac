"""The demonstration: the whole tool at work on the dispatch centre."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from rich.table import Table

from synthprobe import pipeline
from synthprobe.cli.report import make_site, serve_until_interrupted
from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.records.verdict import Verdict
from synthprobe.runner import RunOrder, run_journeys
from synthprobe_demo.process import running_centre

FOUND_BY = {
    "status_not_saved": {"unit-status", "second-call", "status-conflict"},
    "js_error_dead_button": {"call-intake", "call-repeated"},
}
"""Each fault the demonstration switches on, and the journeys that must fail because of it."""

_console = open_console()


def demonstrate(*, serve: bool, workers: int) -> bool:
    """Watch the centre healthy, then with two faults, and build the report; whether exactly the faults were found."""
    root = find_root(Path.cwd())
    config = read_config(root)
    with running_centre() as centre:
        target = config.target("demo", base_url=centre.base_url)
        _console.print(f"The dispatch centre is up at {target.base_url}")
        _console.print("\nEvery journey, the centre is healthy:")
        healthy_folder, healthy = run_journeys(root, config, target, RunOrder(workers=workers))
        with ExitStack() as broken:
            for fault in FOUND_BY:
                broken.enter_context(centre.broken(fault))
            _console.print(f"\nEvery journey again, with {' and '.join(FOUND_BY)} switched on:")
            faulty_folder, faulty = run_journeys(root, config, target, RunOrder(workers=workers))
            faulty = pipeline.explain_run(root, config, faulty_folder, faulty)
        page = make_site(
            root,
            config,
            [healthy_folder, faulty_folder],
            labels={healthy_folder: "healthy", faulty_folder: "two faults"},
        )
        found = exactly_found(healthy, faulty)
        _console.print(_table(healthy, faulty))
        _console.print(
            "Exactly the injected faults were found."
            if found
            else "The outcome is not what was injected: see the lines marked ✗.",
            style="bold green" if found else "bold red",
        )
        _console.print(f"On-call page: {page}")
        _console.print("Open it with its traces: synthprobe report --serve, or see all of it: synthprobe demo --serve")
        if serve:
            _console.print(f"The dispatch centre: {centre.base_url} (users: see docs/reference/demo.md)")
            serve_until_interrupted(page.parent)
    return found


def exactly_found(healthy: Verdict, faulty: Verdict) -> bool:
    """Whether all passed healthy, and exactly the journeys that should fail did.

    Args:
        healthy: verdict without faults.
        faulty: verdict with the faults of `FOUND_BY`.

    Returns:
        True when both are as expected.
    """
    expected = set().union(*FOUND_BY.values())
    return bool(healthy.journeys) and (
        all(journey.outcome == "passed" for journey in healthy.journeys)
        and len(faulty.journeys) == len(healthy.journeys)
        and all(j.outcome == ("failed" if j.journey.id in expected else "passed") for j in faulty.journeys)
    )


def _table(healthy: Verdict, faulty: Verdict) -> Table:
    before = {journey.journey.id: journey for journey in healthy.journeys}
    faults = {journey: fault for fault, journeys in FOUND_BY.items() for journey in journeys}
    table = Table(title="What the journeys found", show_lines=True)
    for heading in ("", "journey", "healthy", "with faults", "injected fault", "broken step", "cause, runbook"):
        table.add_column(heading, overflow="fold")
    quiet = 0
    for verdict in faulty.journeys:
        id = verdict.journey.id
        first = before.get(id)
        right = first is not None and first.outcome == "passed"
        right = right and verdict.outcome == ("failed" if id in faults else "passed")
        if right and verdict.outcome == "passed":
            quiet += 1
            continue
        failure = verdict.results[-1].failure if verdict.results else None
        broken = (failure.step or failure.phase) if failure else verdict.cause
        table.add_row(
            "✓" if right else "✗",
            verdict.journey.title,
            first.outcome if first else "missing",
            verdict.outcome,
            faults.get(id, ""),
            broken,
            "\n".join(filter(None, [verdict.triage.cause_class if verdict.triage else "", verdict.runbook])),
        )
    table.caption = f"{quiet} other journeys passed both times"
    return table
