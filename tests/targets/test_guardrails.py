"""What may be done at a target, and what a configuration that contradicts itself is told."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from synthprobe import Api, ConfigurationError, Journey, Recorder, Target, TargetError, recording, step
from synthprobe.config import read_config
from synthprobe.evidence.redaction import Redactor
from synthprobe.probes.guard import Guard
from synthprobe.probes.killswitch import kill_switch_reason
from synthprobe.probes.pace import Pace
from synthprobe.targets.guardrails import change_refusal, check_guardrails, is_read_only, may_reach, skip_reason

CAD = Target(
    base_url="https://cad.example.org:8443/app", name="cad", allowed_hosts=("cdn.example.net", "*.Example.com")
)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://cad.example.org/", True),
        ("https://CAD.example.org.:1/", True),
        ("wss://cdn.example.net/live", True),
        ("https://a.b.example.com/", True),
        ("https://example.com/", False),
        ("https://notexample.com/", False),
        ("https://cad.example.org.evil.test/", False),
        ("https://cad.example.org@evil.test/", False),
        ("https://evil.test/cad.example.org", False),
        ("https://evil.test#cad.example.org", False),
        ("about:blank", False),
        ("https://[/", False),
    ],
)
def test_which_addresses_may_be_reached_f71(url, allowed):
    assert may_reach(CAD, url) is allowed


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        pytest.param({"production": True, "tls_verify": False}, "tls_verify", id="F13-no checks on production"),
        pytest.param({"allowed_hosts": ("https://x.test",)}, "without scheme", id="scheme"),
        pytest.param({"allowed_hosts": ("x.test, EXCLUDE y.test",)}, "host name", id="F71-rules in a host"),
        pytest.param({"allowed_hosts": ("*",)}, "host name", id="F71-everything"),
        pytest.param({"requests_per_second": -1.0}, "below zero", id="pace"),
        pytest.param({"kill_switch": "STOP"}, "kill switch", id="F72-kind of switch"),
        pytest.param({"kill_switch": "http://switch.example.org/"}, "https", id="F72-switch without TLS"),
    ],
)
def test_guardrails_that_cannot_hold_are_refused(keys, word):
    with pytest.raises(ConfigurationError, match=word):
        check_guardrails(Target(base_url="https://cad.example.org", name="cad", **keys))


def test_production_cannot_be_reached_under_another_name(tmp_path):
    (tmp_path / "synthprobe.toml").write_text(
        '[targets.demo]\nbase_url = "http://127.0.0.1:1"\n'
        '[targets.live]\nbase_url = "https://cad.example.org"\nproduction = true\n'
    )
    config = read_config(tmp_path)
    assert config.target("live").production
    with pytest.raises(ConfigurationError, match="--target live"):
        config.target("demo", base_url="https://cad.example.org:443/")


@pytest.mark.parametrize("table", ["testdata.incident]\nfind = '/x'\ndelte = '/y'", "sweeper]\nlogn = '/x'"])
def test_a_misspelt_key_of_test_data_is_refused(table, tmp_path):
    (tmp_path / "synthprobe.toml").write_text(f"[targets.demo]\nbase_url = 'http://x.test'\n[targets.demo.{table}\n")
    with pytest.raises(ConfigurationError, match="Did you mean"):
        read_config(tmp_path)


def test_production_is_read_only_unless_it_says_otherwise():
    live = Target(base_url="https://cad.example.org", production=True)
    assert is_read_only(live)
    assert not is_read_only(Target(base_url="https://cad.example.org"))
    assert not is_read_only(Target(base_url="https://cad.example.org", production=True, read_only=False))
    url = "https://cad.example.org/api"
    assert [method for method in ("GET", "HEAD", "POST", "put", "DELETE") if change_refusal(live, method, url, ())] == [
        "POST",
        "put",
        "DELETE",
    ]
    assert change_refusal(live, "POST", url + "/login?next=/", ()) == ""
    assert change_refusal(live, "POST", url, ("incident",)) == ""
    assert skip_reason(live, ()) == ""
    assert "'incident'" in skip_reason(live, ("incident",))
    assert skip_reason(Target(base_url="https://x.test", production=True, allows=("incident",)), ("incident",)) == ""
    assert skip_reason(Target(base_url="https://x.test"), ("incident",)) == ""


# pace


def _book(path, number, places):
    pace = Pace(path, 5, 60.0, sleep=lambda seconds: None)
    for _ in range(number):
        places.put(pace.wait())


def test_a_pace_is_kept_across_processes(tmp_path):
    context = multiprocessing.get_context("fork")
    places = context.Queue()
    workers = [context.Process(target=_book, args=(tmp_path / "pace.json", 4, places)) for _ in range(3)]
    for worker in workers:
        worker.start()
    waits = sorted(places.get(timeout=20) for _ in range(12))
    for worker in workers:
        worker.join()
    assert [round(wait / 60) for wait in waits] == [0] * 5 + [1] * 5 + [2] * 2


def test_three_workers_together_keep_the_pace_of_their_target(project, place):
    place.said = (200, b"here")
    project.configure(place.url, "requests_per_second = 4\njourneys_per_minute = 100\n")
    project.journeys(
        "".join(f"def test_{n}(api):\n    for _ in range(2):\n        api.get('/').expect(200)\n" for n in range(6))
    )
    ran = project.run("-n", "3", "--dist", "load")
    assert {one.outcome for one in ran.results.values()} == {"passed"}
    assert len(place.at) == 12
    assert place.at[-1] - place.at[0] > 1.5, "four a second, whoever sends them: the last four wait two seconds"
    booked = json.loads((ran.folder / "pace-journeys.json").read_text())
    assert len(booked) == 6, "journeys of all workers stand in one book"


def test_a_pace_below_one_stretches_the_period(tmp_path):
    slept = []
    pace = Pace(tmp_path / "pace.json", 0.5, 1.0, sleep=slept.append)
    for _ in range(3):
        pace.wait()
    assert [round(seconds) for seconds in slept] == [2, 4]


def test_an_api_session_keeps_the_pace_of_its_target(tmp_path):
    target = Target(base_url="http://127.0.0.1:9", requests_per_second=2, journeys_per_minute=7)
    guard = Guard(target, tmp_path)
    guard.pace_journey()
    api = Api(target, Redactor(), guard=guard)
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(TargetError):
            api.get("/")
    booked = json.loads((tmp_path / "pace-requests.json").read_text())
    assert len(booked) == 2
    assert began <= booked[0] <= booked[1] <= time.monotonic()
    assert len(json.loads((tmp_path / "pace-journeys.json").read_text())) == 1


def test_waiting_for_a_place_is_no_slowness_of_the_target(tmp_path):
    slept = []
    guard = Guard(Target(base_url="http://127.0.0.1:9", requests_per_second=1 / 3600), tmp_path, sleep=slept.append)
    guard.pace_request()
    with recording(Recorder(Journey(id="x", node_id="x", title="x"))) as recorder:
        with step("ask"):
            guard.pace_request()
    assert [round(seconds / 3600) for seconds in slept] == [1]
    assert round(recorder.steps[0].duration_s / 3600) == -1  # an hour is left out, which here was not slept


# kill switch


@pytest.fixture
def place():
    """A server that answers with what is put into ``place.said``; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/throw":
                server.said = (200, b"on")
            status, text = server.said
            server.at.append(time.monotonic())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.at = []
    server.url = f"http://127.0.0.1:{server.server_port}/switch/planted-token-4711"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("value", "on"),
    [(None, False), ("", False), ("off", False), ("0", False), ("FALSE\n", False), ("1", True), ("stop", True)],
)
def test_a_kill_switch_in_the_environment_f72(value, on):
    environ = {} if value is None else {"STOP": value}
    assert kill_switch_reason("env:STOP", environ) == ("The kill switch env:STOP is on." if on else "")


