"""One run: start pytest in a child process, own the clock, judge what was recorded, and run what was slow once more."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import msgspec

from synthprobe import pipeline
from synthprobe.config import Config
from synthprobe.deadlines import is_ending, signals
from synthprobe.detection.suspicion import LookedAgain, Suspicion, Suspicions
from synthprobe.errors import ConfigurationError
from synthprobe.files import read_record
from synthprobe.pipeline.notes import third_parties
from synthprobe.pipeline.run_state import own
from synthprobe.project import Project
from synthprobe.records.decoding import from_json
from synthprobe.records.intervals import due_journeys
from synthprobe.records.journey import Journey
from synthprobe.records.result import PART, RUN_FOLDERS, Run, Share
from synthprobe.records.verdict import Verdict
from synthprobe.runner import slots
from synthprobe.runner.child import INTERRUPT_GRACE_S, TERMINATE_GRACE_S, Child
from synthprobe.runner.ending import ENDINGS, LAST_WORDS_PLUGIN, Ending, Missing, read_last_words, read_log
from synthprobe.runner.inventory import (
    Inventory,
    disappeared,
    inventory_file,
    journey_places,
    read_inventory,
    source_revision,
    write_inventory,
)
from synthprobe.runner.machine import ClockWatch, ask_control, measure_reference_ms
from synthprobe.runner.standstill import Standstill
from synthprobe.targets.proxy_variables import proxy_note
from synthprobe.targets.target import Target
from synthprobe.verdict.judge import unconfirmed
from synthprobe.words import listed

_LEAST_S = 5.0
_NAMED = 5


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to be done."""

    paths: tuple[str, ...] = ()
    selection: tuple[str, ...] = ()
    workers: int = 0
    options: tuple[str, ...] = ()
    deadline_s: float = 240.0
    slot: int | None = None
    verbose: bool = False
    address_given: bool = False
    part: int = 0
    only: tuple[Journey, ...] = ()
    sharers: int = 1

    @property
    def is_part(self) -> bool:
        """Whether only some journeys were asked for."""
        return bool(self.paths or self.selection)


@signals()
def run_journeys(
    project: Project,
    target: Target,
    order: RunOrder | None = None,
    *,
    watching: Callable[[Path], AbstractContextManager[Callable[[str], None]]] | None = None,
) -> tuple[Path, Verdict]:
    """Run all journeys once, in a child process, and judge them."""
    order = order or RunOrder()
    _refuse_shadow(project)
    clock = ClockWatch()
    run = _begin(project, target, order)
    folder = slots.runs_folder(project.folder, target.name) / f"{run.slot}-{run.id}"
    kept = inventory_file(project.folder, target.name)
    revision, known = source_revision(project), None if order.is_part else read_inventory(kept)
    killed = _prepare(project, folder, run, order, known)
    with ExitStack() as stack:
        sessions = _Sessions(project, target, order, folder, run, stack)
        sessions.run(stack.enter_context(watching(folder)) if watching is not None else print)
    if refusal := sessions.refusal(known):
        shutil.rmtree(folder)
        raise ConfigurationError(refusal)
    collected = sessions.collected
    notes = [f"The run {name} was killed; what it had not recorded by then is unknown." for name in killed]
    run = msgspec.structs.replace(read_record(folder / "run.json", Run, run), ended=sessions.last.reason)
    _write(folder / "run.json", run)
    if through := proxy_note(project.environ, target):
        notes.append(through)
    lost: set[str] = set()
    removed: tuple[str, ...] = ()
    if collected is not None and not run.ended:
        gone, explained = disappeared(known, revision, collected)
        if gone and explained:
            removed = tuple(journey.id for journey in gone)
            names = listed(removed, most=_NAMED)
            notes.append(f"No longer among the journeys, as their files or settings were changed: {names}.")
            _write(folder / "inventory.json", collected)
        lost = set() if explained else {journey.id for journey in gone}
        lost |= {journey.id for journey in order.only} - {journey.id for journey in collected} if order.part else set()
        if not order.is_part and not lost:
            write_inventory(kept, Inventory(revision=revision, journeys=tuple(collected)))
    missing = Missing(
        folder,
        sessions.ending_of,
        lost,
        sessions.frozen,
        known_since="the slot was planned" if order.part else "the last run",
    )
    cut_short = ENDINGS[run.ended] if run.ended == "cancelled" and project.config.second_attempts else ""
    verdict = pipeline.judge(folder, missing=missing, cut_short=cut_short, control=_control(project, target))
    if collected is None and not verdict.journeys and not verdict.blind:
        blind = f"No journey is known, and {sessions.first.before_any}"
        verdict = msgspec.structs.replace(verdict, blind=blind)
    notes += [*sessions.notes(), *third_parties(verdict)]
    notes += unconfirmed(verdict) if project.config.second_attempts else ()
    if jumped := clock.note():
        notes.append(jumped)
    if notes or verdict.blind:
        verdict = msgspec.structs.replace(verdict, notes=(*verdict.notes, *notes), removed=removed)
        pipeline.write_verdict(folder, verdict)
    return folder, verdict


