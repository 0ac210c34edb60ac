"""``synthprobe run``."""

from __future__ import annotations

import functools
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec import to_builtins
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli.options import BaseUrl, TargetName, finite
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.deadlines import is_ending, signals
from synthprobe.environment import CiJob
from synthprobe.errors import ConfigurationError, SynthprobeError, ToolError, refused_by_machine
from synthprobe.project import Project
from synthprobe.records.result import JUNIT_PLACE
from synthprobe.records.verdict import Verdict
from synthprobe.report.allure_wish import grant_wish
from synthprobe.report.job_page import append_summary, write_output
from synthprobe.report.live_line import LiveLine
from synthprobe.report.terminal import summary
from synthprobe.runner import RunOrder, run_again, run_journeys
from synthprobe.runner.inventory import inventory_file, read_inventory
from synthprobe.runner.slots import AROUND_S, Held, lease, owned
from synthprobe.targets.target import Target
from synthprobe.verdict.judge import exit_code

FailOn = Literal["failed", "degraded"]


class _Output:
    """Where the run's words go: standard output, or standard error when that holds one JSON document."""

    def __init__(self, project: Project, *, as_json: bool) -> None:
        self.mask, self.ci, self.as_json = project.redactor.text, project.ci, as_json
        self._console = open_console(stderr=as_json)
        self._stream = sys.stderr if as_json else sys.stdout

    def say(self, line: str) -> None:
        """Print a line; that nobody reads it any more ends no run."""
        with suppress(OSError, SystemExit):  # Rich ends the process where a pipe broke
            self._console.print(line)

    def watching(self, folder: Path) -> AbstractContextManager[Callable[[str], None]]:
        return LiveLine(folder, self._stream).shown()

    def show(self, verdict: Verdict, folder: Path) -> None:
        with suppress(OSError, SystemExit):
            self._console.print(summary(verdict))
        for note in verdict.notes:
            self.say(f"note: {note}")
        for trouble in _kept_beside(verdict, folder, self.mask, self.ci):
            self.say(f"note: {trouble}")
        if (folder / "verdict.json").exists():
            self.say(f"Report: synthprobe report {os.path.relpath(folder)}")

    def document(self, code: int, folder: Path | None = None, verdict: Verdict | None = None, why: str = "") -> None:
        """Print the one JSON document: the verdict with the run's folder and exit code, or why nothing was run."""
        if self.as_json:
            known = {"exit_code": code, "folder": str(folder) if folder else "", "nothing_run": why}
            with suppress(OSError):
                print_json(known | (to_builtins(verdict) if verdict else {}))