def test_a_kill_switch_in_a_file_f72(tmp_path):
    path = tmp_path / "stop"
    switch = f"file:{path}"
    assert kill_switch_reason(switch, {}) == ""
    path.touch()
    assert kill_switch_reason(switch, {}).endswith("is on.")
    path.write_text("off\n")
    assert kill_switch_reason(switch, {}) == ""
    path.write_bytes(b"\xff")
    assert "counts as on" in kill_switch_reason(switch, {})
    path.unlink()
    path.mkdir()
    assert "cannot be read (IsADirectoryError), which counts as on" in kill_switch_reason(switch, {})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param((200, b"off"), "", id="F72-off"),
        pytest.param((200, b"on"), "is on", id="F72-on"),
        pytest.param((200, b""), "is on", id="F72-empty"),
        pytest.param((500, b"off"), "counts as on", id="F72-error"),
        pytest.param((302, b"off"), "counts as on", id="F72-redirect"),
    ],
)
def test_a_kill_switch_at_an_address(said, words, place):
    place.said = said
    reason = kill_switch_reason(place.url, {})
    assert words in reason
    assert bool(words) == bool(reason)
    assert "planted-token" not in reason


def test_a_kill_switch_that_cannot_be_reached_is_on_f72():
    assert "counts as on" in kill_switch_reason("http://127.0.0.1:9/", {})


