"""The target is told which journey and step a request belongs to; nobody else is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from synthprobe import Api, Journey, Recorder, Target, recording, step
from synthprobe.evidence.redaction import Redactor


@pytest.fixture
def servers() -> Iterator[tuple[str, str, dict[str, str | None]]]:
    """A target that redirects to another host, and what each was told."""
    told: dict[str, str | None] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told[self.headers["Host"]] = self.headers["baggage"]
            away = self.path == "/away"
            self.send_response(302 if away else 200)
            if away:
                self.send_header("Location", f"http://127.0.0.1:{other.server_port}/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as target, HTTPServer(("127.0.0.1", 0), Handler) as other:
        for one in (target, other):
            threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{target.server_port}", f"127.0.0.1:{other.server_port}", told
        target.shutdown()
        other.shutdown()


def test_the_target_is_told_journey_and_step_and_another_host_is_not(servers):
    address, other, told = servers
    api = Api(Target(name="demo", base_url=address), Redactor())
    with recording(Recorder(Journey(id="call-intake", node_id="t.py::t", title="t"))):
        with step("take the call, please"):
            api.get("/away")
    assert told == {
        address.removeprefix("http://"): "synthprobe.journey=call-intake,synthprobe.step=take%20the%20call%2C%20please",
        other: None,
    }
