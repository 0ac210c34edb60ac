"""Statements of a database: one row of those that differ in literals, and what was counted between snapshots."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from synthprobe.records.impact import Counted, OperationTotal, Snapshot, StatementCount

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))
    | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?(?:\$(?P=tag)?\$|\Z))
    | (?P<string>(?:\b[EeBbXxNn]|\b[Uu]&)?'(?:[^'\\]|''|\\.)*(?:'|\Z))
    | (?P<quoted>"(?:[^"]|"")*"?|`[^`]*`?)
    | (?P<param>\$\d+|%s|%\(\w+\)s|(?<![:\w]):[A-Za-z_]\w*|\?)
    | (?P<number>(?<![\w.])(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    | (?P<word>[^\W\d][\w$]*)
    | (?P<space>\s+)
    | (?P<other>::|<=|>=|<>|!=|\|\||->>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SIGN_AFTER = "= < > <= >= <> != ( , + - * / || and or between in limit offset return select then else when values"
_LIST = re.compile(r"\( \?(?: , \?)* \)")
_ROWS = re.compile(r"\(…\)(?: , \(…\))+")
_ARRAY = re.compile(r"\[ \?(?: , \?)+ \]")
_TIGHT = ((" ,", ","), ("( ", "("), (" )", ")"), (" . ", "."), (" :: ", "::"), ("[ ", "["), (" ]", "]"), (" [", "["))


def normalise_statement(text: str) -> str:
    """The statement without what changes from call to call."""
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        kind, word = match.lastgroup, match[0]
        if kind == "tag":
            kind = "dollar"
        if kind in {"space", "comment"}:
            continue
        if kind in {"dollar", "string", "param", "number"}:
            if words and words[-1] in {"-", "+"} and _is_sign(words[:-1]):
                words.pop()
            words.append("?")
        else:
            words.append(word.lower() if kind == "word" else word)
    line = " ".join(words).rstrip(" ;")
    # Only a list after IN, VALUES or another row is one: f(?, ?) keeps its arguments.
    line = re.sub(r"\b(in|values) (?=\()(\( \?(?: , \?)* \))", r"\1 (…)", line)
    while (shorter := re.sub(r"\(…\) , " + _LIST.pattern, "(…)", line)) != line:
        line = shorter
    line = _ARRAY.sub("[…]", _ROWS.sub("(…)", line))
    for wide, tight in _TIGHT:
        line = line.replace(wide, tight)
    return re.sub(
        r"\b(?!(?:in|values|and|or|not|as|on|using|from|over|select|where|any|all|exists)\b)(\w+) \(", r"\1(", line
    )


def statement_id(text: str) -> str:
    """A short id of the normalised statement, the same in every process and release."""
    return hashlib.sha256(normalise_statement(text).encode()).hexdigest()[:12]


def _is_sign(before: list[str]) -> bool:
    return not before or before[-1] in _SIGN_AFTER.split()


K = TypeVar("K", bound=Hashable)

MOST = 200
"""Statements told by name between two snapshots, the costliest; all others are one row."""
REST = "all other statements, each of less time than those listed"
"""Name of the row of statements that were not among the costliest."""
OTHER = "other statements, no longer listed by the database"
"""Name of the row that holds what the database counted and then forgot."""

_REST_ID = "rest"


def count_between(old: Snapshot, new: Snapshot) -> Counted:
    """What ran between two snapshots; what was counted before a reset between them is lost, never negative."""
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
    grown.sort(key=lambda growth: -growth[0])
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


def join(records: Sequence[Counted]) -> Counted:
    """Records that follow each other as one, as retention keeps them."""
    forgotten: set[str] = set()
    for record in records:
        forgotten = (forgotten - {row.id for row in record.rows}) | set(record.forgotten)
    names = {id: name for record in records for id, name in record.names.items()}
    rows = _costliest([row for record in records for row in record.rows])
    return Counted(
        since=records[0].since,
        at=records[-1].at,
        rows=rows,
        names=names | ({_REST_ID: REST} if any(row.id == _REST_ID for row in rows) else {}),
        forgotten=tuple(sorted(forgotten)),
        resets=sum(record.resets for record in records),
    )


def statement_totals(records: Iterable[Counted]) -> tuple[OperationTotal, ...]:
    """What each statement took in all records; what is not known of forgotten ones is called `OTHER`."""
    ordered = sorted(records, key=lambda period: period.at)
    names: dict[str, str] = {}
    shown: dict[str, str] = {}
    for record in ordered:
        names |= record.names
        shown |= {row.id: names.get(row.id, OTHER) for row in record.rows}
        shown |= {id: OTHER for id in record.forgotten if id in shown}
    by_id = added((row.id, (row.calls, row.total_ms)) for record in ordered for row in record.rows)
    totals = added((name, by_id[id]) for id, name in shown.items())
    return tuple(
        OperationTotal(name=name, kind="statement", calls=count, total_ms=total)
        for name, (count, total) in totals.items()
    )


def added(pairs: Iterable[tuple[K, tuple[int, float]]]) -> dict[K, tuple[int, float]]:
    """Calls and milliseconds of each key together."""
    found: dict[K, tuple[int, float]] = {}
    for key, (calls, ms) in pairs:
        before = found.get(key, (0, 0.0))
        found[key] = (before[0] + calls, before[1] + ms)
    return found


def _costliest(rows: Iterable[StatementCount]) -> tuple[StatementCount, ...]:
    """One row for each statement, and the cheap ones as one."""
    sums = added((row.id, (row.calls, row.total_ms)) for row in rows)
    cheap = sums.pop(_REST_ID, (0, 0.0))
    ordered = sorted(sums.items(), key=lambda item: -item[1][1])
    made = [StatementCount(id=id, calls=calls, total_ms=ms) for id, (calls, ms) in ordered[:MOST]]
    rest = [cheap, *(cost for _, cost in ordered[MOST:])]
    if calls := sum(cost[0] for cost in rest):
        made.append(StatementCount(id=_REST_ID, calls=calls, total_ms=sum(cost[1] for cost in rest)))
    return tuple(made)


def _was_reset(old: Snapshot, new: Snapshot) -> bool:
    """Whether all counters began anew; without the database's word for it, when every one that stayed fell."""
    if old.reset_at is not None and new.reset_at is not None:
        return old.reset_at != new.reset_at
    known = {row.id: row.calls for row in old.counters}
    stayed = [row.calls < known[row.id] for row in new.counters if row.id in known]
    return bool(known) and all(stayed)