# TLS


@contextmanager
def tls_server(folder: Path, days: int) -> Iterator[int]:
    """A server whose certificate, for localhost, is of its own making and ends in so many days; its port."""
    ends, key = datetime.now(UTC) + timedelta(days=days), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    shown = x509.CertificateBuilder(name, name, key.public_key(), 1, ends - timedelta(days=30), ends)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    pem = shown.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (folder / "cert").write_bytes(pem)
    (folder / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

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
        pytest.param("localhost", 2, False, "self-signed certificate", id="F13-self-signed"),
        pytest.param("127.0.0.1", 2, True, "127.0.0.1", id="F13-wrong host"),
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
    assert words in str(caught.value).replace("self signed", "self-signed")


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
            seen = {name: (one.outcome, one.failure.kind if one.failure else "") for name, one in results.items()}
            assert seen == {"test_a": a, **dict.fromkeys(("test_b", "test_c", "test_d"), b), "test_e": refused}


# journeys


JOURNEYS = """
import pytest
from synthprobe import step

def test_reads(api):
    api.get("/healthz").expect(200)

def test_logs_in(api):
    api.post("/api/login", json={"username": "x", "password": "wrong-password"}).expect(401)

def test_changes_secretly(api):
    api.post("/api/incidents", json={}).expect(401)

@pytest.mark.mutates("incident")
def test_changes(api):
    api.post("/api/incidents", json={}).expect(401)

@pytest.mark.mutates("unit", "incident")
def test_changes_more(api):
    raise AssertionError("this must not run")
"""


def test_a_read_only_target_is_only_read(project, centre):
    project.configure(centre.url, 'production = true\nallows = ["incident"]\n')
    project.journeys(JOURNEYS)
    ran = project.run()
    results = ran.results
    assert "3 passed, 1 skipped" in ran.output
    assert " error" not in ran.output
    assert {name: one.outcome for name, one in results.items()} == {
        "test_reads": "passed",
        "test_logs_in": "passed",
        "test_changes_secretly": "unknown",
        "test_changes": "passed",
        "test_changes_more": "skipped",
    }
    assert results["test_changes_secretly"].failure.kind == "configuration"
    assert '@pytest.mark.mutates("incident")' in results["test_changes_secretly"].cause
    assert results["test_changes_more"].cause.startswith("It changes 'unit', which target 'demo' does not allow")


def test_a_kill_switch_thrown_between_journeys_ends_all_traffic_f72(project, centre):
    switch = project.root / "stop"
    project.configure(centre.url, f'kill_switch = "file:{switch}"\n')
    project.journeys(
        f"import pathlib\ndef test_a(api):\n    api.get('/healthz')\n    pathlib.Path({str(switch)!r}).touch()\n"
        "def test_b(api, page):\n    raise AssertionError('this must not run')\n"
    )
    ran = project.run()
    results = ran.results
    assert "1 passed, 1 skipped" in ran.output
    assert " error" not in ran.output
    assert (results["test_a"].outcome, results["test_b"].outcome) == ("passed", "skipped")
    assert results["test_b"].cause == f"The kill switch file:{switch} is on."
    assert results["test_b"].steps == ()


def test_a_kill_switch_at_an_address_is_asked_between_journeys_f72(project, place):
    place.said = (200, b"off")
    address = place.url.split("/switch")[0]
    project.configure(address, f'kill_switch = "{place.url}"\n')
    project.journeys("def test_a(api):\n    api.get('/throw')\ndef test_b(api):\n    api.get('/throw')\n")
    results = project.run().results
    assert (results["test_a"].outcome, results["test_b"].outcome) == ("passed", "skipped")
    assert len(place.at) == 3, "asked, thrown, asked"


def test_a_mutates_marker_that_names_nothing_is_refused(project, centre):
    project.configure(centre.url)
    project.journeys("import pytest\n@pytest.mark.mutates()\ndef test_a():\n    pass\n")
    ran = project.run()
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert '@pytest.mark.mutates("incident")' in ran.output


def test_a_page_led_to_another_host_is_a_failure_of_the_target_f71(project, centre):
    port = centre.url.rsplit(":", 1)[1]
    project.configure(centre.url)
    project.journeys(f"def test_a(page):\n    page.goto('http://127.0.0.2:{port}/login')\n")
    result = project.run().results["test_a"]
    assert (result.outcome, result.failure.kind) == ("failed", "egress")
    assert "'127.0.0.2' is not one that journeys against target 'demo' may reach" in result.cause
    assert result.notes == ("Not allowed, so not reached: 127.0.0.2 (1 request).",)