def run(
    paths: Annotated[list[str] | None, typer.Argument(help="Journeys to run; all without it.")] = None,
    target: TargetName = None,
    base_url: BaseUrl = None,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Parallel workers.", min=0)] = 0,
    mark: Annotated[
        str, typer.Option("-m", metavar="EXPRESSION", help="Only journeys whose tags and markers match, as in pytest.")
    ] = "",
    keyword: Annotated[
        str, typer.Option("-k", metavar="EXPRESSION", help="Only journeys whose names match, as in pytest.")
    ] = "",
    deadline: Annotated[
        float, typer.Option(help="Seconds the whole run may take.", min=1, max=86_400, callback=finite)
    ] = 240.0,
    fail_on: Annotated[FailOn, typer.Option(help="`failed`, or `degraded` to count degraded as failed.")] = "failed",
    slot: Annotated[
        str | None,
        typer.Option(
            metavar="now|NUMBER",
            help="Judge this slot, as a scheduled run does: never twice, never while another run is on.",
        ),
    ] = None,
    location: Annotated[
        list[str] | None,
        typer.Option(help="Where this machine stands; with --plan, from where each part is looked at: repeat it."),
    ] = None,
    plan: Annotated[
        int | None, typer.Option(metavar="N", help="Run nothing: deal the journeys out to N parts.", min=1, max=10_000)
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Look at one part of a slot; `auto/N` takes I from Kubernetes, GitLab or Slurm."
        ),
    ] = None,
    plan_digest: Annotated[str, typer.Option(help="Refuse the part when another plan stands.")] = "",
    conclude: Annotated[
        bool, typer.Option("--conclude", help="Run nothing: judge the slot of what all its parts say.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option(help="Seconds --conclude waits for parts that are not done.", min=0, max=86_400, callback=finite),
    ] = 0.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdict as one JSON document, and nothing else.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show pytest's own reporter.")] = False,
) -> None:
    """Run all journeys once, and judge them from outside pytest.

    Exit code 0: all judged, nothing failed. 1: a journey failed. 2: usage or configuration.
    3: the monitor was blind, something is unknown.

    With --part nobody is told: --conclude judges the slot, once. Exit code 0: the part is accounted for.
    3: nothing could be looked at or handed over, and only then another try may do better.
    """
    project = Project.here()
    chosen = project.config.target(target, base_url=base_url)
    if plan is not None or conclude:
        _refuse_modes(plan, slot, wait, [part, plan_digest, paths, mark, keyword], conclude=conclude)
        from synthprobe.cli.fleet import print_conclusion, print_plan  # a run of one machine needs none of it

        if plan is not None:
            print_plan(project, chosen, plan, slot, location or (), as_json=as_json)
            return
        degraded_fails = fail_on == "degraded"
        made = print_conclusion(
            project, chosen, slot or "", wait_s=wait, degraded_fails=degraded_fails, as_json=as_json
        )
        raise typer.Exit(made)
    if wait or len(location or ()) > 1:
        raise ConfigurationError("--wait belongs to --conclude, and a machine stands at one --location.")
    if location:
        project = project.with_config(location=location[0])
    order = RunOrder(
        paths=tuple(paths or ()),
        selection=tuple(word for pair in (("-m", mark), ("-k", keyword)) if pair[1] for word in pair),
        workers=workers,
        deadline_s=deadline,
        verbose=verbose,
        address_given=base_url is not None,
    )
    out = _Output(project, as_json=as_json)
    if part is not None or plan_digest:
        if part is None or paths:
            raise ConfigurationError(
                "--plan-digest belongs to --part, and a part takes its journeys from the plan. Say --part 3/8, without "
                "paths of journeys."
            )
        with signals():
            code = _look(project, chosen, order, part, slot or "now", plan_digest, out)
            if is_ending():
                _end_now(code)
        raise typer.Exit(code)
    if slot is not None:
        order = replace(order, slot=_slot(slot, project.config.interval_s, out))
    with signals():
        try:
            code = _run(project, chosen, order, fail_on, out)
        except Exception as error:
            if isinstance(error, SynthprobeError) and order.slot is None:
                raise  # who typed it reads it
            code = _end_blind(project, chosen, order, out, error)
        if is_ending():
            _end_now(code)
    raise typer.Exit(code)


def _refuse_modes(plan: int | None, slot: str | None, wait: float, others: Sequence[object], *, conclude: bool) -> None:
    """See that a slot is planned, looked at or concluded, and not two of them."""
    if any(others) or (conclude and plan is not None):
        raise ConfigurationError(
            "--plan, --part and --conclude are three steps of one slot with all journeys: one of them was expected, "
            "without paths, -m and -k."
        )
    if conclude and slot is None:
        raise ConfigurationError("--conclude judges one slot. Add --slot now, or the number that --plan printed.")
    if wait and not conclude:
        raise ConfigurationError("--wait belongs to --conclude.")


def _look(project: Project, target: Target, order: RunOrder, part: str, slot: str, digest: str, out: _Output) -> int:
    """Look at a part of a slot; whatever goes wrong, another machine may try."""
    from synthprobe.fleet.part import look, part_index  # a run of one machine needs none of it
    from synthprobe.fleet.slots import Done

    index = part_index(part, project.environ)
    try:
        looked = look(project, target, order, index, slot=slot, digest=digest, watching=out.watching)
    except Exception as error:
        if isinstance(error, SynthprobeError):
            raise
        traceback.print_exception(error)
        looked = Done(code=3, why=f"{type(error).__name__}: {error}. This is a fault of synthprobe; please report it.")
    if looked.verdict is not None and looked.folder is not None:
        out.show(looked.verdict, looked.folder)
    out.say(out.mask(looked.why))
    out.document(looked.code, looked.folder, looked.verdict, why="" if looked.verdict else looked.why)
    return looked.code


def _run(project: Project, target: Target, order: RunOrder, fail_on: FailOn, out: _Output) -> int:
    if order.slot is None:
        return _judge(project, target, order, fail_on, out)
    with ExitStack() as stack:
        if project.config.history.url:
            from synthprobe.fleet.slots import turn  # who shares no history waits for nobody

            if other := stack.enter_context(turn(project, target.name, order.slot)):
                return _nothing(f"Slot {order.slot} of {target.name} was left to {other}.", out)
        held = stack.enter_context(lease(project.folder, target.name, order.deadline_s + AROUND_S))
        if held is None:
            return _nothing(f"Another run against {target.name} is on; slot {order.slot} is left to it.", out)
        judged, notes = pipeline.is_judged(project, target.name, order.slot)
        if judged:
            return _nothing(f"Slot {order.slot} of {target.name} is already judged.", out)
        pipeline.beat_start(project, target.name, order.slot)
        overtook = [held.overtook] if held.overtook else []
        return _judge(project, target, order, fail_on, out, [*notes, *overtook], held)


