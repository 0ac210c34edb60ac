"""The commands, and how their errors reach a person. A command is imported when it is used."""

from __future__ import annotations

import atexit
import codecs
import gc
import importlib
import io
import json
import os
import sys
from contextlib import nullcontext, suppress
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info, get_group
from typer.models import CommandInfo

from synthprobe.deadlines import unwind_when_asked
from synthprobe.errors import SynthprobeError, refused_by_machine

COMMANDS = {
    "Every day": {
        "run": ("run:run", "Run the journeys once, judge them, tell people."),
        "report": ("report:report", "Build the on-call page and the Allure report, and serve them."),
        "serve": ("report:serve", "Serve the site of a folder or a store, to be read."),
        "review": ("review:review", "The last days: objectives, what costs users most, the work."),
        "mark": ("mark:mark", "Mark a change, or accept a level that is slower than usual."),
        "history": ("history:app", "The results of earlier runs: copy, replay."),
    },
    "On call": {
        "incident": ("incident:app", "Open incidents: list, show, acknowledge, resolve, note."),
        "runbook": ("runbook:app", "Runbooks: one page for each failure pattern."),
        "fix": ("fix:app", "Small, safe, logged repairs: plan, apply, approve."),
        "audit": ("fix:audit", "What was done with fixes, and whether the record is whole."),
        "alert": ("alert:alert", "Messages that wait: send, drop; --test proves that they arrive."),
        "http": ("http:http", "Ask the target one thing as a role, within its guardrails."),
        "sweep": ("sweep:sweep_command", "Remove test data that journeys left behind."),
    },
    "Set-up and CI": {
        "init": ("init:init", "Begin a project: configuration, a first journey, a runbook, a workflow."),
        "doctor": ("doctor:doctor", "Say what is wrong here: tools, project, runbooks, journeys, leaks."),
        "record": ("recording:record", "Record what you do in a browser, as a journey."),
        "drill": ("drill:drill", "Break a system on purpose and follow its runbooks to green."),
    },
    "Several machines": {
        "worker": ("fleet:worker", "Take parts of slots from a Temporal server."),
    },
}
"""Every command by the heading it stands under in the help: where it is, and one line about it."""

_PLACES = {
    name: (f"synthprobe.cli.{place}", about, heading)
    for heading, commands in COMMANDS.items()
    for name, (place, about) in commands.items()
}


_BETWEEN_SEARCHES = 100_000
"""Objects that are made between two searches for garbage."""

_SIGNS = {"✓": "+", "✗": "x", "–": "-", "…": "...", "›": ">", "→": "->", "·": "-", "‹": "<"}


class _Commands(TyperGroup):
    """The commands of the table, and those that installed packages add in the group ``synthprobe.commands``."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*_PLACES, *_added()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What the help lists: the name and its line; the command itself is loaded by `resolve_command`."""
        if cmd_name not in _PLACES:
            return load_command(cmd_name) if cmd_name in _added() else None
        _, about, heading = _PLACES[cmd_name]
        return TyperCommand(cmd_name, short_help=about, help=about, rich_help_panel=heading)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Plain text: the library that draws boxes takes longer to load than all the rest."""
        super(TyperGroup, self).format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            heading = getattr(command, "rich_help_panel", None) or "Added"
            sections.setdefault(str(heading), []).append((name, command.short_help or command.help or ""))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name and command else command, rest


def _added() -> dict[str, Any]:
    from importlib.metadata import entry_points  # a command of ours needs none

    return {entry.name: entry for entry in entry_points(group="synthprobe.commands")}


def load_command(name: str) -> Any:
    """A command of the table or of an installed package, imported."""
    if name in _PLACES:
        place, about, _ = _PLACES[name]
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(module), attribute)
    else:
        found, about = _added()[name].load(), None
    if not isinstance(found, typer.Typer):
        info = CommandInfo(name=name, callback=found)
        return get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode="markdown")
    command = get_group(found)
    command.name, command.help = name, about or command.help
    return command


def commands() -> dict[str, Any]:
    """Every command of the top level by its name, imported."""
    return {name: load_command(name) for name in (*_PLACES, *_added())}


def command_names() -> set[str]:
    """Every command that can be typed, with its group: ``synthprobe incident list``."""
    names = set()
    for name, command in commands().items():
        inner = getattr(command, "commands", {})
        names |= {f"synthprobe {name} {each}" for each in inner} if inner else {f"synthprobe {name}"}
    return names


app = typer.Typer(
    name="synthprobe",
    cls=_Commands,
    help="Synthetic transactions as pytest tests: find half-broken states before a user does.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=True,
    pretty_exceptions_show_locals=False,  # they may hold a secret
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"synthprobe {version('synthprobe')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error on purpose, or of a path, is a sentence and exit code 2."""
    _collect_rarely()
    _print_anywhere()
    unwind_when_asked()
    try:
        _run_command()
    except SynthprobeError as error:
        _refuse(str(error))
    except OSError as error:
        if not error.filename:
            raise
        _refuse(refused_by_machine(error))


def _run_command() -> None:
    try:
        app(args=sys.argv[1:] or ["--help"], prog_name="synthprobe")
    except SystemExit as end:
        with suppress(OSError) if end.code else nullcontext():  # else the code says more
            sys.stdout.flush()
        raise


def _refuse(sentence: str) -> None:
    from synthprobe.cli.terminal import open_console

    open_console(stderr=True).print(f"synthprobe: {sentence}")
    sys.exit(2)


def _collect_rarely() -> None:
    """A command ends in seconds, so a search for garbage while it loads, and of all there is at its end, finds none."""
    gc.set_threshold(_BETWEEN_SEARCHES)
    atexit.register(gc.freeze)


def _print_anywhere() -> None:
    """Let standard output take every sign: ours have a plain form, others become escapes; a closed one takes all."""
    for name in ("stdin", "stdout", "stderr"):  # in this order a closed one gets its own number again
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("synthprobe", _in_signs)
    for name, place in (("stdout", "Standard output"), ("stderr", "Standard error")):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="synthprobe")
            if type(getattr(stream.buffer, "raw", stream.buffer)) is io.FileIO:
                setattr(sys, name, _held(stream, place))


def _held(stream: io.TextIOWrapper, place: str) -> io.TextIOWrapper:
    raw = _Output(stream.fileno(), place)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


class _Output(io.FileIO):
    """Where a command prints: a reader who has gone costs nothing, and what cannot be written is said once."""

    def __init__(self, number: int, place: str) -> None:
        super().__init__(number, "w", closefd=False)
        self._place = place

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self.fileno())
            if isinstance(error, BrokenPipeError):
                return len(content)
            raise OSError(error.errno, error.strerror, self._place) from None


def _in_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_SIGNS.get(sign) or json.dumps(sign)[1:-1] for sign in text), error.end
