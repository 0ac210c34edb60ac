"""What the machine of the probe does wrong is not told of the target: its network, its clock, its backlog of slots."""

import socket
import subprocess
import sys
import time
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from threading import Thread

import pytest

from synthprobe import loopback, pipeline

API = "def test_it(api):\n    api.get('/').expect(200)\n"
AGE = """
from datetime import UTC, datetime, timedelta
from synthprobe import freshness
def test_it(api):
    api.get('/').expect(200)
    freshness('position', datetime.now(UTC) - timedelta(seconds={age_s}), limit='60s')
"""


@pytest.fixture
def judged(project):
    """Runs the project's journeys as the cron job does: its exit code, output and verdict."""

    def run(url: str, journeys: str, settings: str = "", *options: str):
        project.configure(url)
        toml = project.root / "synthprobe.toml"
        toml.write_text(f"second_attempts = 0\n{settings}\n{toml.read_text()}")
        project.journeys(journeys)
        command = [sys.executable, "-m", "synthprobe", "run", *options]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)
        folder = pipeline.newest_run(project.root, ".synthprobe")
        return done.returncode, done.stdout, pipeline.read_verdict(folder / "verdict.json")

    return run


@pytest.fixture
def clock():
    """A server whose clock is ahead by so many seconds."""

    class Ahead(loopback.Handler):
        ahead_s = 0.0

        def do_GET(self):
            self.answer()

        def date_time_string(self, timestamp=None):
            return formatdate(time.time() + self.ahead_s, usegmt=True)

    with ThreadingHTTPServer(("127.0.0.1", 0), Ahead) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        Ahead.url = f"http://127.0.0.1:{server.server_port}"
        yield Ahead
        server.shutdown()


def closed() -> str:
    """An address nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_f03_no_network_is_said_once_and_not_of_the_target(judged):
    code, output, verdict = judged(closed(), API, f'control_url = "{closed()}"')
    assert code == 3, output
    assert "Neither the target nor the control host 127.0.0.1 can be reached from here" in verdict.blind
    (judgement,) = verdict.journeys
    assert (judgement.outcome, judgement.cause.split(":")[0]) == ("unknown", "network")
    assert (judgement.triage.cause_class, judgement.triage.why) == ("probe", verdict.blind), "not that it is down"


def test_f03_a_target_that_is_down_while_the_control_host_answers_has_failed(judged, clock):
    code, _, verdict = judged(closed(), API, f'control_url = "{clock.url}"')
    assert (code, verdict.blind, verdict.journeys[0].outcome) == (1, "", "failed")


@pytest.mark.parametrize(
    ("row", "ahead_s", "age_s", "outcome"),
    [
        ("F51 stale by a wrong clock", 95, 90, "unknown"),
        ("F51 from the future by a wrong clock", 95, -95, "unknown"),
        ("F51 stale, and the clocks agree", 0, 90, "degraded"),
        ("F51 fresh, whatever the clocks say", 95, 1, "passed"),
    ],
    ids=lambda value: value if isinstance(value, str) and value[0] == "F" else "",
)
def test_a_wrong_clock(judged, clock, row, ahead_s, age_s, outcome):
    clock.ahead_s = ahead_s
    _, _, verdict = judged(clock.url, AGE.format(age_s=age_s))
    (judgement,) = verdict.journeys
    assert judgement.outcome == outcome
    if outcome == "unknown":
        assert judgement.cause.startswith("clock: The clocks of this machine and of the target differ by 9"), (
            judgement.cause
        )


def test_f49_a_backlog_of_slots_judges_the_newest_once(judged, clock):
    now = int(time.time()) // 3600
    late = [judged(clock.url, API, "interval_s = 3600", "--slot", str(now - back)) for back in (3, 2)]
    assert f"Slot {now - 3} is over; slot" in late[0][1]
    assert late[0][2].run.slot >= now
    assert "is already judged. Nothing was run." in late[1][1]
    assert late[1][2].run.id == late[0][2].run.id
