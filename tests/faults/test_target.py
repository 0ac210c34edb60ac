"""Faults of the target: each ends as an outcome with its reason, within its time, and costs the others nothing.

All journeys run once, together, in one supervised run; each row reads the verdict of its own.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from synthprobe.records.verdict import JourneyVerdict, Verdict

from hostile import hostile  # isort: skip


class Row(NamedTuple):
    body: str
    outcome: str
    kind: str
    says: str = ""


API = "api.get('{path}').expect(200)"
PAGE = "page.goto('{path}')\n    expect(page.get_by_text('fine')).to_be_visible(timeout=700)"

ROWS = {
    "F01 api": Row("open_api(Target(base_url='{closed}')).get('/x')", "failed", "refused", "nothing listens"),
    "F01 page": Row("page.goto('{closed}')", "failed", "refused"),
    "F01 client": Row("page.request.get('{closed}')", "failed", "refused"),
    "F12 client": Row("page.request.get('/slam')", "failed", "protocol"),
    "F02 api": Row("open_api(Target(base_url='http://no-such-host.invalid')).get('/')", "failed", "dns"),
    "F04 api": Row(API.format(path="/hang"), "failed", "deadline"),
    "F04 page": Row("page.goto('/hang', timeout=700)", "failed", "timeout"),
    "F05 api": Row(API.format(path="/body-drips"), "failed", "deadline"),
    "F06 api": Row(API.format(path="/headers-drip"), "failed", "deadline"),
    "F07 api": Row(API.format(path="/redirects"), "failed", "redirects", "/redirects"),
    "F07 page": Row("page.goto('/redirects')", "failed", "redirects"),
    "F08 api": Row(API.format(path="/slow-redirects"), "failed", "deadline"),
    "F09 api": Row(API.format(path="/huge"), "failed", "too large"),
    "F10 api": Row(API.format(path="/bomb"), "failed", "too large"),
    "F12 truncated": Row(API.format(path="/truncated"), "failed", "protocol"),
    "F12 garbled": Row(API.format(path="/garbled"), "failed", "protocol", "answered 200"),
    "F12 cut page": Row("page.goto('/truncated', timeout=700)", "failed", "timeout"),
    "F12 deep": Row("assert api.get('/deep').json == []", "failed", "expectation", "nested too deep"),
    "F12 reset": Row(API.format(path="/reset"), "failed", "protocol"),
    "F12 page": Row("page.goto('/slam')", "failed", "protocol"),
    "F15 api": Row(API.format(path="/throttled"), "failed", "throttled", "60"),
    "F16 page": Row(
        "page.goto('/websocket')\n    expect(page.locator('#state')).to_have_text('live', timeout=700)",
        "failed",
        "expectation",
        "waiting",
    ),
    "F17 page": Row(
        "page.goto('/image-hangs', wait_until='domcontentloaded')\n"
        "    expect(page.get_by_text('shown')).to_be_visible()",
        "passed",
        "",
    ),
    "F19 page": Row(
        "page.goto('/endless-script')\n    page.evaluate('new Promise(done => setTimeout(done, 300))')",
        "failed",
        "unresponsive",
        "did not answer",
    ),
    "F20 page": Row(
        "page.goto('/dialog')\n    page.get_by_text('Ask').click()\n"
        "    expect(page.get_by_text('asked')).to_be_visible()",
        "passed",
        "",
    ),
    "F21 page": Row(
        "page.goto('/download')\n    page.get_by_text('Get').click()\n"
        "    expect(page.get_by_text('still')).to_be_visible()",
        "passed",
        "",
    ),
    "F24 page": Row(PAGE.format(path="/error-page"), "failed", "expectation"),
    "F24 api": Row("api.get('/error-page').expect(200).json_has(state='fine')", "failed", "expectation", "text/html"),
    "F25 page": Row(PAGE.format(path="/login-wall"), "failed", "expectation"),
    "F26 page": Row(
        "page.goto('/fine')\n    with suppress(Exception):\n        page.goto('chrome://crash', timeout=2000)\n"
        "    expect(page.get_by_text('fine')).to_be_visible(timeout=700)",
        "unknown",
        "browser",
        "A page crashed",
    ),
    "F26 killed": Row(
        "page.goto('/fine')\n    kill_renderers()\n    assert page.title() == 'hostile'",
        "unknown",
        "browser",
        "A page crashed",
    ),
    "F35": Row("request.getfixturevalue('hangs')", "unknown", "deadline"),
    "F36": Row("request.getfixturevalue('hangs_at_its_end')", "unknown", "cleanup"),
    "F67": Row("secrets['unset'].reveal()", "unknown", "credentials", "PROBE_UNSET"),
}

HANGING = {"F19 page", "F35", "F36"}
SOON = "@pytest.mark.timeout(4)\n"
"""What hangs for ever is ended sooner than what only takes its time on a busy machine."""

HEAD = """
import threading, pytest
from contextlib import suppress
from playwright.sync_api import expect
from synthprobe import Target

def kill_renderers():
    import psutil
    for process in psutil.Process().children(recursive=True):
        if "--type=renderer" in process.cmdline():
            process.kill()
            process.wait(5)

@pytest.fixture
def hangs():
    threading.Event().wait()

@pytest.fixture
def hangs_at_its_end():
    yield
    threading.Event().wait()

"""


def name(row: str) -> str:
    return "test_" + row.replace(" ", "_").lower()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, JourneyVerdict]:
    root = tmp_path_factory.mktemp("faults")
    (root / "journeys").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with hostile() as url:
        (root / "synthprobe.toml").write_text(
            "second_attempts = 0\njourney_deadline_s = 9\n[targets.demo]\n"
            f'base_url = "{url}"\ntimeout_s = 2\nmax_body_mb = 1\naction_timeout_s = 2\n'
            '[targets.demo.secrets]\nunset = "env:PROBE_UNSET"\n'
        )
        text = HEAD + "".join(
            f"{SOON if row in HANGING else ''}def {name(row)}({', '.join(uses(body.body))}):\n"
            f"    {body.body.replace('{closed}', closed)}\n\n"
            for row, body in ROWS.items()
        )
        (root / "journeys" / "test_rows.py").write_text(text)
        command = [sys.executable, "-m", "synthprobe", "run", "-n", "2", "--deadline", "100"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return verdicts(root)


def uses(body: str) -> list[str]:
    return [
        fixture
        for fixture in ("api", "open_api", "page", "request", "secrets")
        if re.search(rf"\b{fixture}[.(\[]", body)
    ]


def verdicts(root: Path) -> dict[str, JourneyVerdict]:
    (path,) = (root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    return {journey.journey.id.rsplit(".", 1)[-1]: journey for journey in verdict.journeys}


@pytest.mark.parametrize("row", ROWS)
def test_it_ends_as_an_outcome_with_its_reason(run, row):
    wanted, verdict = ROWS[row], run[name(row)]
    (result,) = verdict.results
    kind = result.failure.kind if result.failure else ""
    assert (verdict.outcome, kind) == (wanted.outcome, wanted.kind), verdict.cause
    assert wanted.says in (result.failure.message if result.failure else "")
    assert result.duration_s < 15


@pytest.mark.parametrize("row", ["F10 api", "F12 truncated", "F12 garbled", "F12 cut page"])
def test_what_was_answered_and_could_not_be_read_is_not_told_as_unanswered_and_names_no_class(run, row):
    triage = run[name(row)].triage
    assert (triage.cause_class, "answered 200 and could not be read whole" in triage.why) == ("unknown", True), triage


def test_each_journey_has_one_verdict(run):
    assert sorted(run) == sorted(name(row) for row in ROWS)
