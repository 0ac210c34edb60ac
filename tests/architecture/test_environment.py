"""The environment is read in one place, and handed down by the project."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "synthprobe"
HOME = "environment.py"

WITHOUT_A_PROJECT = {
    "config.py": "a browser is named there before there is a project",
    "project.py": "hands it down",
    "testing.py": "gives a child process its environment",
    "browser/installation.py": "a tool of the machine, looked for before there is a project",
    "browser/wall.py": "a browser that a journey launches itself begins as any child process does",
    "cli/init.py": "writes the project",
    "cli/lookup.py": "an account is known where there is no project, too",
    "cli/terminal.py": "the width of a console",
    "journey/api.py": "a session that an author makes by hand",
    "plugin/admission.py": "changes what Playwright's driver is given",
    "plugin/last_words.py": "tells what ends pytest, a project that cannot be read as well",
    "report/allure.py": "gives a child process its environment",
    "report/node.py": "a tool of the machine, looked for before there is a project",
}
"""Who takes the environment as it is, and why no project hands it down."""

_READERS = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def reads(tree: ast.Module) -> Iterator[int]:
    """Each line that reads the environment by itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "os":
            names = {node.attr}
        else:
            continue
        if names & _READERS:
            yield node.lineno


@functools.cache
def trees() -> dict[str, ast.Module]:
    """What is searched; what `init` writes is a project's own."""
    paths = (path for path in SOURCE.rglob("*.py") if "scaffold" not in path.parts)
    return {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


def test_only_the_project_reads_the_environment():
    found = [f"{name}:{line}" for name, tree in trees().items() if name != HOME for line in reads(tree)]
    assert not found, f"Take project.environ, or ENVIRONMENT of {HOME} where there is no project:\n" + "\n".join(found)


def test_who_takes_the_environment_without_a_project_is_listed_with_a_reason():
    taken = {
        name
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "ENVIRONMENT" in {alias.name for alias in node.names}
    }
    assert taken == WITHOUT_A_PROJECT.keys()


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['CI']", "from os import environ", "os.getenv('CI')", "from os import getenv as g"]
)
def test_such_a_read_is_seen(source):
    assert list(reads(ast.parse(source)))