def _nothing(why: str, out: _Output) -> int:
    out.say(f"{why} Nothing was run.")
    out.document(0, why=why)
    return 0


def _judge(
    project: Project,
    target: Target,
    order: RunOrder,
    fail_on: FailOn,
    out: _Output,
    notes: Sequence[str] = (),
    held: Held | None = None,
) -> int:
    until = time.monotonic() + order.deadline_s
    folder, verdict = run_journeys(project, target, order, watching=out.watching)
    verdict = replace(verdict, notes=(*notes, *verdict.notes))
    if held is not None and not held.is_ours():
        out.say("Another run has overtaken this one, so nobody is told what it found. It outlived its lease: it froze.")
        out.document(3, folder, verdict)
        return 3
    look_again = functools.partial(run_again, project, target, order, folder, until)
    blind = "" if is_ending() else _why_nothing_began(verdict)
    verdict = pipeline.after_run(project, folder, verdict, look_again=look_again, blind=blind)
    out.show(verdict, folder)
    code = exit_code(verdict, fail_on_degraded=fail_on == "degraded")
    out.document(code, folder, verdict)
    return code


def _why_nothing_began(verdict: Verdict) -> str:
    """Why no journey was even begun, so that the monitor is blind at once; empty when any was."""
    if any(judgement.results or judgement.outcome != "unknown" for judgement in verdict.journeys):
        return ""
    return verdict.journeys[0].cause if verdict.journeys else verdict.blind


def _kept_beside(verdict: Verdict, folder: Path, mask: Callable[[str], str], ci: CiJob) -> Iterator[str]:
    """Write the verdict to where others look for it: Allure's folder, the CI job's page, the JUnit file."""
    if trouble := grant_wish(folder, verdict):
        yield trouble
    if ci.page:
        try:
            append_summary(verdict, Path(ci.page), mask=mask)
        except OSError as error:
            yield f"The job's page could not be written: {error}"
    if ci.outputs:
        try:
            write_output(verdict, Path(ci.outputs))
        except OSError as error:
            yield f"The job's later steps could not be told the outcome: {error}"
    if (place := folder / JUNIT_PLACE).exists():
        from synthprobe.report.junit import agree_with  # most runs are not asked for any

        try:
            agree_with(verdict, Path(place.read_text("utf-8")), mask)
        except OSError as error:
            yield f"The JUnit file could not be written: {error}"


def _end_blind(project: Project, target: Target, order: RunOrder, out: _Output, error: Exception) -> int:
    """Whatever ended the run: it has a verdict, people and the watcher hear of it, and the exit code says blind."""
    reason = refused_by_machine(error) if isinstance(error, OSError) else str(error)
    if not isinstance(error, SynthprobeError | OSError):
        reason = f"{type(error).__name__}: {reason}. This is a fault of synthprobe; please report it."
        with suppress(OSError):
            traceback.print_exception(error)
    known = None if order.is_part else read_inventory(inventory_file(project.folder, target.name))
    folder, verdict = pipeline.end_blind(
        project,
        target,
        reason,
        slot=order.slot,
        folder=owned(project.folder, target.name),
        expected=known.journeys if known else (),
    )
    out.say(f"Monitor blind: {out.mask(reason)}")
    out.show(verdict, folder)
    if (folder / "verdict.json").exists():
        out.say(f"The verdict is in {folder}.")
    else:
        out.say("The verdict could not be written anywhere, so this is all that is known of the run.")
    out.document(3, folder, verdict)
    return 3


def _end_now(code: int) -> None:
    """End a process that was asked to, and what it gave up with it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _slot(given: str, interval_s: int, out: _Output) -> int:
    """A late run judges what is now; an old slot stays unjudged for ever."""
    current = int(time.time()) // interval_s
    if given == "now":
        return current
    if not given.isdecimal() or int(given) > current + 1:
        raise ToolError(f"--slot is {given!r}; `now` or the number of a slot was expected. The slot now is {current}.")
    if int(given) < current:
        out.say(f"Slot {given} is over; slot {current} is judged instead.")
    return max(int(given), current)
