"""What an API answers is evidence by whatever client a journey asks, in its words too where the status is well."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from synthprobe import loopback

TOKEN = "kestrel-4e2a91d07bc3"
ERROR = {"id": 1, "error": {"code": 4711, "message": "The ledger is closed"}, "access_token": TOKEN}


class Rpc(loopback.Handler):
    protocol_version = "HTTP/1.1"
    let_go = threading.Event()

    posted: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.posted.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps(ERROR).encode()
        self.answer(200, body, {"Content-Type": "application/json"})

    def do_GET(self) -> None:
        if self.path == "/silent":
            self.let_go.wait(30)
            return
        leads = {
            "/loop": "/loop",
            "/to_short": "/short",
            "/to_rows": "/rows",
            "/away": "http://127.0.0.1:9/closed",
        }.get(self.path, "")
        self.send_response(302 if leads else 200)
        self.send_header("Location", leads)
        kind, body, length = {
            "/page": ("text/html", b'<a href="/short" download>x</a>', ("Content-Length", "31")),
            "/short": ("text/csv", b"row 1", ("Content-Length", "1000")),
            "/chunks": ("text/csv", b"5\r\nrow 1\r\n", ("Transfer-Encoding", "chunked")),
            "/rows": ("application/json", b'{"rows": "the till is shut"}', ("Content-Length", "28")),
            "/packed": ("application/json", b"{}", ("Content-Encoding", "gzip")),
        }.get(self.path, ("text/plain", b"", ("Content-Length", "0")))
        self.send_header("Content-Type", kind)
        self.send_header(*length)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True


@pytest.fixture(scope="module")
def rpc() -> Iterator[str]:
    with loopback.served(Rpc) as url:
        yield url
        Rpc.let_go.set()


HEAD = """
import asyncio, aiohttp, httpx, pytest, requests
from synthprobe import step
ASK = {"jsonrpc": "2.0", "id": 1, "method": "ledger.add", "params": []}
def download(page):
    page.goto("/page")
    with page.expect_download() as got:
        page.get_by_role("link").click()
    return got.value
def by_httpx(method, url, **sent):
    async def ask():
        async with httpx.AsyncClient(timeout=0.5, follow_redirects=True) as client:
            return await client.request(method, url, **sent)
    return asyncio.run(ask())
class Answer(dict):
    json = lambda self: self
def by_aiohttp(method, url, **sent):
    async def ask():
        limit = aiohttp.ClientTimeout(total=0.5)
        async with aiohttp.ClientSession(timeout=limit) as client, client.request(method, url, **sent) as answer:
            await answer.read()
            return Answer({} if "short" in url or "chunks" in url else await answer.json())
    return asyncio.run(ask())
@pytest.fixture(scope="session")
def shared(base_url):
    assert "result" in requests.post(base_url + "/rpc", json=ASK).json()
def client(playwright, base_url):
    return playwright.request.new_context(base_url=base_url)
