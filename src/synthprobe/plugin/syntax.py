"""How the parts of a test's source are called."""

from __future__ import annotations

import ast
import textwrap


def name_of(value: ast.AST) -> str:
    """A name that stands alone."""
    return value.id if isinstance(value, ast.Name) else ""


def last_name(value: ast.AST) -> str:
    """A name, or the last of several with dots between them."""
    return value.attr if isinstance(value, ast.Attribute) else name_of(value)


def called(value: ast.AST) -> str:
    """The name of the function that an expression calls."""
    return last_name(value.func) if isinstance(value, ast.Call) else ""


def short(node: ast.AST) -> str:
    """What stands there, in a line."""
    return textwrap.shorten(ast.unparse(node), 80)
