"""Options of requests hold or are refused by name, and no attribute of the session leads around the guardrails."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from test_api import hang, server

from synthprobe import Api, ConfigurationError, Target, TargetError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard


def fine(connection: socket.socket, end: object) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine")


def test_options_of_requests_hold():
    seen = []
    with server(fine) as url:
        api = Api(Target(base_url=url), Redactor())
        answer = api.get(
            "/x?next=http://elsewhere.example.org/",
            params={"a": "1"},
            headers={"X-Own": "kept"},
            cookies={"sid": "one"},
            auth=("user", "a-password"),
            hooks={"response": lambda answer, **_: seen.append(answer.status_code)},
            verify=False,
            stream=True,
            timeout=(3, 5),
            allow_redirects=False,
        )
    assert answer.expect(200).text == "fine"
    assert seen == [200]
    assert answer.exchange.url.endswith("/x?next=http://elsewhere.example.org/&a=1")


def test_what_was_answered_is_known_where_a_hook_ends_the_journey():
    def refuse(answer, **_):
        raise AssertionError("not so")

    with server(fine) as url:
        api = Api(Target(base_url=url), Redactor())
        with pytest.raises(AssertionError, match="not so"):
            api.get("/x", hooks={"response": [refuse]})
    assert [(exchange.status, exchange.error) for exchange in api.exchanges] == [(200, "")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"proxies": {"http": "http://127.0.0.1:9"}}, "proxies"),
        ({"cert": ("missing.pem", "missing.key")}, "cert names the file 'missing.pem'"),
        ({"verify": "missing.pem"}, "verify names the file 'missing.pem'"),
        ({"jsn": {}}, "no option 'jsn'. Did you mean 'json'?"),
        ({"timeout": "soon"}, "timeout cannot be used"),
        ({"timeout": (1, 2, 3)}, "timeout cannot be used"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_its_name(options, words):
    with server(fine) as url, pytest.raises(ConfigurationError, match=words.replace("?", r"\?")):
        Api(Target(base_url=url), Redactor()).get("/x", **options)


@contextmanager
def swallowing(host: str, port: int) -> Iterator[None]:
    """A listener whose queue is full: whoever connects hears nothing, as behind a broken route."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex((host, port))
        yield
        for client in waiting:
            client.close()


@pytest.fixture
def named(monkeypatch):
    """Gives a name addresses, as a resolver would."""
    real = socket.getaddrinfo

    def name(host: str, *addresses: str) -> None:
        def find(asked, *rest, **more):
            found = addresses if asked == host else (asked,)
            return [entry for address in found for entry in real(address, *rest, **more)]

        monkeypatch.setattr(socket, "getaddrinfo", find)

    return name


def test_the_next_address_of_a_host_is_tried_in_time(named):
    with server(fine) as url:
        port = int(url.rpartition(":")[2])
        named("two.example", "127.0.0.2", "127.0.0.1")
        with swallowing("127.0.0.2", port):
            began = time.monotonic()
            Api(Target(base_url=f"http://two.example:{port}"), Redactor()).get("/").expect(200)
    assert time.monotonic() - began < 3
    with server(fine) as url:
        port = int(url.rpartition(":")[2])
        Api(Target(base_url=f"http://two.example:{port}"), Redactor()).get("/").expect(200)  # the first refuses


def test_where_no_address_answers_no_request_is_said_to_be_unanswered(named):
    with server(fine) as url:
        port = int(url.rpartition(":")[2])
    named("two.example", "127.0.0.2", "127.0.0.3")
    with swallowing("127.0.0.2", port), swallowing("127.0.0.3", port), pytest.raises(TargetError) as caught:
        Api(Target(base_url=f"http://two.example:{port}", timeout_s=0.7), Redactor()).get("/")
    assert caught.value.kind == "no connection"
    assert "no connection was made within 0.7 s (tried 127.0.0.2, 127.0.0.3)" in str(caught.value)
    with pytest.raises(TargetError, match="nothing listens") as caught:
        Api(Target(base_url=f"http://two.example:{port}"), Redactor()).get("/")
    assert caught.value.kind == "refused"


@pytest.mark.parametrize(("redirects_after_s", "kind"), [(0.0, "no connection"), (0.6, "deadline")])
def test_a_connection_that_slow_redirects_left_no_time_for_is_not_told_as_unreachable(redirects_after_s, kind):
    def redirect(connection: socket.socket, end: threading.Event) -> None:
        end.wait(redirects_after_s)
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {beyond}/next\r\nContent-Length: 0\r\n\r\n".encode())

    with server(redirect) as url, pytest.raises(TargetError) as caught:
        beyond = url.replace("127.0.0.1", "127.0.0.2")
        target = Target(base_url=url, timeout_s=0.8, allowed_hosts=("127.0.0.2",))
        with swallowing("127.0.0.2", int(url.rpartition(":")[2])):
            Api(target, Redactor()).get("/")
    assert (caught.value.kind, f"{beyond}/next" in str(caught.value)) == (kind, True)


def test_a_handshake_that_is_never_finished_is_no_request_either():
    with server(hang) as url, pytest.raises(TargetError, match="TLS handshake") as caught:
        Api(Target(base_url=url.replace("http:", "https:"), timeout_s=0.5), Redactor()).get("/")
    assert caught.value.kind == "no connection"


def test_the_requests_session_itself_keeps_wall_pace_and_deadline_f71(tmp_path, monkeypatch):
    with server(hang) as url:
        target = Target(base_url=url, name="here", timeout_s=0.5, requests_per_second=1000)
        api = Api(target, Redactor(), guard=Guard(target, tmp_path))
        with pytest.raises(ConfigurationError, match="session.mount"):
            api.session.mount("http://", requests.adapters.HTTPAdapter())
        api.session.adapters["http://"] = requests.adapters.HTTPAdapter()
        began = time.monotonic()
        for send in (api.session.get, api.session.post, api.session.head):
            with pytest.raises(requests.RequestException):
                send(url + "/x")
        assert time.monotonic() - began < 3, "the target's own deadline holds"
        assert len(json.loads(next(tmp_path.glob("pace-requests-*.json")).read_text())) == 3
        for send in (api.session.get, api.get):
            with pytest.raises(ConfigurationError, match="'127.0.0.2' is not one"):
                send("http://127.0.0.2:9/x")
        assert api.exchanges == [], "nothing was sent, so nothing is told as unanswered"
        monkeypatch.setenv("http_proxy", url)
        for change in ({"proxies": {"http": url}}, {"trust_env": True}):
            other = Api(target, Redactor()).session
            for name, value in change.items():
                setattr(other, name, value)
            with pytest.raises(ConfigurationError, match="proxy"):
                other.get(url)


@pytest.mark.parametrize("nothing", [False, None, "", 0])
def test_certificates_are_checked_on_production_whatever_verify_is_set_to_f13(nothing):
    target = Target(base_url="https://127.0.0.1:9", name="live", production=True)
    sends = [
        lambda session: session.send(session.prepare_request(requests.Request("GET", target.base_url)), verify=nothing)
    ]
    if nothing is not None:  # which requests reads as nothing said
        sends += [lambda session: session.get(target.base_url, verify=nothing)]
    for send in sends:
        with pytest.raises(ConfigurationError, match="TLS checks"):
            send(Api(target, Redactor()).session)
    api = Api(target, Redactor())
    if nothing is not None:
        with pytest.raises(ConfigurationError, match="TLS checks"):
            api.get("/", verify=nothing)
    api.session.verify = nothing
    with pytest.raises(ConfigurationError, match="TLS checks"):
        api.get("/")
