"""Rules of triage about where the time goes."""

from __future__ import annotations

from collections.abc import Sequence

from synthprobe.records.evidence import MANY_QUERIES, Answer
from synthprobe.triage.facts import TriageFacts, is_change
from synthprobe.triage.sight import took

_DB_SHARE = 0.6


def slow_log_in(f: TriageFacts) -> str:
    """Nothing but the log-in is slow."""
    if not f.only_slow or not f.slow:
        return ""
    doors = {(a.method, a.path) for a in f.log_ins}  # whoever is refused there, without a password too, waits as long
    if not all((a.method, a.path) in doors or _follows_log_in(a, f.slow) for a in f.slow):
        return ""
    log_in = next((a for a in f.slow if a.credentials == "password"), None)
    if log_in is None or not any(part.name == "db" for part in log_in.server_timing):
        return ""  # where its time goes is not known
    if _spent(log_in, "db") > log_in.duration_ms / 2:
        return ""
    return f"Only the log-in is slow, and the database takes {_spent(log_in, 'db'):.0f} ms of it: {took(log_in, f)}"


def slow_upstream(f: TriageFacts) -> str:
    """Most of the time is spent in another system."""
    for a in f.slow:
        for part in a.server_timing:
            if part.name not in {"db", "query", "app", "total", "cache"} and part.duration_ms > a.duration_ms / 2:
                return f"{a.method} {a.path} spends {part.duration_ms:.0f} of {a.duration_ms:.0f} ms in {part.name}."
    return ""


def slow_writes(f: TriageFacts) -> str:
    """Nothing but writes is slow, or they took longer than what came of them was waited for."""
    slow = f.slow if f.only_slow else f.outlasting
    if not slow or not all(map(is_change, slow)) or not is_slow_write(slow[0]):
        return ""  # a write that is slow elsewhere says nothing of what writes have in common
    only = "Only writes were slow" if f.only_slow else f"Writes took longer than the {_waited(f):g} s that were waited"
    return f"{only}, in the database: {took(slow[0], f)}"


def slow_query(f: TriageFacts) -> str:
    """Most of the time is spent in the database."""
    for a in f.slow:
        share = _spent(a, "db") / a.duration_ms
        if share >= _DB_SHARE and not is_change(a) and not any(map(is_slow_write, f.slow)):
            return (
                f"{a.method} {a.path} spends {share:.0%} of {a.duration_ms / 1000:.1f} s in the "
                "database: a query is slow."
            )
    return ""


def many_queries(f: TriageFacts) -> str:
    """One answer needs a query for every row."""
    for a in f.evidence.answers:
        for part in a.server_timing:
            if part.name == "db" and part.calls >= MANY_QUERIES:
                return f"{a.method} {a.path} needs {part.calls} queries: one for every row."
    return ""


def queueing(f: TriageFacts) -> str:
    """The server worked little, and answered late."""
    waiting = [a for a in f.slow if a.server_timing and sum(p.duration_ms for p in a.server_timing) < a.duration_ms / 4]
    return f"{took(waiting[0], f)} The server worked little of that time: the request waited." if waiting else ""


def is_slow_write(a: Answer) -> bool:
    """Whether a change waits in the database; then whatever else waits there has no slow query of its own."""
    return is_change(a) and _spent(a, "db") * 2 >= a.duration_ms


def _waited(f: TriageFacts) -> float:
    return f.finding.wait.within_s if f.finding.wait else 0.0


def _spent(answer: Answer, name: str) -> float:
    return sum(part.duration_ms for part in answer.server_timing if part.name == name)


def _follows_log_in(answer: Answer, slow: Sequence[Answer]) -> bool:
    """A page that a browser is sent to after its log-in counts the log-in's time."""
    longer = (a for a in slow if a.credentials == "password" and a.duration_ms >= answer.duration_ms)
    return answer.by == "page" and any(longer)
