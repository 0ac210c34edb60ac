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
from synthprobe.plugin.swallowed import is_check, is_lazy_call, never_run, swallowed

# Playwright's questions, its places, and what is written before something else
_ASKS = frozenset(("is_checked", "is_disabled", "is_editable", "is_enabled", "is_hidden", "is_visible"))
_PLACES = frozenset(
    (
        "locator",
        *(f"get_by_{what}" for what in ("alt_text", "label", "placeholder", "role", "test_id", "text", "title")),
    )
)
_BEGINNINGS = frozenset(("expect", "step"))
_LAZY = frozenset(("enumerate", "filter", "iter", "map", "repr", "reversed", "type", "zip"))
_WITHOUT_CALL = {"assertRaises": 1, "assertRaisesRegex": 2, "raises": 1, "warns": 1}
"""What is only begun when it is given no more arguments than these."""
_EXPECTATIONS = frozenset(("expect", "has_header", "json_has", "json_matches", "ok", "raise_for_status", "within"))
_OPENS = frozenset(("goto", "print", "screenshot", "sleep", "step", "wait_for_load_state", "wait_for_timeout"))
_ASKED = {"Api", "Page"}
_ACTS = (ast.Call, ast.Assert, ast.Raise, ast.Await, ast.With)


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
    dropped = next(filter(None, (_idle(function, lambda: True, project) for function in functions)), "")
    idle = [_idle(function, looked, project) for function in functions]
    if why := dropped or (idle[0] if idle and all(idle) else ""):
        raise JourneyError(why)


def refuse_empty(item: pytest.Item) -> None:
    """A list of parameters that is empty is no policy: pytest would skip the test."""
    given: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
    if empty := [name for name, value in given.items() if type(value).__name__ == "NotSetType"]:
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
        local, is_tolerant = _functions(tree, names), functools.partial(_is_tolerant, names)
        for node in _statements(tree.body):
            if why := _dropped(_unread(node, tree), local) or swallowed(
                node, is_tolerant=is_tolerant, is_last=node is tree.body[-1]
            ):
                where = "" if tree is source[0] else f" of {name}()"
                return f"Line {first + node.lineno - 1}{where} {why}"
        if (tree is source[0] or _has_check(tree)) and (why := _decorated_away(made, project)):
            return f"The decorator of {name}() {why}"
    tree, first = source
    for line, why in never_run(tree):
        return f"Line {first + line - 1} {why}"
    if not looked() and not any(isinstance(node, _ACTS) for statement in tree.body for node in ast.walk(statement)):
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
        for name in {_called(node) for node in ast.walk(source[0]) if isinstance(node, ast.Call)}:
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
    return isinstance(part, ast.Call) and _name(part.func) in names


def _is_tolerant(names: dict[str, Any], manager: ast.expr) -> bool:
    """Whether a context manager of the project drops what breaks in it."""
    made = _plain(names.get(_name(getattr(manager, "func", manager))))
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
    called = {_called(node) for statement in tree.body for node in ast.walk(statement) if isinstance(node, ast.Call)}
    return called <= _OPENS and not any(isinstance(node, ast.Assert) for node in ast.walk(tree))


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


def _functions(tree: ast.AST, names: dict[str, Any]) -> dict[str, bool]:
    """The functions that a test may call by name, and whether a call alone runs nothing of them."""
    found = {
        name: inspect.iscoroutinefunction(value) or inspect.isgeneratorfunction(value)
        for name, value in names.items()
        if inspect.isfunction(value)
    }
    for node in ast.walk(tree):  # what is given or assigned here is no longer the function of that name
        if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)):
            found.pop(node.arg if isinstance(node, ast.arg) else node.id, None)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = isinstance(node, ast.AsyncFunctionDef) or any(
                isinstance(inner, ast.Yield | ast.YieldFrom) for part in node.body for inner in ast.walk(part)
            )
        elif isinstance(node, ast.Assign) and (isinstance(node.value, ast.Lambda) or _called(node.value) == "partial"):
            found |= {target.id: False for target in node.targets if isinstance(target, ast.Name)}
    return found


