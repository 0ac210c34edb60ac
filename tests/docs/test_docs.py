"""The documentation cannot drift: examples run, and whatever can be typed has a heading."""

from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import msgspec.inspect
import pytest
import typer

from synthprobe.cli.main import app
from synthprobe.config import Config
from synthprobe.demo.faults import DECOYS, NAMES
from synthprobe.plugin.options import MARKER

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


def keys(record: type[msgspec.Struct], place: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(record):
        kind = msgspec.inspect.type_info(field.type)
        if isinstance(kind, msgspec.inspect.UnionType):  # a table that may be left out
            yield place + field.name
            kind = next(one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType))
        if isinstance(kind, msgspec.inspect.StructType):
            yield from keys(kind.cls, f"{place}{field.name}.")
        elif isinstance(kind, msgspec.inspect.DictType) and isinstance(kind.value_type, msgspec.inspect.StructType):
            yield from keys(kind.value_type.cls, f"{place}{field.name}.NAME.")
        elif isinstance(kind, msgspec.inspect.VarTupleType) and isinstance(kind.item_type, msgspec.inspect.StructType):
            yield from keys(kind.item_type.cls, f"{place}{field.name}.")
        elif place + field.name != "targets.NAME.name":
            yield place + field.encode_name


def test_every_configuration_key_has_a_heading():
    there, wanted = headings("configuration.md"), set(keys(Config))
    tables = {heading for heading in there if any(key.startswith(f"{heading}.") for key in wanted)}
    assert there - tables == wanted - tables


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
