"""Checks that are written and can never end a test: their failure is caught, or nothing runs them."""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

_CHECKS = frozenset(("expect", "has_header", "json_has", "json_matches", "json_rows", "within"))
_WIDE = frozenset(("AssertionError", "BaseException", "Exception", "ExpectationError", "SynthprobeError"))
_QUIET = frozenset(
    ("critical", "debug", "error", "exception", "info", "log", "print", "print_exc", "sleep", "warn", "warning")
)
_FILLS = frozenset(("add", "append", "extend", "update"))
_LAZY = frozenset(("filter", "map", "partial"))
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.Assert) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHECKS
    )


def swallowed(
    statement: ast.stmt,
    is_check: Callable[[ast.AST], bool] = is_check,
    is_tolerant: Callable[[ast.expr], bool] = lambda manager: False,
    unread: Collection[str] = (),
    *,
    is_last: bool = False,
) -> str:
    """How a statement drops the failure of a check that stands in it; behind the last one, to leave is to go on."""
    if isinstance(statement, ast.Try | ast.TryStar) and (check := _last(statement.body, is_check)):
        if _leaves(statement.finalbody):
            return f"leaves by `finally`, which drops the failure of `{short(check)}`. Move that behind the `finally`."
        caught = next(
            (handler for handler in statement.handlers if handler.type is None or _is_wide([handler.type])), None
        )
        if (
            caught
            and not statement.orelse
            and all(_is_quiet(node) or _fills(node) in unread or (is_last and _is_return(node)) for node in caught.body)
        ):
            return f"catches what `{short(check)}` would say, and goes on. Let it end the journey."
    if isinstance(statement, ast.With) and any(
        is_tolerant(item.context_expr) or _is_suppress(item.context_expr) for item in statement.items
    ):
        check = _last(statement.body, is_check)
        return f"suppresses what `{short(check)}` would say. Let it end the journey." if check else ""
    return ""


def never_read(tree: _Function) -> set[str]:
    """Names of a test's own that nothing reads, so that what is kept in one is lost."""
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    read = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
    filled = Counter(_fills(node) for node in nodes if isinstance(node, ast.Expr))
    shared = {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)} - shared
    return {name for name in own if read[name] == filled[name]}


def never_run(tree: _Function) -> Iterator[tuple[int, str]]:
    """Line and words of each function within a test that holds checks, and that nothing calls or names."""
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, _Function) and node is not tree and not node.decorator_list:
            name, body = node.name, list(ast.walk(node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_lazy(node.value):
            name, body = node.targets[0].id, list(ast.walk(node.value))
        else:
            continue
        if name not in named and any(map(is_check, body)) and not _is_of_class(tree, node):
            yield node.lineno, f"defines {name}, which holds a check, and never runs it. Call it."


def is_lazy_call(value: ast.expr) -> bool:
    """Whether an expression makes something that runs only when it is asked for."""
    return _is_lazy(value) and not isinstance(value, ast.Lambda)


def _is_lazy(value: ast.expr) -> bool:
    if isinstance(value, ast.Lambda | ast.GeneratorExp):
        return True
    return called(value) in _LAZY


def _is_suppress(manager: ast.expr) -> bool:
    return called(manager) == "suppress" and _is_wide(getattr(manager, "args", ()))


def _last(body: list[ast.stmt], is_check: Callable[[ast.AST], bool]) -> ast.AST | None:
    """A check in the last statement of a block, so that nothing after it depends on its having held."""
    return next((node for node in _within(body[-1]) if is_check(node)), None)


def _within(node: ast.AST) -> Iterator[ast.AST]:
    """What runs in a block itself; a step knows by itself that it broke."""
    yield node
    steps = isinstance(node, ast.With) and any(called(item.context_expr) == "step" for item in node.items)
    if not steps and not isinstance(node, _Function | ast.Lambda | ast.Try):
        for inner in ast.iter_child_nodes(node):
            yield from _within(inner)


def _leaves(body: Iterable[ast.AST]) -> bool:
    for node in body:
        if isinstance(node, ast.Return | ast.Break | ast.Continue):
            return True
        if not isinstance(node, _Function | ast.For | ast.While) and _leaves(ast.iter_child_nodes(node)):
            return True
    return False


def _is_wide(kinds: Iterable[ast.expr]) -> bool:
    return any(last_name(node) in _WIDE for kind in kinds for node in ast.walk(kind))


def _is_return(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Return) and statement.value is None


def _is_quiet(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass | ast.Continue):
        return True
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) or (value is not None and called(value) in _QUIET)


def _fills(statement: ast.AST) -> str:
    """The name that something is put into: `wrong.append(error)`, `broken = True`, `count += 1`."""
    if isinstance(statement, ast.Expr) and called(statement.value) in _FILLS:
        return name_of(getattr(getattr(statement.value, "func", None), "value", statement))
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", statement)]
    return name_of(targets[0]) if isinstance(statement, ast.Assign | ast.AugAssign) else ""


def _is_of_class(tree: ast.AST, found: ast.AST) -> bool:
    return any(found in node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def name_of(value: ast.AST) -> str:
    """A name that stands alone."""
    return value.id if isinstance(value, ast.Name) else ""


def last_name(value: ast.AST) -> str:
    """A name, or the last of several with dots between them."""
    return value.attr if isinstance(value, ast.Attribute) else name_of(value)


def called(value: ast.AST) -> str:
    return last_name(value.func) if isinstance(value, ast.Call) else ""


def short(node: ast.AST) -> str:
    return textwrap.shorten(ast.unparse(node), 80)
