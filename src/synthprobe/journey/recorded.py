"""A recorded script as a journey: cut into steps with titles, what is secret replaced, addresses made relative."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from synthprobe.errors import ConfigurationError

_SECRET = re.compile(r"pass(word|wort|phrase|code)?\b|kennwort|secret|token|api.?key|\bpin\b", re.IGNORECASE)
_CODE = re.compile(r"\botp\b|(one.?time|verification|security|authentic\w+|login|sms|2fa).*code|code", re.IGNORECASE)
_ENDS_STEP = {"click", "dblclick", "press", "check", "uncheck", "tap"}
_CONTROLS = {"button", "link", "menuitem", "tab", "option", "row", "cell", "heading"}


class RecordedJourney(Struct, frozen=True, kw_only=True):
    """What was made of a script."""

    text: str
    steps: int
    secrets: tuple[str, ...]


def journey_from(script: str, url: str, *, owner: str = "") -> RecordedJourney:
    """Make a journey of a script that ``playwright codegen --target python-pytest`` wrote."""
    try:
        functions = [node for node in ast.parse(script).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError) as error:
        raise ConfigurationError(
            f"What was recorded is no Python ({error}). Record with --target python-pytest."
        ) from None
    if len(functions) != 1 or not functions[0].body:
        raise ConfigurationError(
            f"What was recorded holds {len(functions)} functions, one with what was done was expected. Record with: "
            "playwright codegen --target python-pytest"
        )
    change = _Change(url)
    steps = _steps([change.visit(statement) for statement in functions[0].body if not isinstance(statement, ast.Pass)])
    if not steps:
        raise ConfigurationError("Nothing was recorded: do something on the page before the window is closed.")
    arguments = ["page: Page"]
    arguments += ["secrets: Secrets"] * bool(change.secrets) + ["otp: Otp"] * change.has_code
    imports = sorted(["step", *["Secrets"] * bool(change.secrets), *["Otp"] * change.has_code])
    lines = ["import re", ""] if "re.compile" in script else []
    lines += ["import pytest", f"from playwright.sync_api import Page{', expect' if 'expect(' in script else ''}"]
    lines += [f"from synthprobe import {', '.join(imports)}", "", ""]
    if owner:
        lines.append(f"@pytest.mark.journey(owner={_quoted(owner)})")
    else:
        lines.append('@pytest.mark.journey(owner="")  # the role or team that can act')
    lines.append(f"def test_recorded({', '.join(arguments)}) -> None:")
    lines.append(f'    """{_sentence(steps[-1][0])}"""')
    for title, statements in steps:
        lines.append(f"    with step({_quoted(title)}):")
        lines += [f"        {line}" for statement in statements for line in _source(statement).splitlines()]
    text = "\n".join(lines) + "\n"
    return RecordedJourney(text=text, steps=len(steps), secrets=tuple(change.secrets))


class _Change(ast.NodeTransformer):
    """Replaces what was typed into secret fields, and makes addresses of the target relative."""

    def __init__(self, url: str) -> None:
        self._origin = urlsplit(url)[:2]
        self.secrets: dict[str, None] = {}
        self.has_code = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(
                func=ast.Attribute(attr="fill" | "type" | "press_sequentially", value=field), args=[ast.Constant(), *_]
            ):
                if name := self._secret(_name_of(field)):
                    node.args[0] = ast.parse(name, mode="eval").body
            case ast.Call(
                func=ast.Attribute(attr="goto" | "wait_for_url"), args=[ast.Constant(value=str(address)), *_]
            ):
                parts = urlsplit(address)
                if parts[:2] == self._origin:
                    node.args[0] = ast.Constant(parts._replace(scheme="", netloc="").geturl() or "/")
        return node

    def _secret(self, field: str) -> str:
        """What stands for a value that was typed into a field; empty where it may stay."""
        if _SECRET.search(field):
            name = re.sub(r"[^a-z0-9]+", "_", field.lower()).strip("_") or "password"
            self.secrets[name] = None
            return f"secrets[{name!r}].reveal()"
        if _CODE.fullmatch(field):
            self.secrets["authenticator"] = None
            self.has_code = True
            return "otp('authenticator')"
        return ""


def _steps(statements: Sequence[ast.stmt]) -> list[tuple[str, list[ast.stmt]]]:
    """Cut after each act that a page answers, an address or a control; what is expected then belongs to it."""
    steps: list[tuple[str, list[ast.stmt]]] = []
    held: list[ast.stmt] = []
    for statement in statements:
        source = ast.unparse(statement)
        if source.startswith("expect(") and not held and steps:
            steps[-1][1].append(statement)
            continue
        held.append(statement)
        if title := _ending(statement, filled=len(held) > 1):
            steps.append((title, held))
            held = []
    if held:
        steps.append((f"fill in {_name_of_act(held[-1]) or 'the page'}", held))
    return steps


def _ending(statement: ast.stmt, *, filled: bool) -> str:
    """The title of the step that a statement ends; empty when it ends none."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="goto"), args=[ast.Constant(value=str(address)), *_])):
            return f"open {urlsplit(address).path or address}"
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=act, value=field))) if act in _ENDS_STEP:
            if act in {"click", "press"} and not _is_control(field) and act == "click":
                return ""
            name = _name_of(field)
            begin = "fill in the form and " if filled else ""
            return f'{begin}press "{name}"' if name else f"{begin}press what was pressed"
        case _:
            return ""


def _is_control(field: ast.expr) -> bool:
    """Whether what is clicked does something; a click into a field only moves the cursor."""
    match _locator(field):
        case ast.Call(func=ast.Attribute(attr="get_by_role"), args=[ast.Constant(value=str(role)), *_]):
            return role in _CONTROLS
        case ast.Call(func=ast.Attribute(attr="get_by_label" | "get_by_placeholder")):
            return False
        case _:
            return True


def _locator(field: ast.expr) -> ast.expr:
    """The innermost call that names something: without ``.first``, ``.nth(0)``."""
    while True:
        match field:
            case ast.Attribute(value=inner) | ast.Call(func=ast.Attribute(attr="nth" | "filter", value=inner)):
                field = inner
            case _:
                return field


def _name_of(field: ast.expr) -> str:
    """What a person calls a field or control."""
    found = _locator(field)
    if isinstance(found, ast.Call):
        names = [keyword.value for keyword in found.keywords if keyword.arg == "name"]
        given = [*names, *([] if ast.unparse(found.func).endswith("get_by_role") else found.args)]
        return next((str(constant.value) for constant in given if isinstance(constant, ast.Constant)), "")
    return ""


def _name_of_act(statement: ast.stmt) -> str:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=field))):
            return _name_of(field)
        case _:
            return ""


def _source(statement: ast.stmt) -> str:
    """The statement with double quotes, as formatters write it."""
    return re.sub(r"'([^'\"\\\n]*)'", r'"\1"', ast.unparse(statement))


def _quoted(text: str) -> str:
    """A text as formatters quote it."""
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'


def _sentence(title: str) -> str:
    return "Recorded: " + title.replace("\\", "").replace('"', "'")
