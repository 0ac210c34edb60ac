"""What every machine of a slot needs: which slot it is, its plan, and a lease that is held while work goes on."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from synthprobe.config import Config
from synthprobe.deadlines import is_ending
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.fleet.plan import plan_slot
from synthprobe.pipeline import open_history
from synthprobe.pipeline.memory import BEFORE_S
from synthprobe.project import Project
from synthprobe.records.fleet import CONCLUSION, PartState, Place, Plan
from synthprobe.records.verdict import Verdict
from synthprobe.runner.inventory import collected_journeys, source_revision
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from synthprobe.history.fleet import Fleet

LEASE_S, RENEW_S = 45.0, 15.0
"""Seconds a lease lasts, and after which it is renewed: a machine that died is missed before its slot is over."""

_LOOK_S = 1.0


class Done(Struct, frozen=True, kw_only=True):
    """What came of a part, or of a conclusion: its exit code, why nothing was run, what was found and from where."""

    code: int
    why: str = ""
    folder: Path | None = None
    verdict: Verdict | None = None
    locations: tuple[str, ...] = ()


def slot_of(fleet: Fleet, config: Config, given: str) -> tuple[int, float]:
    """Which slot is meant, and seconds until it is over, by the database's clock: machines' clocks may differ."""
    now_s = fleet.now_s()
    current = int(now_s) // config.interval_s
    if given != "now" and (not given.isdecimal() or int(given) > current + 1):
        raise ConfigurationError(
            f"--slot is {given!r}; `now` or the number of a slot was expected. The slot now is {current}."
        )
    slot = current if given == "now" else int(given)
    return slot, (slot + 1) * config.interval_s - now_s


def plan_of(
    fleet: Fleet,
    project: Project,
    target: Target,
    slot: int,
    parts: int,
    locations: Sequence[str] = (),
    *,
    keep: bool = True,
) -> Plan:
    """The plan of a slot: the one that stands, or a new one, which then stands for everybody."""
    if keep and (stands := fleet.plan(target.name, slot)) is not None:
        return stands
    revision = source_revision(project)
    newest = fleet.plan(target.name)
    known = newest if newest is not None and newest.revision == revision else None
    journeys = (*known.journeys, *known.not_due) if known is not None else collected_journeys(project)
    plan = plan_slot(
        journeys,
        fleet.durations(target.name),
        parts,
        target=target.name,
        slot=slot,
        revision=revision,
        locations=locations or target.locations,
        quorum=target.quorum,
        interval_s=project.config.interval_s,
        version=version("synthprobe"),
    )
    return fleet.keep_plan(plan) if keep else plan


def holder() -> str:
    """Who we are, for those who ask who has a part."""
    return f"{socket.gethostname()}, process {os.getpid()}"


@contextmanager
def turn(project: Project, target: str, slot: int) -> Iterator[str]:
    """Judge a slot whole once no other machine that shares the history is at it; which still is when it is over."""
    place = Place(target=target, slot=slot, location=project.config.location, part=CONCLUSION)
    state, ours = None, False
    with suppress(HistoryError):  # who cannot ask judges: better twice than not at all
        state, ours = _taken(project, place)
    if state is None or not ours:
        yield state.holder if state is not None else ""
        return
    try:
        with held(project, state):
            yield ""
    finally:
        with suppress(HistoryError), open_history(project, within_s=BEFORE_S) as history:
            history.fleet.renew(state, 0)


def _taken(project: Project, place: Place) -> tuple[PartState | None, bool]:
    over = (place.slot + 1) * project.config.interval_s
    with open_history(project, within_s=BEFORE_S) as history:
        while history.is_shared:
            state, ours = history.fleet.lease(place, holder(), LEASE_S)
            if ours or state.done_at or is_ending() or time.time() >= over:
                return state, ours
            time.sleep(_LOOK_S)
    return None, False


class Held:
    """A lease of ours."""

    def __init__(self, state: PartState) -> None:
        self.state = state
        self.lost = False


@contextmanager
def held(project: Project, state: PartState) -> Iterator[Held]:
    """Hold a lease while something is done that may take longer; a database that is away for a while is waited for."""
    ours, over = Held(state), threading.Event()

    def renew() -> None:
        while not over.wait(RENEW_S):
            try:
                with open_history(project, within_s=RENEW_S) as history:
                    if not history.fleet.renew(state, LEASE_S):
                        ours.lost = True
                        return
            except HistoryError:
                continue  # who hands over is told whether somebody else took it

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        over.set()
        thread.join(timeout=1)
