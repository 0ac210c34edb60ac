"""The commands, and how their errors reach a person."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from synthprobe.cli import (
    alert,
    audit,
    demo,
    doctor,
    drill,
    fix,
    history,
    history_replay,
    impact,
    incident,
    init,
    objectives,
    ops,
    report,
    run,
    runbook,
    scan,
    sweep,
)
from synthprobe.cli.terminal import open_console
from synthprobe.errors import SynthprobeError

app = typer.Typer(
    name="synthprobe",
    help="Synthetic transactions as pytest tests: find half-broken states before a user does.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=True,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"synthprobe {version('synthprobe')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    pass


app.command("init")(init.init)
app.command("run")(run.run)
app.command("report")(report.report)
app.command("scan")(scan.scan)
app.command("sweep")(sweep.sweep_command)
app.command("doctor")(doctor.doctor)
app.command("drill")(drill.drill)
app.command("ops")(ops.ops)
app.add_typer(demo.app, name="demo")
app.add_typer(runbook.app, name="runbook")
history.app.command("replay")(history_replay.replay)
app.add_typer(history.app, name="history")
app.add_typer(incident.app, name="incident")
app.add_typer(impact.app, name="impact")
app.add_typer(objectives.app, name="objectives")
app.add_typer(alert.app, name="alert")
app.add_typer(fix.app, name="fix")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command line; an error on purpose is a sentence and exit code 2."""
    try:
        app()
    except SynthprobeError as error:
        open_console(stderr=True).print(f"synthprobe: {error}")
        sys.exit(2)
