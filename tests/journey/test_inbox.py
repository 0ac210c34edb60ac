"""Mail of synthetic users, sent by SMTP and read by IMAP: only what came since is found, and no code is written."""

import imaplib
import json
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.controller import Controller
from authority import Authority
from typer.testing import CliRunner

from synthprobe import ConfigurationError, Secret, loopback
from synthprobe.cli.main import app
from synthprobe.errors import ToolError
from synthprobe.journey.eventually import eventually
from synthprobe.journey.inbox import Inbox, open_mailbox
from synthprobe.targets.target import Inbox as InboxConfig

PASSWORD = "mail-reader-pass-77"
CODE, TOKEN = "730914", "tok-7c1f9a2be4d85"
JOURNEYS = f"""
import smtplib
from email.message import EmailMessage

def send(port, to, text):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.org", to, "Welcome"
    message.set_content(text)
    with smtplib.SMTP("127.0.0.1", port) as server:
        server.send_message(message)

def test_code(inbox):
    send(SMTP, "other@example.org", "Your code is 111222.")
    send(SMTP, "Probe@example.org", "Order 20261127-1: your code is {CODE}.")
    code = inbox.wait("probe@example.org", within="15s").code()
    print("it is", code)
    assert code != "{CODE}", f"{{code}} was sent"

def test_link(inbox):
    send(SMTP, "probe@example.org", "Go to https://shop.example.org/help or https://shop.example.org/reset/{TOKEN}?u=1.")
    link = inbox.wait("probe@example.org", within="15s").link("/reset/")
    assert link.endswith("?u=2"), link

def test_none(inbox):
    inbox.wait("probe@example.org", within="1s")
"""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


