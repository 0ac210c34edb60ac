"""Whether a test can have contradicted anything: what it returns, drops or never runs proves nothing."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import TestCase

import pytest

from synthprobe.errors import JourneyError

_ACTS = (ast.Call, ast.Assert, ast.Raise, ast.Await, ast.With)


@contextmanager
def proven(item: pytest.Item, looked: Callable[[], bool]) -> Iterator[None]:
    """Run a test's body, and refuse to count it as passed when it cannot have failed."""
    function: Any = getattr(item, "obj", None)
    if not isinstance(item, pytest.Function) or (
        _is_asynchronous(function) and issubclass(item.cls or object, TestCase)
    ):
        yield  # what unittest awaits goes another way
        return
    returned: list[object] = []
    item.obj = _reporting(function, returned.append)
    try:
        yield
    except pytest.fail.Exception:
        if (why := _never_run(function, returned)) or (why := _gave_back(returned)):
            raise JourneyError(why) from None
        raise
    finally:
        item.obj = function
    if why := _never_run(function, returned) or _gave_back(returned) or _idle(function, looked):
        raise JourneyError(why)


def _reporting(function: Callable[..., Any], returned: Callable[[object], None]) -> Callable[..., Any]:
    """The same function; what it returns is noted."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_later(*arguments: Any, **named: Any) -> None:
            returned(await function(*arguments, **named))

        return run_later
    if inspect.isasyncgenfunction(function):
        return function

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        value = function(*arguments, **named)
        returned(value)
        return value

    return run


def _is_asynchronous(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _never_run(function: Callable[..., Any], returned: list[object]) -> str:
    if returned or not _is_asynchronous(function):
        return ""
    return (
        "Its body never ran: it is declared with `async def`, and no plugin here runs that. "
        "Declare it with `def`; the fixtures of synthprobe and Playwright are synchronous."
    )


def _gave_back(returned: list[object]) -> str:
    value = next((value for value in returned if value is not None), None)
    if value is None:
        return ""
    shown = repr(value) if isinstance(value, bool | int | float) else f"a value of type {type(value).__name__}"
    return (
        f"It returned {shown}, and nothing looks at what a test returns: it would pass whatever that is. "
        "Write `assert` in place of `return`."
    )


def _idle(function: Callable[..., Any], looked: Callable[[], bool]) -> str:
    try:
        source, first = inspect.getsourcelines(inspect.unwrap(function))
        (tree,) = ast.parse(textwrap.dedent("".join(source))).body
    except Exception:  # without its source, the test is taken at its word
        return ""
    if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    for node in _statements(tree.body):
        if why := _dropped(node):
            return f"Line {first + node.lineno - 1} {why}"
    if not looked() and not any(isinstance(node, _ACTS) for statement in tree.body for node in ast.walk(statement)):
        return (
            "It looks at nothing: its body calls and asserts nothing, and no step or request was recorded. "
            "Assert what must hold, or name it with step()."
        )
    return ""


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement, but for those whose exception is the expectation."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.With) and any(
            "raises" in ast.unparse(item.context_expr) for item in statement.items
        ):
            continue
        for _, inner in ast.iter_fields(statement):
            for node in inner if isinstance(inner, list) else ():
                yield from _statements([node] if isinstance(node, ast.stmt) else getattr(node, "body", []))


def _dropped(statement: ast.stmt) -> str:
    """What a statement only seems to check."""
    if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Tuple) and statement.test.elts:
        return f"asserts a tuple, which always holds: `{_short(statement)}`. Remove the parentheses."
    if not isinstance(statement, ast.Expr):
        return ""
    value = statement.value
    if isinstance(value, ast.Compare):
        return f"compares and drops the answer: `{_short(value)}`. Write `assert` before it."
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Call):
        return f"names an expectation and does not call it: `{_short(value)}`. Write `()` after it."
    return ""


def _short(node: ast.AST) -> str:
    return textwrap.shorten(ast.unparse(node), 80)
