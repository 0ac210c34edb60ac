"""Masks records of ours: texts of the target in them, and never our own names, words from a list, numbers and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from synthprobe.records.journey import OWN

R = TypeVar("R")


def masked_record(record: R, mask: Callable[[str], str]) -> R:
    """Mask the texts of a record."""
    masked: Any = record
    if isinstance(record, msgspec.Struct):
        kept = {name: masked_record(getattr(record, name), mask) for name in _masked_fields(type(record))}
        masked = msgspec.structs.replace(record, **kept)
    if isinstance(record, str):
        masked = mask(record)
    if isinstance(record, Mapping):
        masked = {key: masked_record(value, mask) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        masked = type(record)(masked_record(value, mask) for value in record)
    return masked  # type: ignore[no-any-return]


@cache
def _masked_fields(kind: type) -> tuple[str, ...]:
    """All fields but those that hold our own names, or a word from a list."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        name
        for name, hint in hints.items()
        if get_origin(hint) is not Literal and not (get_origin(hint) is Annotated and OWN in get_args(hint))
    )
