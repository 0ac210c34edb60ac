"""The engine Temporal, with its real server: a slot is planned, looked at and concluded though a worker is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from synthprobe_demo.temporal_server import running_temporal

JOURNEY = '''
def test_buy(api):
    """A customer buys."""
    api.get("/buy").expect(200)
'''


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
    with running_temporal(tmp_path_factory.mktemp("temporal")) as started:
        yield started


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_worker_and_then_the_server_are_killed_in_mid_slot_and_the_slot_is_concluded_once(server, tmp_path):
    asked, killed = threading.Event(), threading.Event()
    asked_again, restarted = threading.Event(), threading.Event()

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self):
            if not killed.is_set():
                asked.set()
                killed.wait(60)
            elif not asked_again.is_set():
                asked_again.set()
                restarted.wait(60)
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
        [*synthprobe, "worker", "--location", "fra", "--capacity", "0", "--parts", "1", "--address", server.address],
        cwd=tmp_path,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    temporal = (server.program, "--address", server.address, "--output", "json")
    subprocess.run([*temporal, "schedule", "trigger", "--schedule-id", "synthprobe-shop"], check=True, timeout=60)
    worker = (*synthprobe, "worker", "--location", "fra", "--address", server.address)
    with process(*worker, cwd=tmp_path, errors=tmp_path / "first.log") as first:
        assert asked.wait(120), (tmp_path / "first.log").read_text()
        os.killpg(first.pid, signal.SIGKILL)  # with the run that it had begun
    killed.set()
    with process(*worker, cwd=tmp_path, errors=tmp_path / "second.log") as second:
        assert asked_again.wait(200), (tmp_path / "second.log").read_text()
        server.kill()
        server.start()
        restarted.set()
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
    runs = subprocess.run(listed, capture_output=True, check=True, timeout=60).stdout
    assert len(json.loads(runs)) == 1
    shop.shutdown()


def test_a_server_that_is_not_there_is_a_sentence(tmp_path):
    (tmp_path / "synthprobe.toml").write_text("[targets.demo]\nbase_url = 'http://127.0.0.1:9'\n")
    words = [sys.executable, "-m", "synthprobe", "worker", "--location", "fra", "--address", "127.0.0.1:9"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "The Temporal server at 127.0.0.1:9 cannot be used" in " ".join(done.stderr.split())
    words += ["--base-url", "here"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "here" in done.stderr
    words[-2:] = ["--parts", "2"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Target demo names no locations" in " ".join(done.stderr.split())
