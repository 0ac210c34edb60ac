"""Backend operations out of stored ``Server-Timing``: named by their query, and no time counted twice."""

from __future__ import annotations

from collections.abc import Iterable

from synthprobe.goals.impact import named_operation
from synthprobe.records.history import OperationSum
from synthprobe.records.impact import OperationTotal

QUERY, DATABASE = "query", "db"
"""A metric ``query`` names one statement; its time is part of the metric ``db`` of the same answer."""
REST = "db: other statements"
"""Name of what is left of ``db`` when the named queries are taken out."""


def backend_totals(sums: Iterable[OperationSum]) -> tuple[OperationTotal, ...]:
    """What each backend operation took, the same SQL with other literals as one."""
    listed = list(sums)
    inside: dict[tuple[str, str], float] = {}
    for one in listed:
        if one.name.split(" ", 1)[0] == QUERY:
            inside[one.journey, one.step] = inside.get((one.journey, one.step), 0.0) + one.total_ms
    found: dict[tuple[str, str, str], tuple[int, float]] = {}
    slowest: dict[tuple[str, str, str], float] = {}
    for one in listed:
        name, total = _name(one.name), one.total_ms
        taken = inside.get((one.journey, one.step), 0.0)
        if one.name == DATABASE and taken:
            name, total = REST, max(total - taken, 0.0)
        key = (one.journey, one.step, name)
        if one.p95_ms is not None and name != REST:
            slowest[key] = max(slowest.get(key, 0.0), one.p95_ms)
        calls, before = found.get(key, (0, 0.0))
        found[key] = (calls + one.calls, before + total)
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
