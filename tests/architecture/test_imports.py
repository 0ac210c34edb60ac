"""Importing synthprobe stays light, and what it promises to export is there."""

import subprocess
import sys

import synthprobe

HEAVY = "sqlalchemy apprise jinja2 starlette plotly requests playwright allure_commons jsonschema rich typer"


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_heavy_library():
    assert not modules_after("import synthprobe") & set(HEAVY.split())


def test_importing_the_plugin_loads_no_heavy_library():
    assert not modules_after("import synthprobe.plugin") & (set(HEAVY.split()) - {"rich"})


def test_every_public_name_is_there():
    assert sorted(synthprobe.__all__) == list(synthprobe.__all__)
    for name in synthprobe.__all__:
        assert getattr(synthprobe, name).__doc__, f"{name} has no docstring"
