"""What may be done at a target, and what a configuration that contradicts itself is told."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from http.server import ThreadingHTTPServer

import pytest

from synthprobe import Api, ConfigurationError, Journey, Recorder, Target, TargetError, loopback, recording, step
from synthprobe.config import read_config
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard, Pace, kill_switch_reason
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
    refused = [
        ("DELETE", "/login", {}),
        ("POST", "/login/../incidents", {}),
        ("POST", "/incidents%2f..%2flogin", {}),
        ("POST", "/incidents;/login", {}),
        ("POST", "/login", {"X-HTTP-Method-Override": "PUT"}),
        ("GET", "/incidents/7", {"x-method-override": "delete"}),
        ("GET", "/incidents/7?a=1&_method=DELETE", {}),
    ]
    assert all(change_refusal(live, method, url + path, (), headers) for method, path, headers in refused)
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
    place.answer = (200, b"here")
    project.configure(place.url, "requests_per_second = 4\njourneys_per_minute = 100\n")
    project.journeys(
        "".join(f"def test_{n}(api):\n    for _ in range(2):\n        api.get('/').expect(200)\n" for n in range(6))
    )
    ran = project.run("-n", "3", "--dist", "load")
    assert {result.outcome for result in ran.results.values()} == {"passed"}
    assert len(place.at) == 12
    assert place.at[-1] - place.at[0] > 1.5, "four a second, whoever sends them: the last four wait two seconds"
    booked = json.loads(next(ran.folder.glob("pace-journeys-*.json")).read_text())
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
    booked = json.loads(next(tmp_path.glob("pace-requests-*.json")).read_text())
    assert len(booked) == 2
    assert began <= booked[0] <= booked[1] <= time.monotonic()
    assert len(json.loads(next(tmp_path.glob("pace-journeys-*.json")).read_text())) == 1


def test_waiting_for_a_place_is_no_slowness_of_the_target(tmp_path):
    guard = Guard(Target(base_url="http://127.0.0.1:9", requests_per_second=1), tmp_path)
    guard.pace_request()
    began = time.monotonic()
    with recording(Recorder(Journey(id="x", node_id="x", title="x"))) as recorder:
        with step("ask"):
            guard.pace_request()
    waited_s = time.monotonic() - began
    assert waited_s > 0.5, "the second request has its place a second after the first"
    assert recorder.steps[0].duration_s < waited_s / 2


# kill switch


@pytest.fixture
def place():
    """A server that answers with what is put into ``place.answer``; its address."""

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            if self.path == "/throw":
                server.answer = (200, b"on")
            status, text = server.answer
            server.at.append(time.monotonic())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

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
    ("answer", "words"),
    [
        pytest.param((200, b"off"), "", id="F72-off"),
        pytest.param((200, b"on"), "is on", id="F72-on"),
        pytest.param((200, b""), "is on", id="F72-empty"),
        pytest.param((500, b"off"), "counts as on", id="F72-error"),
        pytest.param((302, b"off"), "counts as on", id="F72-redirect"),
    ],
)
def test_a_kill_switch_at_an_address(answer, words, place):
    place.answer = answer
    reason = kill_switch_reason(place.url, {})
    assert words in reason
    assert bool(words) == bool(reason)
    assert "planted-token" not in reason


def test_a_kill_switch_that_cannot_be_reached_is_on_f72():
    assert "counts as on" in kill_switch_reason("http://127.0.0.1:9/", {})


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
    assert {name: judgement.outcome for name, judgement in results.items()} == {
        "test_reads": "passed",
        "test_logs_in": "passed",
        "test_changes_secretly": "unknown",
        "test_changes": "passed",
        "test_changes_more": "skipped",
    }
    assert results["test_changes_secretly"].failure.kind == "configuration"
    assert '@pytest.mark.mutates("incident")' in results["test_changes_secretly"].cause
    assert results["test_changes_more"].cause.startswith("It changes 'unit', which target 'demo' does not allow")


BESIDE = """
from synthprobe import Target

def test_reads(open_api):
    open_api("live").get("/healthz").expect(200)

def test_changes(open_api):
    open_api("live").post("/api/incidents", json={}).expect(401)

def test_comes_by_another_name(open_api):
    open_api(Target(name="mine", base_url="LIVE")).get("/healthz").expect(200)

def test_is_stopped(open_api):
    open_api("stopped").get("/healthz").expect(200)

def test_is_misspelt(open_api):
    open_api("life")
"""


def test_a_system_beside_the_target_is_held_to_its_own_guardrails_f71(project, centre):
    live = centre.url.replace("127.0.0.1", "localhost")
    (project.root / "stop").touch()
    project.configure(
        centre.url,
        f'[targets.live]\nbase_url = "{live}"\nproduction = true\n'
        f'[targets.stopped]\nbase_url = "http://127.0.0.2:1"\nkill_switch = "file:{project.root / "stop"}"\n',
    )
    project.journeys(BESIDE.replace("LIVE", live))
    results = project.run("--target=demo").results
    assert {name: judgement.outcome for name, judgement in results.items()} == {
        "test_reads": "passed",
        "test_changes": "unknown",
        "test_comes_by_another_name": "unknown",
        "test_is_stopped": "skipped",
        "test_is_misspelt": "unknown",
    }
    assert "target 'live' is read-only" in results["test_changes"].cause
    assert "the host of 'live', a production target" in results["test_comes_by_another_name"].cause
    assert "Did you mean 'live'?" in results["test_is_misspelt"].cause


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
    place.answer = (200, b"off")
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


def test_a_page_that_a_journey_sends_to_another_host_says_nothing_of_the_target_f71(project, centre):
    port = centre.url.rsplit(":", 1)[1]
    project.configure(centre.url)
    project.journeys(f"def test_a(page):\n    page.goto('http://127.0.0.2:{port}/login')\n")
    result = project.run().results["test_a"]
    assert (result.outcome, result.failure.kind) == ("unknown", "configuration")
    assert "'127.0.0.2' is not one that journeys against target 'demo' may reach" in result.cause
    assert result.notes == ("Not allowed, so not reached: 127.0.0.2 (1 request).",)
    assert result.facts.answers == (), "what was not sent says nothing of the target"
