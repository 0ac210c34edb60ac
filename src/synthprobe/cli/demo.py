"""``synthprobe demo``: the whole tool at work on the dispatch centre."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import requests
import typer
from rich.table import Table

from synthprobe import pipeline
from synthprobe.cli.report import make_site, serve_until_interrupted
from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.errors import ToolError
from synthprobe.model.verdict import Verdict
from synthprobe.supervisor import RunOrder, run_journeys

app = typer.Typer(help="The dispatch centre: a system to watch, and faults to find.", invoke_without_command=True)

FOUND_BY = {
    "status_not_saved": {"unit-status", "second-call", "status-conflict"},
    "js_error_dead_button": {"call-intake", "call-repeated"},
}
"""Each fault the demonstration switches on, and the journeys that must fail because of it."""

_console = open_console()


@app.callback()
def demo(
    context: typer.Context,
    serve: Annotated[bool, typer.Option("--serve", help="Keep the centre and the report open until Ctrl-C.")] = False,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Parallel workers.", min=0)] = 2,
) -> None:
    """Watch the dispatch centre healthy, then with two faults, and build the report.

    Exit code 0 only if exactly the injected faults were found.
    """
    if context.invoked_subcommand is not None:
        return
    root = find_root(Path.cwd())
    config = read_config(root)
    with centre() as address:
        target = config.target("demo", base_url=address["base_url"])
        _console.print(f"The dispatch centre is up at {target.base_url}")
        _console.print("\nEvery journey, the centre is healthy:")
        healthy_folder, healthy = run_journeys(root, config, target, RunOrder(workers=workers))
        switch(address, dict.fromkeys(FOUND_BY, True))
        _console.print(f"\nEvery journey again, with {' and '.join(FOUND_BY)} switched on:")
        faulty_folder, faulty = run_journeys(root, config, target, RunOrder(workers=workers))
        faulty = pipeline.explain_run(root, config, faulty_folder, faulty)
        switch(address, dict.fromkeys(FOUND_BY, False))
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
            _console.print(f"The dispatch centre: {address['base_url']} (users: see docs/reference/demo.md)")
            serve_until_interrupted(page.parent)
    raise typer.Exit(0 if found else 1)


@app.command("serve")
def serve_centre(
    port: Annotated[int, typer.Option(help="Port of the centre; 0 takes a free one.")] = 8911,
    control_port: Annotated[int, typer.Option(help="Port of the fault control; 0 takes a free one.")] = 0,
) -> None:
    """Serve the dispatch centre until Ctrl-C, and print its address."""
    from synthprobe.demo.centre import Address, serve

    def ready(address: Address) -> None:
        _console.print(f"The dispatch centre is up at {address.base_url}")
        _console.print(f"Fault control at {address.control_url}, X-Control-Token: {address.control_token}")

    try:
        serve(port=port, control_port=control_port, ready=ready)
    except OSError as error:
        raise ToolError(
            f"The dispatch centre cannot listen: {error.strerror or error}. Choose another port with --port, "
            "or let the system choose with --port 0."
        ) from None


@contextmanager
def centre() -> Iterator[dict[str, Any]]:
    """A dispatch centre of its own process, for as long as the block runs.

    Yields:
        Its address: ``base_url``, ``control_url``, ``control_token``.

    Raises:
        ToolError: when it does not come up.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "synthprobe.demo", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        if not line:
            raise ToolError(
                "The dispatch centre did not start; its message stands above. "
                "Is the extra installed? pip install 'synthprobe[demo]'"
            )
        address: dict[str, Any] = json.loads(line)
        yield address
    finally:
        child.terminate()
        child.wait(timeout=10)


def switch(address: dict[str, Any], faults: dict[str, bool]) -> None:
    """Switch faults of a centre on or off.

    Args:
        address: the centre's address.
        faults: name of the fault, and whether it is on.
    """
    for name, on in faults.items():
        requests.post(
            f"{address['control_url']}/faults/{name}",
            json={"on": on},
            headers={"X-Control-Token": address["control_token"]},
            timeout=5,
        ).raise_for_status()


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
