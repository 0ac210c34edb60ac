"""Whether a test can have contradicted anything: what it returns, drops or never runs proves nothing."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import TestCase

import pytest

from synthprobe.errors import JourneyError
from synthprobe.plugin.dropped_checks import ACTS, callable_names, dropped, unread
from synthprobe.plugin.inside_pytest import parameters
from synthprobe.plugin.swallowed_checks import called, is_check, name_of, never_read, never_run, swallowed

_OPENS = frozenset(("goto", "print", "screenshot", "sleep", "step", "wait_for_load_state", "wait_for_timeout"))
_ASKED = {"Api", "Page"}


@contextmanager
def proven(item: pytest.Item, looked: Callable[[], bool], refused: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Run a test's body, and refuse to count it as passed when it cannot have failed."""
    function: Any = getattr(item, "obj", None)
    if not isinstance(item, pytest.Function) or (
        _is_asynchronous(function) and issubclass(item.cls or object, TestCase)
    ):
        yield  # what unittest awaits goes another way
        return
    began: list[object] = []
    returned: list[object] = []
    raised: list[BaseException] = []
    item.obj = _reporting(function, began.append, returned.append, raised)
    if issubclass(item.cls or object, TestCase):
        item.startTest = began.append  # type: ignore[attr-defined] # what runs may be another object's: Django's
    try:
        yield
    except pytest.fail.Exception:
        if (why := _never_run(function, began)) or (why := _gave_back(returned)):
            raise JourneyError(why) from None
        raise
    finally:
        item.obj = function
    if raised and not issubclass(item.cls or object, TestCase):  # unittest tells of it when it reports
        raise raised[-1]  # a plugin, or a hook of a conftest.py, took it away
    project = str(item.config.rootpath)
    if why := _never_run(function, began) or _gave_back(returned) or _idle(function, looked, project):
        raise JourneyError(why)
    if (page := refused()) and (source := _source(_plain(function))) and _only_opens(source[0]):
        raise JourneyError(
            f"{page}, and the journey looks at nothing of that page. Write expect(...) for what must be on it."
        )


def prove_asked(item: pytest.Item, asked: Callable[[], bool]) -> None:
    """A body that names a session or page it was given, and came to its end without using any, proves nothing."""
    given: dict[str, object] = getattr(item, "funcargs", {})
    asks = [name for name, value in given.items() if {kind.__name__ for kind in type(value).__mro__} & _ASKED]
    source = _source(_plain(getattr(item, "obj", None))) if asks else None
    named = {node.id for node in ast.walk(source[0]) if isinstance(node, ast.Name)} if source else set()
    if named.intersection(asks) and not asked():
        raise JourneyError(
            f"It ended before it asked the target anything: {', '.join(named.intersection(asks))} stands in its body, "
            "and no request was sent, no page opened and no step begun there. A journey that is not wanted is skipped "
            "with a reason."
        )


def prove_parts(functions: Sequence[Callable[..., Any]], looked: Callable[[], bool], project: str) -> None:
    """The same of a test whose body is in other functions, as a scenario's is: one of them must look at something."""
    first = next(filter(None, (_idle(function, lambda: True, project) for function in functions)), "")
    idle = [_idle(function, looked, project) for function in functions]
    if why := first or (idle[0] if idle and all(idle) else ""):
        raise JourneyError(why)


def refuse_empty(item: pytest.Item) -> None:
    """A list of parameters that is empty is no policy: pytest would skip the test."""
    if empty := [name for name, value in parameters(item).items() if type(value).__name__ == "NotSetType"]:
        raise JourneyError(
            f"Its list of parameters for {', '.join(empty)} is empty, so nothing of it was run. Look at where the list "
            "comes from; a journey that is not wanted is skipped with a reason."
        )


