"""What the evidence costs: the same journeys bare, with pytest-playwright's evidence, and with synthprobe.

"Its first attempts" are synthprobe's without DOM snapshots. Bare but for a trace without pictures that nobody keeps is
the least that evidence with a trace costs.

20 browser and 40 API journeys against one dispatch centre, in alternating rounds. CPU seconds are those of the whole
process tree: a child subreaper collects orphans, so browsers and drivers count as well. Bytecode is kept between
rounds, as pip keeps it for an installed package.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from synthprobe.browser.installation import find_browser
from synthprobe_demo.process import running_centre

BROWSER = """
import pytest

@pytest.mark.parametrize("n", range(20))
def test_board(page, n):
    page.goto("/login")
    page.get_by_label("User name").fill("dispatcher1")
    page.get_by_label("Password").fill("dispatch-Harbor-1")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="New incident").click()
    page.get_by_label("Address").fill("1 Probe Lane")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("link", name="Search").click()
    page.get_by_label("Query").fill("Proba")
    page.get_by_role("button", name="Search").click()
    page.get_by_test_id("result-count").get_by_text("found").wait_for()
"""
API = """
import pytest
{imports}
@pytest.mark.parametrize("n", range(40))
def test_api({fixture}, n):
    {make}
    who = {{"username": "dispatcher1", "password": "dispatch-Harbor-1"}}
    token = {post}("{base}/api/login", json=who){json}["token"]
    for path in ("/api/units", "/api/incidents", "/api/search?kind=person&q=Proba"):
        answer = {get}("{base}" + path, headers={{"Authorization": "Bearer " + token}})
        assert answer.{status} == 200
"""
LAUNCH = """
import pytest
@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {{**browser_type_launch_args, **{arguments!r}}}
"""
TRACE = """
@pytest.fixture
def context(context):
    context.tracing.start(snapshots=True, screenshots=False, sources=False)
    yield context
"""
WAYS = {
    "bare": ["-p", "no:synthprobe", "-p", "no:allure_pytest"],
    "bare but for a trace": ["-p", "no:synthprobe", "-p", "no:allure_pytest"],
    "pytest-playwright": ["-p", "no:synthprobe", "--tracing", "retain-on-failure", "--screenshot", "only-on-failure",
                          "--alluredir", "allure"],
    "synthprobe": [],
    "its first attempts": [],
}  # fmt: skip
OURS = ("synthprobe", "its first attempts")
PYTEST = ["pytest", "-q", "-p", "no:cacheprovider"]
PR_SET_CHILD_SUBREAPER = 36


def prepare(root: Path, way: str, base: str, executable: str | None) -> Path:
    """A project folder for one way."""
    folder = root / way
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeys" / "test_browser.py").write_text(BROWSER)
    words = {"imports": "import requests", "fixture": "request", "make": "session = requests.Session()",
             "post": "session.post", "get": "session.get", "json": ".json()", "status": "status_code",
             "base": base}  # fmt: skip
    if way in OURS:
        words |= {"imports": "", "fixture": "api", "make": "pass", "post": "api.post", "get": "api.get",
                  "json": ".json", "status": "status", "base": ""}  # fmt: skip
        snapshots = "always" if way == "synthprobe" else "second-attempt"
        written = f'[evidence]\nsnapshots = "{snapshots}"\n[targets.demo]\nbase_url = "{base}"\n'
        (folder / "synthprobe.toml").write_text(written)
    else:
        arguments = {"executable_path": executable} if executable else {}
        trace = TRACE if way == "bare but for a trace" else ""
        (folder / "conftest.py").write_text(LAUNCH.format(arguments=arguments) + trace)
    (folder / "journeys" / "test_api.py").write_text(API.format(**words))
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def measure(command: list[str]) -> dict[str, float]:
    """Run a command; CPU and wall seconds and peak megabytes of its whole tree. Runs in a process of its own."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began, peak, end = time.monotonic(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not end.wait(0.1):
            peak = max(peak, tree_mb(os.getpid()))

    threading.Thread(target=watch, daemon=True).start()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    wall = time.monotonic() - began
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    end.set()
    if done.returncode not in {0, 5}:
        sys.exit(done.stdout)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu": used.ru_utime + used.ru_stime, "wall": wall, "mb": peak}


def tree_mb(root: int) -> float:
    """Resident megabytes of all processes below one."""
    parents, sizes = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
        sizes[int(path.parent.name)] = int(fields[21]) * resource.getpagesize() / 1e6
    below = {root}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return sum(sizes.get(pid, 0) for pid in below - {root})