"""
CLIENTS = {
    "page": ("page", "page.request.post('/rpc', data=ASK)"),
    "context": ("context", "context.request.post('/rpc', data=ASK)"),
    "playwright": ("playwright, base_url", "client(playwright, base_url).post('/rpc', data=ASK)"),
    "requests": ("base_url", "requests.post(base_url + '/rpc', json=ASK)"),
    "httpx": ("base_url", "httpx.post(base_url + '/rpc', json=ASK)"),
    "httpx_async": ("base_url", "by_httpx('POST', base_url + '/rpc', json=ASK)"),
    "aiohttp": ("base_url", "by_aiohttp('POST', base_url + '/rpc', json=ASK)"),
    "session": ("api", "api.session.post(api.target.base_url + '/rpc', json=ASK)"),
    "api": ("api", "api.post('/rpc', json=ASK)"),
}
LENGTH, CHUNKS = "5 of 1,000 bytes came", "Response ended prematurely"
CUT_OFF = {
    "requests": ("base_url", "requests.get(base_url + '/short')", 200, LENGTH),
    "requests_in_chunks": ("base_url", "requests.get(base_url + '/chunks')", 200, CHUNKS),
    "httpx": ("base_url", "httpx.get(base_url + '/short')", 200, "5 bytes"),
    "httpx_in_chunks": ("base_url", "httpx.get(base_url + '/chunks')", 200, "incomplete"),
    "httpx_async": ("base_url", "by_httpx('GET', base_url + '/short')", 200, "5 bytes"),
    "aiohttp": ("base_url", "by_aiohttp('GET', base_url + '/short')", 200, "payload is not completed"),
    "aiohttp_in_chunks": ("base_url", "by_aiohttp('GET', base_url + '/chunks')", 200, "payload is not completed"),
    "session": ("api", "api.session.get(api.target.base_url + '/short')", 200, LENGTH),
    "api": ("api", "api.get('/short')", 200, LENGTH),
    "urllib": ("base_url", "__import__('urllib.request').request.urlopen(base_url + '/short').read()", 0, ""),
    "page": ("page", "page.request.get('/short')", 200, "aborted"),
    "page_in_chunks": ("page", "page.request.get('/chunks')", 200, "aborted"),
    "download": ("page", "download(page).path()", 0, "canceled"),
    "saved": ("page, tmp_path", "download(page).save_as(tmp_path / 'x')", 0, "canceled"),
}
GETS = {
    "requests": "requests.get(base_url + '{}', timeout=0.5).json()",
    "httpx": "httpx.get(base_url + '{}', timeout=0.5, follow_redirects=True).json()",
    "httpx_async": "by_httpx('GET', base_url + '{}').json()",
    "aiohttp": "by_aiohttp('GET', base_url + '{}').json()",
}
RAISED = {
    "loop": ("request", "redirects", "redirected without end"),
    "away": ("request", "refused", "127.0.0.1:9/closed: the connection was refused"),
    "packed": ("request", "protocol", "answered 200 and could not be read whole"),
    "silent": ("timeout", "", "not answered in full"),
    "page": ("expectation", "", "no JSON"),
    "to_short": ("request", "protocol", "/short was answered 200 and could not be read whole"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory, new_project, rpc):
    """One run of all that breaks, and of the same calls where the journey expects what it gets."""
    project = new_project(tmp_path_factory.mktemp("asking"))
    project.configure(rpc)
    asks = {f"asks_{name}": (given, f"assert 'result' in {ask}.json()") for name, (given, ask) in CLIENTS.items()}
    passes = {f"passes_{name}": (given, f"assert 'error' in {ask}.json()") for name, (given, ask) in CLIENTS.items()}
    cut = {f"cut_{name}": (given, ask) for name, (given, ask, *_) in CUT_OFF.items()}
    raised = {f"{case}_{name}": ("base_url", ask.format(f"/{case}")) for case in RAISED for name, ask in GETS.items()}
    raised |= {f"led_{name}": ("base_url", f"assert not {ask.format('/to_rows')}") for name, ask in GETS.items()}
    shared = {f"{place}_of_all": ("shared", "pass") for place in ("first", "last")}
    project.journeys(
        HEAD
        + "".join(
            f"def test_{name}({given}):\n    with step('ask'):\n        {body}\n"
            for name, (given, body) in (asks | passes | cut | raised | shared).items()
        )
    )
    return project.run()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_error_in_an_answer_of_200_is_known_by_whatever_client_it_came(broken, client):
    result = broken.results[f"test_asks_{client}"]
    (answer,) = result.facts.answers
    assert (answer.step, answer.status, answer.operation) == ("ask", 200, "ledger.add")
    assert (answer.stated.code, answer.stated.message) == ("4711", "The ledger is closed")
    (written,) = [part for part in result.evidence if part.title == "API exchanges (JSON)"]
    (exchange,) = json.loads((broken.folder / written.path).read_bytes())
    assert "The ledger is closed" in exchange["response_body"]
    assert not [name for name, content in broken.bytes_written() if TOKEN.encode() in content], "it is a secret"


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "api"])
def test_of_a_journey_that_passes_no_answer_is_kept(broken, client):
    result = broken.results[f"test_passes_{client}"]
    assert (result.outcome, result.facts, result.evidence) == ("passed", None, ())


@pytest.mark.parametrize("client", CUT_OFF)
def test_an_answer_that_is_cut_off_is_the_targets_and_told_with_its_request(broken, client):
    *_, status, reason = CUT_OFF[client]
    result = broken.results[f"test_cut_{client}"]
    assert result.outcome == "failed", result.failure.message
    found = result.failure.finding.refusal
    assert (found.kind, found.status) == ("protocol", status)
    if reason:
        assert (found.method, found.url.rpartition("/")[2]) == ("GET", "chunks" if "chunks" in client else "short")
        assert reason in found.reason
        assert result.failure.message.startswith(f"GET {found.url}")


@pytest.mark.parametrize("case", RAISED)
def test_whatever_client_asks_it_is_known_what_came_of_it(broken, case):
    kind, way, sentence = RAISED[case]
    for client in GETS:
        result = broken.results[f"test_{case}_{client}"]
        found = result.failure.finding.refusal if result.failure.finding else None
        assert (result.outcome, result.failure.kind, found.kind if found else "") == ("failed", kind, way), client
        assert sentence in result.failure.message, client


def test_what_a_redirect_led_to_is_kept_by_whatever_client(broken):
    for client in GETS:
        kept = broken.results[f"test_led_{client}"].evidence
        (written,) = [part for part in kept if part.title == "API exchanges (JSON)"]
        exchanges = json.loads((broken.folder / written.path).read_bytes())
        assert [exchange["status"] for exchange in exchanges] == [302, 200], client
        assert "the till is shut" in exchanges[-1]["response_body"], client


def test_a_redirect_is_answered_though_where_it_leads_is_not(broken):
    for client in GETS:
        answers = broken.results[f"test_away_{client}"].facts.answers
        assert [(answer.status, answer.path) for answer in answers] == [(302, "/away"), (0, "/closed")], client


def test_what_a_fixture_was_answered_is_known_of_all_journeys_that_share_it(broken):
    for journey in ("first", "last"):
        result = broken.results[f"test_{journey}_of_all"]
        (answer,) = result.facts.answers
        assert (result.outcome, answer.stated.message) == ("failed", "The ledger is closed")
    first = broken.results["test_first_of_all"].journey.title
    assert any(f'"{first}"' in note for note in result.notes), "its page and pictures are there"


CHANGES = {
    "requests": "requests.post(base_url + '{}', json=ASK)",
    "httpx": "httpx.post(base_url + '{}', json=ASK)",
    "httpx_async": "by_httpx('POST', base_url + '{}', json=ASK)",
    "aiohttp": "by_aiohttp('POST', base_url + '{}', json=ASK)",
}


def test_no_client_changes_a_read_only_target_unless_its_journey_may(tmp_path, new_project, rpc):
    project = new_project(tmp_path)
    project.configure(rpc, 'read_only = true\nallows = ["row"]\nlogin_paths = ["/log-in"]\n')
    marked = "import pytest\n@pytest.mark.mutates('row')\ndef test_may_{0}(base_url):\n    assert {1}\n"
    plain = "def test_{0}(base_url):\n    assert {1}\ndef test_log_in_{0}(base_url):\n    assert {2}\n"
    project.journeys(
        HEAD
        + "".join(
            marked.format(name, ask.format(f"/may-{name}"))
            + plain.format(name, ask.format(f"/row-{name}"), ask.format("/log-in"))
            + f"def test_elsewhere_{name}(base_url):\n    base_url = 'http://localhost:{rpc.rpartition(':')[2]}'\n"
            + f"    assert {ask.format(f'/elsewhere-{name}')}\n"
            for name, ask in CHANGES.items()
        )
    )
    Rpc.posted.clear()
    ran = project.run()
    for name in CHANGES:
        outcomes = [ran.results[f"test_{way}{name}"].outcome for way in ("", "may_", "log_in_", "elsewhere_")]
        assert outcomes == ["unknown", "passed", "passed", "passed"], name
        assert f"POST /row-{name} was not sent" in ran.results[f"test_{name}"].failure.message
    sent = ["/log-in"] * len(CHANGES) + [f"/{way}-{name}" for way in ("may", "elsewhere") for name in CHANGES]
    assert sorted(Rpc.posted) == sorted(sent)


def test_a_session_with_another_target_is_held_to_that_one_alone(tmp_path, new_project, rpc):
    project, port = new_project(tmp_path), rpc.rpartition(":")[2]
    project.configure(
        rpc,
        'read_only = true\nallowed_hosts = ["localhost"]\n'
        f'[targets.billing]\nbase_url = "http://localhost:{port}"\nread_only = false\n',
    )
    project.journeys(
        "def test_bill(open_api):\n    api = open_api('billing')\n"
        "    assert api.session.post(api.target.base_url + '/bill', json={}).json()\n"
    )
    ran = project.run("--target=demo")
    assert ran.results["test_bill"].outcome == "passed", ran.output
