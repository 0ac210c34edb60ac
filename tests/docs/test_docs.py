"""The documentation cannot drift: examples run, and whatever can be typed has a heading."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import msgspec
import pytest
import typer

from synthprobe.cli.main import app
from synthprobe.config import BrowserConfig, Config, ReportConfig
from synthprobe.demo.faults import DECOYS, NAMES
from synthprobe.plugin.options import MARKER
from synthprobe.targets.target import Target

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    for path in (ROOT / "src" / "synthprobe").rglob("*.py")
    if ">>> " in path.read_text()
)


def headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ `([^`]+)`", (ROOT / "docs" / "reference" / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    found = doctest.testmod(importlib.import_module(name))
    assert (found.failed, found.attempted > 0) == (0, True)


def test_every_configuration_key_has_a_heading():
    tables = {"": Config, "browser.": BrowserConfig, "report.": ReportConfig, "targets.NAME.": Target}
    keys = {
        prefix + field.name
        for prefix, record in tables.items()
        for field in msgspec.structs.fields(record)
        if prefix + field.name not in {"browser", "report", "targets", "targets.NAME.name"}
    }
    assert headings("configuration.md") == keys


def test_every_argument_of_the_marker_has_a_heading():
    assert headings("marker.md") == set(re.findall(r"\w+", MARKER.split("(")[1].split(")")[0]))


def test_every_command_has_a_heading():
    commands = set()
    for name, command in typer.main.get_command(app).commands.items():
        commands.add(f"synthprobe {name}")
        commands |= {f"synthprobe {name} {inner}" for inner in getattr(command, "commands", {})}
    assert headings("cli.md") == commands


def test_every_fault_and_every_decoy_has_a_heading():
    assert headings("demo.md") == {*NAMES, *DECOYS}


def test_every_journey_of_the_centre_is_listed():
    page = (ROOT / "docs" / "reference" / "demo.md").read_text().split("## Journeys")[1]
    written = "".join(path.read_text() for path in (ROOT / "journeys" / "dispatch").glob("test_*.py"))
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(re.findall(r'\bid="([a-z-]+)"', written))


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in ROOT.glob("*.md")])
def test_links_between_pages_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert (ROOT / page).parent.joinpath(link).exists(), link
