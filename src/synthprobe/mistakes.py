"""Every mistake in a configuration file at once, each with its key and its line."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import msgspec.inspect as kinds
from msgspec import Struct
from msgspec.structs import fields

from synthprobe.errors import ConfigurationError
from synthprobe.records.decoding import from_values

Place = tuple[str | int, ...]
R = TypeVar("R", bound=Struct)
_REFERENCE = "docs/reference/configuration.md"


class Mistake(Struct, frozen=True):
    """A key, and what is wrong with it, as the rest of a sentence that begins with the file's name."""

    place: Place
    text: str


def mistakes_in(table: Any, record: type[Struct], not_given: Mapping[type[Struct], str]) -> Iterator[Mistake]:
    """Unknown keys, numbers out of range and values of the wrong kind, at any depth.

    A field that stands in ``not_given`` for its record is filled by us, and unknown to the file.
    """
    yield from _of_struct(table, record, (), _Keys(not_given, record.__struct_encode_fields__))


def refuse(found: Sequence[Mistake], name: str, text: str, above: Sequence[str] = ()) -> None:
    """Raise one error that holds them all; ``above`` are the keys of the table they were found in."""
    if not found:
        return
    placed = sorted((line_of(text, (*above, *mistake.place)), mistake.text) for mistake in found)
    lines = [f"{name}:{line} {wrong}" for line, wrong in placed]
    title = [f"{name} has {len(lines)} mistakes. Correct each:"] if len(lines) > 1 else []
    raise ConfigurationError("\n".join([*title, *lines]))


def read_reviewed(path: Path, record: type[R], expected: str) -> R:
    """A file that people review, as its record; the empty record when there is no such file."""
    try:
        return from_values(tomllib.loads(path.read_text("utf-8")), record)
    except FileNotFoundError:
        return record()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path.name} cannot be used: {error}. {expected}") from None


def shown(place: Place) -> str:
    """A key as people read it: ``alerts.routes 1.name``."""
    text = ""
    for part in place:
        text += f" {part + 1}" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """A question after the known word that looks most like this one; empty when none does."""
    match = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {match[0]!r}?" if match else ""


def nearest_or_all(word: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """The same, or else all that are known; of a mapping, what the words stand for."""
    names = known if isinstance(known, Mapping) else {name: name for name in known}
    match = difflib.get_close_matches(word, sorted(names), n=1)
    if match:
        return f"Did you mean {names[match[0]]!r}?"
    return f"Known ones: {', '.join(sorted(set(names.values()))) or 'none'}."


def line_of(text: str, place: Place) -> int:
    """The line on which a key begins: the first prefix of the file that holds it tells."""
    lines, begin = text.splitlines(), 1
    for number in range(1, len(lines) + 1):
        try:
            table: Any = tomllib.loads("\n".join(lines[:number]))
        except ValueError:
            continue  # within a value of several lines
        if _holds(table, place):
            return begin
        begin = number + 1
    return 1


def _holds(value: Any, place: Place) -> bool:
    for part in place:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


class _Keys(NamedTuple):
    not_given: Mapping[type[Struct], str]
    top: Collection[str]


def _of_struct(value: Any, record: type[Struct], place: Place, keys: _Keys) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake(place, f"has {shown(place)}, where a table was expected. See {_REFERENCE}.")
        return
    not_given = keys.not_given.get(record)
    known = {field.encode_name: field for field in fields(record) if field.name != not_given}
    for key, entry in value.items():
        here = (*place, key)
        if key in known:
            hint = known[key].type
            yield from _of(entry, kinds.type_info(hint), hint, here, keys)
            continue
        if place and key in keys.top:
            place_of_it = f"as the table [{key}]" if isinstance(entry, dict) else "above the first table"
            yield Mistake(
                here,
                f"has an unknown key {shown(here)!r}. {key!r} belongs to the whole file, and TOML gives to a table all "
                f"that stands below its head: write it {place_of_it}.",
            )
            continue
        names = ", ".join(sorted(known))
        yield Mistake(here, f"has an unknown key {shown(here)!r}.{nearest(key, known)} Known keys here: {names}.")
    for key, known_field in known.items():
        if known_field.required and key not in value:
            yield Mistake(place, f"has no {shown((*place, key))}, which must be given. See {_REFERENCE}.")


def _of(value: Any, kind: kinds.Type, hint: Any, place: Place, keys: _Keys) -> Iterator[Mistake]:
    """Tables are looked into, a number out of range is said with its range, and all else msgspec converts or not."""
    parts = kind.types if isinstance(kind, kinds.UnionType) else (kind,)  # a union: a table that may be left out
    if record := next((part for part in parts if isinstance(part, kinds.StructType)), None):
        yield from _of_struct(value, record.cls, place, keys)
    elif isinstance(kind, kinds.DictType) and isinstance(value, dict):
        for key, entry in value.items():
            yield from _of(entry, kind.value_type, hint.__args__[1], (*place, key), keys)
    elif isinstance(kind, kinds.VarTupleType) and isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _of(entry, kind.item_type, hint.__args__[0], (*place, number), keys)
    elif (number_kind := _number(kind)) is not None and not _fits(value, number_kind):
        whole = "a whole number" if isinstance(number_kind, kinds.IntType) else "a number"
        yield Mistake(
            place,
            f"has {shown(place)} = {value}: {whole} {_range(number_kind)} was expected. "
            f"Correct it, or leave it out for what {_REFERENCE} calls its default.",
        )
    else:
        try:
            from_values(value, hint)
        except msgspec.ValidationError as error:
            wrong = f"{str(error).partition(' - at ')[0]}."
            if isinstance(kind, kinds.LiteralType):
                names = {str(name): name for name in kind.values}
                wrong = f"{value!r} is none of {', '.join(names)}.{nearest(str(value), names)}"
            yield Mistake(place, f"has {shown(place)}, which cannot be used: {wrong} See {_REFERENCE}.")


def _number(kind: kinds.Type) -> kinds.IntType | kinds.FloatType | None:
    parts = kind.types if isinstance(kind, kinds.UnionType) else (kind,)  # a union: what may be left out
    return next((part for part in parts if isinstance(part, kinds.IntType | kinds.FloatType)), None)


def _fits(value: Any, kind: kinds.IntType | kinds.FloatType) -> bool:
    """Not a number fits nowhere, and endless is above any limit."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True  # of the wrong kind
    least = value > kind.gt if kind.gt is not None else kind.ge is None or value >= kind.ge
    return least and (value <= kind.le if kind.le is not None else abs(value) < math.inf)


def _range(kind: kinds.IntType | kinds.FloatType) -> str:
    return f"above {kind.gt:,}, at most {kind.le:,}" if kind.gt is not None else f"from {kind.ge:,} to {kind.le:,}"


def undeclared_secret(secret: str, table: str, secrets: Collection[str], example: str) -> Iterator[tuple[str, str]]:
    """Where a table of a target names a secret that the target does not declare: the key, and what is wrong."""
    if secret and secret not in secrets:
        known = ", ".join(sorted(secrets)) or "none"
        yield (
            "secret",
            f"has {table}.secret = {secret!r}, which the target does not declare; it declares: {known}. Declare it "
            f'among the secrets of the target, for example {secret} = "env:{example}".',
        )
