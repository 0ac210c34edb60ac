"""Impact: what the steps and backend operations cost, counted in time of real users."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

OperationKind = Literal["step", "operation", "statement"]
"""A journey's step, what the target's ``Server-Timing`` names, or a statement counted by the database."""


class Traffic(Struct, frozen=True, kw_only=True):
    """How often a journey was walked by the probe, and how often it is walked by real users."""

    journey: str
    runs: int
    uses_per_day: float | None = None
    title: str = ""


class OperationTotal(Struct, frozen=True, kw_only=True):
    """What one operation took in one window, in one journey.

    Attributes:
        name: title of the step, or the normalised statement.
        journey: id of the journey; empty for a statement, which the database counts for everybody.
        step: the step it ran in; for a step its own title.
        p95_ms: time that 19 of 20 calls stay under, milliseconds; None when unknown.
        slowest_trace: address of the trace of the last slow run, relative to the site; empty when there is none.
        locations: calls, and milliseconds of them together, by where the probe stood; steps only.
    """

    name: str
    calls: int
    total_ms: float
    kind: OperationKind = "step"
    journey: str = ""
    step: str = ""
    p95_ms: float | None = None
    budget_ms: float | None = None
    over_budget_calls: int = 0
    over_budget_ms: float = 0.0
    slowest_trace: str = ""
    locations: dict[str, tuple[int, float]] = {}


class ImpactRow(Struct, frozen=True, kw_only=True):
    """One row of the impact board.

    Attributes:
        rank: 1 costs the users most; counted among rows of its kind.
        journeys: ids of the journeys it ran in, the costliest first.
        impact_ms_per_day: milliseconds real users wait for it in a day; None when no journey declares its uses.
        excess_ms_per_day: the part of it over the budget; None when unknown or without a budget.
        production_share: part of the impact of all rows of its kind, 0 to 1; None when unknown.
        probe_share: part of the probe's own time, 0 to 1: the schedule, not the users; None for statements.
        p95_ms: time that 19 of 20 calls stay under, milliseconds; the worst journey's; None when unknown.
        trend: mean of a call against the window before, 1 is unchanged; None without a window before.
        few: so few calls were counted that the row's place is not sure.
        slowest_trace: address of the trace of the last slow run, or of its report; empty when there is none.
        location_ms: milliseconds a call from each location, the slowest first; steps only.
    """

    rank: int
    kind: OperationKind
    name: str
    calls: int
    mean_ms: float
    journeys: tuple[str, ...] = ()
    step: str = ""
    impact_ms_per_day: float | None = None
    excess_ms_per_day: float | None = None
    production_share: float | None = None
    probe_share: float | None = None
    p95_ms: float | None = None
    trend: float | None = None
    few: bool = False
    slowest_trace: str = ""
    location_ms: dict[str, float] = {}


class Split(Struct, frozen=True, kw_only=True):
    """Why a total moved; the two parts add up to the difference exactly.

    Attributes:
        traffic_ms: the part that more or fewer calls make.
        per_call_ms: the part that slower or faster calls make; only this one is a change's merit.
    """

    before_ms: float
    after_ms: float
    traffic_ms: float
    per_call_ms: float


class Forecast(Struct, frozen=True, kw_only=True):
    """One row of the table that compares what a change should do with what it did.

    Attributes:
        rank_before: its rank before the change; 0 when it was not there.
        rank_predicted: its rank when only the changed row gets cheaper.
        rank_after: its rank after the change; 0 when it is gone.
        predicted_ms: impact predicted, milliseconds a day.
        actual_ms: impact measured, milliseconds a day.
        moved: whether the two differ by more than a fifth: the load may have moved rather than vanished.
    """

    name: str
    rank_before: int
    rank_predicted: int
    rank_after: int
    predicted_ms: float
    actual_ms: float
    moved: bool


class StatementCounter(Struct, frozen=True, kw_only=True):
    """One row of ``pg_stat_statements``: counters that only grow until they are reset."""

    id: str
    text: str
    calls: int
    total_ms: float


class Snapshot(Struct, frozen=True, kw_only=True):
    """The database's statement counters at one moment.

    Attributes:
        reset_at: since when it counts, UTC, if it says so.
        database: its name; empty when it was not recorded.
    """

    at: datetime
    counters: tuple[StatementCounter, ...]
    reset_at: datetime | None = None
    database: str = ""


class StatementCount(Struct, frozen=True, array_like=True):
    """What ran of one statement between two snapshots.

    Attributes:
        id: short id of the normalised statement.
    """

    id: str
    calls: int
    total_ms: float


class Counted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a database counted between two snapshots.

    Attributes:
        names: normalised statements by their ids.
        forgotten: ids of statements that the database does not list any more.
        resets: how often its counters began anew.
    """

    since: datetime
    at: datetime
    rows: tuple[StatementCount, ...]
    names: dict[str, str] = {}
    forgotten: tuple[str, ...] = ()
    resets: int = 0


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of the target that somebody marked, to see what it did.

    Attributes:
        at: when it went live, UTC.
        operation: the row of the board it is to make cheaper; empty when none is named.
        saves: the part of that row's time it is expected to save, 0 to 1.
        expected: ``slower`` when it makes that row, or any where none is named, slower: the level it brings is usual.
    """

    at: datetime
    title: str
    operation: str = ""
    saves: float = 1.0
    expected: Literal["", "slower"] = ""