def _prepare(project: Project, folder: Path, run: Run, order: RunOrder, known: Inventory | None) -> list[str]:
    """Judge the runs that were killed before, which are named, and make the folder of this one."""
    try:
        killed = [path.name for path in slots.judge_abandoned(project.folder, run.target)]
        for part in RUN_FOLDERS:
            (folder / part).mkdir(parents=True, exist_ok=True)
        own(folder)
        _write(folder / "run.json", run)
        _write(folder / "inventory.json", known.journeys if known else order.only)
        if order.part:
            _write(folder / PART, Share(journeys=frozenset(journey.id for journey in order.only), of=order.sharers))
        return killed
    except OSError as error:
        raise OSError(
            error.errno,
            f"The run's folder {folder} cannot be written: {error.strerror or error}. "
            "Nothing was run. Make room or correct the permissions, then run again.",
        ) from None


class _Sessions:
    """The session of pytest that a run is, and once a fresh one for what the first left."""

    def __init__(
        self, project: Project, target: Target, order: RunOrder, folder: Path, run: Run, stack: ExitStack
    ) -> None:
        self._project, self._target, self._order = project, target, order
        self._folder, self._run, self._stack = folder, run, stack
        self._places = order.paths or journey_places(project, (target,))
        self._scratch = stack.enter_context(slots.scratch())
        self._asked = stack.enter_context(signals())
        self._until = time.monotonic() + order.deadline_s
        self._watch = Watch(folder, order.deadline_s, project, self._asked)
        self.frozen: dict[str, tuple[str, str]] = {}
        self.left: Sequence[Journey] = ()

    def run(self, say: Callable[[str], None]) -> None:
        self.first = self.last = self._session(self._places, say)
        self.collected = self._read_collected()
        self.left = self.first.unfinished(self._due)
        has_time = self._until - time.monotonic() > _LEAST_S
        if (self.left or self.collected is None) and self.first.may_go_on and has_time:
            # once: what ends two sessions ends a third
            self.last = self._session([journey.node_id for journey in self.left] or self._places, say)
            self.collected = self.collected or self._read_collected()
            _write(self._folder / "collected.json", self.collected or ())

    def _session(self, paths: Sequence[str], say: Callable[[str], None]) -> Ending:
        words_before, log_before = len(read_last_words(self._folder)), len(read_log(self._folder))
        command = _command(self._project.config, self._target, self._folder, self._run.slot, self._order, paths)
        child = Child(command, self._project, self._folder, self._scratch, say if self._order.verbose else None)
        self._stack.callback(child.clear)
        still = Standstill(self._folder, child.family, self._project.config.stall_margin_s)
        reason = child.wait(functools.partial(self._watch, still))
        self.frozen.update(still.causes)
        if reason:
            child.end(TERMINATE_GRACE_S if signal.SIGTERM in self._asked else INTERRUPT_GRACE_S)
        child.clear()
        return Ending(self._folder, reason, child.process.returncode, words_before, log_before)

    def _read_collected(self) -> list[Journey] | None:
        return read_record(self._folder / "collected.json", list[Journey], None)

    @property
    def _due(self) -> Sequence[Journey]:
        return due_journeys(self.collected or (), self._run.slot, self._run.interval_s)

    def refusal(self, known: Inventory | None) -> str:
        """Why nothing was run, where the order was a mistake; a scheduled run has to tell what it did not see."""
        if known or self._order.slot is not None:
            return ""
        if self.collected is None and self.last.refused:
            refused = f"pytest refused to start the journeys: {self.last.message}"
            return f"{refused}\nCorrect that, then run again. Nothing was run."
        if self.collected is not None and not self.collected and not pipeline.read_results(self._folder):
            return _nothing_found(self._places, self._target, self._order, self.last.notes)
        return ""

    def ending_of(self, journey: Journey) -> Ending:
        return self.last if not self.left or journey in self.left else self.first

    def notes(self) -> Iterator[str]:
        yield from dict.fromkeys((*self.first.notes, *self.last.notes))
        if self.last is not self.first:
            ended_too = self.collected is None or bool(self.last.unfinished(self._due))
            how = f", which {_came(self.last)} as well ({self.last.message})" if ended_too else ""
            what = f"{_counted(self.left)} {'given to' if ended_too else 'run in'} a fresh process{how}"
            yield f"pytest {_came(self.first)}, and {what}: {self.first.message}"


