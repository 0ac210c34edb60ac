"""A journey that was slower than usual is run again at once: minutes are saved, and one hiccup is not believed."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from synthprobe import pipeline
from synthprobe.config import Project
from synthprobe.deadlines import is_ending, signals
from synthprobe.detection.suspicion import LookedAgain, Suspicion, Suspicions
from synthprobe.records.journey import Journey
from synthprobe.records.result import RUN_FOLDERS
from synthprobe.runner import slots
from synthprobe.runner.child import INTERRUPT_GRACE_S, Child
from synthprobe.runner.ending import LAST_WORDS_PLUGIN
from synthprobe.runner.run import RunOrder, Watch, address
from synthprobe.runner.standstill import Standstill
from synthprobe.targets.target import Target

_LEAST_S = 5.0


def run_again(
    project: Project, target: Target, order: RunOrder, folder: Path, until: float, suspicions: Sequence[Suspicion]
) -> LookedAgain:
    """Run suspicious journeys again, one after the other, each until it was as usual or the budget is used up.

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
        *(one.node_id for one in suspicions),
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
    return {one.id for one in msgspec.json.decode(collected.read_bytes(), type=list[Journey])}
