"""F13: certificates are checked, an authority of one's own is trusted when it is named, and what is wrong is said."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from synthprobe import Api, ConfigurationError, Target, TargetError, loopback
from synthprobe.evidence.redaction import Redactor


@contextmanager
def tls_server(folder: Path, days: int, *, signed: bool = False) -> Iterator[int]:
    """A server whose certificate, for localhost, is of its own or an own authority's making; its port."""
    ends, key = datetime.now(UTC) + timedelta(days=days), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    issuer, issuer_key = (name, key)
    if signed:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of one's own")])
        issuer_key = ec.generate_private_key(ec.SECP256R1())
        root = x509.CertificateBuilder(issuer, issuer, issuer_key.public_key(), 2, ends - timedelta(days=30), ends)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        (folder / "authority.pem").write_bytes(root.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    shown = x509.CertificateBuilder(issuer, name, key.public_key(), 1, ends - timedelta(days=30), ends)
    shown = shown.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    (folder / "cert").write_bytes(shown.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            self.answer()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("host", "days", "trusted", "words"),
    [
        pytest.param("localhost", 2, False, "signed by an authority that is not known here", id="F13-self-signed"),
        pytest.param("127.0.0.1", 2, True, "certificate is for another name", id="F13-wrong host"),
        pytest.param("localhost", -1, True, "certificate has expired", id="F13-expired"),
    ],
)
def test_a_certificate_that_does_not_hold_fails_the_journey(host, days, trusted, words, tmp_path):
    with tls_server(tmp_path, days) as port:
        api = Api(Target(base_url=f"https://{host}:{port}", production=True), Redactor())
        if trusted:
            api.session.verify = str(tmp_path / "cert")
        with pytest.raises(TargetError) as caught:
            api.get("/")
    assert caught.value.kind == "tls"
    assert words in str(caught.value)


@pytest.mark.parametrize("named", ["ca_file", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"], ids=lambda named: f"F13-{named}")
def test_an_authority_of_one_s_own_is_trusted_when_it_is_named(named, tmp_path, monkeypatch):
    with tls_server(tmp_path, 2, signed=True) as port:
        target = Target(base_url=f"https://localhost:{port}", name="inside", production=True)
        with pytest.raises(TargetError, match="not known here"):
            Api(target, Redactor()).get("/")
        if named == "ca_file":
            target = msgspec.structs.replace(target, ca_file=str(tmp_path / "authority.pem"))
        else:
            monkeypatch.setenv(named, str(tmp_path / "authority.pem"))
        Api(target, Redactor()).get("/").expect(200)
        with pytest.raises(TargetError, match="another name"):
            Api(msgspec.structs.replace(target, base_url=f"https://127.0.0.1:{port}"), Redactor()).get("/")


def test_pages_and_their_requests_trust_it_as_well_and_read_only_holds_behind_tls_f13(project):
    with tls_server(project.root, 2, signed=True) as port:
        project.configure(f"https://localhost:{port}", 'ca_file = "authority.pem"\nproduction = true\n')
        project.journeys(
            "def test_a(page):\n    assert page.goto('/').ok\n    assert page.request.get('/').ok\n"
            "    assert page.evaluate(\"fetch('/', {method: 'POST'}).then(() => 1, () => 0)\") == 0\n"
        )
        assert {judgement.outcome for judgement in project.run().results.values()} == {"passed"}


@pytest.mark.parametrize(("text", "words"), [(None, "cannot be read"), ("no certificate", "holds no certificate")])
def test_an_authority_that_cannot_be_read_is_refused(text, words, project):
    project.configure("https://localhost:9", 'ca_file = "authority.pem"\n')
    if text:
        (project.root / "authority.pem").write_text(text)
    done = subprocess.run([sys.executable, "-m", "synthprobe", "run"], cwd=project.root, capture_output=True, text=True)
    assert done.returncode == 2
    output = " ".join(done.stderr.replace("│", " ").split())
    assert "ca_file" in output
    assert words in output


def test_tls_checks_can_be_left_out_but_not_on_production_f13(tmp_path):
    with tls_server(tmp_path, 2) as port:
        url = f"https://localhost:{port}"
        Api(Target(base_url=url, tls_verify=False), Redactor()).get("/").expect(200)
        api = Api(Target(base_url=url, production=True), Redactor())
        api.session.verify = False
        with pytest.raises(ConfigurationError, match="production"):
            api.get("/")


def test_a_browser_checks_certificates_and_on_production_nobody_can_ask_it_not_to_f13(project, tmp_path):
    (tmp_path / "tls").mkdir()
    with tls_server(tmp_path / "tls", 2) as port:
        project.journeys(
            "def test_a(page):\n    page.goto('/')\n"
            "def test_b(new_context):\n    new_context(ignore_https_errors=True).new_page().goto('/')\n"
            "def test_c(page):\n    page.request.get('/', ignore_https_errors=True)\n"
            "def test_f(page):\n    page.request.get('/')\n"
            "def test_d(page):\n    protocol = page.context.new_cdp_session(page)\n"
            "    protocol.send('Security.enable')\n"
            "    protocol.send('Security.setIgnoreCertificateErrors', {'ignore': True})\n    page.goto('/')\n"
            "def test_e(browser):\n    protocol = browser.new_browser_cdp_session()\n"
            "    protocol.send('Target.createBrowserContext', {'proxyServer': 'http://127.0.0.1:9'})\n"
        )
        refused = ("unknown", "configuration")
        for key, a, b in (
            ("production = true\n", ("failed", "tls"), refused),
            ("tls_verify = false\n", ("passed", ""), ("passed", "")),
        ):
            project.configure(f"https://localhost:{port}", key)
            shutil.rmtree(project.root / "run", ignore_errors=True)
            results = project.run().results
            seen = {
                name: (judgement.outcome, judgement.failure.kind if judgement.failure else "")
                for name, judgement in results.items()
            }
            if a[1]:
                assert "signed by an authority that is not known here" in results["test_a"].cause
            wanted = dict.fromkeys(("test_a", "test_f"), a) | dict.fromkeys(("test_b", "test_c", "test_d"), b)
            assert seen == wanted | {"test_e": refused}