def measured(folder: Path, words: list[str]) -> dict[str, float]:
    """Measure `python -m WORDS` in a folder."""
    command = [sys.executable, __file__, "--measure", sys.executable, "-m"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([*command, *words], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def import_ms() -> float:
    """Milliseconds that `import synthprobe` adds to an interpreter."""

    def once(code: str) -> float:
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True)
        return (time.monotonic() - began) * 1000

    pairs = [(once("import synthprobe"), once("pass")) for _ in range(10)]
    return statistics.median(ours for ours, _ in pairs) - statistics.median(empty for _, empty in pairs)


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--collecting", action="store_true", help="measure only that")
    given = parser.parse_args()
    rounds = given.rounds
    browser = find_browser(None, os.environ)
    assert browser is not None, "no browser: run synthprobe doctor --fix"
    executable = str(browser.path) if browser.path else None
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    collected: dict[str, list[float]] = {"pytest-playwright": [], "synthprobe": []}
    with tempfile.TemporaryDirectory() as name, running_centre() as centre:
        folders = {way: prepare(Path(name), way, centre.base_url, executable) for way in WAYS}
        for number in range(0 if given.collecting else rounds):
            ways = list(WAYS) if number % 2 == 0 else list(reversed(WAYS))
            for way in ways:
                options = [*PYTEST, "journeys", *WAYS[way]]
                if way not in OURS:
                    options += ["--base-url", centre.base_url]
                found[way].append(measured(folders[way], options))
        many = "\n".join(f"def test_{n}(page):\n    pass\n" for n in range(1000))
        for way in collected:
            (folders[way] / "journeys" / "test_browser.py").write_text(many)
            (folders[way] / "journeys" / "test_api.py").unlink()
        for _ in range(rounds):
            for way, seconds in collected.items():
                off = ["-p", "no:synthprobe", "-p", "no:allure_pytest"] if way != "synthprobe" else []
                seconds.append(measured(folders[way], [*PYTEST, "journeys", "--collect-only", *off])["cpu"])
    if given.collecting:
        print(f"{datetime.now(UTC):%Y-%m-%d} {_collecting(collected)}")
        return
    show(found, collected, rounds, f"{browser.name} ({executable or 'Playwright'})")


def _collecting(collected: dict[str, list[float]]) -> str:
    ours, plain = (statistics.median(collected[way]) for way in ("synthprobe", "pytest-playwright"))
    value = ours / plain
    what = f"CPU of collecting 1,000 journeys, × pytest-playwright alone: {value:.3f} ({ours:.2f} s, {plain:.2f} s)"
    return f"{'reached' if value <= 1.10 else 'MISSED ':8} {what}, at most 1.1"


def show(
    found: dict[str, list[dict[str, float]]], collected: dict[str, list[float]], rounds: int, browser: str
) -> None:
    """Print the figures beside their targets."""
    console = Console(width=100, highlight=False)
    middle = {
        way: {key: statistics.median(measurement[key] for measurement in all_) for key in all_[0]}
        for way, all_ in found.items()
    }
    bare = middle["bare"]
    table = Table(title=f"20 browser + 40 API journeys, median of {rounds} alternating rounds")
    for heading in ("way", "CPU s", "× bare", "wall s", "× bare", "peak MB"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for way, figures in middle.items():
        cpu, wall = f"{figures['cpu'] / bare['cpu']:.2f}", f"{figures['wall'] / bare['wall']:.2f}"
        table.add_row(way, f"{figures['cpu']:.2f}", cpu, f"{figures['wall']:.2f}", wall, f"{figures['mb']:.0f}")
    console.print(table)
    ours, peer = middle["synthprobe"], middle["pytest-playwright"]
    for name, value, limit in (
        ("CPU, × bare", ours["cpu"] / bare["cpu"], 1.25),
        ("CPU, × pytest-playwright with evidence", ours["cpu"] / peer["cpu"], 0.75),
        ("CPU, × bare but for a trace", ours["cpu"] / middle["bare but for a trace"]["cpu"], 1.02),
        ("CPU of first attempts, × bare", middle["its first attempts"]["cpu"] / bare["cpu"], 1.07),
        ("wall, × bare", ours["wall"] / bare["wall"], 1.20),
        ("import synthprobe, ms", import_ms(), 60.0),
    ):
        console.print(f"{'reached' if value <= limit else 'MISSED ':8} {name}: {value:.3f}, at most {limit:g}")
    console.print(_collecting(collected))
    console.print(
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, browser {browser}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2:])))
    else:
        main()
