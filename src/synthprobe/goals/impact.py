"""Ranks steps, backend operations and statements by what they cost the users, and says what a change did.

A synthetic schedule is flat: ranking by the probe's own time would rank the schedule. So a row weighs
``uses_per_day × mean time of the operation in one walk of the journey``, summed over the journeys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from synthprobe.goals.statements import added, normalise_statement
from synthprobe.records.history import OperationSum, StepSum
from synthprobe.records.impact import Change, Forecast, ImpactRow, OperationKind, OperationTotal, Split, Traffic

PRIOR_RUNS = 5.0
"""Weight of the prior, in runs, when so few were seen that one slow one would decide the rank."""
PRIOR_OVER = 0.05
"""Share of runs over budget that is supposed before anything was seen."""
FEW_CALLS = 12
"""Calls under which a row is marked as not sure."""
QUERY, DATABASE = "query", "db"
"""A metric ``query`` names one statement; its time is part of the metric ``db`` of the same answer."""
REST = "db: other statements"
"""Name of what is left of ``db`` when the named queries are taken out."""
_COMPARED = 5  # ranks that a change is looked at in
MOVED = 0.2
"""Difference between predicted and actual from which the load may have moved rather than vanished."""

_COUNT = re.compile(r"(?:^|[;,\s])n=\d+\s*")
_SQL = re.compile(r"\s*(?:/\*|--|select|insert|update|delete|with|merge|call)\b", re.IGNORECASE)


def rank(
    operations: Iterable[OperationTotal],
    traffic: Iterable[Traffic],
    *,
    days: float = 1.0,
    before: Iterable[OperationTotal] = (),
) -> tuple[ImpactRow, ...]:
    """Rank operations by their total impact on real users."""
    if not days > 0:
        raise ValueError(f"The window must be longer than nothing, but is {days!r} days.")
    uses = {journey_traffic.journey: journey_traffic for journey_traffic in traffic}
    earlier = {key: _mean(group) for key, group in _grouped(before).items()}
    rows = [_row(group, uses, days, earlier.get(key)) for key, group in _grouped(operations).items()]
    ranked: list[ImpactRow] = []
    for kind in ("step", "operation", "statement"):
        ranked += _ranked([row for row in rows if row[0].kind == kind])
    return tuple(ranked)


def named_operation(metric: str, description: str) -> str:
    """The operation a ``Server-Timing`` metric speaks of; ``n=14`` is a count, and SQL is normalised."""
    text = _COUNT.sub("", description).strip(" ;,")
    if _SQL.match(text):
        return normalise_statement(text)
    return f"{metric}: {text}" if text else metric


def split(before: Iterable[OperationTotal], after: Iterable[OperationTotal]) -> Split:
    """Divide a difference exactly: ``T1 - T0 = (c1 - c0) × m0 + c1 × (m1 - m0)``; the second is a change's merit."""
    c0, t0 = _sum(before)
    c1, t1 = _sum(after)
    m0 = t0 / c0 if c0 else (t1 / c1 if c1 else 0.0)
    traffic = (c1 - c0) * m0
    return Split(before_ms=t0, after_ms=t1, traffic_ms=traffic, per_call_ms=t1 - t0 - traffic)


def ceiling(rows: Iterable[ImpactRow], name: str, *, kind: OperationKind | None = None) -> float:
    """The most that work on one row can save (Amdahl): its share. To be said before work starts."""
    found = next((row for row in rows if row.name == name and kind in (None, row.kind)), None)
    if found is None:
        return 0.0
    share = found.production_share if found.production_share is not None else found.probe_share
    return share or 0.0


def compare(before: Iterable[ImpactRow], after: Iterable[ImpactRow], change: Change) -> tuple[Forecast, ...]:
    """Compare what a change should have done to the board with what it did."""
    target = next((row for row in before if row.name == change.operation), None)
    kind = target.kind if target else None
    old = {row.name: row for row in before if kind in (None, row.kind)}
    new = {row.name: row for row in after if kind in (None, row.kind)}
    cost = {name: _cost(row) * (1 - change.saves if name == change.operation else 1) for name, row in old.items()}
    predicted = {name: place for place, name in enumerate(sorted(cost, key=lambda n: (-cost[n], n)), 1)}
    looked_at = [name for name, row in old.items() if row.rank <= _COMPARED or predicted[name] <= _COMPARED]
    looked_at += [name for name, row in new.items() if row.rank <= _COMPARED and name not in old]
    made = [
        Forecast(
            name=name,
            rank_before=old[name].rank if name in old else 0,
            rank_predicted=predicted.get(name, 0),
            rank_after=new[name].rank if name in new else 0,
            predicted_ms=cost.get(name, 0.0),
            actual_ms=(actual := _cost(new[name]) if name in new else 0.0),
            moved=abs(actual - cost.get(name, 0.0)) > MOVED * max(cost.get(name, 0.0), 1e-9),
        )
        for name in looked_at
    ]
    return tuple(sorted(made, key=lambda row: (row.rank_predicted or 10**6, row.rank_after)))


def sum_locations(parts: Iterable[OperationTotal | StepSum]) -> dict[str, tuple[int, float]]:
    """Calls and milliseconds of several parts together, by location."""
    return added(item for part in parts for item in part.locations.items())


def shrunk_share(over: int, calls: int) -> float:
    """The share of calls over budget, drawn towards a prior while only few were seen."""
    return (over + PRIOR_RUNS * PRIOR_OVER) / (calls + PRIOR_RUNS)


