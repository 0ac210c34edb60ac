"""``synthprobe run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from synthprobe.config import read_config
from synthprobe.report.terminal import summary
from synthprobe.supervisor import run_journeys
from synthprobe.verdict.judge import exit_code


def run(
    paths: Annotated[list[str] | None, typer.Argument(help="Journeys to run; all without it.")] = None,
    target: Annotated[str | None, typer.Option(help="Target of the configuration.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address that replaces the target's own.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Parallel workers.", min=0)] = 0,
    deadline: Annotated[float, typer.Option(help="Seconds the whole run may take.", min=1)] = 240.0,
    fail_on: Annotated[str, typer.Option(help="`failed`, or `degraded` to count degraded as failed.")] = "failed",
) -> None:
    """Run all journeys once, and judge them from outside pytest.

    Exit code 0: all judged, nothing failed. 1: a journey failed. 2: usage or configuration.
    3: the monitor was blind, something is unknown.
    """
    root = Path.cwd()
    config = read_config(root)
    chosen = config.target(target, base_url=base_url)
    folder, verdict = run_journeys(root, config, chosen, paths=paths or (), workers=workers, deadline_s=deadline)
    console = Console()
    console.print(summary(verdict))
    console.print(f"Report: synthprobe report {folder.relative_to(root)}", highlight=False, soft_wrap=True)
    raise typer.Exit(exit_code(verdict, fail_on_degraded=fail_on == "degraded"))
