"""What in the source of a journey will hurt at night: read, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from synthprobe.errors import ConfigurationError

_PRONOUN = re.compile(r"(it|this|that|they|he|she|there|these|those)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"(step|part|phase|test|check)?\s*\d*", re.IGNORECASE)
_WAITS = {"sleep", "wait_for_timeout"}
_STATUS = {"status", "status_code", "ok"}


class Remark(Struct, frozen=True, kw_only=True):
    """One thing to mend."""

    line: int
    rule: str
    text: str


def remarks(path: Path) -> list[Remark]:
    """What is to be mended in a file of journeys, by line."""
    try:
        tree = ast.parse(path.read_text("utf-8"), str(path))
    except (OSError, ValueError, SyntaxError) as error:
        why = (
            error.msg if isinstance(error, SyntaxError) else getattr(error, "strerror", None) or "it is not UTF-8 text"
        )
        raise ConfigurationError(f"{path} cannot be read as journeys: {why}. Give the path of a Python file.") from None
    found = [remark for node in ast.walk(tree) for remark in _of_node(node)]
    found += _without_owner(tree.body, owned=_names_owner(_pytestmark(tree.body)))
    return sorted(found, key=lambda remark: (remark.line, remark.rule))


def _of_node(node: ast.AST) -> Iterator[Remark]:
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _WAITS:
            yield Remark(
                line=node.lineno,
                rule="sleep",
                text=f"{name}() waits a fixed time, which is too long on a good day and too short on a bad one. Wait "
                "for what must become true: expect(...), or eventually(check, within=...).",
            )
        case ast.Assert(test=test) if name := _status_in(test):
            yield Remark(
                line=node.lineno,
                rule="status",
                text=f"A bare assert on .{name} says a number only. Write .expect(200), which says what was answered "
                "instead, and how to ask again.",
            )
        case ast.Call(func=ast.Name(id="step") | ast.Attribute(attr="step"), args=[ast.Constant(value=str(title)), *_]):
            if why := _means_nothing(title):
                yield Remark(
                    line=node.lineno,
                    rule="step",
                    text=f'The step "{title}" {why}: on a pager it stands alone. Say who does what, for example '
                    '"the order is stored as entered".',
                )
        case (
            ast.For(iter=rows)
            | ast.Assert(
                test=ast.Call(
                    func=ast.Name(id="all"), args=[ast.GeneratorExp(generators=[ast.comprehension(iter=rows), *_])]
                )
            )
        ) if _is_answer(rows) and any(isinstance(node, ast.Assert) for node in ast.walk(node)):
            yield Remark(
                line=node.lineno,
                rule="loop",
                text="Where the answer lists nothing, nothing is checked here, and the journey passes. Expect how many "
                'there must be: for row in answer.json_rows("units", key="id", at_least=1).',
            )
        case ast.Subscript(
            value=value,
            slice=ast.Constant(value=int() as place) | ast.UnaryOp(operand=ast.Constant(value=int() as place)),
        ):
            if _is_answer(value):
                yield Remark(
                    line=node.lineno,
                    rule="index",
                    text=f"Place {place} of an answer is whatever the target lists there. Look for the object of this "
                    "journey by its id or token.",
                )


def _status_in(test: ast.expr) -> str:
    sides = [test.left, *test.comparators] if isinstance(test, ast.Compare) else [test]
    return next((side.attr for side in sides if isinstance(side, ast.Attribute) and side.attr in _STATUS), "")


def _means_nothing(title: str) -> str:
    if _PRONOUN.match(title.strip()):
        return f"begins with {title.split()[0]!r}, and nobody knows what that is"
    if _NUMBERED.fullmatch(title.strip()) or len(title.split()) < 2:
        return "does not say what is done"
    return ""


def _is_answer(node: ast.expr) -> bool:
    """Whether a value is read out of the JSON of an answer."""
    while True:
        match node:
            case ast.Attribute(attr="json"):
                return True
            case ast.Call(func=inner) | ast.Subscript(value=inner) | ast.Attribute(value=inner):
                node = inner
            case _:
                return False


def _without_owner(body: Sequence[ast.stmt], *, owned: bool) -> Iterator[Remark]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            marks = [*node.decorator_list, *_pytestmark(node.body)]
            yield from _without_owner(node.body, owned=owned or _names_owner(marks))
        if owned or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("test") and not _names_owner(node.decorator_list):
            yield Remark(
                line=node.lineno,
                rule="owner",
                text=f"{node.name} has no owner, so nobody is told when it fails. Write "
                '@pytest.mark.journey(owner="the team that can act"), or once for the file: pytestmark = ...',
            )


def _pytestmark(body: Sequence[ast.stmt]) -> list[ast.expr]:
    return [
        node.value
        for node in body
        if isinstance(node, ast.Assign)
        for name in node.targets
        if isinstance(name, ast.Name) and name.id == "pytestmark"
    ]


def _names_owner(marks: Sequence[ast.expr]) -> bool:
    return any(
        isinstance(node, ast.keyword) and node.arg == "owner" and getattr(node.value, "value", "?") != ""
        for mark in marks
        for node in ast.walk(mark)
    )