def _grouped(operations: Iterable[OperationTotal]) -> dict[tuple[str, str], list[OperationTotal]]:
    groups: dict[tuple[str, str], list[OperationTotal]] = {}
    for operation in operations:
        if operation.calls > 0 and operation.total_ms >= 0:  # also leaves out NaN
            # Steps of two journeys are two rows even when they have one title; a query is one row wherever it runs.
            name = f"{operation.journey}\0{operation.name}" if operation.kind == "step" else operation.name
            groups.setdefault((operation.kind, name), []).append(operation)
    return groups


def _row(
    group: list[OperationTotal], uses: dict[str, Traffic], days: float, earlier: float | None
) -> tuple[ImpactRow, float]:
    """The row without rank and shares, and its own time."""
    calls, total = _sum(group)
    by_cost = sorted(group, key=lambda operation: -(_impact(operation, uses, days) or 0.0))
    known = [cost for operation in group if (cost := _impact(operation, uses, days)) is not None]
    excess = [cost for operation in group if (cost := _excess(operation, uses, days)) is not None]
    mean = total / calls
    row = ImpactRow(
        rank=0,
        kind=group[0].kind,
        name=group[0].name,
        journeys=tuple(dict.fromkeys(operation.journey for operation in by_cost if operation.journey)),
        step=by_cost[0].step,
        calls=calls,
        mean_ms=mean,
        impact_ms_per_day=sum(known) if known else None,
        excess_ms_per_day=sum(excess) if excess else None,
        p95_ms=max((operation.p95_ms for operation in group if operation.p95_ms is not None), default=None),
        trend=mean / earlier if earlier else None,
        few=calls < FEW_CALLS,
        slowest_trace=next((operation.slowest_trace for operation in by_cost if operation.slowest_trace), ""),
        location_ms=_by_location(group),
    )
    return row, total


def _ranked(rows: list[tuple[ImpactRow, float]]) -> list[ImpactRow]:
    whole = sum(row.impact_ms_per_day or 0.0 for row, _ in rows)
    probed = sum(total for _, total in rows)
    rows.sort(
        key=lambda pair: (pair[0].impact_ms_per_day is None, -(pair[0].impact_ms_per_day or pair[1]), pair[0].name)
    )
    return [
        msgspec.structs.replace(
            row,
            rank=place,
            production_share=None if row.impact_ms_per_day is None or not whole else row.impact_ms_per_day / whole,
            probe_share=None if row.kind == "statement" or not probed else total / probed,
        )
        for place, (row, total) in enumerate(rows, 1)
    ]


def _impact(operation: OperationTotal, uses: dict[str, Traffic], days: float) -> float | None:
    if operation.kind == "statement":
        return operation.total_ms / days
    traffic = uses.get(operation.journey)
    if traffic is None or traffic.uses_per_day is None or traffic.runs <= 0:
        return None
    return traffic.uses_per_day * operation.total_ms / traffic.runs


def _excess(operation: OperationTotal, uses: dict[str, Traffic], days: float) -> float | None:
    if operation.budget_ms is None or _impact(operation, uses, days) is None:
        return None
    if not operation.over_budget_calls:
        return 0.0
    traffic = uses[operation.journey]
    mean_over = operation.over_budget_ms / operation.over_budget_calls
    calls_a_use = operation.calls / traffic.runs
    over_a_use = shrunk_share(operation.over_budget_calls, operation.calls) * calls_a_use
    return (traffic.uses_per_day or 0.0) * over_a_use * mean_over


def _sum(group: Iterable[OperationTotal]) -> tuple[int, float]:
    listed = list(group)
    return sum(operation.calls for operation in listed), sum(operation.total_ms for operation in listed)


def _mean(group: Sequence[OperationTotal]) -> float:
    calls, total = _sum(group)
    return total / calls


def _by_location(group: Sequence[OperationTotal]) -> dict[str, float]:
    means = {name: total_ms / calls for name, (calls, total_ms) in sum_locations(group).items() if calls}
    return dict(sorted(means.items(), key=lambda item: (-item[1], item[0])))


def _cost(row: ImpactRow) -> float:
    return row.impact_ms_per_day if row.impact_ms_per_day is not None else row.mean_ms * row.calls


def backend_totals(sums: Iterable[OperationSum]) -> tuple[OperationTotal, ...]:
    """What each backend operation took, the same SQL with other literals as one."""
    listed = list(sums)
    inside: dict[tuple[str, str], float] = {}
    for operation_sum in listed:
        if operation_sum.name.split(" ", 1)[0] == QUERY:
            inside[operation_sum.journey, operation_sum.step] = (
                inside.get((operation_sum.journey, operation_sum.step), 0.0) + operation_sum.total_ms
            )
    found: dict[tuple[str, str, str], tuple[int, float]] = {}
    slowest: dict[tuple[str, str, str], float] = {}
    for operation_sum in listed:
        name, total = _name(operation_sum.name), operation_sum.total_ms
        taken = inside.get((operation_sum.journey, operation_sum.step), 0.0)
        if operation_sum.name == DATABASE and taken:
            name, total = REST, max(total - taken, 0.0)
        key = (operation_sum.journey, operation_sum.step, name)
        if operation_sum.p95_ms is not None and name != REST:
            slowest[key] = max(slowest.get(key, 0.0), operation_sum.p95_ms)
        calls, before = found.get(key, (0, 0.0))
        found[key] = (calls + operation_sum.calls, before + total)
    return tuple(
        OperationTotal(
            name=key[2],
            kind="operation",
            journey=key[0],
            step=key[1],
            calls=calls,
            total_ms=total,
            p95_ms=slowest.get(key),
        )
        for key, (calls, total) in found.items()
    )


def _name(stored: str) -> str:
    metric, _, words = stored.partition(" ")
    return named_operation(metric, words)
