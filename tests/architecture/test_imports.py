"""Importing synthprobe stays light, and what it promises to export is there."""

import subprocess
import sys
from pathlib import Path

import synthprobe

HEAVY = "sqlalchemy apprise jinja2 starlette plotly requests playwright allure_commons jsonschema rich typer"


def modules_after(statement: str, folder: Path | None = None) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_heavy_library():
    assert not modules_after("import synthprobe") & set(HEAVY.split())


def test_importing_the_plugin_loads_no_heavy_library():
    assert not modules_after("import synthprobe.plugin") & (set(HEAVY.split()) - {"rich"})


def test_a_green_run_loads_no_library_that_only_others_need(tmp_path):
    code = (
        "from pathlib import Path; from synthprobe.firstline.shelf import read_shelf; import synthprobe.cli.run; "
        "import synthprobe.pipeline.afterwards; from synthprobe.history.store import History; "
        f"History.open({str(tmp_path / 'history.db')!r}).close(); read_shelf(Path('.'), Path('.'))"
    )
    assert "filelock" in modules_after(code, tmp_path)  # while the file is made
    assert not modules_after(code, tmp_path) & {
        "filelock",
        "markdown_it",
        "yaml",
        "jinja2",
        "zoneinfo",
        "cronsim",
        "requests",
    }


def test_every_public_name_is_there():
    for name in synthprobe.__all__:
        assert getattr(synthprobe, name).__doc__, f"{name} has no docstring"
