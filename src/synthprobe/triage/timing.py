"""Rules of triage about where the time goes."""

from __future__ import annotations

from collections.abc import Sequence

from synthprobe.records.evidence import MANY_QUERIES, Answer
from synthprobe.triage.facts import TriageFacts, is_log_in

_DB_SHARE = 0.6
_NO_WRITE = {"GET", "HEAD", "OPTIONS"}


def slow_log_in(f: TriageFacts) -> str:
    """Nothing but the log-in is slow."""
    if not f.only_slow or not f.slow:
        return ""
    if not all(is_log_in(a.path) or _follows_log_in(a, f.slow) for a in f.slow):
        return ""
    one = next((a for a in f.slow if is_log_in(a.path)), None)
    if one is None or _spent(one, "db") > one.duration_ms / 2:
        return ""
    took = f"Only the log-in is slow ({one.duration_ms / 1000:.1f} s)"
    if not any(part.name == "db" for part in one.server_timing):
        return f"{took}; where its time goes is not known."
    return f"{took}, and not in the database: what checks the password is slow."


def slow_upstream(f: TriageFacts) -> str:
    """Most of the time is spent in another system."""
    for a in f.slow:
        for part in a.server_timing:
            if part.name not in {"db", "query", "app", "total", "cache"} and part.duration_ms > a.duration_ms / 2:
                return f"{a.method} {a.path} spends {part.duration_ms:.0f} of {a.duration_ms:.0f} ms in {part.name}."
    return ""


def slow_writes(f: TriageFacts) -> str:
    """Nothing but writes is slow."""
    if not f.only_slow or not f.slow or any(a.method in _NO_WRITE for a in f.slow):
        return ""
    slowest = f.slow[0]
    return f"What was slow were writes only ({slowest.method} {slowest.path}, {slowest.duration_ms / 1000:.1f} s)."


def slow_query(f: TriageFacts) -> str:
    """Most of the time is spent in the database."""
    for a in f.slow:
        share = _spent(a, "db") / a.duration_ms
        if share >= _DB_SHARE and a.method in _NO_WRITE:
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
    if waiting:
        a = waiting[0]
        return (
            f"{a.method} {a.path} took {a.duration_ms / 1000:.1f} s, of which the server worked "
            "little: it waited for a worker."
        )
    silent = [a for a in f.evidence.answers if a.status == 0]
    if not (f.only_slow and f.kind == "deadline" and silent):
        return ""
    return f"{silent[0].method} {silent[0].path} was never answered."


def _spent(answer: Answer, name: str) -> float:
    return sum(part.duration_ms for part in answer.server_timing if part.name == name)


def _follows_log_in(answer: Answer, slow: Sequence[Answer]) -> bool:
    """A page that a browser is sent to after its log-in counts the log-in's time."""
    return answer.by == "page" and any(is_log_in(a.path) and a.duration_ms >= answer.duration_ms for a in slow)
