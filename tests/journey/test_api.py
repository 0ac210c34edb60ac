"""An API call is bounded in time, bytes and redirects, whatever the target does."""

from __future__ import annotations

import gzip
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.request import urlopen

import pytest
import requests

from synthprobe import Api, Journey, Recorder, Target, TargetError, recording, step
from synthprobe.evidence.failure import describe_failure
from synthprobe.evidence.redaction import Redactor


@contextmanager
def server(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that does to each connection what `answer` says."""
    listener = socket.create_server(("127.0.0.1", 0))
    end = threading.Event()

    def serve() -> None:
        while not end.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                answer(connection, end)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        end.set()
        listener.close()


def drip(prefix: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def answer(connection: socket.socket, end: threading.Event) -> None:
        connection.sendall(prefix)
        while not end.wait(0.05):
            connection.sendall(b"x")

    return answer


def hang(connection: socket.socket, end: threading.Event) -> None:
    end.wait(20)


def redirect(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def slow_redirect(connection: socket.socket, end: threading.Event) -> None:
    end.wait(0.2)
    redirect(connection, end)


BOMB = gzip.compress(b"0" * 30_000_000)


def bomb(connection: socket.socket, end: threading.Event) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
    connection.sendall(head.encode() + BOMB)


def truncated(connection: socket.socket, end: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


HOSTILE = [
    pytest.param(hang, "deadline", id="accepts, never answers"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), "deadline", id="body drips"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Long: "), "deadline", id="headers drip"),
    pytest.param(slow_redirect, "deadline", id="redirects are slow"),
    pytest.param(redirect, "redirects", id="redirects for ever"),
    pytest.param(bomb, "too large", id="gzip bomb"),
    pytest.param(truncated, "protocol", id="body cut off"),
]


@pytest.mark.parametrize(("answer", "kind"), HOSTILE)
def test_a_hostile_answer_is_a_failure_of_a_named_kind(answer, kind):
    with server(answer) as url:
        limit_s = 0.6 if kind == "deadline" else 20.0
        api = Api(Target(base_url=url, timeout_s=limit_s, max_body_mb=1), Redactor())
        with pytest.raises(TargetError) as caught:
            api.get("/x")
    assert caught.value.kind == kind
    assert api.exchanges, "what was tried is recorded"


def test_a_closed_port_is_refused_and_a_bad_name_is_dns():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TargetError, match="nothing listens") as refused:
        Api(Target(base_url=f"http://127.0.0.1:{port}"), Redactor()).get("/")
    assert refused.value.kind == "refused"
    with pytest.raises(TargetError) as unknown:
        Api(Target(base_url="http://no-such-host.invalid"), Redactor()).get("/")
    assert unknown.value.kind == "dns"


def test_what_the_probes_machine_refuses_is_not_the_targets_fault(centre):
    """Every client of HTTP puts the system's error elsewhere: all files that this process may have are open."""

    def failed_by(ask: Callable[[], object]) -> tuple[str, bool]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as newest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (newest.fileno(), hard))
            try:
                ask()
            except Exception as error:
                caught = error
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        failure = describe_failure(caught, detail="", step="", phase="call")
        assert "Too many open files" in failure.message
        return failure.kind, failure.ours

    requests.get(centre.url, timeout=5)
    own = partial(Api(Target(base_url=centre.url), Redactor()).get, "/readyz")
    clients = (own, partial(requests.get, centre.url), partial(urlopen, centre.url))
    assert [failed_by(ask) for ask in clients] == [("machine", True)] * 3


def test_a_file_that_the_probes_machine_does_not_have_is_not_the_targets_fault(centre, monkeypatch):
    def without_its_file(*_, **__):
        raise FileNotFoundError(2, "No such file or directory", "authorities.pem")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", without_its_file)
    with pytest.raises(TargetError, match=r"No such file or directory: 'authorities\.pem'") as missing:
        Api(Target(base_url=centre.url), Redactor()).get("/readyz")
    failure = describe_failure(missing.value, detail="", step="", phase="call")
    assert (failure.kind, failure.ours) == ("machine", True)


def test_plain_http_where_tls_was_expected_is_tls():
    with server(truncated) as url, pytest.raises(TargetError) as caught:
        Api(Target(base_url=url.replace("http:", "https:"), timeout_s=2), Redactor()).get("/")
    assert caught.value.kind == "tls"


def test_an_exchange_carries_the_steps_trace_and_the_servers_timing(centre):
    api = Api(Target(base_url=centre.url), Redactor())
    with recording(Recorder(Journey(id="x", node_id="x", title="x"))) as recorder, step("outer"), step("health"):
        api.get("/readyz").expect(200)
    (exchange,) = api.exchanges
    assert exchange.traceparent.split("-")[1] == recorder.trace_id
    assert exchange.step == "outer › health"
    assert {part.name for part in exchange.server_timing} == {"db", "app", "query"}


def test_what_the_session_learned_is_masked(centre):
    redactor = Redactor()
    api = Api(Target(base_url=centre.url), redactor)
    answer = api.post("/api/login", json={"username": "dispatcher1", "password": "dispatch-Harbor-1"}).expect(200)
    token = answer.json["token"]
    assert token not in api.exchanges[0].response_body
    assert "dispatch-Harbor-1" not in api.exchanges[0].request_body
    assert redactor.text(f"leaked {token}") == "leaked [masked]"


class SlowRedactor(Redactor):
    """Takes its time over each body."""

    def learn_from_body(self, content: bytes, kind: str = "application/json", address: str = "") -> None:
        threading.Event().wait(0.6)
        super().learn_from_body(content, kind, address)


def test_what_redaction_takes_is_charged_to_no_step(centre):
    api = Api(Target(base_url=centre.url), SlowRedactor())
    with recording(Recorder(Journey(id="x", node_id="x", title="x"))) as recorder, step("health"):
        api.get("/readyz").expect(200)
    assert recorder.steps[-1].duration_s < 0.6
    assert recorder.duration_s < 0.6
