"""What another tool raises in a journey is shown in the words of the tool, and with what the target answered before."""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

JOURNEYS = """
import requests
class CheckError(Exception): pass
class ApiError(Exception):
    def __init__(self, response):
        super().__init__("the order was not taken")
        self.response = response
def ask(url, verdict):
    requests.post(url)
    raise CheckError(verdict)
def test_by_another_name(base_url):
    ask(base_url.replace("127.0.0.1", "localhost") + "/reset", "Stage 'reset' failed:\\n- 204 was expected")
def test_by_its_name(base_url):
    ask(base_url + "/reset", "Stage 'reset' failed: it took 1500 ms")
def test_named(base_url):
    ask(base_url + "/reset", "Stage 'reset' failed:\\n- Status was 500, 204 was expected")
def test_named_of_another_machine(base_url):
    ask(base_url.replace("127.0.0.1", "127.0.0.2") + "/reset", "Status was 500, 204 was expected")
def test_nested(base_url):
    below = "Traceback (most recent call last):\\n  File\\nExpired: it is over"
    ask(base_url + "/reset", "Stage 'log in' failed:\\n- a check broke:\\n" + below)
def test_library(base_url):
    raise ApiError(requests.post(base_url + "/orders"))
def test_library_that_is_answered(base_url):
    raise ApiError(requests.get(base_url + "/orders"))
def test_torn(base_url):
    requests.get(base_url + "/torn")
def test_elsewhere(base_url):
    ask(base_url.replace("127.0.0.1", "127.0.0.2") + "/reset", "Stage 'reset' failed:")
"""


class Broken(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "9" if self.path == "/torn" else "0")
        self.end_headers()
        if self.path == "/torn":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def do_POST(self) -> None:
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def shown(tmp_path_factory, new_project) -> dict[str, str]:
    """What the terminal says of each journey."""
    server = ThreadingHTTPServer(("0.0.0.0", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    project = new_project(tmp_path_factory.mktemp("tools"))
    project.configure(f"http://127.0.0.1:{server.server_port}")
    project.journeys(JOURNEYS)
    output = project.run().output
    server.shutdown()
    server.server_close()
    found = re.findall(r"^(?:✗|\?) (\w+) journeys/test_it\.test_(\w+)(.*?)(?=^\S)", output, re.DOTALL | re.MULTILINE)
    return {name: f"{outcome}{text}" for outcome, name, text in found}


def test_what_a_message_announces_by_a_colon_is_told_with_it(shown):
    assert "CheckError: Stage 'reset' failed: 204 was expected\n" in shown["by_another_name"]
    assert "Stage 'log in' failed: a check broke: Expired: it is over\n" in shown["nested"]
    assert "Stage 'reset' failed:\n" in shown["elsewhere"], "where nothing follows, nothing is added"


def test_what_names_the_status_of_the_targets_last_answer_is_what_a_tool_says_of_it(shown):
    assert shown["named"].startswith("failed")
    assert "CheckError: Stage 'reset' failed: Status was 500, 204 was expected\n" in shown["named"]
    assert "Likely cause: unknown, confidence low: POST /reset was answered 500" in shown["named"]
    for name in ("named_of_another_machine", "by_its_name"):
        assert shown[name].startswith("unknown")


@pytest.mark.parametrize("name", ["by_its_name", "by_another_name"])
def test_what_the_target_answered_before_is_told_by_whatever_name_of_this_machine_it_was_asked(shown, name):
    assert "/reset was answered 500" in shown[name]
    assert "nothing is known of the target" not in shown[name]


def test_what_another_machine_answered_is_not_the_targets(shown):
    assert "nothing is known of the target" in shown["elsewhere"]


def test_an_error_that_carries_a_refusing_answer_is_told_as_that_answer(shown):
    assert shown["library"].startswith("failed")
    assert "POST /orders was answered 500, a status below 400 was expected" in shown["library"]
    assert shown["library_that_is_answered"].startswith("unknown")


def test_a_connection_that_was_reset_is_told_in_words(shown):
    assert "Connection reset by peer" in shown["torn"]
    assert "ConnectionResetError" not in shown["torn"], "nobody reads the error of an error"