def _control(project: Project, target: Target) -> Callable[[], str] | None:
    """What asks whether the machine has a network at all, where the project names a place to ask."""
    address = project.config.control_url
    return functools.partial(ask_control, address, project.proxies(target)) if address else None


_PACKAGE = Path(__file__).parents[1]


def _refuse_shadow(project: Project) -> None:
    """The session finds modules in the project's folder first, and would not find us."""
    for place in (project.root / _PACKAGE.name / "__init__.py", project.root / f"{_PACKAGE.name}.py"):
        if place.is_file() and not place.parent.samefile(_PACKAGE) and not project.environ.get("PYTHONSAFEPATH"):
            raise ConfigurationError(
                f"{place} has the name of the package {_PACKAGE.name}, and Python would find that instead of it, so "
                "pytest cannot start. Nothing was run. Give it another name, then run again."
            )


def _nothing_found(places: Sequence[str], target: Target, order: RunOrder, notes: Sequence[str]) -> str:
    named = ", ".join(places)
    if order.selection:
        return (
            f"No journey in {named} is selected by {shlex.join(order.selection)}, so nothing was run. See which there "
            f"are and their tags: pytest {shlex.join(places)} --collect-only -q, and "
            "`tags` of @pytest.mark.journey(...)."
        )
    if notes:
        return f"No journey in {named} is left to be judged, so nothing was run. {' '.join(notes)}"
    return (
        f"No journey for {target.name} was found in {named}, so nothing was run and nothing is known of the target. "
        "Give the path of a file with tests, relative to the folder of the configuration; a journey that names "
        "`targets` in its marker is for these alone."
    )


def _came(session: Ending) -> str:
    return "left journeys out" if session.went_through else "ended early"


class Watch:
    """Says when a run must be ended, and why."""

    def __init__(self, folder: Path, deadline_s: float, project: Project, asked: set[int]) -> None:
        self._folder = folder
        self._end = time.monotonic() + deadline_s
        self._patience_s = (project.config.journey_deadline_s or deadline_s) + project.config.stall_margin_s
        self._asked = asked
        self._parent = os.getppid() if project.ci.is_there else None  # elsewhere a run may outlive its shell
        self._size = -1
        self._moved = time.monotonic()

    def __call__(self, still: Standstill) -> str:
        still.look()
        if self._asked or self._parent not in {None, os.getppid()}:
            return "cancelled"
        now = time.monotonic()
        if now > self._end:
            return "deadline"
        size = sum(path.stat().st_size for part in ("journal", "progress") for path in (self._folder / part).iterdir())
        if size != self._size:
            self._size, self._moved = size, now
        if next(still.running(), None) is not None:
            self._moved = now
        return "stalled" if now - self._moved > self._patience_s else ""