class IntoMailbox:
    """Delivers what SMTP takes into the IMAP server."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        with imaplib.IMAP4("127.0.0.1", self.port) as box:
            box.login("probe", PASSWORD)
            box.append("INBOX", None, None, envelope.content)
        return "250 taken"


@pytest.fixture(scope="module")
def mail():
    """Ports of an SMTP and an IMAP server."""
    imap = free_port()
    pymap = shutil.which("pymap", path=str(Path(sys.executable).parent))
    user = ["--demo-data", "--demo-user", "probe", "--demo-password", PASSWORD]
    command = [pymap, "--host", "127.0.0.1", "--port", str(imap), "--no-tls", "--no-service", "admin", "dict", *user]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    smtp = Controller(IntoMailbox(imap), hostname="127.0.0.1", port=free_port())
    smtp.start()

    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", imap), timeout=1).close()
        except OSError:
            return False
        return True

    eventually(answers, within="20s", every="50ms")
    yield smtp.port, imap
    smtp.stop()
    server.terminate()
    server.wait(timeout=10)


def test_l51_what_came_since_the_journey_began_is_found_and_its_code_and_link_are_written_nowhere(
    project, mail, monkeypatch
):
    smtp, imap = mail
    inbox = f'[targets.demo.inbox]\nurl = "imap://127.0.0.1:{imap}"\nuser = "probe"\nsecret = "mail"\n'
    project.configure("http://127.0.0.1:9", f'[targets.demo.secrets]\nmail = "env:MAIL"\n{inbox}')
    project.journeys(JOURNEYS.replace("SMTP,", f"{smtp},"))
    monkeypatch.setenv("MAIL", PASSWORD)
    ran = project.run()
    causes = {name: result.cause for name, result in ran.results.items()}
    assert {result.outcome for result in ran.results.values()} == {"failed"}, causes
    assert causes["test_code"] == "[masked] was sent"
    assert "no message to probe@example.org has come, 0 to others" in causes["test_none"], "what was there is old"
    for secret in (CODE, TOKEN, PASSWORD):
        assert secret not in ran.output
        assert [name for name, content in ran.bytes_written() if secret.encode() in content] == []

    monkeypatch.setenv("MAIL", "another-password-88")
    wrong = project.run("-k", "none", folder="wrong").results["test_none"]
    assert (wrong.outcome, wrong.cause.partition(" at ")[0]) == ("unknown", "mailbox: The mailbox")


@contextmanager
def tls_in_front_of(port, certificate):
    """Speaks TLS for a server that does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def pipe(source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve():
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with suppress(OSError):
                    safe = context.wrap_socket(plain, server_side=True)
                    behind = socket.create_connection(("127.0.0.1", port))
                    for pair in ((safe, behind), (behind, safe)):
                        threading.Thread(target=pipe, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_a_mailbox_is_read_over_tls_of_ones_own_authority_and_of_no_other(mail, tmp_path):
    authority, codes = Authority(tmp_path), []
    with tls_in_front_of(mail[1], authority.pem("server")) as port:
        config = InboxConfig(url=f"imaps://localhost:{port}", user="probe", secret="mail", ca_file=str(authority.file))
        inbox = Inbox(open_mailbox(config, Secret(PASSWORD, "mail")), codes.append, codes.append)
        with smtplib.SMTP("127.0.0.1", mail[0]) as server:
            server.sendmail("shop@example.org", "tls@example.org", "To: tls@example.org\n\nYour code is 552211.\n")
        assert inbox.wait("tls@example.org", within="15s").code() == "552211"
        stranger = msgspec.structs.replace(config, ca_file="")
        with pytest.raises(
            ToolError, match="could not be read: unable to get local issuer certificate.* is ca_file of"
        ):
            open_mailbox(stranger, Secret(PASSWORD, "mail")).ids()
        with pytest.raises(ToolError, match='it answered NO ".+"'):
            open_mailbox(config, Secret("another-pass-78", "mail")).ids()
        elsewhere = msgspec.structs.replace(config, url=f"imaps://127.0.0.1:{port}")
        with pytest.raises(ToolError, match="IP address mismatch"):
            open_mailbox(elsewhere, Secret(PASSWORD, "mail")).ids()


def test_an_http_mailbox_is_read_by_mailpits_api():
    mails = {"a": {"To": [{"Address": "old@example.org"}]}}

    class Mailpit(loopback.Handler):
        def do_GET(self):
            id = self.path.rpartition("/")[2]
            found = {"messages": [{"ID": mail_id} for mail_id in mails]} if "?" in self.path else mails[id]
            body = json.dumps(found).encode()
            self.answer(200 if self.headers["Authorization"] else 401, body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mailpit)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = InboxConfig(url=f"http://127.0.0.1:{server.server_port}", user="reader", secret="mail")
    codes, links = [], []
    inbox = Inbox(open_mailbox(config, Secret(PASSWORD, "mail")), codes.append, links.append)
    html = '<style>p { x: 123456 }</style><p>Code <b>4711</b></p><a href="https://x.example/in?t=abcdefghijklmnop&amp;u=1">'
    mails["b"] = {"To": [{"Address": "probe@example.org"}], "HTML": html}
    message = inbox.wait("probe@example.org", within="5s")
    server.shutdown()
    assert (message.code(), message.link()) == ("4711", "https://x.example/in?t=abcdefghijklmnop&u=1")
    assert (codes, "abcdefghijklmnop" in links) == (["4711"], True)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('url = "pop3://mail.example.org"', "inbox.url of [targets.demo] is 'pop3' without a host"),
        ('url = "imaps://mail.example.org"', "inbox of [targets.demo] is read by IMAP, so it needs user"),
        ('url = "http://mail.example.org"\nsecret = "mail"', "inbox.secret of [targets.demo] names the secret 'mail'"),
    ],
)
def test_an_inbox_that_cannot_be_read_is_said_before_anything_is_run(project, table, sentence, monkeypatch):
    project.configure("http://127.0.0.1:9", f"[targets.demo.inbox]\n{table}\n")
    monkeypatch.chdir(project.root)
    done = CliRunner().invoke(app, ["run"])
    assert isinstance(done.exception, ConfigurationError), "which is exit code 2"
    assert sentence in str(done.exception)
