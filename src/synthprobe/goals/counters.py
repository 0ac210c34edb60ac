"""What a database's statement counters say of the time between two snapshots, and what that comes to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from synthprobe.goals.statements import normalise_statement, statement_id
from synthprobe.records.impact import Counted, OperationTotal, Snapshot, StatementCount

MOST = 200
"""Statements told by name between two snapshots, the costliest; all others are one row."""
REST = "all other statements, each of less time than those listed"
"""Name of the row of statements that were not among the costliest."""
OTHER = "other statements, no longer listed by the database"
"""Name of the row that holds what the database counted and then forgot."""

_REST_ID = "rest"


def counted(snapshots: Iterable[Snapshot]) -> list[Counted]:
    """What was counted between each snapshot and the next."""
    ordered = [next(group) for _, group in itertools.groupby(sorted(snapshots, key=lambda s: s.at), lambda s: s.at)]
    return [count_between(old, new) for old, new in itertools.pairwise(ordered)]


def count_between(old: Snapshot, new: Snapshot) -> Counted:
    """What ran between two snapshots.

    Counters that fell were reset: what they show counts from zero, and what was counted between the last snapshot and
    the reset is lost, never negative.
    """
    reset = _was_reset(old, new)
    known = {} if reset else {row.id: row for row in old.counters}
    fell, grown = False, []
    for row in new.counters:
        was = known.get(row.id)
        if was is not None and (row.calls < was.calls or row.total_ms < was.total_ms):
            fell = fell or row.calls < was.calls
            was = None  # this row alone was reset, or evicted and listed anew
        calls, ms = row.calls - (was.calls if was else 0), row.total_ms - (was.total_ms if was else 0.0)
        if calls > 0:
            grown.append((ms, calls, row.text))
    grown.sort(key=lambda one: -one[0])
    named = [(normalise_statement(text), calls, ms) for ms, calls, text in grown[:MOST]]
    names = {statement_id(name): name for name, _, _ in named}
    rows = [StatementCount(id=statement_id(name), calls=calls, total_ms=ms) for name, calls, ms in named]
    rows += [StatementCount(id=_REST_ID, calls=calls, total_ms=ms) for ms, calls, _ in grown[MOST:]]
    present = {row.text for row in new.counters} if known else set()
    gone = {statement_id(row.text) for row in known.values() if row.text not in present}
    return Counted(
        since=old.at,
        at=new.at,
        rows=_costliest(rows),
        names=names | ({_REST_ID: REST} if len(grown) > MOST else {}),
        forgotten=tuple(sorted(gone - set(names))),
        resets=int(reset or fell),
    )


def join(some: Sequence[Counted]) -> Counted:
    """Records that follow each other as one, as retention keeps them."""
    forgotten: set[str] = set()
    for one in some:
        forgotten = (forgotten - {row.id for row in one.rows}) | set(one.forgotten)
    names = {id: name for one in some for id, name in one.names.items()}
    rows = _costliest([row for one in some for row in one.rows])
    return Counted(
        since=some[0].since,
        at=some[-1].at,
        rows=rows,
        names=names | ({_REST_ID: REST} if any(row.id == _REST_ID for row in rows) else {}),
        forgotten=tuple(sorted(forgotten)),
        resets=sum(one.resets for one in some),
    )


def statement_totals(some: Iterable[Counted]) -> tuple[OperationTotal, ...]:
    """What each statement took in all records together.

    Statements the database forgot keep what was seen of them; what they took after that is not known, so their row is
    named `OTHER`.
    """
    calls: dict[str, int] = {}
    spent: dict[str, float] = {}
    names: dict[str, str] = {}
    shown: dict[str, str] = {}
    for one in sorted(some, key=lambda one: one.at):
        names |= one.names
        for row in one.rows:
            calls[row.id] = calls.get(row.id, 0) + row.calls
            spent[row.id] = spent.get(row.id, 0.0) + row.total_ms
            shown[row.id] = names.get(row.id, OTHER)
        shown |= {id: OTHER for id in one.forgotten if id in shown}
    totals: dict[str, tuple[int, float]] = {}
    for id, name in shown.items():
        sofar = totals.get(name, (0, 0.0))
        totals[name] = (sofar[0] + calls[id], sofar[1] + spent[id])
    return tuple(
        OperationTotal(name=name, kind="statement", calls=count, total_ms=total)
        for name, (count, total) in totals.items()
    )


def _costliest(rows: Iterable[StatementCount]) -> tuple[StatementCount, ...]:
    """One row for each statement, and the cheap ones as one."""
    sums: dict[str, tuple[int, float]] = {}
    for row in rows:
        sofar = sums.get(row.id, (0, 0.0))
        sums[row.id] = (sofar[0] + row.calls, sofar[1] + row.total_ms)
    cheap = sums.pop(_REST_ID, (0, 0.0))
    ordered = sorted(sums.items(), key=lambda item: -item[1][1])
    made = [StatementCount(id=id, calls=calls, total_ms=ms) for id, (calls, ms) in ordered[:MOST]]
    rest = [cheap, *(its for _, its in ordered[MOST:])]
    if calls := sum(one[0] for one in rest):
        made.append(StatementCount(id=_REST_ID, calls=calls, total_ms=sum(one[1] for one in rest)))
    return tuple(made)


def _was_reset(old: Snapshot, new: Snapshot) -> bool:
    """Whether all counters began anew; without the database's word for it, when every one that stayed fell."""
    if old.reset_at is not None and new.reset_at is not None:
        return old.reset_at != new.reset_at
    known = {row.id: row.calls for row in old.counters}
    stayed = [row.calls < known[row.id] for row in new.counters if row.id in known]
    return bool(known) and all(stayed)
