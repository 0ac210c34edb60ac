"""F71: what a read-only target is asked in a body, and told over a WebSocket, changes nothing either."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
from message_server import MessageServer, message_server
from playwright.sync_api import Browser, FormData, Page
from two_hosts import Allowed, two_hosts
from ways_to_speak import RUN, WAYS

from synthprobe import Api, ConfigurationError, Target
from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.installation import find_browser
from synthprobe.browser.wall import GuardedBrowser, launch_arguments
from synthprobe.config import read_config
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard
from synthprobe.records.result import Failure


@pytest.fixture(scope="module")
def allowed() -> Iterator[Allowed]:
    with two_hosts() as (allowed, _):
        yield allowed


@pytest.fixture(scope="module")
def messages() -> Iterator[MessageServer]:
    with message_server() as server:
        yield server


@pytest.fixture(scope="module")
def target(allowed: Allowed) -> Target:
    return Target(
        base_url=allowed.url,
        name="live",
        read_only=True,
        websocket_paths=("*/live",),
        reads=("POST /graphql query",),
        blocked_hosts=("127.0.0.2",),
    )


@pytest.fixture(scope="module")
def guarded(target: Target, chromium: Browser) -> Iterator[tuple[GuardedBrowser, Browser]]:
    found = find_browser()
    assert found is not None
    guard = GuardedBrowser(Guard(target), BrowserHeaders(target))
    browser = chromium.browser_type.launch(**launch_arguments({"executable_path": found.path}, target, "chromium"))
    yield guard, guard.watch(browser)
    browser.close()


@contextmanager
def opened(guarded: tuple[GuardedBrowser, Browser], allowed: Allowed) -> Iterator[tuple[GuardedBrowser, Page]]:
    guarded[0].begin()
    allowed.seen.clear()
    context = guarded[1].new_context(base_url=allowed.url)
    page = context.new_page()
    page.goto("/page")
    yield guarded[0], page
    context.close()


GRAPHQL = {
    '{"query": "{ units { id } }"}': True,
    '{"query": "query Units($x: I = {a: 1}) { units(of: \\"} mutation {\\") { id } } fragment F on U { id }"}': True,
    '[{"query": "query A { a }"}, {"query": "query B { b }"}]': True,
    '{"query": "mutation { remove(id: 7) }"}': False,
    '{"query": "# {\\nmutation { remove(id: 7) }"}': False,
    '{"query": "query A { a } mutation B { remove(id: 7) }", "operationName": "A"}': False,
    '[{"query": "query A { a }"}, {"query": "mutation B { b }"}]': False,
    '{"query": "query A { a }", "_method": "DELETE"}': False,
    '{"operationName": "Units", "extensions": {"persistedQuery": {"version": 1}}}': False,
    "no json": False,
    "[]": False,
}


@pytest.mark.parametrize(("body", "is_sent"), GRAPHQL.items(), ids=[f"F71-{n}" for n in range(len(GRAPHQL))])
def test_of_graphql_what_only_asks_is_sent(body, is_sent, allowed):
    target = Target(base_url=allowed.url, read_only=True, reads=("POST /api/search", "POST /graphql query"))
    api = Api(target, Redactor())
    api.post("/api/search", json={"name": "x"}).expect(200)
    if is_sent:
        api.post("/graphql", data=body).expect(200)
    else:
        with pytest.raises(ConfigurationError, match=r'reads = \["POST /graphql"\]|asks for DELETE'):
            api.post("/graphql", data=body)


def test_a_query_of_graphql_is_sent_by_its_name_and_no_mutation_by_any_f71(allowed):
    api = Api(Target(base_url=allowed.url, read_only=True, reads=("POST /*/graphql Units",)), Redactor())
    for sent in (
        {"query": "query Units { a }"},
        {"operationName": "Units", "extensions": {}},
        {"query": "query Units { a } query B { b }", "operationName": "Units"},
    ):
        api.post("/v1/graphql", json=sent).expect(200)
    for sent in ({"query": "mutation Units { a }"}, {"query": "query Orders { a }"}, {"query": "{ a }"}):
        with pytest.raises(ConfigurationError, match="reads"):
            api.post("/v1/graphql", json=sent)
    with pytest.raises(ConfigurationError, match="reads"):
        api.put("/v1/graphql", json={"query": "query Units { a }"})


def test_a_page_is_held_to_the_same_and_a_refusal_is_noted_f71(guarded, allowed):
    send = "body => fetch('/graphql', {method: 'POST', body}).then(() => true, () => false)"
    with opened(guarded, allowed) as (guard, page):
        assert page.evaluate(send, '{"query": "{ units { id } }"}')
        assert guard.notes() == []
        assert not page.evaluate(send, '{"query": "mutation { remove(id: 7) }"}')
        assert any("POST /graphql was not sent" in note for note in guard.notes())
    assert [body for method, *_, body in allowed.seen if method == "POST"] == [b'{"query": "{ units { id } }"}']


def test_third_parties_that_are_known_to_be_refused_are_refused_and_not_listed_f71(guarded, allowed):
    ask = "url => fetch(url, {mode: 'no-cors'}).then(() => true, () => false)"
    with opened(guarded, allowed) as (guard, page):
        for host in ("127.0.0.2", "127.0.0.3"):
            assert not page.evaluate(ask, f"http://{host}:4443/")
        page.goto("/page")  # what was refused before is known by now
        assert guard.refused_hosts() == {"127.0.0.3": 1}
        assert ["127.0.0.3" in note for note in guard.notes()] == [True]


@pytest.mark.parametrize("entry", ["graphql", "POST graphql", "GET /search", "post /search", "POST /a b c", "POST"])
def test_an_entry_of_reads_that_cannot_be_used_is_refused_with_its_line(entry, project):
    project.configure("http://127.0.0.1:9", f'reads = ["POST /search", "{entry}"]\n')
    with pytest.raises(ConfigurationError, match=r"synthprobe.toml:4 has .* in targets.demo.reads"):
        read_config(project.root)


PART = '--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--b--\r\n'
BODIES = {
    "form": {"data": {"user": "synthetic", "_method": "DELETE"}},
    "form, encoded": {"data": "user=synthetic&%5Fmethod=delete"},
    "multipart": {"files": {"_method": (None, "PUT"), "user": (None, "synthetic")}},
    "multipart without its type": {"data": PART},
    "JSON": {"json": {"user": "synthetic", "_method": "PATCH"}},
    "JSON, escaped": {"data": '{"\\u005fmethod": "DELETE"}'},
    "header's name as a field": {"data": {"X-HTTP-Method-Override": "DELETE"}},
    "query": {"params": {"_method": "DELETE"}},
    "body that is sent as it is read": {"data": iter([b"_method=DELETE"])},
}


QUERIES = [
    pytest.param(path, {}, id=f"F71-{path}")
    for path in (
        *("/x?method=delete", "/x?http_method=DELETE", "/x?$method=put", "/x?REQUEST_METHOD=PATCH"),
        *("/x?_method%5B%5D=delete", "/x;_method=delete", "/graphql?query=mutation%7Bx%7D"),
        "/graphql?query=%20%23c%0Amutation%20M%7Bx%7D&operationName=M",
    )
] + [pytest.param("/x", {"X_HTTP_Method_Override": "DELETE"}, id="F71-a header with underscores")]


@pytest.mark.parametrize(("path", "headers"), QUERIES)
def test_a_get_that_asks_for_a_change_is_refused(path, headers, target, allowed):
    allowed.seen.clear()
    with pytest.raises(ConfigurationError, match="was not sent"):
        Api(target, Redactor()).get(path, headers=headers)
    assert allowed.seen == []


def test_a_get_whose_words_only_look_so_is_sent(target, allowed):
    allowed.seen.clear()
    api = Api(target, Redactor())
    for path in ("/x?shipping_method=put", "/x?method=card", "/graphql?query=query%7Bmutation%7D", "/x?query=mutation"):
        api.get(path).expect(200)
    assert len(allowed.seen) == 4


@pytest.mark.parametrize("options", BODIES.values(), ids=[f"F71-{name}" for name in BODIES])
def test_a_log_in_that_asks_for_another_method_is_refused(options, target, allowed):
    allowed.seen.clear()
    with pytest.raises(ConfigurationError, match="read-only"):
        Api(target, Redactor()).post("/login", **options)
    assert allowed.seen == []


def test_a_log_in_is_sent_whatever_its_body_f71(target, allowed):
    allowed.seen.clear()
    api = Api(target, Redactor())
    for options in ({"data": {"_method": "POST"}}, {"json": {"method": "DELETE"}}, {"data": "--"}, {"data": b"\xff{"}):
        assert api.post("/login", **options).status == 200
    assert [(method, path) for method, path, _, _ in allowed.seen] == [("POST", "/login")] * 4


IN_PAGE = """async () => {
  const send = (body, headers) => fetch('/login', {method: 'POST', body, headers}).catch(() => 0);
  const parts = new FormData(); parts.set('file', new Blob(['x'])); parts.set('_method', 'DELETE');
  await send(new URLSearchParams({_method: 'DELETE'}));
  await send(parts);
  await send(new Blob(['_method=DELETE']));
  await send(JSON.stringify({_method: 'DELETE'}), {'Content-Type': 'application/json'});
  navigator.sendBeacon('/login', new URLSearchParams({_method: 'DELETE'}));
  const image = url => new Promise(done => {
    const i = new Image(); i.onload = i.onerror = done; i.src = url });
  await image('/image?_method=DELETE');
  await image('/image?%5f%6d%65%74hod=delete');
  await send('user=synthetic') }"""


def test_a_page_and_its_request_client_ask_for_no_other_method_f71(guarded, allowed):
    with opened(guarded, allowed) as (guard, page):
        page.evaluate(IN_PAGE)
        own = FormData()
        own.set("_method", "DELETE")
        for how in ({"form": {"_method": "DELETE"}}, {"multipart": own}, {"data": {"_method": "DELETE"}}):
            with pytest.raises(ConfigurationError, match="_method"):
                page.request.post("/login", **how)
        assert "asks for DELETE by _method" in guard.notes()[0]
    assert [(method, path, body) for method, path, _, body in allowed.seen] == [
        ("GET", "/page", b""),
        ("POST", "/login", b"user=synthetic"),
    ]


TALK = """async ([base, frame]) => {
  const Socket = frame
    ? document.body.appendChild(document.createElement('iframe')).contentWindow.WebSocket : WebSocket;
  const talk = (path, message) => new Promise(done => {
    const heard = [], socket = new Socket(base + path);
    socket.onmessage = told => {
      heard.push(told.data);
      if (told.data == 'welcome') { socket.send(message); if (!path.endsWith('/live')) socket.close() }
      else socket.close() };
    socket.onclose = () => done(heard) });
  return [await talk('/board/live', 'subscribe'), await talk('/orders', 'delete 7'),
          await talk('/orders%2flive', 'delete 8')] }"""


def test_a_page_listens_to_every_websocket_and_speaks_over_declared_ones_f71(guarded, allowed, messages):
    with opened(guarded, allowed) as (guard, page):
        for frame in (False, True):
            heard = page.evaluate(TALK, [messages.url, frame])
            assert heard == [["welcome", "subscribe"], ["welcome"], ["welcome"]]
        failure = guard.explain(Failure(kind="expectation", ours=False, message="7 is still there", detail=""))
    assert messages.messages == {"/board/live": ["subscribe"] * 2, "/orders": [], "/orders%2flive": []}
    assert (failure.kind, failure.ours) == ("configuration", True)
    assert 'websocket_paths = ["/orders"]' in failure.message
    messages.messages.clear()
    guarded[0].guard.mutates = ["incident"]
    with opened(guarded, allowed) as (guard, page):
        page.evaluate(TALK, [messages.url, False])
    guarded[0].guard.mutates = ()
    assert messages.messages["/orders"] == ["delete 7"]


DECLARED = {name: WAYS[name] for name in ("document", "worker", "module from the host", "shared worker")}


def spoken(page: Page, messages: MessageServer) -> dict[str, list[str]]:
    """What came over each way that was opened; all have 20 s for it."""
    messages.messages.clear()
    failed = page.evaluate(RUN, [WAYS, messages.url, [""]])
    assert failed.keys() <= {"stream"}, failed
    page.evaluate(RUN, [DECLARED, messages.url, ["/live"]])
    until = time.monotonic() + 20
    while time.monotonic() < until:
        opened = {unquote(path[1:]): came for path, came in tuple(messages.messages.items())}
        declared = [came for path, came in opened.items() if path.endswith("/live")]
        if len(opened) >= len(WAYS) - len(failed) + len(DECLARED) and all(declared):
            break
        page.wait_for_timeout(100)
    page.wait_for_timeout(300)
    return opened


def test_no_page_and_no_worker_speaks_over_another_websocket_f71(guarded, allowed, messages, chromium):
    live = {f"{name}/live" for name in DECLARED}
    free = chromium.new_page(base_url=allowed.url)
    free.goto("/page")
    assert {path for path, came in spoken(free, messages).items() if came} == live | WAYS.keys()
    free.context.close()
    with opened(guarded, allowed) as (guard, page):
        came = spoken(page, messages)
        assert "websocket_paths = [" in guard.notes()[0]
    assert {path for path in came if came[path]} == live
    assert came.keys() == live | WAYS.keys() - {"stream"}  # a page takes the lack of it for an older browser


def test_what_a_worker_did_not_say_is_told_f71(guarded, allowed, messages):
    with opened(guarded, allowed) as (guard, page):
        page.evaluate(RUN, [{"module from the host": WAYS["module from the host"]}, messages.url, [""]])
        until = time.monotonic() + 20
        while not guard.notes() and time.monotonic() < until:
            page.wait_for_timeout(50)
        assert 'websocket_paths = ["/module%20from%20the%20host"]' in guard.notes()[0]
    assert not [path for _, path, _, _ in allowed.seen if "refused" in path]
