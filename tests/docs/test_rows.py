"""The tables of faults and leaks cannot drift: each row has tests that carry its id, in the files the page names."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = {f"F{number:02}" for number in [*range(1, 81), *range(85, 100)]}
LEAKS = {f"L{number:02}" for number in range(1, 52)}
_ROW = re.compile(r"(?<![A-Za-z0-9])([FL]\d\d)(?![A-Za-z0-9])", re.IGNORECASE)
_RANGE = re.compile(r"([FL])(\d\d)(?:–[FL](\d\d))?")


@pytest.fixture(scope="module")
def collected() -> set[tuple[str, str]]:
    """Row and file, of each test whose id carries a row."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "--long",
        "-q",
        "-o",
        "addopts=",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    ids = [line.partition("::") for line in done.stdout.splitlines() if "::" in line]
    return {(row.upper(), file) for file, _, name in ids for row in _ROW.findall(name)}


def tables(page: str, title: str) -> Iterator[tuple[str, str]]:
    """First and last cell of each line of the tables below a heading."""
    below = (ROOT / "docs" / page).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    for line in below.splitlines():
        if line.startswith("| ") and not line.startswith(("| --- ", "| row")):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            yield cells[0], cells[-1]


def rows(cell: str) -> set[str]:
    """`F04–F06, F09` spelt out."""
    return {
        f"{letter}{number:02}"
        for letter, first, last in _RANGE.findall(cell)
        for number in range(int(first), int(last or first) + 1)
    }


def test_each_fault_is_tested_in_the_files_that_the_page_names_and_in_no_other(collected):
    claims = {
        (row, file)
        for cell, where in tables("reliability.md", "Rows and the tests that prove them")
        for row in rows(cell)
        for file in re.findall(r"`(tests/[^`]+)`", where)
    }
    proved = {(row, file) for row, file in collected if row in FAULTS}
    assert {row for row, _ in claims} == {row for row, _ in proved}
    assert proved - claims == set(), "tests that the page does not name"
    idle = {file for _, file in claims} - {file for _, file in proved}
    assert idle == set(), "files without a test of any row"


def test_each_fault_has_a_test_or_a_reason(collected):
    reasons = dict(tables("reliability.md", "Rows that are not tested, and why"))
    tested = {row for row, _ in collected}
    assert all(reasons.values())
    assert set(reasons) & tested == set()
    assert FAULTS - tested == set(reasons)


def test_each_leak_has_a_test_or_a_reason(collected):
    text = (ROOT / "docs" / "security.md").read_text()
    promised = {row for _, cell in re.findall(r"^\| (.+) \| ([LF0-9 ]+) \|$", text, re.MULTILINE) for row in rows(cell)}
    elsewhere = {row for title in ("Not applicable", "Not covered") for row in rows(text.partition(f"## {title}")[2])}
    tested = {row for row, _ in collected}
    assert promised - tested == set(), "promised without a test"
    assert (tested & LEAKS) - promised == set(), "tests of a row that is not promised"
    assert LEAKS - promised - elsewhere == set(), "rows nothing is said of"
