"""Statements that only seem to check: an answer that is dropped, an assertion that always holds."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from synthprobe.plugin.swallowed_checks import called, is_lazy_call, name_of, short

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
ACTS = (ast.Call, ast.Assert, ast.Raise, ast.Await, ast.With)
"""What does something, of the parts of a test."""


def callable_names(tree: ast.AST, names: dict[str, Any]) -> dict[str, bool]:
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
        elif isinstance(node, ast.Assign) and (isinstance(node.value, ast.Lambda) or called(node.value) == "partial"):
            found |= {target.id: False for target in node.targets if isinstance(target, ast.Name)}
    return found


def unread(statement: ast.stmt, tree: ast.AST) -> ast.stmt:
    """A comparison or question whose answer is given a name that nothing reads is as good as without the name."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name):
        return statement
    asks = isinstance(statement.value, ast.Compare | ast.BoolOp | ast.UnaryOp) or called(statement.value) in _ASKS
    read = any(
        isinstance(node, ast.Global | ast.Nonlocal) and target.id in node.names for node in ast.walk(tree)
    ) or any(
        isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load)
        for node in ast.walk(tree)
    )
    return statement if read or not asks else ast.copy_location(ast.Expr(statement.value), statement)


def dropped(statement: ast.stmt, functions: dict[str, bool]) -> str:
    """What a statement only seems to check."""
    if isinstance(statement, ast.Assert):
        if isinstance(statement.test, ast.Tuple) and statement.test.elts:
            return f"asserts a tuple, which always holds: `{short(statement)}`. Remove the parentheses."
        if what := _always(statement.test, functions):
            return f"asserts {what}, which always holds: `{short(statement)}`. Assert what it must be, or call it."
    if not isinstance(statement, ast.Expr):
        return ""
    value = statement.value
    last = value.values[-1] if isinstance(value, ast.BoolOp) else value
    if isinstance(last, ast.Compare) or _is_negation(last):
        return f"compares and drops the answer: `{short(value)}`. Write `assert` before it."
    if isinstance(value, ast.Attribute) and (isinstance(value.value, ast.Call) or _is_expectation(value.attr)):
        return f"names an expectation and does not call it: `{short(value)}`. Write `()` after it."
    if isinstance(value, ast.Call) and functions.get(name_of(value.func)):
        return f"calls {name_of(value.func)}(), which runs only when it is awaited or iterated over: `{short(value)}`."
    name = called(value)
    if name in _ASKS:
        return f"asks and drops the answer: `{short(value)}`. Write `assert` before it, or take expect()."
    if is_lazy_call(value):
        return f"makes what runs only when it is called or iterated over: `{short(value)}`."
    if isinstance(value, ast.Await) and _swallows_errors(value.value):
        return f"drops the errors that it gathers: `{short(value)}`. Remove return_exceptions, or look at the answer."
    if (
        isinstance(value, ast.Call)
        and name == "assertTrue"
        and value.args
        and (what := _always(value.args[0], functions))
    ):
        return f"asserts {what}, which always holds: `{short(value)}`. Assert what it must be, or call it."
    is_begun = isinstance(value, ast.Call) and len(value.args) <= _WITHOUT_CALL.get(name, -1)
    if name in _PLACES:
        return f"names an element and looks at nothing of it: `{short(value)}`. Write `expect(...).to_be_visible()`."
    if is_begun or _begins(value):
        return f"begins an expectation or a step and does not go on: `{short(value)}`."
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
    if name_of(getattr(test, "func", test)) in _LAZY and isinstance(test, ast.Call):
        return f"what {called(test)}() makes"
    if isinstance(test, ast.JoinedStr) or (isinstance(test, ast.Constant) and isinstance(test.value, str | bytes)):
        return "a text" if not isinstance(test, ast.Constant) or test.value else ""
    if isinstance(test, ast.Lambda) or called(test) == "partial" or name_of(test) in functions:
        return "a function that is not called"
    if isinstance(test, ast.Call) and functions.get(name_of(test.func)):
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
    return "an element, which is there even where the page has none" if called(test) in _PLACES else ""


def _is_sure(test: ast.expr) -> bool:
    """Whether a comparison is of a thing with itself, or of a length with nothing."""
    if not isinstance(test, ast.Compare) or len(test.ops) > 1:
        return False
    left, right, at_least = test.left, test.comparators[0], isinstance(test.ops[0], ast.GtE)
    if at_least and called(left) == "len" and isinstance(right, ast.Constant):
        return right.value == 0
    same = at_least or isinstance(test.ops[0], ast.Eq | ast.Is | ast.LtE)
    parts = list(ast.walk(left))
    varies = any(isinstance(node, ast.Name) for node in parts) and not any(isinstance(node, ACTS) for node in parts)
    return same and varies and ast.dump(left) == ast.dump(right)


def _swallows_errors(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and any(
        keyword.arg == "return_exceptions" and getattr(keyword.value, "value", False) for keyword in value.keywords
    )


def _is_expectation(name: str) -> bool:
    return name in _EXPECTATIONS | _ASKS or name.startswith(("assert", "not_to_", "to_be_", "to_contain_", "to_have_"))


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and type(value.value) in (str, bytes, int, float)


def _begins(value: ast.expr) -> bool:
    return called(value) in _BEGINNINGS and isinstance(value, ast.Call) and isinstance(value.func, ast.Name)


def _is_negation(value: ast.expr) -> bool:
    return isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
