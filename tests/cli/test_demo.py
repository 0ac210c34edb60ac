"""The demonstration finds exactly what it injected, and leaves a report that works offline."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_site import serve
from playwright.sync_api import Browser, expect
from texts import compare

from synthprobe.errors import ConfigurationError
from synthprobe.records.journey import Journey
from synthprobe.records.result import Outcome, Run
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe_demo.demonstration import FOUND_BY, exactly_found, refuse_without_journeys

ROOT = Path(__file__).parents[2]
BY_DAY = ("test_call_intake.py", "test_dispatch.py", "test_live_board.py")
SLOW = "is_recommended|is_shown|where_they_are|sees_the_incident"
"""Journeys in a browser that no fault of the demonstration touches; every night they are shown too."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory, pytestconfig) -> tuple[subprocess.CompletedProcess[str], Path]:
    root = tmp_path_factory.mktemp("demo")
    for name in ("journeys", "runbooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    if not pytestconfig.getoption("long"):
        for path in (root / "journeys").rglob("test_*.py"):
            head, *journeys = re.split(r"(?m)^(?=@pytest\.mark\.journey)", path.read_text())
            path.write_text(head + "".join(text for text in journeys if not re.search(rf"def test_\w*({SLOW})", text)))
            if path.name not in BY_DAY:
                path.unlink()
    for name in ("conftest.py", "synthprobe.toml"):
        shutil.copy(ROOT / name, root / name)
    fewer = [] if pytestconfig.getoption("long") else ["--workers", "1"]
    command = [sys.executable, "-m", "synthprobe", "demo", *fewer]
    environ = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=400, check=False, env=environ
    ), root


def of_all(text: str) -> str:
    """A text of the demonstration, with the numbers it has when all journeys are shown."""
    shown = re.search(r"5 of (\d+) journeys", text)
    assert shown, text
    count = int(shown[1])
    return re.sub(rf"\b{count - 5}\b", "25", re.sub(rf"\b{count}\b", "30", text))


@pytest.mark.timeout(420)  # two runs of every journey, on a busy machine
def test_it_finds_exactly_the_injected_faults(demonstration):
    done, _ = demonstration
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exactly the injected faults were found." in done.stdout
    assert len(done.stdout.splitlines()) <= 60
    progress = re.compile(r"collecting journeys$|\d+/\d+( · |$)")
    compare(of_all("\n".join(line for line in done.stdout.splitlines() if not progress.match(line))), "demo.txt")


def test_the_report_shows_step_picture_and_a_trace_that_opens_offline(demonstration, chromium: Browser):
    _, root = demonstration
    server = serve(root / ".synthprobe" / "site")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    outside: list[str] = []
    page = chromium.new_page()
    home = f"http://127.0.0.1:{server.server_port}/"
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("http://127.0.0.1:", "data:", "blob:")) else outside.append(request.url)
        ),
    )
    page.goto(home)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 2 runs is not well")
    expect(page.get_by_role("heading", name=re.compile(r"5 of \d+ journeys fail on demo"))).to_be_visible()
    expect(page.get_by_text("take the call").first).to_be_visible()
    assert page.locator("img").count() >= 2
    renew = runpy.run_path(os.fspath(ROOT / ".ci" / "images"), run_name="images")
    shown = json.loads((ROOT / "docs" / "images" / "texts.json").read_text())
    assert json.loads(of_all(json.dumps(renew["texts_of"](page)))) == shown, (
        "the pictures of docs/images are stale: make images"
    )
    links = page.get_by_role("link", name="Open trace")
    traces = links.evaluate_all("links => links.map(link => link.href)")
    assert len(traces) >= 2
    for trace, step in zip(traces, ("take the call", "en route"), strict=False):
        page.goto(trace)
        expect(page.get_by_role("treeitem").filter(has_text=step).first).to_be_visible(timeout=15_000)
    page.close()
    server.shutdown()
    server.server_close()
    assert outside == []


def verdict(outcomes: dict[str, Outcome]) -> Verdict:
    run = Run(id="r", target="demo", base_url="http://x", slot=1, started_at=NOW)
    journeys = [JourneyVerdict(journey=Journey(id=i, node_id=i, title=i), outcome=o) for i, o in outcomes.items()]
    return Verdict(run=run, journeys=tuple(journeys), finished_at=NOW)


def test_less_or_more_than_was_injected_is_not_a_success():
    names = [*(name for found in FOUND_BY.values() for name in found), "other"]
    healthy = verdict(dict.fromkeys(names, "passed"))
    right = {name: "passed" if name == "other" else "failed" for name in names}
    assert exactly_found(healthy, verdict(right))
    slow = verdict({**dict.fromkeys(names, "passed"), "call-intake": "degraded"})
    assert exactly_found(slow, verdict({**right, "other": "degraded"})), "the machine is busy"
    assert not exactly_found(verdict({**right, "other": "passed"}), verdict(right)), "broken before a fault was on"
    assert not exactly_found(healthy, healthy), "a fault that nobody noticed"
    assert not exactly_found(healthy, verdict({**right, "other": "failed"})), "an alarm nobody injected"
    assert not exactly_found(healthy, verdict({**right, "other": "unknown"}))
    assert not exactly_found(verdict({}), verdict({}))
    refuse_without_journeys(healthy)
    with pytest.raises(ConfigurationError, match="call-intake.*make demo"):
        refuse_without_journeys(verdict({"other": "passed"}))
