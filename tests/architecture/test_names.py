"""A name is the noun of what it holds: words that fit anything name nothing."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES_NOTHING = {"one", "said", "told", "some", "its"}
NO_FILES = {"standing", "again", "due", "past", "keeper", "ladder", "cut", "job", "utils", "helpers", "manager"}


def bound(node: ast.AST) -> str:
    """The name that a piece of code gives to something; empty when it gives none."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
    return ""


def test_no_variable_parameter_or_function_has_a_name_that_fits_anything():
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = [
        f"{path}:{node.lineno}: {bound(node)}"
        for path in tracked.splitlines()
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if bound(node) in NAMES_NOTHING
    ]
    assert found == []
    assert [path for path in tracked.splitlines() if Path(path).stem in NO_FILES] == []
