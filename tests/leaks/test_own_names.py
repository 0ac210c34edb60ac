"""A target that issues our own names as if they were secrets renames nothing, ends no run, and changes no verdict."""

import json
import os
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from synthprobe import loopback, pipeline
from synthprobe.evidence.redaction import Redactor

SECRET = "s3ss10n-Qw7x-zz41"
JOURNEYS = """
from synthprobe import Api, step

def test_call_intake(api: Api):
    api.get("/").expect(200)
    with step("take the emergency call"):
        api.get("/").expect(200)

def test_call_intake_fails(api: Api):
    with step("take the emergency call"):
        api.get("/").expect(404)

class TestBoard:
    def test_unit_is_shown(self, api: Api):
        api.get("/").expect(200)
        assert api.get("/").headers["x-held"] == "other"
"""


class Hostile(loopback.Handler):
    """Issues names that it can guess, by each way on which secrets are learned."""

    def do_GET(self):
        host = self.headers["Host"]
        names = ["journeys.test_it.test_call_intake", "journeys/test_it.py::test_call_intake", "test_call_intake_fails",
                 "take the emergency call", "take the emergency call:another-value", "expectation", "watched-target",
                 "test call intake", "TestBoard", "over budget", f"http://{host}/", "synthprobe.toml",
                 "response_body", "request_headers", "traceparent", "started_at", "X-Issued-Name", "Cache-Control",
                 self.headers["traceparent"], *self.headers["traceparent"].split("-"),
                 self.headers["baggage"]]  # fmt: skip
        body = json.dumps(
            {"token": names, "password": host, "session": names[0], "list": [{"secret": n} for n in names]}
        )
        self.send_response(200)
        self.send_header("Set-Cookie", f"host={host}")
        self.send_header("Set-Cookie", "lastView=test_call_intake")
        self.send_header("Set-Cookie", "attachments=attachments; Path=/")
        self.send_header("Set-Cookie", f"sid={SECRET}; HttpOnly")
        self.send_header("X-Held", SECRET)
        self.send_header("X-Issued-Name", "x")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture(scope="module")
def ran(tmp_path_factory, new_project):
    made = new_project(tmp_path_factory.mktemp("own-names"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    (made.root / "synthprobe.toml").write_text(
        f'default_target = "watched-target"\nsecond_attempts = 0\n[targets.watched-target]\nbase_url = "{url}"\n'
    )
    made.journeys(JOURNEYS)
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=made.root, env=os.environ, capture_output=True, timeout=250, check=False)
    server.shutdown()
    server.server_close()
    (folder,) = (made.root / ".synthprobe" / "runs" / "watched-target").iterdir()
    return folder, url, (done.stdout + done.stderr).decode()


def test_each_journey_is_judged_by_its_own_name(ran):
    folder, url, output = ran
    verdict = json.loads((folder / "verdict.json").read_bytes())
    assert {judgement["journey"]["node_id"]: judgement["outcome"] for judgement in verdict["journeys"]} == {
        "journeys/test_it.py::test_call_intake": "passed",
        "journeys/test_it.py::test_call_intake_fails": "failed",
        "journeys/test_it.py::TestBoard::test_unit_is_shown": "failed",
    }, output
    assert "INTERNALERROR" not in output
    results = {result.journey.node_id.rpartition("::")[2]: result for result in pipeline.read_results(folder)}
    failed = results["test_call_intake_fails"]
    assert [step.title for step in failed.steps] == ["take the emergency call"]
    assert failed.failure.kind == "expectation"
    assert failed.failure.step == "take the emergency call"
    assert f"GET {url}/" in failed.failure.message
    assert failed.facts.answers[0].path == "/"
    assert "--target watched-target" in failed.repeat


def test_a_note_says_what_is_not_masked(ran):
    notes = [note for result in pipeline.read_results(ran[0]) for note in result.notes]
    (warning,) = (note for note in notes if "'test_call_intake' was sent as cookie" in note)
    assert warning.endswith("That is part of a name of this project, so it is not masked.")


def test_a_real_one_beside_them_is_masked(ran):
    folder, _, output = ran
    left = Redactor()
    left.add(SECRET)
    assert [path.name for path in folder.rglob("*.*") if path.is_file() and left.residual(path.read_bytes())] == []
    assert SECRET not in output
    assert "[masked]" in output


def test_an_address_stays_an_address_when_its_host_is_a_secret():
    redactor = Redactor()
    redactor.add("tenant-4711.example.org")
    redactor.add("https://whole.example.org/hook-8899?x=1")
    masked = redactor.url("https://u:pa55-word@tenant-4711.example.org:80/a/tenant-4711.example.org?token=x")
    assert masked == "https://masked@masked:80/a/[masked]?token=[masked]"
    assert urlsplit(masked).path == "/a/[masked]"
    assert redactor.url("https://whole.example.org/hook-8899?x=1") == "[masked]"
