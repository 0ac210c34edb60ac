"""F14: an HTTP/2 connection or stream that breaks is a failure of the protocol, and is looked at a second time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.node import find_node
from synthprobe_demo.certificate import Certificate

PATHS = {  # outcome, what broke in each attempt, whether it comes and goes
    "reset": ("failed", ["protocol", "protocol"], False),
    "reset-midway": ("failed", ["expectation", "expectation"], False),  # half a page came, and the journey looked at it
    "goaway": ("failed", ["protocol", "protocol"], False),
    "reset-once": ("passed", ["protocol", ""], True),
    "graceful": ("passed", [""], False),
    "fine": ("passed", [""], False),
}

JOURNEY = """
def test_{name}(page):
    answer = page.goto('/{path}')
    assert page.get_by_text('fine').is_visible()
    assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == 'h2'
    page.goto('/fine')
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("certificate")
    certificate = Certificate(folder)
    certificate.renew()
    script = Path(__file__).with_name("http2.mjs")
    command = [str(find_node()), str(script), str(certificate.path), str(certificate.key)]
    # in a group of its own, as a script may stand before Node
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as node:
        assert node.stdout is not None
        yield f"https://127.0.0.1:{node.stdout.readline().strip()}"
        os.killpg(node.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def verdicts(server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, JourneyVerdict]:
    root = tmp_path_factory.mktemp("http2")
    (root / "journeys").mkdir()
    (root / "synthprobe.toml").write_text(f'[targets.demo]\nbase_url = "{server}"\ntls_verify = false\n')
    text = "".join(JOURNEY.format(name=path.replace("-", "_"), path=path) for path in PATHS)
    (root / "journeys" / "test_http2.py").write_text(text)
    command = [sys.executable, "-m", "synthprobe", "run", "-n", "1"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    (written,) = (root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = msgspec.json.decode(written.read_bytes(), type=Verdict)
    return {journey.journey.id.rsplit("test_", 1)[-1].replace("_", "-"): journey for journey in verdict.journeys}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"F14-{path}")
def test_it_ends_as_an_outcome_and_is_tried_twice_where_it_broke(verdicts, path):
    outcome, broken, intermittent = PATHS[path]
    verdict = verdicts[path]
    assert (verdict.outcome, verdict.intermittent) == (outcome, intermittent), verdict.cause
    failures = [result.failure for result in verdict.results]
    assert [failure.kind if failure else "" for failure in failures] == broken
    assert all("net::ERR_" in failure.message for failure in failures if failure and failure.kind == "protocol")