def _begin(project: Project, target: Target, order: RunOrder) -> Run:
    scheduled = order.slot is not None and not order.part
    return project.run(
        target,
        order.slot,
        command=shlex.join(["synthprobe", *sys.argv[1:]]),
        scheduled=scheduled,
        interval_s=project.config.interval_s if scheduled else 0.0,
        part=order.part,
        reference_ms=measure_reference_ms(),
        identifiers=project.plugins.identifiers(),
    )


def _command(
    config: Config, target: Target, folder: Path, slot: int, order: RunOrder, paths: Sequence[str]
) -> Sequence[str]:
    command = [sys.executable, "-m", "pytest", "-p", LAST_WORDS_PLUGIN, *paths, "--synthprobe-target", target.name]
    command += address(config, target, order)
    command += ["--synthprobe-run-folder", str(folder), "--synthprobe-canaries", str(slot)]
    command.append("-v" if order.verbose else "-q")
    if config.second_attempts:
        command += ["--reruns", str(config.second_attempts), "--reruns-delay", "0"]  # plugin/second_attempts waits
        command += ["--rerun-except", "Retry-After"]  # a target that asks to be left alone is
    if order.workers:
        # not loadgroup, which gives a journey that kills its worker to one worker after the other
        command += ["-n", str(order.workers), "--dist", "load"]
    if sys.stdout.isatty() and order.verbose:
        command.append("--color=yes")
    return [*command, *order.selection, *order.options]


def address(config: Config, target: Target, order: RunOrder) -> Sequence[str]:
    """Options that tell pytest where the target stands."""
    given = order.address_given or target.base_url != config.targets[target.name].base_url.rstrip("/")
    return ["--base-url", target.base_url] if given else []


def _counted(left: Sequence[Journey]) -> str:
    if not left:
        return "all journeys were"
    return "1 journey that had not begun was" if len(left) == 1 else f"{len(left)} journeys that had not begun were"


def _write(path: Path, content: object) -> None:
    path.write_bytes(msgspec.json.encode(content))


@signals()
def run_again(
    project: Project, target: Target, order: RunOrder, folder: Path, until: float, suspicions: Sequence[Suspicion]
) -> LookedAgain:
    """Run suspicious journeys again, one after the other, each until it is worth no other or the budget is used up.

    A journey that changes something is left alone, unless its marker says that it is repeatable.
    """
    wanted = Suspicions(
        most=project.config.suspicion_reruns, budget=project.config.suspicion_budget, journeys=tuple(suspicions)
    )
    left_s = until - time.monotonic()
    if not suspicions or min(wanted.most, wanted.budget) <= 0 or left_s < _LEAST_S or is_ending():
        return LookedAgain()
    place = folder / "reruns"
    for part in RUN_FOLDERS:
        (place / part).mkdir(parents=True, exist_ok=True)
    (place / "run.json").write_bytes((folder / "run.json").read_bytes())
    written = place / "suspicions.json"
    written.write_bytes(msgspec.json.encode(wanted))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        LAST_WORDS_PLUGIN,
        *(suspicion.node_id for suspicion in suspicions),
        "--synthprobe-target",
        target.name,
    ]
    command += address(project.config, target, order)
    command += ["--synthprobe-run-folder", str(place), "--synthprobe-suspicions", str(written), *order.options]
    with ExitStack() as stack:
        scratch = stack.enter_context(slots.scratch())
        asked = stack.enter_context(signals())
        child = Child(command, project, place, scratch)
        stack.callback(child.clear)
        still = Standstill(place, child.family, project.config.stall_margin_s)
        if child.wait(functools.partial(Watch(place, left_s, project, asked), still)):
            child.end(INTERRUPT_GRACE_S)
    results = pipeline.read_results(place)
    left_out = wanted.left_out(results, _repeatable(place))
    return LookedAgain(results=tuple(results), left_out=left_out, budget=wanted.budget)


def _repeatable(place: Path) -> set[str]:
    """What the re-runs collected: what may not be repeated is not among it."""
    collected = place / "collected.json"
    if not collected.exists():
        return set()
    return {journey.id for journey in from_json(collected.read_bytes(), list[Journey])}
