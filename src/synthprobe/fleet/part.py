"""Looks at one part of a slot from one location: which one, leased, run, judged, handed over. Nobody is told here."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.fleet.slots import LEASE_S, Done, held, holder, plan_of, slot_of
from synthprobe.pipeline.memory import BEFORE_S
from synthprobe.project import Project
from synthprobe.records.fleet import PartState, Place, Plan
from synthprobe.records.result import Run
from synthprobe.records.verdict import Verdict
from synthprobe.runner import RunOrder, run_again, run_journeys
from synthprobe.runner.inventory import source_revision
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from synthprobe.history.fleet import Fleet


LEAST_S = 10.0
"""Seconds that must be left of a slot for a part of it to be begun."""

_AROUND_S = 5.0
_POLL_S = 1.0


def look(
    project: Project,
    target: Target,
    order: RunOrder,
    index: PartIndex,
    *,
    slot: str = "now",
    digest: str = "",
    watching: Callable[[Path], AbstractContextManager[Callable[[str], None]]] | None = None,
) -> Done:
    """Look at a part, unless somebody else does or did."""
    with pipeline.open_history(project, within_s=BEFORE_S) as history:
        fleet = history.fleet
        try:
            number, left_s = slot_of(fleet, project.config, slot)
            plan = plan_of(fleet, project, target, number, index.of)
            place = Place(target=target.name, slot=number, location=project.config.location, part=index.number)
            if wrong := _wrong_with(project, plan, index, digest, left_s):
                fleet.leave_alone(place, f"{holder()}: {wrong}")
                return Done(code=3, why=f"{_named(place, plan)} was left alone. {wrong}")
            state, ours = _leased(fleet, place)
            if not ours:
                code = 0 if state.done_at is not None else 3  # who has it may lose it, or be cut off from the engine
                return Done(code=code, why=f"{_named(place, plan)} {_whose(state)}. Nothing was run.")
            part = plan.parts[index.number - 1]
            if not part.journeys:
                fleet.finish(state, _nothing(target, state))
                return Done(code=0, why=f"{_named(place, plan)} holds no journey. Nothing was run.")
        except HistoryError as error:
            return Done(code=3, why=f"Nothing was run, as the shared history could not be used. {error}")
    sharers = len(plan.parts) * max(len(plan.locations), 1)
    order = replace(
        order,
        slot=number,
        part=index.number,
        only=part.journeys,
        sharers=sharers,
        paths=tuple(dict.fromkeys(journey.node_id.partition("::")[0] for journey in part.journeys)),
        deadline_s=max(LEAST_S - _AROUND_S, min(order.deadline_s, left_s - _AROUND_S)),
    )
    project = project.with_config(suspicion_budget=project.config.suspicion_budget // sharers)
    with held(project, state) as lease:
        until = time.monotonic() + order.deadline_s
        folder, verdict = run_journeys(project, target, order, watching=watching)
        look_again = functools.partial(run_again, project, target, order, folder, until)
        verdict = pipeline.after_part(project, folder, verdict, place, state.token, look_again=look_again)
    return replace(_stored(project, lease.state, plan, verdict), folder=folder, verdict=verdict)


def _wrong_with(project: Project, plan: Plan, index: PartIndex, digest: str, left_s: float) -> str:
    """Why a part must not be looked at by this machine, as a sentence."""
    if (digest and digest != plan.digest) or index.of != len(plan.parts):
        asked = f"plan {digest} was" if digest and digest != plan.digest else f"{index.of} parts were"
        return f"other plan: {asked} asked for, and plan {plan.digest} with {len(plan.parts)} parts stands."
    if plan.version not in {"", version("synthprobe")}:
        return (
            f"other version: the plan was made by synthprobe {plan.version}, and this machine has "
            f"{version('synthprobe')}. Bring synthprobe to the same version on all machines."
        )
    if plan.revision != (mine := source_revision(project)):
        return (
            f"other journeys: the plan was made of revision {plan.revision[:12]}, and this machine has {mine[:12]}. "
            "Bring the journeys and the configuration of all machines to the same revision."
        )
    if plan.locations and project.config.location not in plan.locations:
        known = ", ".join(plan.locations)
        mine = project.config.location
        return f"other location: the slot is looked at from {known}, and this machine stands at {mine!r}."
    if left_s < LEAST_S:
        return f"too late: the slot {'is over' if left_s <= 0 else f'is over in {left_s:.0f} s'}."
    return ""


def _leased(fleet: Fleet, place: Place) -> tuple[PartState, bool]:
    """Take a part; who has it may have died, so its lease is waited for once."""
    until = time.monotonic() + LEASE_S + _POLL_S
    while True:
        state, ours = fleet.lease(place, holder(), LEASE_S)
        if ours or state.done_at is not None or time.monotonic() > until:
            return state, ours
        time.sleep(_POLL_S)


def _stored(project: Project, state: PartState, plan: Plan, verdict: Verdict) -> Done:
    """Whether what was found arrived, and counts."""
    place = state.place
    try:
        with pipeline.open_history(project, within_s=BEFORE_S) as history:
            known = next(part for part in history.fleet.parts(place.target, place.slot) if part.place == place)
    except HistoryError as error:
        waits = "The result waits on this machine, and is handed over as soon as the history can be used."
        return Done(code=3, why=f"{_named(place, plan)} was looked at. {waits} {error}")
    if known.token != state.token:
        return Done(code=0, why=f"{_named(place, plan)} {_whose(known)}: it was overtaken here and does not count.")
    if known.done_at is None and pipeline.seen_by(verdict, place, state.token).final:
        why = " ".join((f"{_named(place, plan)} was looked at, and what was seen did not arrive.", *verdict.notes[-1:]))
        return Done(code=3, why=why)
    if known.done_at is None:
        return Done(code=3, why=f"From {place.location or 'here'} nothing of {_named(place, plan)} could be seen.")
    return Done(code=0, why=f"{_named(place, plan)} is handed over; `synthprobe run --conclude` judges the slot.")


def _named(place: Place, plan: Plan) -> str:
    where = f" from {place.location}" if place.location else ""
    return f"Part {place.part} of {len(plan.parts)} of slot {place.slot} of {place.target}{where}"


def _whose(state: PartState) -> str:
    if state.done_at is not None:
        return f"was looked at by {state.holder} at {state.done_at:%H:%M:%S} UTC"
    return f"is being looked at by {state.holder} since {state.taken_at:%H:%M:%S} UTC"


def _nothing(target: Target, state: PartState) -> bytes:
    import msgspec

    now, place = datetime.now(UTC), state.place
    run = Run(id="", target=target.name, base_url=target.base_url, slot=place.slot, started_at=now, part=place.part)
    seen = pipeline.seen_by(Verdict(run=run, journeys=(), finished_at=now), place, state.token)
    return msgspec.msgpack.encode(seen)


_ENGINES = (
    # variable, first index, variable of the first index, variable of how many there are
    ("JOB_COMPLETION_INDEX", 0, "", ""),
    ("CI_NODE_INDEX", 1, "", "CI_NODE_TOTAL"),
    ("SLURM_ARRAY_TASK_ID", 0, "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"),
)
"""Kubernetes' Indexed Jobs count from 0, GitLab's ``parallel`` from 1, Slurm's arrays from what was asked for."""


