"""A JSON body as a journey reads it, and what is wrong with its fields and its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

from synthprobe.errors import JourneyError

_SHOWN = 600
_MISSING, ANY = object(), object()
_NOTHING = (None, "")


class Lacking(JourneyError, KeyError, IndexError, TypeError):
    """The answer lacks a field or an item that the journey reads without an expectation: what a dict or list raises."""

    __str__ = Exception.__str__  # a KeyError shows its words in quotes


Refusal = Callable[[str], JourneyError]
"""What is raised where something is read that is not there."""


class _Object(dict[str, Any]):
    """A JSON object that may be called, since ``json()`` is a method elsewhere."""

    def __init__(self, fields: dict[str, Any], lacking: Refusal) -> None:
        super().__init__({name: readable(value, lacking) for name, value in fields.items()})
        self._lacking = lacking

    def __call__(self) -> _Object:
        return self

    def __missing__(self, name: object) -> Any:
        there = ", ".join(map(str, self)) or "nothing"
        raise self._lacking(f"field {name!r}; there is {there[:_SHOWN]}")


class _Array(list[Any]):
    """A JSON array that may be called."""

    def __init__(self, items: list[Any], lacking: Refusal) -> None:
        super().__init__(readable(item, lacking) for item in items)
        self._lacking = lacking

    def __call__(self) -> _Array:
        return self

    def __getitem__(self, place: Any) -> Any:
        try:
            return super().__getitem__(place)
        except IndexError:
            raise self._lacking(f"item {place}; there are {len(self)}") from None
        except TypeError:
            raise self._lacking(f"field {place!r}; it is a list of {len(self)}") from None


def readable(value: Any, lacking: Refusal) -> Any:
    """A value of JSON whose objects and arrays say what they lack."""
    if isinstance(value, dict):
        return _Object(value, lacking)
    return _Array(value, lacking) if isinstance(value, list) else value


def wrong_fields(body: Any, wanted: Mapping[str, Any]) -> tuple[list[str], bool]:
    """What fields are missing or different, and whether all of these are of another kind than they should be."""
    wrong, misshapen = [], True
    for name, expected in wanted.items():
        value: Any = body
        for part in name.split("__"):
            value = value[part] if isinstance(value, dict) and part in value else _MISSING
        want = "a value" if expected is ANY else repr(expected)
        if value is _MISSING:
            wrong.append(f"{name}: expected {want}, but it is missing")
        elif value in _NOTHING if expected is ANY else value != expected:
            wrong.append(f"{name}: expected {want}, got {value!r}")
        else:
            continue
        misshapen &= expected is not None and _kind_of(value) is not _kind_of(expected)
    return wrong, misshapen


def records_in(body: Any, name: str) -> tuple[list[dict[str, Any]], str]:
    """The records of a list in a body, and why it is no list of records."""
    rows: Any = body
    for part in filter(None, name.split("__")):
        rows = rows.get(part) if isinstance(rows, dict) else None
    records = [row for row in rows if isinstance(row, dict)] if _is_list(rows) else []
    if _is_list(rows) and len(records) == len(rows):
        return records, ""
    got = "nothing" if rows is None else "a record" if isinstance(rows, dict) else repr(rows)[:60]
    return records, f"expected a list of records, got {got}"


def wrong_records(records: Sequence[dict[str, Any]], key: str, needed: Sequence[str], *, once: bool) -> list[str]:
    """Which keys stand there twice, and which records lack what each must have."""
    times = Counter(str(row[key]) for row in records if once and row.get(key) not in _NOTHING)
    wrong = [f"{key}: expected {value!r} once, got it {count} times" for value, count in times.items() if count > 1]
    for record in records:
        lacks = [field for field in dict.fromkeys([key, *needed]) if record.get(field) in _NOTHING]
        wrong += [f"{field} of {record.get(key)!r}: expected a value, got {record.get(field)!r}" for field in lacks]
    return wrong


def out_of_order(records: Sequence[dict[str, Any]], key: str, order: Sequence[str]) -> list[str]:
    """Which records stand before one that they should follow."""
    wrong = []
    for record, following in pairwise(records):
        if field := _falls_back(record, following, order):
            here, there = (f"{each.get(key)!r} with {field} {each.get(field)!r}" for each in (record, following))
            wrong.append(f"order by {', '.join(order)}: expected {there} before {here}")
    return wrong


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _falls_back(record: dict[str, Any], following: dict[str, Any], order: Sequence[str]) -> str:
    """The field by which a record should stand before the one that it follows; none when it stands right."""
    for field in order:
        name = field.removeprefix("-")
        first: Any = record.get(name)
        second: Any = following.get(name)
        if first != second and first not in _NOTHING and second not in _NOTHING:
            alike = _kind_of(first) is _kind_of(second) and isinstance(first, (str, int, float))
            return "" if alike and (first < second) == (field == name) else name
    return ""


def _kind_of(value: object) -> type:
    """The type of a value of JSON; a whole number and another one are of one kind."""
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)
