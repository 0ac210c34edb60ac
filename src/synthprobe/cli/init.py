"""``synthprobe init``."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.terminal import open_console
from synthprobe.errors import ToolError

_PLACES = {
    "synthprobe.toml": "synthprobe.toml",
    "conftest.py.txt": "conftest.py",
    "drills.py.txt": "drills.py",
    "journeys/test_example.py": "journeys/test_example.py",
    "runbooks/sign-in-page.md": "runbooks/sign-in-page.md",
    "github/workflows/journeys.yml": ".github/workflows/journeys.yml",
    "gitignore": ".gitignore",
    "requirements.in": "requirements.in",
}
"""Each file of the scaffold, and where it goes: dot files and conftest.py are stored under names nothing acts on."""


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project.")] = Path(),
) -> None:
    """Begin a project: configuration, a first journey, a runbook and the workflow that runs it every five minutes.

    Nothing that is there already is overwritten.
    """
    scaffold: Traversable = files("synthprobe.cli") / "scaffold"
    there = [place for place in _PLACES.values() if (folder / place).exists()]
    if there:
        raise ToolError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already in {folder.absolute()}, "
            "and nothing was written. Choose an empty folder, or move what is there."
        )
    console = open_console()
    for source, place in _PLACES.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(scaffold.joinpath(source).read_text("utf-8"), "utf-8")
        console.print(f"wrote {path}")
    console.print(
        "For the workflow, lock what it installs and commit requirements.lock: "
        "uv pip compile --generate-hashes --python-version 3.12 requirements.in -o requirements.lock"
    )
    console.print("Try it: pytest journeys, then synthprobe run and synthprobe report.")
