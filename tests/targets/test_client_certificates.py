"""F80: client certificates of sessions and browsers; what is wrong with one is no fault of the target."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from authority import Authority

from synthprobe import Api, Target, TargetError, loopback
from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError, SecretError
from synthprobe.evidence.redaction import Redactor
from synthprobe.targets.secrets import read_credentials

PHRASE = "Quay-of-Winter-5"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "company-network.md"


class Shown(ThreadingHTTPServer):
    """A server that asks for a client certificate; it answers with the name it was shown."""

    def __init__(self, authority: Authority, *, asks: bool = True) -> None:
        self.names: list[str] = []
        super().__init__(("127.0.0.1", 0), Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.pem("server" if asks else "other-server"))
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.file)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, _):
        """What it has to say of a certificate arrives, whatever else is still on its way here."""
        with suppress(OSError):
            socket.socket.shutdown(request, socket.SHUT_WR)
            while socket.socket.recv(request, 65536):
                pass


class Answers(loopback.Handler):
    def do_GET(self):
        shown = self.connection.getpeercert() or {}
        name = dict(part[0] for part in shown.get("subject", ())).get("commonName", "nobody")
        self.server.names.append(name)
        body = f"<h1>{name}</h1>".encode() if self.command == "GET" else b""
        self.answer(200, body, {"Content-Type": "text/html", "Access-Control-Allow-Origin": "*"})

    do_HEAD = do_POST = do_GET


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def asking(authority: Authority, **how: bool) -> Iterator[Shown]:
    server = Shown(authority, **how)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(authority) -> Iterator[Shown]:
    with asking(authority) as found:
        yield found


def target(url: str, authority: Authority, file: Path | None, *, host: str = "localhost", **keys: str) -> Target:
    shown = {host: {"file": str(file), **keys}} if file else {}
    table = {"base_url": url, "name": "inside", "ca_file": str(authority.file), "production": True, "timeout_s": 3.0}
    return msgspec.convert({**table, "secrets": {"phrase": "env:PHRASE"}, "client_certificates": shown}, Target)


def api(target: Target, phrase: str = PHRASE) -> Api:
    return Api(target, Redactor(), credentials=read_credentials(target, {"PHRASE": phrase}))


@pytest.mark.parametrize("form", ["pem", "locked-pem", "pkcs12", "two-files"], ids=lambda form: f"F80-{form}")
def test_a_session_shows_a_certificate_to_its_host_alone(form, authority, server):
    keys = {} if form in {"pem", "two-files"} else {"secret": "phrase"}
    make = authority.pkcs12 if form == "pkcs12" else authority.pem
    file = make(f"probe-{form}", PHRASE if keys else "")
    if form == "two-files":
        certificate, _, key = file.read_bytes().partition(b"-----BEGIN PRIVATE KEY-----")
        file.write_bytes(certificate)
        (authority.folder / "key").write_bytes(b"-----BEGIN PRIVATE KEY-----" + key)
        keys = {"key": str(authority.folder / "key")}
    found = api(target(server.url, authority, file, **keys)).get("/").expect(200)
    assert found.text == f"<h1>probe-{form}</h1>"
    with pytest.raises(TargetError, match="asks for a client certificate, and none was shown") as caught:
        api(target(server.url, authority, file, host="elsewhere.example", **keys)).get("/")
    assert caught.value.kind == "credentials"


@pytest.mark.parametrize(
    ("when", "keys", "phrase", "words"),
    [
        ({"begins": -9, "ends": -2}, {}, "", "ended on {:%Y-%m-%d}"),
        ({"begins": 2, "ends": 9}, {}, "", "begins on {:%Y-%m-%d}"),
        ({}, {"secret": "phrase"}, "Another-of-Winter-6", "with the pass phrase that is the secret 'phrase'"),
        ({}, {"key": "missing"}, "", "cannot be read \\(No such file"),
    ],
    ids=["F80-ended", "F80-not-yet", "F80-phrase", "F80-missing"],
)
def test_a_certificate_that_cannot_be_shown_is_said_without_its_path(when, keys, phrase, words, authority):
    file = authority.pem("odd", PHRASE if phrase else "", **when)
    day = datetime.now(UTC) + timedelta(days=when.get("ends", 0) if when.get("ends", 0) < 0 else 2)
    with pytest.raises(SecretError, match=words.format(day)) as caught:
        api(target("https://localhost:9", authority, file, **keys), phrase)
    assert str(authority.folder) not in str(caught.value)


def test_one_of_another_authority_is_refused_with_its_date_f80(authority, server, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    with pytest.raises(TargetError, match=r"does not accept .* holds until 20\d\d-\d\d-\d\d \d\d:\d\d UTC") as caught:
        api(target(server.url, authority, stranger.pem("probe"))).get("/")
    assert caught.value.kind == "credentials"


JOURNEYS = """
def test_api(api):
    assert "guide" in api.get("/").expect(200).text