class PartIndex(Struct, frozen=True, kw_only=True):
    """One part of how many."""

    number: int
    of: int


def part_index(given: str, environ: Mapping[str, str]) -> PartIndex:
    """Read which part is meant.

    Example:
        >>> part_index("auto/8", {"JOB_COMPLETION_INDEX": "0"})
        PartIndex(number=1, of=8)
    """
    first, _, last = given.partition("/")
    if first == "auto":
        first, total = _of_engine(given, environ)
        last = last or total
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 10_000):
        raise ConfigurationError(
            f"--part is {given!r}, which makes part {first or '?'} of {last or '?'}. A part and how many there are was "
            "expected: 3/8, or auto/8 where Kubernetes, GitLab or Slurm numbers the machines."
        )
    return PartIndex(number=int(first), of=int(last))


def _of_engine(given: str, environ: Mapping[str, str]) -> tuple[str, str]:
    for variable, begins, lowest, count in _ENGINES:
        if (value := environ.get(variable, "")).isdecimal():
            begins = int(environ.get(lowest) or begins) if lowest else begins
            return str(int(value) - begins + 1), environ.get(count, "") if count else ""
    names = ", ".join(variable for variable, *_ in _ENGINES)
    raise ConfigurationError(f"--part is {given!r}, and none of {names} is set. Say which part: --part 3/8.")
