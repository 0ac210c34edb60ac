"""Ready-made looks at certificate, redirect, headers, name, port and domain: one line each."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from authority import Authority

from synthprobe import (
    Api,
    ConfigurationError,
    ExpectationError,
    Target,
    TargetError,
    accepts_connections,
    certificate_holds,
    domain_holds,
    has_security_headers,
    loopback,
    redirects_to_https,
    resolves,
)
from synthprobe.evidence.redaction import Redactor
from synthprobe.firstline import runbooks
from synthprobe.targets.proxy import Proxy

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "ready-made.md"
SHIPPED = Path(runbooks.__file__).with_name("ready_made")
BROKEN = """
from synthprobe import (
    accepts_connections, domain_holds, has_security_headers, redirects_to_https, resolves,
)

def test_domain(api): domain_holds(api, "soon.example", rdap="PLAIN")
def test_registry_that_is_silent(api): domain_holds(api, "silent.example", rdap="PLAIN")
def test_redirect(api): redirects_to_https(api, url="PLAIN/stays")
def test_headers(api): has_security_headers(api, "/careless")
def test_name(api): resolves(api, to=["192.0.2.7"])
def test_port(api): accepts_connections(api, FREE)
"""
CAREFUL = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


ANSWERS = {
    "/careful": (200, CAREFUL, b""),
    "/careless": (200, {"X-Content-Type-Options": "sniff"}, b""),
    "/": (301, {"Location": "https://localhost/"}, b""),
    "/stays": (200, {}, b""),
    "/to-http": (301, {"Location": "/login"}, b""),
    "/astray": (301, {"Location": "https://elsewhere.example/"}, b""),
    "/domain/soon.example": (
        200,
        {},
        json.dumps({"events": [{"eventAction": "expiration", "eventDate": in_days(9)}]}).encode(),
    ),
    "/domain/good.example": (
        200,
        {},
        json.dumps({"events": [{"eventAction": "expiration", "eventDate": in_days(99)}]}).encode(),
    ),
    "/domain/silent.example": (200, {}, b"{}"),
}


class Answers(loopback.Handler):
    def do_GET(self):
        status, headers, body = ANSWERS[self.path]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Iterator[tuple[str, str, Authority]]:
    """One system by HTTP and by HTTPS, whose certificate holds for five days."""
    authority = Authority(tmp_path_factory.mktemp("ready"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.pem("server", ends=5.5))
    plain, safe = (ThreadingHTTPServer(("127.0.0.1", 0), Answers) for _ in range(2))
    safe.socket = context.wrap_socket(safe.socket, server_side=True)
    for server in (plain, safe):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://localhost:{plain.server_port}", f"https://localhost:{safe.server_port}", authority
    for server in (plain, safe):
        server.shutdown()
        server.server_close()


@pytest.fixture
def api(places) -> Api:
    _, safe, authority = places
    return Api(Target(base_url=safe, ca_file=str(authority.file), timeout_s=3), Redactor())


def test_a_certificate_that_ends_soon_is_told_with_its_date(api, places):
    assert certificate_holds(api, days=4) - datetime.now(UTC) > timedelta(days=5)
    with pytest.raises(
        ExpectationError, match=r"holds for 21 days was expected, got one that ends on 20\d\d-.*, in 5 days"
    ):
        certificate_holds(api)
    with pytest.raises(ConfigurationError, match="has no certificate"):
        certificate_holds(api, url=places[0])
    with pytest.raises(TargetError, match="not known here"):
        certificate_holds(Api(Target(base_url=places[1]), Redactor()))


def test_whoever_comes_by_http_is_sent_on(api, places):
    redirects_to_https(api, url=f"{places[0]}/")
    for path, got in (
        ("stays", "got status 200"),
        ("to-http", "status 301 to http://"),
        ("astray", "elsewhere.example"),
    ):
        with pytest.raises(ExpectationError, match=got):
            redirects_to_https(api, url=f"{places[0]}/{path}")


def test_headers_that_are_missing_are_named(api):
    has_security_headers(api, "/careful")
    has_security_headers(api, "/careless", headers={"x-content-type-options": ""})
    with pytest.raises(ExpectationError, match="got strict-transport-security: missing; x-content-type-options: sniff"):
        has_security_headers(api, "/careless")


def test_names_and_ports_are_looked_at_within_the_wall(api):
    assert "127.0.0.1" in resolves(api)
    with pytest.raises(ExpectationError, match="only 192.0.2.7 of localhost"):
        resolves(api, to=["192.0.2.7"])
    port = int(api.target.base_url.rpartition(":")[2])
    accepts_connections(api, port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    with pytest.raises(TargetError, match="takes no connection: Connection refused") as caught:
        accepts_connections(api, free)
    assert (caught.value.kind, caught.value.finding.refusal.kind) == ("refused", "refused")
    other = Api(Target(base_url="http://nowhere.invalid"), Redactor())
    with pytest.raises(TargetError, match="not known here") as caught:
        resolves(other)
    assert caught.value.kind == "dns"
    for look in (lambda: resolves(api, "elsewhere.example"), lambda: accepts_connections(api, 9, host="127.0.0.2")):
        with pytest.raises(ConfigurationError, match="is not one that journeys"):
            look()
    behind = Target(base_url="https://shop.example", proxy=Proxy(address="http://127.0.0.1:9"))
    with pytest.raises(ConfigurationError, match="through the target's proxy"):
        resolves(Api(behind, Redactor()))


def test_a_domain_that_ends_soon_is_told_with_its_date(places):
    api = Api(Target(base_url=places[0]), Redactor())
    domain_holds(api, "good.example", rdap=places[0])
    with pytest.raises(
        ExpectationError, match="registered for 30 days was expected, got one that ends on .*, in 8 days"
    ):
        domain_holds(api, "soon.example", rdap=places[0])
    with pytest.raises(ExpectationError, match="an event with the action expiration"):
        domain_holds(api, "silent.example", rdap=places[0])
    with pytest.raises(ConfigurationError, match="not one that journeys"):
        domain_holds(api, "good.example", rdap="https://rdap.example")


def run_in(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synthprobe", "run"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250, check=False)


def test_ready_made_journeys_need_no_file_but_the_configuration(tmp_path, places):
    plain, safe, authority = places
    lines = re.search(r"^ready_made = .*$", GUIDE.read_text(), re.MULTILINE)[0]
    written = (
        'default_target = "demo"\n'
        f'[targets.demo]\nbase_url = "{safe}"\nca_file = "{authority.file}"\nallowed_hosts = ["localhost"]\n{lines}\n'
        f'[targets.plain]\nbase_url = "{plain}"\nready_made = ["resolves"]\n'
    )
    (tmp_path / "synthprobe.toml").write_text(written)
    ran = run_in(tmp_path)
    (found,) = tmp_path.glob(".synthprobe/runs/demo/*/verdict.json")
    outcomes = {
        judgement["journey"]["id"]: judgement["outcome"] for judgement in json.loads(found.read_text())["journeys"]
    }
    assert outcomes == {
        "ready-made.certificate_holds": "failed",  # it ends within three weeks
        "ready-made.redirects_to_https": "failed",  # nothing listens at port 80
        "ready-made.has_security_headers": "failed",
        "ready-made.resolves": "passed",
        "ready-made.accepts_connections": "passed",
    }, ran.stdout
    assert ran.returncode == 1
    shown = re.findall(r"synthprobe runbook show ([a-z-]+)", ran.stdout)
    assert shown == ["certificate-ends", "security-headers", "security-headers"], "two are refused: one cause, one page"
    assert "pytest synthprobe.toml::certificate_holds --target demo" in ran.stdout
    (tmp_path / "synthprobe.toml").write_text(written.replace('"resolves"]', '"resolve"]'))
    wrong = run_in(tmp_path)
    assert wrong.returncode == 2
    assert (
        "targets.plain.ready_made 1, which cannot be used: 'resolve' is none of accepts_connections, " in wrong.stderr
    )
    assert "Did you mean 'resolves'? See docs/reference" in wrong.stderr


def test_the_journeys_of_the_guide_hold_and_break_as_it_says(project, places):
    plain, safe, authority = places
    project.configure(safe, f'ca_file = "{authority.file}"\n')
    (text,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    port = safe.rpartition(":")[2]
    for shown, real in (
        ('"/login"', '"/careful"'),
        ("443", port),
        ("redirects_to_https(api)", f'redirects_to_https(api, url="{plain}/")'),
    ):
        assert shown in text
        text = text.replace(shown, real)
    project.journeys(text)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    project.journeys(BROKEN.replace("PLAIN", plain).replace("FREE", str(free)), "test_broken.py")
    ran = project.run()
    results = {name: judgement for name, judgement in ran.results.items() if "broken" not in judgement.journey.id}
    assert {name: judgement.outcome for name, judgement in results.items()} == {
        "test_the_certificate_holds": "failed",
        "test_http_is_sent_on": "passed",
        "test_the_login_page_is_careful": "passed",
        "test_the_name_is_known": "passed",
        "test_the_port_is_open": "passed",
    }
    assert "in 5 days" in results["test_the_certificate_holds"].cause
    assert results["test_the_certificate_holds"].journey.runbook == "certificate-ends"
    command = [sys.executable, "-m", "synthprobe", "runbook", "match", str(ran.folder), "--json"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=True)
    matched = {
        match["journey"].rpartition(".test_")[2]: match["runbook"] for match in json.loads(done.stdout)["journeys"]
    }
    assert matched == {
        "the_certificate_holds": "certificate-ends",
        "domain": "domain-ends",
        "registry_that_is_silent": "domain-ends",
        "redirect": "https-redirect",
        "headers": "security-headers",
        "name": "name-unknown",
        "port": "port-closed",
    }
    (project.root / "runbooks").mkdir()
    own = SHIPPED.joinpath("port-closed.md").read_text().replace("A port takes no connection", "Our own page")
    (project.root / "runbooks" / "port-closed.md").write_text(own)
    for page, title in (("port-closed", "Our own page"), ("name-unknown", "A name is not known, or leads elsewhere")):
        command = [sys.executable, "-m", "synthprobe", "runbook", "show", page]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=True)
        assert title in done.stdout
