"""What a journey gave a function of ours that the function's own annotation does not allow."""

from __future__ import annotations

import inspect
import re
import traceback
import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_PACKAGE = __name__.partition(".")[0]
_UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")
_RUNNERS = ("_pytest", "pluggy", "xdist")  # what they give our hooks is no journey's doing


def wrong_argument(error: BaseException) -> str:
    """What an error comes of, as a sentence: an argument of a wrong type; empty where it is not that."""
    if not isinstance(error, (AttributeError, TypeError)):
        return ""
    caller, unknown = "", _UNKNOWN.search(str(error))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__"))
        room = name.partition(".")[0]
        if room == _PACKAGE and caller not in {_PACKAGE, *_RUNNERS}:
            if unknown and unknown[1] in _handed(frame):
                return f"{error}."
            for where, argument, value, hint in _mismatches(frame, error):
                got = "None" if value is None else f"a value of type {type(value).__name__}"
                return f"{where}() was given {got} as {argument!r}, and takes {_shown(hint)}."
        caller = room
    return ""


def _mismatches(entry: types.FrameType, error: BaseException) -> Iterator[tuple[str, str, Any, Any]]:
    """Arguments that a function passed on or took as something else: those with which it was called from outside."""
    handed = _handed(entry).values()
    for frame, _ in traceback.walk_tb(error.__traceback__):
        function = _function(frame)
        if function is None:
            continue
        hints: Mapping[str, Any] = {}
        with suppress(NameError):  # what only a checker of types imports
            hints = get_type_hints(function)
        for name, hint in hints.items():
            value = frame.f_locals.get(name)
            is_handed = name in frame.f_locals and any(value is argument for argument in handed)
            if name != "return" and is_handed and not _fits(value, hint):
                yield entry.f_code.co_qualname, name, value, hint


def _handed(frame: types.FrameType) -> dict[str, Any]:
    """With what a function was called, by name."""
    given = inspect.getargvalues(frame)
    named: dict[str, Any] = {name: given.locals[name] for name in given.args if name in given.locals}
    return named | dict(given.locals.get(given.keywords or "", {}))


def _function(frame: types.FrameType) -> Any:
    """The function of ours that runs in a frame; nothing for others, and for one within a function."""
    if not str(frame.f_globals.get("__name__")).startswith(f"{_PACKAGE}."):
        return None
    with suppress(AttributeError, KeyError):
        first, *rest = frame.f_code.co_qualname.split(".")
        found = inspect.unwrap(reduce(getattr, rest, frame.f_globals[first]))
        return found if getattr(found, "__code__", None) is frame.f_code else None
    return None


def _fits(value: Any, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind in {Union, types.UnionType}:
        return any(_fits(value, part) for part in get_args(hint))
    if kind is Literal:
        return value in get_args(hint)
    if kind is float:
        kind = (int, float)
    try:
        return isinstance(value, kind)
    except TypeError:  # Any, a protocol, a type variable
        return True


def _shown(hint: Any) -> str:
    """A type as its author wrote it."""
    if isinstance(hint, types.UnionType):
        return " or ".join(_shown(part) for part in get_args(hint))
    if isinstance(hint, type):
        return "None" if hint is types.NoneType else hint.__name__
    return str(hint).replace("collections.abc.", "")
