"""`synthprobe http`: one question to the target as a role, within its guardrails, its answer masked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from recorded_runs import call
from typer.testing import CliRunner

from synthprobe import loopback
from synthprobe.cli.main import app
from synthprobe.errors import ConfigurationError
from synthprobe.firstline.read_only import only_reads

ISSUED = "issued-4f1c9a77de02b6"
PLANTED = "planted-password-81b2"


@pytest.fixture
def place() -> Iterator[SimpleNamespace]:
    """A target that logs one account in, repeats what it was sent, fails on every other server, and drips."""
    seen: list[tuple[str, str, str, str]] = []

    class Handler(loopback.Handler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            seen.append((self.command, self.path, self.headers.get("Authorization", ""), sent))
            if self.path == "/login":
                good = json.loads(sent) == {"name": "desk", "password": PLANTED}
                return self._answer(200 if good else 401, json.dumps({"token": ISSUED} if good else {}).encode())
            if self.path == "/drips":
                return self._drip()
            given = json.dumps({"you": self.headers.get("Authorization"), "sent": sent}, separators=(",", ":"))
            bodies = {"/me": given.encode(), "/hostile": b"\x1b]0;owned\x07\x1b[31mred\r\n"}
            broken = self.path == "/turns" and sum(path == "/turns" for _, path, _, _ in seen) % 2 == 0
            self._answer(500 if broken else 200, bodies.get(self.path, b'{"id":"SYN-01"}'))

        do_GET = do_POST = answer

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Node", "b" if status == 500 else "a")
            self.send_header("Set-Cookie", f"sid={ISSUED}-cookie")
            self.end_headers()
            self.wfile.write(body)

        def _drip(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"6\r\nhello\n\r\n")
            self.wfile.flush()
            ended.wait(20)

    ended = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", seen=seen)
    ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: SimpleNamespace) -> SimpleNamespace:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "desk").write_text(PLANTED)
    monkeypatch.chdir(tmp_path)

    def configure(more: str = "") -> None:
        (tmp_path / "synthprobe.toml").write_text(
            f'[targets.demo]\nbase_url = "{place.url}"\n{more}\n'
            '[targets.demo.secrets]\ndesk = "file:secrets/desk"\n'
            '[targets.demo.sessions.desk]\nlogin = "/login"\ntoken = "token"\n'
            'json = { name = "desk", password = "secret:desk" }\n'
            '[targets.demo.sessions.nobody]\nlogin = "/login"\njson = { name = "x", password = "secret:gone" }\n'
        )

    configure()
    return SimpleNamespace(configure=configure, place=place)


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["http", *arguments])
    assert isinstance(done.exception, ConfigurationError), done.output  # the command line makes it exit code 2
    return str(done.exception)


def test_a_role_asks_with_its_own_session_and_nothing_issued_is_printed(project):
    output = call("http", "GET", "/me", "--as", "desk")
    assert project.place.seen[-1][2] == f"Bearer {ISSUED}", "the session was used"
    assert '"sent":""' in output, "what was not secret is printed as it came"
    for secret in (ISSUED, PLANTED):
        assert secret not in output
        assert secret not in call("http", "GET", "/me", "--as", "desk", "--show", "headers")
    assert call("http", "GET", "/x").strip() == '{"id":"SYN-01"}'
    assert project.place.seen[-1][2] == "", "without a role, nobody in particular asks"
    call("http", "POST", "/me", "--json", '{"state": "on"}')
    assert (project.place.seen[-1][0], json.loads(project.place.seen[-1][3])) == ("POST", {"state": "on"})


def test_the_exit_code_is_that_of_the_answer(project):
    assert call("http", "GET", "/x", "--show", "status", "--show", "x-node", "--show", "nothing") == "200 a -\n"
    shown = call("http", "GET", "/turns", "--times", "3", "--show", "status", "--show", "x-node", code=1)
    assert shown.splitlines()[:3] == ["200 a", "500 b", "200 a"]
    assert "The status is 500; one below 400 was expected." in shown
    assert "The status is 200; 404 was expected." in call("http", "GET", "/x", "--expect", "404", code=1)
    gone = call("http", "GET", "/x", "--base-url", "http://127.0.0.1:9", code=1)
    assert gone.startswith("It was not answered: GET http://127.0.0.1:9/x: the connection was refused")


def test_an_answer_that_never_ends_is_listened_to(project):
    began = time.monotonic()
    assert call("http", "GET", "/drips", "--listen", "2") == "hello\n"
    assert time.monotonic() - began < 15, "the server itself would go on for 20 s"


def test_bytes_that_steer_a_terminal_are_shown_and_not_sent_to_it(project):
    assert call("http", "GET", "/hostile") == "\\x1b]0;owned\\x07\\x1b[31mred\n"


def test_what_a_guardrail_refuses_is_not_sent(project):
    project.configure("read_only = true")
    assert "read-only" in refused("POST", "/x", "--json", "{}")
    assert "example.org" in refused("GET", "http://example.org/")
    assert project.place.seen == []
    call("http", "GET", "/me", "--as", "desk")  # a login is no change
    project.configure('kill_switch = "file:secrets/desk"')
    assert "The kill switch file:secrets/desk is on." in refused("GET", "/x")
    assert len(project.place.seen) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("FETCH", "/x"), "'FETCH' is no method; one of GET, HEAD"),
        (
            ("GET", "/x", "--as", "chief"),
            "no session 'chief'; known ones: desk, nobody. Say how it logs in, in a table",
        ),
        (("GET", "/x", "--as", "nobody"), "declares no secret 'gone', which the session 'nobody' needs; it declares: "),
        (("POST", "/x", "--json", "{"), "--json cannot be read as JSON"),
        (("GET", "/x", "--show", "certificate"), "has no certificate; an https address was expected"),
    ],
)
def test_what_cannot_be_is_a_sentence(project, arguments, sentence):
    assert sentence in refused(*arguments)
    assert project.place.seen == []


def test_a_key_of_a_session_that_is_not_known_is_a_sentence(project, tmp_path):
    settings = tmp_path / "synthprobe.toml"
    settings.write_text(settings.read_text().replace('token = "token"', 'tokn = "token"'))
    with pytest.raises(ConfigurationError, match="tokn"):
        CliRunner().invoke(app, ["http", "GET", "/x"], catch_exceptions=False)


def test_a_login_that_gives_no_token_is_a_sentence(project, tmp_path):
    settings = tmp_path / "synthprobe.toml"
    settings.write_text(settings.read_text().replace('token = "token"', 'token = "session"'))
    assert "/login answered without a text in the field 'session'" in call("http", "GET", "/x", "--as", "desk", code=1)


def test_the_end_of_a_certificate_that_nobody_trusts_is_shown(centre, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    url = json.loads(call("http", "GET", "/api/terminals", "--as", "dispatcher", "--base-url", centre.url))[
        "secure_url"
    ]
    shown = call("http", "GET", url, "--show", "certificate", "--base-url", centre.url)
    assert shown.startswith("certificate for 127.0.0.1, localhost ends 20")
    assert shown.endswith(", in 89 days\n")


def test_confirm_may_ask_and_not_send():
    assert only_reads("synthprobe http GET /x --as desk | grep a")
    assert not only_reads("synthprobe http POST /x --as desk")
    assert not only_reads("synthprobe http DELETE /x")
    assert only_reads("synthprobe doctor history")
    assert not only_reads("synthprobe doctor history --fix")
    assert only_reads("synthprobe audit")
    assert not only_reads("synthprobe audit --begin-anew --by engineer")
