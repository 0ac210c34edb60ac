"""A user logs in once for many journeys, anew when the target ends the session, and a broken log-in is one incident."""

import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from synthprobe import ConfigurationError, loopback, pipeline
from synthprobe.cli.main import app

CONFTEST = """
import pytest
from synthprobe import LogIn

@pytest.fixture
def log_in():
    def act(page, user):
        page.goto("/login")
        page.get_by_label("Name").fill(user)
        page.get_by_role("button", name="Log in").click()
    return LogIn(act=act, start="/board", shows=lambda page: page.get_by_text("Hello"))
"""
JOURNEYS = """
def test_a(logged_in):
    logged_in("probe").get_by_text("Hello probe").wait_for()

def test_b(logged_in):
    logged_in("probe").get_by_text("Hello probe").wait_for()
"""
ENDED = """
def test_c(api, logged_in):
    api.get("/end").expect(200)
    logged_in("probe").get_by_text("Hello probe").wait_for()
"""


class Board:
    """A log-in, and a page for who has its cookie."""

    def __init__(self):
        self.sessions: list[str] = []
        self.live: set[str] = set()
        self.tries, self.broken, board = 0, False, self

        class Answers(loopback.Handler):
            def do_GET(self):
                cookie = (self.headers["Cookie"] or "").removeprefix("sid=")
                if self.path == "/end":
                    board.live.clear()
                text = "Hello probe" if cookie in board.live else "Please log in"
                form = "<form method=post action=/login><label>Name<input name=u></label><button>Log in</button></form>"
                self.answer(200, form if self.path == "/login" else text)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                board.tries += 1
                if board.broken:
                    self.answer(403, "The log-in is broken")
                    return
                board.sessions.append(f"s3ss10n-{len(board.sessions)}-zq81k")
                board.live.add(board.sessions[-1])
                self.answer(303, "", ("Set-Cookie", f"sid={board.sessions[-1]}"), ("Location", "/board"))

            def answer(self, status, body, *headers):
                self.send_response(status)
                for name, value in (*headers, ("Content-Type", "text/html"), ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def board():
    made = Board()
    yield made
    made.server.shutdown()


@pytest.fixture
def watched(project, board, monkeypatch):
    monkeypatch.setenv("SESSION_KEY", Fernet.generate_key().decode())
    key = 'session_key = "key"\n[targets.demo.secrets]\nkey = "env:SESSION_KEY"\n'
    project.configure(board.url, key)
    project.journeys(CONFTEST, "conftest.py")
    project.journeys(JOURNEYS)
    return project


def test_l51_a_user_logs_in_once_and_anew_when_the_session_has_ended(watched, board):
    watched.journeys(ENDED, "test_later.py")
    ran = watched.run()
    assert {name: result.outcome for name, result in ran.results.items()} == dict.fromkeys(
        ("test_a", "test_b", "test_c"), "passed"
    )
    assert len(board.sessions) == 2, "once for a and b, and once more when the target had ended it"
    titles = {name: [step.title for step in result.steps] for name, result in ran.results.items()}
    assert titles["test_a"] == ["log in as probe"]
    assert titles["test_b"] == ["come back as probe"]
    assert titles["test_c"] == ["come back as probe", "log in as probe"]
    assert "had ended, so the user logged in anew" in " ".join(ran.results["test_c"].notes)

    again = watched.run("-k", "test_a", folder="again")
    assert ([step.title for step in again.results["test_a"].steps], len(board.sessions)) == (["come back as probe"], 2)
    files = [path for path in watched.root.rglob("*") if path.is_file()]
    assert any(path.suffix == ".session" for path in files)
    for value in board.sessions:
        assert [path for path in files if value.encode() in path.read_bytes()] == []


def test_a_broken_log_in_is_one_incident_that_blocks_the_others_and_is_not_tried_for_ever(watched, board):
    board.broken = True
    watched.journeys(JOURNEYS.replace("test_a", "test_d").replace("test_b", "test_e"), "test_more.py")
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=watched.root, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1, done.stdout
    verdict = pipeline.read_verdict(pipeline.newest_run(watched.root, ".synthprobe") / "verdict.json")
    assert {journey.outcome for journey in verdict.journeys} == {"failed"}
    assert len({journey.incident for journey in verdict.journeys}) == 1
    assert board.tries == 2, "an account is locked by more"


@pytest.mark.parametrize(
    ("key", "sentence"),
    [("absent", "session_key of [targets.demo] names the secret 'absent', which the target does not declare")],
)
def test_a_key_that_is_no_secret_is_said_before_anything_is_run(project, key, sentence, monkeypatch):
    project.configure("http://127.0.0.1:9", f'session_key = "{key}"\n')
    monkeypatch.chdir(project.root)
    done = CliRunner().invoke(app, ["run"])
    assert isinstance(done.exception, ConfigurationError), "which is exit code 2"
    assert sentence in str(done.exception)
