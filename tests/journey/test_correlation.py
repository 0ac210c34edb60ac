"""The target is told which attempt and step a request belongs to, from the browser as from the API; nobody else is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import ThreadingHTTPServer

import pytest

from synthprobe import Api, Journey, Recorder, Target, loopback, recording, step
from synthprobe.evidence.redaction import Redactor
from synthprobe.records.result import Step


class Server:
    """Keeps the headers each path was asked with; lets other origins read it, and takes no headers from them."""

    def __init__(self, host: str) -> None:
        seen = self.seen = {}

        class Handler(loopback.Handler):
            def do_GET(self) -> None:
                path, _, away = self.path.partition("?")
                seen[path] = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(302 if away else 200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Type", "text/html")
                if away:
                    self.send_header("Location", away)
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>here</title>")

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://{host}:{self.http.server_port}"

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """The target, and another host."""
    with ExitStack() as stack:
        made = Server("127.0.0.1"), Server("localhost")
        for server in made:
            stack.callback(server.stop)
        yield made


def test_the_target_is_told_journey_and_step_and_another_host_is_not(servers):
    target, other = servers
    api = Api(Target(name="demo", base_url=target.url, allowed_hosts=("localhost",)), Redactor())
    with recording(Recorder(Journey(id="call-intake", node_id="t.py::t", title="t"))) as recorder:
        with step("take the call, please"):
            api.get(f"{target.url}/away?{other.url}/there")
    assert target.seen["/away"]["baggage"] == (
        "synthprobe.journey=call-intake,synthprobe.step=take%20the%20call%2C%20please"
    )
    assert target.seen["/away"]["traceparent"] == f"00-{recorder.trace_id}-{recorder.steps[0].span_id}-01"
    assert "baggage" not in other.seen["/there"]


JOURNEY = """
import pytest
from synthprobe import step

@pytest.mark.journey(id="call-intake")
def test_it(page, new_context, target):
    page.goto("/before")
    with step("take the call"):
        page.goto("/outer")
        with step("type the address"):
            page.evaluate("fetch('/inner')")
            page.request.get("/asked")
        page.evaluate("fetch('/outer-again')")
    with step("look"):
        page.goto("/next")
        page.context.set_extra_http_headers({"X-Mine": "1"})
        page.goto("/mine")
        other = new_context(extra_http_headers={"X-Own": "2", "Cache-Control": "max-age=9"}).new_page()
        other.goto("/own")
    with step("close"):
        other.goto("/own-next")
        other.context.close()
    with step("after"):
        page.goto("/after")
    assert False, "on purpose"
"""


def flat(steps: tuple[Step, ...], path: str = "") -> Iterator[tuple[str, str]]:
    for recorded_step in steps:
        here = f"{path} › {recorded_step.title}".removeprefix(" › ")
        yield here, recorded_step.span_id
        yield from flat(recorded_step.steps, here)


def test_a_browser_tells_attempt_and_step_with_every_request(project, servers):
    target, _ = servers
    project.configure(target.url)
    project.journeys(JOURNEY)
    result = project.run().results["call-intake"]
    assert result.failure.message.startswith("on purpose"), result.failure
    spans = {"": result.span_id, **dict(flat(result.steps))}
    wanted = {
        "/before": "",
        "/outer": "take the call",
        "/inner": "take the call › type the address",
        "/asked": "take the call › type the address",
        "/outer-again": "take the call",
        "/next": "look",
        "/mine": "look",
        "/own": "look",
        "/own-next": "close",
        "/after": "after",
    }
    for path, name in wanted.items():
        assert target.seen[path]["traceparent"] == f"00-{result.trace_id}-{spans[name]}-01", path
        members = dict(member.split("=") for member in target.seen[path]["baggage"].split(","))
        assert members.pop("synthprobe.journey") == "call-intake"
        assert members.pop("synthprobe.step", "").replace("%20", " ").replace("%E2%80%BA", "›") == name
        assert target.seen[path]["x-synthetic"] == "synthprobe"
    assert target.seen["/after"]["x-mine"] == "1"
    assert target.seen["/own-next"]["x-own"] == "2"
    assert target.seen["/own-next"]["cache-control"] == "max-age=9"


ACROSS = """
def test_it(page):
    page.goto("/page")
    page.evaluate("fetch('%s/data').catch(error => 'not sent')")
    page.request.get("/asked")
"""


def test_a_host_that_takes_no_headers_from_other_origins_answers_as_it_does_to_users(project, servers):
    target, other = servers
    project.configure(target.url, 'allowed_hosts = ["localhost"]\n')
    project.journeys(ACROSS % other.url)
    result = project.run().results["test_it"]
    assert (result.outcome, result.cause) == ("passed", "")
    for headers in (target.seen["/page"], other.seen["/data"]):
        assert not {"x-synthetic", "traceparent", "baggage"} & headers.keys()
        assert headers["user-agent"].endswith(" synthprobe")
    assert target.seen["/asked"]["x-synthetic"] == "synthprobe", "no browser sends this one, so none asks first"
    assert "baggage" in target.seen["/asked"]


def test_headers_across_origins_are_sent_where_the_target_says_they_are_taken(project, servers):
    target, other = servers
    project.configure(target.url, 'allowed_hosts = ["localhost"]\nbrowser_headers = true\n')
    project.journeys(ACROSS % other.url)
    result = project.run().results["test_it"]
    assert (result.outcome, result.cause) == ("passed", "")
    assert "baggage" in target.seen["/page"]
    assert other.seen == {}, "this host does not take them, so the browser sends it nothing"
