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
from synthprobe.demo.faults import NAMES
from synthprobe.plugin.options import MARKER
from synthprobe.respond.heartbeat import HeartbeatConfig
from synthprobe.respond.policy import FixesConfig
from synthprobe.respond.routes import AlertRoute, AlertsConfig
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
    tables = {
        "": Config,
        "alerts.": AlertsConfig,
        "alerts.routes.": AlertRoute,
        "browser.": BrowserConfig,
        "fixes.": FixesConfig,
        "heartbeat.": HeartbeatConfig,
        "report.": ReportConfig,
        "targets.NAME.": Target,
    }
    keys = {
        prefix + field.encode_name
        for prefix, record in tables.items()
        for field in msgspec.structs.fields(record)
        if prefix + field.name
        not in {"alerts", "alerts.routes", "browser", "fixes", "heartbeat", "report", "targets", "targets.NAME.name"}
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


def test_every_fault_is_described():
    page = (ROOT / "docs" / "reference" / "demo.md").read_text()
    assert set(re.findall(r"^\| `(\w+_\w+)` \|", page, re.MULTILINE)) == set(NAMES)


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in ROOT.glob("*.md")])
def test_links_between_pages_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert (ROOT / page).parent.joinpath(link).exists(), link