def _reporting(
    function: Callable[..., Any],
    began: Callable[[object], None],
    returned: Callable[[object], None],
    raised: list[BaseException],
) -> Callable[..., Any]:
    """The same function; that it ran, what it returns, and what it raised the last time, is noted."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_later(*arguments: Any, **named: Any) -> None:
            began(None)
            returned(await function(*arguments, **named))

        return run_later
    if inspect.isasyncgenfunction(function):
        return function

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        began(None)
        raised.clear()
        try:
            value = function(*arguments, **named)
        except BaseException as error:
            raised.append(error)
            raise
        returned(value)
        return value

    return run


def _is_asynchronous(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _never_run(function: Callable[..., Any], began: list[object]) -> str:
    if began:
        return ""
    if not _is_asynchronous(function):
        return (
            "Its body never ran: a plugin or a conftest.py took its place (its pytest_pyfunc_call, or runtest of its "
            "class). Have it call the test."
        )
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


def _idle(function: Callable[..., Any], looked: Callable[[], bool], project: str) -> str:
    source = _source(_plain(function))
    if source is None:
        return ""
    for name, (tree, first, made) in _with_helpers(function, project).items():
        names = _plain(made).__globals__
        local, is_tolerant = callable_names(tree, names), functools.partial(_is_tolerant, names)
        lost = never_read(tree)
        for node in _statements(tree.body):
            if why := dropped(unread(node, tree), local) or swallowed(
                node, is_tolerant=is_tolerant, unread=lost, is_last=node is tree.body[-1]
            ):
                where = "" if tree is source[0] else f" of {name}()"
                return f"Line {first + node.lineno - 1}{where} {why}"
        if (tree is source[0] or _has_check(tree)) and (why := _decorated_away(made, project)):
            return f"The decorator of {name}() {why}"
    tree, first = source
    for line, why in never_run(tree):
        return f"Line {first + line - 1} {why}"
    if not looked() and not any(isinstance(node, ACTS) for statement in tree.body for node in ast.walk(statement)):
        return (
            "It looks at nothing: its body calls and asserts nothing, and no step or request was recorded. "
            "Assert what must hold, or name it with step()."
        )
    return ""


_Tree = ast.FunctionDef | ast.AsyncFunctionDef
_Source = tuple[_Tree, int]


@functools.cache
def _source(function: Any) -> _Source | None:
    """A function's tree and its first line; nothing without its source, when it is taken at its word."""
    try:
        lines, first = inspect.getsourcelines(function)
        (tree,) = ast.parse(textwrap.dedent("".join(lines))).body
    except Exception:
        return None
    return (tree, first) if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _with_helpers(function: Callable[..., Any], project: str) -> dict[str, tuple[_Tree, int, Any]]:
    """A test, and the functions of its project that it calls by their names, and those that they call."""
    found: dict[str, tuple[_Tree, int, Any]] = {}
    waiting: list[Any] = [function]
    while waiting:
        made = waiting.pop()
        plain = _plain(made)
        source = _source(plain)
        if source is None or plain.__qualname__ in found:
            continue
        found[plain.__qualname__] = (*source, made)
        for name in {called(node) for node in ast.walk(source[0]) if isinstance(node, ast.Call)}:
            helper = plain.__globals__.get(name)
            if inspect.isfunction(_plain(helper)) and _is_of(_plain(helper).__code__.co_filename, project):
                waiting.append(helper)
    return found


def _decorated_away(function: Any, project: str) -> str:
    """How a decorator of a function drops what its checks would say."""
    layer = getattr(function, "__func__", function)
    while inspect.isfunction(layer) and hasattr(layer, "__wrapped__"):
        cells = zip(layer.__code__.co_freevars, layer.__closure__ or (), strict=True)
        around = {name for name, cell in cells if callable(cell.cell_contents)}
        source = _source(layer.__code__) if _is_of(layer.__code__.co_filename, project) else None
        for node in _statements(source[0].body) if source else ():
            if why := swallowed(node, functools.partial(_calls, around)):
                return why
        layer = layer.__wrapped__
    return ""


def _calls(names: Collection[str], part: ast.AST) -> bool:
    return isinstance(part, ast.Call) and name_of(part.func) in names


def _is_tolerant(names: dict[str, Any], manager: ast.expr) -> bool:
    """Whether a context manager of the project drops what breaks in it."""
    made = _plain(names.get(name_of(getattr(manager, "func", manager))))
    if inspect.isclass(made):
        source = _source(vars(made).get("__exit__"))
        ways = [node for node in ast.walk(source[0]) if isinstance(node, ast.Return)] if source else []
        return len(ways) == 1 and getattr(ways[0].value, "value", None) is True
    source = _source(made) if inspect.isgeneratorfunction(made) else None
    return source is not None and any(
        swallowed(node, lambda part: isinstance(part, ast.Yield)) for node in _statements(source[0].body)
    )


def _has_check(tree: ast.AST) -> bool:
    return any(map(is_check, ast.walk(tree)))


def _only_opens(tree: _Tree) -> bool:
    """Whether a test calls nothing that would miss a page's content."""
    names = {called(node) for statement in tree.body for node in ast.walk(statement) if isinstance(node, ast.Call)}
    return names <= _OPENS and not any(isinstance(node, ast.Assert) for node in ast.walk(tree))


def _plain(function: Any) -> Any:
    """The function that was written: not bound, not decorated."""
    return inspect.unwrap(getattr(function, "__func__", function))


def _is_of(path: str, project: str) -> bool:
    return path.startswith(project + os.sep) and "site-packages" not in path


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
