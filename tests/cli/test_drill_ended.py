"""Who ends a drill gets it healed and its processes ended, within seconds, and hears what was found so far."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from test_drill import git

DRILLS = """
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from synthprobe.hooks import DrillPlan, Fault, hookimpl

HERE = Path(__file__).parent
NAMES = ("refuses", "hangs", "hangs_too")


class System:
    on = set()

    def __init__(self, port):
        self.base_url = f"http://127.0.0.1:{port}"

    @contextmanager
    def broken(self, fault):
        self.on.add(fault)
        try:
            yield
        finally:
            if fault == "hangs":
                (HERE / "healing").write_text("")  # a pipe, as the next: a second signal comes meanwhile
                (HERE / "go_on").read_text()
            self.on.remove(fault)
            (HERE / "on").write_text(" ".join(sorted(self.on)))

    def environment(self, secret):
        return {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if System.on - {"refuses"}:
            (HERE / "asked").write_text("")
            threading.Event().wait()
        self.send_response(500 if System.on else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_): ...


@contextmanager
def start():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield System(server.server_port)


@hookimpl
def synthprobe_drill():
    faults = tuple(Fault(name=name, cause="code", noticed_by=("answers",)) for name in NAMES)
    return DrillPlan(target="demo", faults=faults, start=start)
"""


@pytest.mark.parametrize(
    ("words", "number", "found", "left"),
    [
        (("--stamp",), signal.SIGTERM, "0 of 1 held.", "hangs, hangs_too."),
        (
            ("--pairs",),
            signal.SIGINT,
            "0 incidents for 0 pairs",
            "refuses and hangs, refuses and hangs_too, hangs and hangs_too.",
        ),
    ],
    ids=["SIGTERM", "SIGINT while pairs are drilled"],
)
def test_a_drill_that_is_asked_to_end_heals_and_tells_what_it_found(tmp_path, words, number, found, left):
    (tmp_path / "drills.py").write_text(DRILLS)
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "test_it.py").write_text(
        "import pytest\n@pytest.mark.journey(id='answers')\ndef test_answers(api):\n    api.get('/').expect(200)\n"
    )
    (tmp_path / "synthprobe.toml").write_text(
        'plugins = ["drills.py"]\n[targets.demo]\nbase_url = "http://127.0.0.1:9"\ntimeout_s = 60\n'
    )
    (tmp_path / ".gitignore").write_text("*")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", "drills.py")
    git(tmp_path, "commit", "-qm", "As it is")
    for pipe in ("healing", "go_on"):
        os.mkfifo(tmp_path / pipe)
    drill = subprocess.Popen(
        [sys.executable, "-m", "synthprobe", "drill", *words, "refuses", "hangs", "hangs_too"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        while not (tmp_path / "asked").exists() and drill.poll() is None:
            psutil.Process().cpu_percent(interval=0.05)
        assert (tmp_path / "asked").exists(), drill.communicate(timeout=5)[0]
        family = psutil.Process(drill.pid).children(recursive=True)
        began = time.monotonic()
        drill.send_signal(number)
        (tmp_path / "healing").read_text()
        drill.send_signal(number)
        (tmp_path / "go_on").write_text("")
        output = drill.communicate(timeout=30)[0]
    finally:
        drill.kill()
    assert drill.returncode == 3, output
    assert time.monotonic() - began < 10
    assert found in output
    assert output.endswith(f"Not drilled to the end: {left}\n")
    assert family
    assert not psutil.wait_procs(family, timeout=0)[1]
    assert (tmp_path / "on").read_text() == ""
    kept = tmp_path / "runbooks" / "score-set.jsonl"
    assert "hangs" not in (kept.read_text() if kept.exists() else "")
