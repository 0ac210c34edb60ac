"""All before and after a run has one total deadline, whatever the other side does; a signal shortens them all."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import psutil
import pytest

from synthprobe import loopback
from synthprobe.alerts.outbox import Outbox
from synthprobe.journey.guard import kill_switch_reason
from synthprobe.records.verdict import Verdict

RUN = [sys.executable, "-m", "synthprobe", "run", "--slot", "now"]
FAILS = "def test_bad(api):\n    api.get('/').expect(201)\n"
WAITS = (
    "import os, threading\ndef test_waits(api):\n    api.get('/').expect(200)\n"
    "    open(os.environ['READY'], 'w').close()\n"
    "    threading.Event().wait()\n"
)


class Drip:
    """Accepts, reads, and sends one byte of a header now and then for ever."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.end = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.end.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        try:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Header: ")
            while not self.end.wait(0.05):
                connection.sendall(b"x")
        except OSError:
            return


@pytest.fixture
def drip() -> Iterator[Drip]:
    found = Drip()
    yield found
    found.end.set()
    found._listener.close()


@pytest.fixture
def target() -> Iterator[int]:
    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def begin(tmp_path: Path, target: int, drip: Drip):
    """A scheduled run whose watcher and pager drip."""
    (tmp_path / "journeys").mkdir()
    (tmp_path / "synthprobe.toml").write_text(
        f'second_attempts = 0\n[targets.demo]\nbase_url = "http://127.0.0.1:{target}"\n'
        '[heartbeat]\nurl = "env:BEAT"\ntimeout_s = 0.3\n[alerts]\ntimeout_s = 0.5\n'
        '[[alerts.routes]]\nname = "all"\nto = ["env:PAGER"]\n'
    )

    def start(journeys: str, **environ: str) -> subprocess.Popen[str]:
        (tmp_path / "journeys" / "test_it.py").write_text(journeys)
        addresses = {"BEAT": f"http://127.0.0.1:{drip.port}/b", "PAGER": f"json://127.0.0.1:{drip.port}/p"}
        return subprocess.Popen(
            RUN,
            cwd=tmp_path,
            env={**os.environ, **addresses, "READY": str(tmp_path / "ready"), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def wait_for(path: Path, run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 40
    while not path.exists() and run.poll() is None and time.monotonic() < deadline:
        psutil.Process().cpu_percent(interval=0.05)
    assert path.exists(), run.communicate(timeout=5)[0]


def verdict_of(root: Path) -> Verdict:
    (path,) = root.glob(".synthprobe/runs/demo/*/verdict.json")
    return msgspec.json.decode(path.read_bytes(), type=Verdict)


def test_a_watcher_and_a_pager_that_drip_cost_seconds_f62_f65(begin, tmp_path):
    run = begin(FAILS)
    output = run.communicate(timeout=30)[0]
    assert run.returncode == 1, output
    assert "did not answer within 0." in output
    assert verdict_of(tmp_path).journeys[0].outcome == "failed"
    (letter,) = Outbox(tmp_path / ".synthprobe" / "history.db").letters()
    assert letter.done is None


HANGS = """import os, socket, threading
found = socket.getaddrinfo
def look_up(host, *given, **options):
    if str(host).endswith(".hangs.example"):
        threading.Event().wait()  # as a resolver whose servers never answer
    return found(host, *given, **options)
socket.getaddrinfo = look_up
"""


def test_a_name_that_is_looked_up_for_ever_costs_seconds_and_no_verdict_f03(begin, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HANGS)
    config = tmp_path / "synthprobe.toml"
    shared = '[history]\nurl = "postgresql+psycopg://probe@db.hangs.example/probe"\n'
    config.write_text(
        config.read_text().replace("[heartbeat]", f'allowed_hosts = ["*.hangs.example"]\n{shared}[heartbeat]')
    )
    lookup = "def test_lookup(api):\n    api.get('http://api.hangs.example/', timeout='1s')\n"
    names = {"BEAT": "http://beat.hangs.example/b", "PAGER": "json://pager.hangs.example/p"}
    run = begin(FAILS + lookup, PYTHONPATH=str(tmp_path), **names)
    output = run.communicate(timeout=250)[0]
    assert run.returncode == 1, output
    failures = {
        judgement.journey.id.rpartition("_")[2]: judgement.results[-1].failure
        for judgement in verdict_of(tmp_path).journeys
    }
    assert "no connection was made within 1 s: its name was not resolved" in failures["lookup"].message
    assert "db.hangs.example" in output


def test_a_kill_switch_that_drips_is_on_after_seconds_f72(drip):
    began = time.monotonic()
    reason = kill_switch_reason(f"http://127.0.0.1:{drip.port}/switch", {})
    assert "cannot be read (no answer within 3 s), which counts as on" in reason
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("number", "seconds"),
    [pytest.param(signal.SIGINT, 7, id="F40 SIGINT"), pytest.param(signal.SIGTERM, 4, id="F41 SIGTERM")],
)
def test_a_signal_ends_a_run_in_time_although_nobody_answers_and_the_message_waits(begin, tmp_path, number, seconds):
    config = tmp_path / "synthprobe.toml"
    config.write_text(config.read_text().replace("0.3", "20").replace("0.5", "20"))
    addresses = {"BEAT": "http://127.0.0.1:9/b"}  # the start is refused at once
    run = begin(FAILS + WAITS, **addresses)
    wait_for(tmp_path / "ready", run)
    began = time.monotonic()
    run.send_signal(number)
    output = run.communicate(timeout=40)[0]
    took = time.monotonic() - began
    assert (run.returncode, took < seconds) == (1, True), f"{took:.1f} s\n{output}"
    outcomes = {
        judgement.journey.id.rpartition(".")[2]: judgement.outcome for judgement in verdict_of(tmp_path).journeys
    }
    assert outcomes == {"bad": "failed", "waits": "unknown"} or outcomes == {
        "test_bad": "failed",
        "test_waits": "unknown",
    }
    (letter,) = Outbox(tmp_path / ".synthprobe" / "history.db").letters()
    assert (letter.done, letter.alert.title[:4]) == (None, "PAGE")


def test_a_run_that_froze_is_ended_and_overtaken_once_its_lease_is_over_f48(begin, tmp_path, drip):
    frozen = begin(WAITS, BEAT="http://127.0.0.1:9/b", PAGER="json://127.0.0.1:9/p")
    wait_for(tmp_path / "ready", frozen)
    family = psutil.Process(frozen.pid).children(recursive=True)
    frozen.send_signal(signal.SIGSTOP)
    lease = tmp_path / ".synthprobe" / "state" / "demo" / "lease.json"
    second_run = begin(FAILS, BEAT="http://127.0.0.1:9/b", PAGER="json://127.0.0.1:9/p")
    assert "Another run against demo is on" in second_run.communicate(timeout=40)[0]
    assert second_run.returncode == 0
    held = msgspec.json.decode(lease.read_bytes())
    lease.write_bytes(msgspec.json.encode({**held, "until": 0.0}))  # its time is over
    next_run = begin(FAILS, BEAT="http://127.0.0.1:9/b", PAGER="json://127.0.0.1:9/p")
    output = next_run.communicate(timeout=250)[0]
    assert next_run.returncode == 1, output
    assert f"(process {frozen.pid}) outlived its lease" in output
    assert frozen.wait(timeout=5) == -signal.SIGKILL
    assert psutil.wait_procs(family, timeout=5)[1] == []
    verdicts = sorted(tmp_path.glob(".synthprobe/runs/demo/*/verdict.json"), key=lambda path: path.parent.name)
    outcomes = [
        [judgement.outcome for judgement in msgspec.json.decode(p.read_bytes(), type=Verdict).journeys]
        for p in verdicts
    ]
    assert outcomes == [["unknown"], ["failed"]]
    assert msgspec.json.decode(lease.read_bytes())["token"] == held["token"] + 1
