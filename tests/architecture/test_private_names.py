"""Private names of other libraries stand in one file for each library, with the version range it was tried with."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "synthprobe"

HOMES = {
    "browser/inside_playwright.py": "playwright",
    "journey/deadline.py": "requests",
    "plugin/inside_pytest.py": "pytest",
    "plugin/inside_allure.py": "allure-pytest",
}
PUBLIC = {"_replace", "_fields", "_asdict", "_mapping", "_exit", "_get_running_loop", "_set_running_loop"}
"""Names with an underscore that Python and SQLAlchemy document, or list among those for others (asyncio)."""

INSIDES = {"_pytest", "allure_pytest", "pytest_rerunfailures", "xdist"}
"""Packages that say nowhere what of them is for others."""


def own_names(tree: ast.Module) -> set[str]:
    """What a file names itself: functions, classes, variables, fields, attributes of its objects."""
    made = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = {node.name for node in ast.walk(tree) if isinstance(node, made)}
    found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return found | {node.attr for node in stored if getattr(node.value, "id", "") in {"self", "cls"}}


def private_names(tree: ast.Module, ours: set[str]) -> Iterator[tuple[int, str]]:
    """Each use of a name that another library keeps for itself, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from _private(node.lineno, node.attr, ours)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"getattr", "setattr", "hasattr"}:
            names = (argument.value for argument in node.args[1:2] if isinstance(argument, ast.Constant))
            yield from (found for name in names for found in _private(node.lineno, str(name), ours))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            for module in modules:
                parts = module.split(".")
                hidden = any(part.startswith("_") and not part.startswith("__") for part in parts)
                if (hidden and module not in sys.stdlib_module_names) or parts[0] in INSIDES:
                    yield node.lineno, module


def _private(line: int, name: str, ours: set[str]) -> Iterator[tuple[int, str]]:
    if name.startswith("_") and not name.startswith("__") and name not in PUBLIC | ours:
        yield line, name


def test_private_names_of_other_libraries_stand_in_their_homes():
    paths = [path for path in sorted(SOURCE.rglob("*.py")) if "scaffold" not in path.parts]
    trees = {path: ast.parse(path.read_text("utf-8")) for path in paths}
    ours = set().union(*map(own_names, trees.values()))
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {name}"
        for path, tree in trees.items()
        if path.relative_to(SOURCE).as_posix() not in HOMES
        for line, name in private_names(tree, ours)
    ]
    assert not found, f"Move each into the home of its library, one of {', '.join(HOMES)}:\n" + "\n".join(found)


@pytest.mark.parametrize(("home", "library"), HOMES.items())
def test_each_home_names_the_versions_that_are_admitted(home, library):
    with (ROOT / "pyproject.toml").open("rb") as file:
        admitted = tomllib.load(file)["project"]["dependencies"]
    tried = import_module(f"synthprobe.{home.removesuffix('.py').replace('/', '.')}").TRIED
    assert tried.startswith(library)
    assert tried in admitted


@pytest.mark.parametrize(
    "source",
    [
        "from _pytest.junitxml import xml_key",
        "import allure_pytest.listener",
        "item.session._setupstate.teardown_exact(None)",
        'before = getattr(expect, "_timeout", None)',
        "page._impl_obj.close()",
    ],
)
def test_the_search_finds_what_used_to_stand_elsewhere(source):
    assert list(private_names(ast.parse(source), set()))
