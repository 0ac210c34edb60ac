"""The engine Temporal, with its real server: a slot is planned, looked at and concluded though a worker is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

JOURNEY = '''
def test_buy(api):
    """A customer buys."""
    api.get("/buy").expect(200)
'''
TEMPORAL = Path(sys.executable).parent / "temporal"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*words: str, cwd: Path, errors: Path):
    with errors.open("wb") as log:
        started = subprocess.Popen(words, cwd=cwd, stdout=log, stderr=log, start_new_session=True)
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder, address = tmp_path_factory.mktemp("temporal"), f"127.0.0.1:{free_port()}"
    words = (str(TEMPORAL), "server", "start-dev", "--headless", "--port", address.rpartition(":")[2])
    with process(*words, "--db-filename", str(folder / "t.db"), cwd=folder, errors=folder / "log"):
        healthy = [str(TEMPORAL), "operator", "cluster", "health", "--address", address]
        for _ in range(60):
            if subprocess.run(healthy, capture_output=True, timeout=30).returncode == 0:
                break
            threading.Event().wait(0.5)
        yield address


@pytest.mark.timeout(400)
def test_the_part_of_a_killed_worker_is_given_to_another_and_the_slot_concluded_once(server, tmp_path):
    asked = threading.Event()
    killed = threading.Event()

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self):
            if not killed.is_set():
                asked.set()
                killed.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            with suppress(OSError):
                self.end_headers()

        def log_message(self, *_):
            pass

    shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "test_shop.py").write_text(JOURNEY)
    (tmp_path / "synthprobe.toml").write_text(
        "default_target = 'shop'\ninterval_s = 86400\n"
        f"[targets.shop]\nbase_url = 'http://127.0.0.1:{shop.server_port}'\nlocations = ['fra']\ntimeout_s = 100\n"
    )
    synthprobe = (sys.executable, "-m", "synthprobe")
    made = subprocess.run(
        [*synthprobe, "fleet", "schedule", "--parts", "1", "--address", server], cwd=tmp_path, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    temporal = (str(TEMPORAL), "--address", server, "--output", "json")
    subprocess.run([*temporal, "schedule", "trigger", "--schedule-id", "synthprobe-shop"], check=True, timeout=60)
    worker = (*synthprobe, "fleet", "worker", "--location", "fra", "--address", server)
    with process(*worker, cwd=tmp_path, errors=tmp_path / "first.log") as first:
        assert asked.wait(120), (tmp_path / "first.log").read_text()
        os.killpg(first.pid, signal.SIGKILL)  # with the run that it had begun
    killed.set()
    with process(*worker, cwd=tmp_path, errors=tmp_path / "second.log") as second:
        listed = [*temporal, "workflow", "list", "--query", "WorkflowType='synthprobe-slot'"]
        flow = json.loads(subprocess.run(listed, capture_output=True, check=True, timeout=60).stdout)[0]["execution"]
        done = subprocess.run(
            [*temporal, "workflow", "result", "--workflow-id", flow["workflowId"]], capture_output=True, text=True,
            timeout=200,
        )  # fmt: skip
        assert json.loads(done.stdout)["result"] == 0, (tmp_path / "second.log").read_text()
        second.terminate()
        assert second.wait(60) == 0
    (verdict,) = (
        path
        for path in tmp_path.glob(".synthprobe/runs/shop/*/verdict.json")
        if '"concludes": true' in path.read_text()
    )
    (judged,) = json.loads(verdict.read_text())["journeys"]
    assert judged["outcome"] == "passed"
    assert [vote["location"] for vote in judged["votes"]] == ["fra"]
    shop.shutdown()


def test_a_server_that_is_not_there_is_a_sentence(tmp_path):
    (tmp_path / "synthprobe.toml").write_text("[targets.demo]\nbase_url = 'http://127.0.0.1:9'\n")
    words = [sys.executable, "-m", "synthprobe", "fleet", "worker", "--location", "fra", "--address", "127.0.0.1:9"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "The Temporal server at 127.0.0.1:9 cannot be used" in " ".join(done.stderr.split())
    words += ["--base-url", "here"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "here" in done.stderr
    words[4:] = ["schedule", "--parts", "2", "--address", "127.0.0.1:9"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Target demo names no locations" in " ".join(done.stderr.split())