def test_page(page):
    page.goto("/")
    assert page.inner_text("h1") == "guide"
    assert page.evaluate("fetch('/').then(answer => answer.text())") == "<h1>guide</h1>"
    assert "guide" in page.request.get("/").text()
    assert page.evaluate("fetch('/', {method: 'POST'}).then(() => 1, () => 0)") == 0

def test_client(playwright, target):
    assert "guide" in playwright.request.new_context(base_url=target.base_url).get("/").text()

def test_page_elsewhere(page):
    page.goto("https://127.0.0.2:4443/")

def test_page_of_another(page):
    page.goto(OTHER)
"""


def test_browsers_show_it_the_wall_stays_and_no_key_is_kept_f80(authority, server, new_project, tmp_path):
    with asking(Authority(tmp_path, "unknown"), asks=False) as other:
        (tmp_path / "project").mkdir()
        project = new_project(tmp_path / "project")
        blocks = GUIDE.read_text().split("```toml\n")
        text = next(text for text in (block.partition("```")[0] for block in blocks) if "client_certificates" in text)
        for shown, real in (
            ("https://shop.example.org", server.url),
            ("shop.example.org", "localhost"),
            ("targets.shop", "targets.demo"),
            ("certificates/authority.pem", str(authority.file)),
            ("certificates/probe.p12", str(authority.pkcs12("guide", PHRASE))),
        ):
            text = text.replace(shown, real)
        (project.root / "synthprobe.toml").write_text(f"{text}\n")
        project.journeys(f"OTHER = {other.url!r}\n{JOURNEYS}")
        done = project.run(environ={"PROBE_PASS_PHRASE": PHRASE})
    seen = {
        name: (judgement.outcome, judgement.failure and judgement.failure.kind)
        for name, judgement in done.results.items()
    }
    good = ("passed", None)
    assert seen == {
        "test_api": good,
        "test_page": good,
        "test_client": good,
        "test_page_elsewhere": ("unknown", "configuration"),
        "test_page_of_another": ("failed", "tls"),
    }, done.output
    assert other.names == []
    key = (authority.folder / "guide.p12").read_bytes()
    written = dict(done.bytes_written()) | {"output": done.output.encode()}
    for value in (PHRASE.encode(), b"guide.p12", b"PRIVATE KEY", base64.b64encode(key)[:60]):
        assert [name for name, content in written.items() if value in content] == []


@pytest.mark.parametrize(
    ("keys", "line", "words"),
    [
        ('file = "a.pem"\nsecret = "door"', 6, "secret = 'door', which the target does not declare"),
        ('key = "a.pem"', 4, "has no targets.demo.client_certificates.a.example.file"),
        ('file = "a.pem"\npassword = "x"', 6, "unknown key"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(project, keys, line, words):
    project.configure("https://a.example", f'[targets.demo.client_certificates."a.example"]\n{keys}\n')
    with pytest.raises(ConfigurationError) as refused:
        read_config(project.root)
    assert f"synthprobe.toml:{line} " in str(refused.value)
    assert words in str(refused.value)


def test_a_host_that_is_none_ends_a_run_with_2_and_a_certificate_that_ended_is_unknown_f80(project, authority):
    project.configure("https://a.example", '[targets.demo.client_certificates."https://a.example/"]\nfile = "a.pem"\n')
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250)
    assert (done.returncode, "whose last part is no host" in done.stderr) == (2, True)
    ended = authority.pem("ended", begins=-9, ends=-2)
    project.configure("https://localhost:9", f'[targets.demo.client_certificates."localhost"]\nfile = "{ended}"\n')
    project.journeys("def test_api(api):\n    api.get('/')\ndef test_page(page):\n    page.goto('/')\n")
    done = project.run()
    causes = {(result.outcome, result.failure.kind, "ended on 20" in result.cause) for result in done.results.values()}
    assert causes == {("unknown", "credentials", True)}, done.output
