"""Opens the project's memory, and takes in what was judged and not remembered yet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from synthprobe.errors import ReportError, SynthprobeError
from synthprobe.pipeline.clocks import TOLERATED, is_believed
from synthprobe.pipeline.former_stores import take_over
from synthprobe.pipeline.judging import read_verdict
from synthprobe.pipeline.run_state import (
    INCIDENTS,
    is_on,
    is_remembered,
    mark_remembered,
    take_incidents,
    take_ledger,
    take_letters,
)
from synthprobe.project import Project
from synthprobe.targets.secrets import read_address
from synthprobe.triage.observations import observe

if TYPE_CHECKING:
    from synthprobe.history.store import History

BEFORE_S, AFTER_S = 15.0, 30.0
"""Seconds that all that is asked of the history may take, before a run and after it."""

_CLOCK_WENT_BACK = (
    "Runs are remembered that began later than now: the clock of this machine went back, or was ahead before. Whether "
    "this slot was judged cannot be told, so it is judged now. Compare the machine's clock with another one."
)


def open_history(project: Project, *, within_s: float = math.inf) -> History:
    from synthprobe.history.address import place_of, wrong_with
    from synthprobe.history.store import History  # a run is judged without it

    table, folder = project.config.history, project.folder
    place = unusable = ""
    try:
        place = read_address("history.url", project.environ, source=table.url, root=project.root)
        if place and (wrong := wrong_with(place)):
            unusable = f"The history's url cannot be used. {wrong} Correct [history] url."
    except SynthprobeError as error:
        unusable = str(error)
    history = History.open(
        folder / "history.db",
        shared=place_of(place, project.root) if place else "",
        unusable=unusable,
        retention=table,
        within_s=within_s,
    )
    take_over(history, folder)
    return history


def is_judged(project: Project, target: str, slot: int) -> tuple[bool, list[str]]:
    """Whether a slot was judged from this location, by a run of this machine or of one that shares its history."""
    try:
        runs = project.folder / "runs" / target
        newest = max((int(number) for number in _slots(runs)), default=slot)
        verdicts = [path for path in runs.glob(f"{slot}-*/verdict.json") if is_believed(path.parent)]
        if newest <= slot + 1 and any(read_verdict(path).run.scheduled for path in verdicts):
            return True, []
        with open_history(project, within_s=BEFORE_S) as history:
            latest = datetime.now(UTC) + max(history.clock_ahead(), timedelta(0)) + TOLERATED
            if newest > slot + 1 or history.has_runs_after(target, latest, location=project.config.location):
                return False, [*history.notes, _CLOCK_WENT_BACK]
            return history.is_judged(target, slot, location=project.config.location), history.notes
    except (SynthprobeError, OSError) as error:
        return False, [str(error)]


def _slots(runs: Path) -> Iterator[str]:
    """Numbers of the slots that runs of this machine judged, as far as their clock is believed."""
    for folder in runs.iterdir() if runs.is_dir() else ():
        number = folder.name.partition("-")[0]
        if number.isdecimal() and is_believed(folder):
            yield number


def take_in(history: History, runs: Path, *, but: Path | None = None) -> list[str]:
    if not history.available:
        return []
    unread, taken = [], []
    store = history.id
    for path in sorted(runs.glob("*/verdict.json")):
        if path.parent == but or is_remembered(path.parent, store) or is_on(path.parent):
            continue
        try:
            verdict = read_verdict(path)
        except ReportError as error:
            unread.append(str(error))
        else:
            if not verdict.run.part:  # a part that was handed over is there, and one that was not is lost
                history.ingest(verdict, observe(verdict))
        taken.append(path.parent)
    if taken:
        take_incidents(history, [folder / INCIDENTS for folder in taken])
        take_letters(history, taken)
        take_ledger(history, taken)
    for folder in taken:
        mark_remembered(folder, history)
    return unread