def _unread(statement: ast.stmt, tree: ast.AST) -> ast.stmt:
    """A comparison or question whose answer is given a name that nothing reads is as good as without the name."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name):
        return statement
    asks = isinstance(statement.value, ast.Compare | ast.BoolOp | ast.UnaryOp) or _called(statement.value) in _ASKS
    read = any(
        isinstance(node, ast.Global | ast.Nonlocal) and target.id in node.names for node in ast.walk(tree)
    ) or any(
        isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load)
        for node in ast.walk(tree)
    )
    return statement if read or not asks else ast.copy_location(ast.Expr(statement.value), statement)


def _dropped(statement: ast.stmt, functions: dict[str, bool]) -> str:
    """What a statement only seems to check."""
    if isinstance(statement, ast.Assert):
        if isinstance(statement.test, ast.Tuple) and statement.test.elts:
            return f"asserts a tuple, which always holds: `{_short(statement)}`. Remove the parentheses."
        if what := _always(statement.test, functions):
            return f"asserts {what}, which always holds: `{_short(statement)}`. Assert what it must be, or call it."
    if not isinstance(statement, ast.Expr):
        return ""
    value = statement.value
    if isinstance(value, ast.Compare) or _is_negation(value):
        return f"compares and drops the answer: `{_short(value)}`. Write `assert` before it."
    if isinstance(value, ast.BoolOp) and (isinstance(value.values[-1], ast.Compare) or _is_negation(value.values[-1])):
        return f"compares and drops the answer: `{_short(value)}`. Write `assert` before it."
    if isinstance(value, ast.Attribute) and (isinstance(value.value, ast.Call) or _is_expectation(value.attr)):
        return f"names an expectation and does not call it: `{_short(value)}`. Write `()` after it."
    if isinstance(value, ast.Call) and functions.get(_name(value.func)):
        return f"calls {_name(value.func)}(), which runs only when it is awaited or iterated over: `{_short(value)}`."
    name = _called(value)
    if name in _ASKS:
        return f"asks and drops the answer: `{_short(value)}`. Write `assert` before it, or take expect()."
    if is_lazy_call(value):
        return f"makes what runs only when it is called or iterated over: `{_short(value)}`."
    if isinstance(value, ast.Await) and _swallows_errors(value.value):
        return f"drops the errors that it gathers: `{_short(value)}`. Remove return_exceptions, or look at the answer."
    if (
        isinstance(value, ast.Call)
        and name == "assertTrue"
        and value.args
        and (what := _always(value.args[0], functions))
    ):
        return f"asserts {what}, which always holds: `{_short(value)}`. Assert what it must be, or call it."
    if isinstance(value, ast.Call) and len(value.args) <= _WITHOUT_CALL.get(name, -1):
        return f"begins an expectation or a step and does not go on: `{_short(value)}`."
    if name in _PLACES:
        return f"names an element and looks at nothing of it: `{_short(value)}`. Write `expect(...).to_be_visible()`."
    if _begins(value):
        return f"begins an expectation or a step and does not go on: `{_short(value)}`."
    return ""


def _always(test: ast.expr, functions: dict[str, bool]) -> str:
    """What an assertion stands on that is always true, whatever the target says."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        if any(
            isinstance(value, ast.Constant) and type(value.value) in (bool, int) and value.value
            for value in test.values
        ):
            return "what is true by itself"
        return next((what for value in test.values if (what := _always(value, functions))), "")
    if isinstance(test, ast.NamedExpr):
        return _always(test.value, functions)
    if _is_sure(test):
        return "a value of itself, or a length of any size"
    if _name(getattr(test, "func", test)) in _LAZY and isinstance(test, ast.Call):
        return f"what {_called(test)}() makes"
    if isinstance(test, ast.JoinedStr) or (isinstance(test, ast.Constant) and isinstance(test.value, str | bytes)):
        return "a text" if not isinstance(test, ast.Constant) or test.value else ""
    if isinstance(test, ast.Lambda) or _called(test) == "partial" or _name(test) in functions:
        return "a function that is not called"
    if isinstance(test, ast.Call) and functions.get(_name(test.func)):
        return "a coroutine that is not awaited"
    if isinstance(test, ast.GeneratorExp):
        return "a generator"
    if isinstance(test, ast.Compare) and isinstance(test.ops[-1], ast.IsNot) and _is_text(test.comparators[-1]):
        return "that a value is another object than a text or number"
    if (isinstance(test, ast.List | ast.Set) and test.elts) or (isinstance(test, ast.Dict) and test.keys):
        return "a list that is not empty" if not isinstance(test, ast.Dict) else "a dict that is not empty"
    if isinstance(test, ast.Attribute) and (test.attr in _ASKS or _begins(test.value)):
        return "a function that is not called"
    if _begins(test):
        return "an expectation that was only begun"
    return "an element, which is there even where the page has none" if _called(test) in _PLACES else ""


def _is_sure(test: ast.expr) -> bool:
    """Whether a comparison is of a thing with itself, or of a length with nothing."""
    if not isinstance(test, ast.Compare) or len(test.ops) > 1:
        return False
    left, right, at_least = test.left, test.comparators[0], isinstance(test.ops[0], ast.GtE)
    if at_least and _called(left) == "len" and isinstance(right, ast.Constant):
        return right.value == 0
    same = at_least or isinstance(test.ops[0], ast.Eq | ast.Is | ast.LtE)
    parts = list(ast.walk(left))
    varies = any(isinstance(one, ast.Name) for one in parts) and not any(isinstance(one, _ACTS) for one in parts)
    return same and varies and ast.dump(left) == ast.dump(right)


def _swallows_errors(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and any(
        one.arg == "return_exceptions" and getattr(one.value, "value", False) for one in value.keywords
    )


def _is_expectation(name: str) -> bool:
    return name in _EXPECTATIONS | _ASKS or name.startswith(("assert", "not_to_", "to_be_", "to_contain_", "to_have_"))


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and type(value.value) in (str, bytes, int, float)


def _name(value: ast.expr) -> str:
    return value.id if isinstance(value, ast.Name) else ""


def _begins(value: ast.expr) -> bool:
    return _called(value) in _BEGINNINGS and isinstance(value, ast.Call) and isinstance(value.func, ast.Name)


def _is_negation(value: ast.expr) -> bool:
    return isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)


def _called(value: ast.expr) -> str:
    """The name of the function that an expression calls."""
    func = value.func if isinstance(value, ast.Call) else None
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _short(node: ast.AST) -> str:
    return textwrap.shorten(ast.unparse(node), 80)
