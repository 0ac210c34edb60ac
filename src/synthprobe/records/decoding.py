"""Records from what was written.

msgspec prepares a type when it is read first, and a thread that reads it meanwhile crashes the process; so each type is
prepared here, by one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")
_prepared: dict[tuple[Any, Any], Any] = {}
_preparing = threading.Lock()


@overload
def from_json(content: bytes | str, kind: type[T]) -> T: ...
@overload
def from_json(content: bytes | str, kind: Any = Any) -> Any: ...
def from_json(content: bytes | str, kind: Any = Any) -> Any:
    """Read JSON as a kind of record."""
    return _decoder(msgspec.json.Decoder, kind).decode(content)


@overload
def from_msgpack(content: bytes, kind: type[T]) -> T: ...
@overload
def from_msgpack(content: bytes, kind: Any = Any) -> Any: ...
def from_msgpack(content: bytes, kind: Any = Any) -> Any:
    """Read MessagePack as a kind of record."""
    return _decoder(msgspec.msgpack.Decoder, kind).decode(content)


@overload
def from_values(values: Any, kind: type[T], *, strict: bool = True, str_keys: bool = False) -> T: ...
@overload
def from_values(values: Any, kind: Any, *, strict: bool = True, str_keys: bool = False) -> Any: ...
def from_values(values: Any, kind: Any, *, strict: bool = True, str_keys: bool = False) -> Any:
    """Read tables, lists and plain values as a kind of record; the options are those of ``msgspec.convert``."""
    _decoder(msgspec.msgpack.Decoder, kind)
    return msgspec.convert(values, kind, strict=strict, str_keys=str_keys)


def _decoder(form: Callable[[Any], Any], kind: Any) -> Any:
    known = _prepared.get((form, kind))
    if known is None:
        with _preparing:
            known = _prepared[form, kind] = form(kind)
    return known
