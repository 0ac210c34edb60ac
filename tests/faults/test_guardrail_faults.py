"""F13, F22, F71, L45: nothing arrives at a host that is not allowed, whatever the page or the target does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page
from two_hosts import Allowed, Forbidden, two_hosts

from synthprobe import Api, ConfigurationError, Target, TargetError
from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.installation import find_browser
from synthprobe.browser.wall import GuardedBrowser, launch_arguments
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey import steps
from synthprobe.journey.guard import Guard
from synthprobe.records.journey import Journey
from synthprobe.records.result import Failure


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Allowed, Forbidden]]:
    with two_hosts() as both:
        yield both


@pytest.fixture
def allowed(hosts: tuple[Allowed, Forbidden]) -> Allowed:
    hosts[0].seen.clear()
    return hosts[0]


@pytest.fixture
def forbidden(hosts: tuple[Allowed, Forbidden]) -> Forbidden:
    hosts[1].arrived.clear()
    return hosts[1]


@pytest.fixture(scope="module")
def guarded(hosts: tuple[Allowed, Forbidden], chromium: Browser) -> Iterator[tuple[GuardedBrowser, Browser]]:
    target = Target(base_url=hosts[0].url, name="here")
    found = find_browser()
    assert found is not None
    guard = GuardedBrowser(Guard(target), BrowserHeaders(target))
    browser = chromium.browser_type.launch(**launch_arguments({"executable_path": found.path}, target, "chromium"))
    yield guard, guard.watch(browser)
    browser.close()


@pytest.fixture
def guard(guarded: tuple[GuardedBrowser, Browser]) -> GuardedBrowser:
    guarded[0].begin()
    return guarded[0]


@pytest.fixture
def context(guarded: tuple[GuardedBrowser, Browser], guard: GuardedBrowser) -> Iterator[BrowserContext]:
    context = guarded[1].new_context(base_url=guard.guard.target.base_url)
    yield context
    context.close()


def script(text: str) -> Callable[[Page, Allowed, str], object]:
    """Runs in the page; its promise settles once the attempt has ended, either way."""
    return lambda page, allowed, url: page.evaluate(text, [url, allowed.url])


def visit(page: Page, allowed: Allowed, url: str) -> None:
    page.goto(url)


def visit_redirected(page: Page, allowed: Allowed, url: str) -> None:
    page.goto(allowed.to(url))


def send_form(page: Page, allowed: Allowed, url: str) -> None:
    page.set_content(f'<form method=post action="{url}"><button>Go</button></form>')
    with page.expect_event("requestfinished", timeout=1000):
        page.get_by_role("button").click()


def open_popup(page: Page, allowed: Allowed, url: str) -> None:
    with page.expect_popup() as popup:
        page.evaluate("url => { open(url) }", url)
    popup.value.wait_for_load_state()


IMAGE = "([url]) => new Promise(done => { const i = new Image(); i.onload = i.onerror = done; i.src = url })"
FETCH = "([url]) => fetch(url, {mode: 'no-cors'}).catch(() => 0).then(() => 1)"
REDIRECTED = "([url, here]) => fetch(here + '/to?url=' + encodeURIComponent(url), {mode: 'no-cors'}).catch(() => 0)"
SOCKET = """([url]) => new Promise(done => {
  const s = new WebSocket(url.replace('http', 'ws')); s.onerror = s.onclose = done })"""
SOURCE = "([url]) => new Promise(done => { const s = new EventSource(url); s.onerror = () => { s.close(); done() } })"
WORKER = """([url]) => new Promise(done => {
  const code = `fetch('${url}', {mode: 'no-cors'}).catch(() => 0).then(() => postMessage(1))`;
  new Worker(URL.createObjectURL(new Blob([code]))).onmessage = done })"""
FRAME = """([url]) => new Promise(done => {
  const f = document.createElement('iframe'); f.onload = done; f.src = url; document.body.append(f) })"""
LINK = """([url]) => new Promise(done => {
  const l = document.createElement('link'); l.rel = 'stylesheet'; l.onload = l.onerror = done; l.href = url;
  document.head.append(l) })"""
BEACON = "([url]) => new Promise(done => { navigator.sendBeacon(url, 'x'); setTimeout(done, 300) })"
PRECONNECT = """([url]) => new Promise(done => {
  for (const rel of ['dns-prefetch', 'preconnect', 'prefetch']) {
    const l = document.createElement('link'); l.rel = rel; l.href = url; document.head.append(l) }
  setTimeout(done, 300) })"""
ICE = """([url]) => new Promise(done => {
  const p = new RTCPeerConnection({iceServers: [SERVER]}); p.createDataChannel('x');
  p.onicegatheringstatechange = () => p.iceGatheringState == 'complete' && done();
  p.createOffer().then(o => p.setLocalDescription(o)); setTimeout(done, 700) })"""
STUN = ICE.replace("SERVER", "{urls: 'stun:' + new URL(url).host}")
TURN = ICE.replace("SERVER", "{urls: `turn:${new URL(url).host}?transport=tcp`, username: 'u', credential: 'p'}")
SERVICE_WORKER = """([url, here]) => navigator.serviceWorker
  ? navigator.serviceWorker.register(here + '/sw.js?url=' + encodeURIComponent(url)).catch(() => 0).then(() => 1) : 0"""

ATTEMPTS = {
    "image": script(IMAGE),
    "fetch": script(FETCH),
    "fetch that is redirected": script(REDIRECTED),
    "WebSocket": script(SOCKET),
    "event source": script(SOURCE),
    "worker": script(WORKER),
    "service worker": script(SERVICE_WORKER),
    "frame": script(FRAME),
    "style sheet": script(LINK),
    "beacon": script(BEACON),
    "preconnect and prefetch": script(PRECONNECT),
    "WebRTC over UDP": script(STUN),
    "WebRTC over TCP": script(TURN),
    "address typed in": visit,
    "page that is redirected": visit_redirected,
    "form": send_form,
    "popup": open_popup,
}


def attempt(page: Page, how: Callable[[Page, Allowed, str], object], allowed: Allowed, url: str) -> None:
    page.goto(allowed.url + "/page")
    with suppress(Error):  # refused is what is expected; an arrival is what counts
        how(page, allowed, url)


@pytest.mark.parametrize("how", ATTEMPTS.values(), ids=[f"F71-{name}" for name in ATTEMPTS])
def test_nothing_arrives_at_a_host_that_is_not_allowed(how, chromium, context, allowed, forbidden):
    free = chromium.new_context()
    attempt(free.new_page(), how, allowed, forbidden.url + "/free")
    assert forbidden.wait(), "without the guardrails the attempt was expected to arrive, or this test shows nothing"
    free.close()
    forbidden.arrived.clear()
    attempt(context.new_page(), how, allowed, forbidden.url + "/guarded")
    assert [request for request in forbidden.arrived if b"/free" not in request] == []


def test_a_service_worker_that_a_journey_allows_stands_behind_the_wall_as_well_f71(
    chromium, guarded, allowed, forbidden
):
    for browser, name in ((chromium, "/free"), (guarded[1], "/guarded")):
        context = browser.new_context(service_workers="allow")
        page = context.new_page()
        page.goto(allowed.url + "/page")
        page.evaluate(
            SERVICE_WORKER.replace(".then(() => 1)", ".then(() => navigator.serviceWorker.ready)"),
            [forbidden.url + name, allowed.url],
        )
        if browser is chromium:
            assert forbidden.wait()
        context.close()
    assert not [request for request in forbidden.arrived if b"/guarded" in request]


OTHER_NAMES = ["localhost", "a.localhost", "2130706434", "0x7f000002", "[::ffff:127.0.0.2]", "allowed@127.0.0.2"]


@pytest.mark.parametrize("name", [pytest.param(name, id=f"F71-{name}") for name in OTHER_NAMES])
def test_no_other_name_of_an_address_gets_through(name, context, allowed, forbidden):
    url = f"http://{name}:{forbidden.port}/"
    page = context.new_page()
    page.goto(allowed.url + "/page")
    page.evaluate(FETCH, [url])
    with pytest.raises(Error):
        page.goto(url)
    assert forbidden.arrived == []


@pytest.mark.parametrize(
    ("how", "judged"),
    [
        pytest.param(visit, ("configuration", True), id="F71-typed in"),
        pytest.param(visit_redirected, ("egress", False), id="F71-redirected"),
    ],
)
def test_a_page_led_astray_is_the_target_s_and_one_sent_astray_the_journey_s(
    how, judged, guard, context, allowed, forbidden
):
    with pytest.raises(Error) as caught:
        how(context.new_page(), allowed, forbidden.url + "/login")
    failure = guard.explain(Failure(kind="dns", ours=False, message=str(caught.value), detail=""))
    assert (failure.kind, failure.ours) == judged
    assert failure.message.startswith("The host '127.0.0.2' is not one that journeys against target 'here' may reach")


def test_a_third_party_that_a_page_asks_for_is_blocked_silently_and_recorded_f71(guard, context, allowed, forbidden):
    page = context.new_page()
    page.goto(allowed.url + "/page")
    for name in ("/pixel", "/pixel2"):
        with page.expect_event("requestfailed"):
            page.evaluate(IMAGE, [forbidden.url + name])
    assert guard.notes() == ["Not allowed, so not reached: 127.0.0.2 (2 requests)."]
    failure = Failure(kind="expectation", ours=False, message="a journey's own", detail="")
    assert guard.explain(failure) == failure


REQUESTS = {
    "redirect": lambda request, allowed, url: request.get(allowed.to(url)),
    "redirect of a POST": lambda request, allowed, url: request.post(allowed.to(url, 307), data="x"),
    "second redirect": lambda request, allowed, url: request.get(allowed.to(allowed.to(url))),
}


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=[f"F71-{name}" for name in REQUESTS])
def test_requests_that_playwright_sends_itself_are_held_too(ask, context, allowed, forbidden):
    for request in (context.request, context.new_page().request):
        with pytest.raises(TargetError) as caught:
            ask(request, allowed, forbidden.url)
        assert caught.value.kind == "egress"
        with pytest.raises(ConfigurationError, match="'127.0.0.2' is not one"):
            request.fetch(forbidden.url)
    assert forbidden.arrived == []


def test_a_request_session_of_playwright_without_a_browser_is_held_too_f71(project, allowed, forbidden):
    project.configure(allowed.url)
    project.journeys(
        "def test_astray(playwright):\n"
        f"    playwright.request.new_context().get({forbidden.url + '/alone'!r})\n\n"
        "def test_it(playwright, target):\n"
        "    playwright.request.new_context(base_url=target.base_url).get('/alone')\n"
    )
    results = project.run().results
    assert (results["test_astray"].outcome, results["test_astray"].failure.kind) == ("unknown", "configuration")
    assert forbidden.arrived == []
    assert results["test_it"].outcome == "passed"
    assert [headers["X-Synthetic"] for _, path, headers, _ in allowed.seen if path == "/alone"] == ["synthprobe"]


def test_requests_that_playwright_sends_itself_follow_redirects_to_allowed_hosts(context, allowed):
    answer = context.request.post("/to", params={"url": allowed.url + "/page"}, data="x")
    assert answer.ok
    assert [(method, path) for method, path, _, _ in allowed.seen] == [("POST", "/to"), ("GET", "/page")]


def api_of(allowed: Allowed, **keys: object) -> Api:
    return Api(Target(base_url=allowed.url, name="here", **keys), Redactor())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308], ids=lambda status: f"F71-{status}")
def test_an_api_call_that_is_redirected_astray_fails_with_egress(status, allowed, forbidden):
    api = api_of(allowed)
    api.session.headers["Authorization"] = "Bearer planted-token-4711"
    with pytest.raises(TargetError) as caught:
        api.get(allowed.to(forbidden.url + "/x", status))
    assert caught.value.kind == "egress"
    assert "was redirected to http://127.0.0.2" in str(caught.value)
    assert forbidden.arrived == []
    with pytest.raises(TargetError):
        api.session.get(allowed.to(forbidden.url + "/x", status))  # the requests session itself is held as well
    for client in (api, api.session):
        client.get(allowed.to(forbidden.url + "/x", status), allow_redirects=False)
        with pytest.raises(ConfigurationError, match="may reach"):  # it follows none, and asks by itself
            client.get(forbidden.url + "/x")
    assert forbidden.arrived == []


def test_synthetic_traffic_is_marked_for_the_target_and_for_nobody_else_l45(context, allowed, forbidden):
    context.new_page().goto(allowed.url + "/page")
    context.request.get("/request")
    api = api_of(allowed, user_agent="acme-synthetic")
    api.get("/api")
    with pytest.raises(TargetError):
        api.get(allowed.to(forbidden.url))
    marked = {path: (headers["X-Synthetic"], headers["User-Agent"]) for _, path, headers, _ in allowed.seen}
    assert {mark for mark, _ in marked.values()} == {"synthprobe"}
    assert marked["/page"][1].startswith("Mozilla/5.0")
    assert marked["/page"][1].endswith(" synthprobe")
    assert marked["/api"][1].endswith(" acme-synthetic")
    assert forbidden.arrived == []


@pytest.fixture
def other() -> Iterator[Allowed]:
    """The same host at another port: another origin, to which a redirect may lead."""
    with two_hosts() as (other, _):
        yield other


def test_what_is_meant_for_the_target_does_not_follow_a_redirect_to_another_origin_l45(context, allowed, other):
    journey = Journey(id="call-intake", node_id="x", title="x")
    steps.swap(steps.Recorder(journey))
    credentials = {"Authorization": "Bearer planted-token-4711", "Cookie": "session=planted-4711"}
    try:
        api = api_of(allowed)
        api.get("/api", headers=credentials)
        api.get(allowed.to(other.url + "/api"), headers=credentials)
        api.get(other.url + "/asked")
    finally:
        steps.swap(None)
    context.request.get("/request", headers=credentials)
    context.request.get(allowed.to(other.url + "/request"), headers=credentials)
    meant = {"Authorization", "Cookie", "Baggage"}
    assert [meant & headers.keys() for _, path, headers, _ in allowed.seen if path == "/api"] == [meant]
    assert [path for _, path, _, _ in other.seen] == ["/api", "/asked", "/request"]
    assert [meant & headers.keys() for _, _, headers, _ in other.seen] == [set()] * 3


def test_a_service_worker_cannot_serve_a_stale_page_f22(chromium, context, allowed):
    register = "here => navigator.serviceWorker.register(here + '/sw.js?url=/page').catch(() => 0)"
    for free, workers in ((chromium.new_context(), 1), (context, 0)):
        page = free.new_page()
        page.goto(allowed.url + "/page")
        allowed.seen.clear()
        page.evaluate(register, allowed.url)
        assert [path for _, path, _, _ in allowed.seen].count("/sw.js") == workers
    free.close()


@pytest.mark.parametrize(
    ("given", "browser", "word"),
    [
        pytest.param({"proxy": {"server": "http://127.0.0.1:9"}}, "chromium", "a proxy", id="F71-proxy"),
        pytest.param({"args": ["--proxy-server=http://x"]}, "chromium", "--proxy-server", id="F71-proxy argument"),
        pytest.param({"args": ["--host-resolver-rules=MAP a b"]}, "chromium", "resolver", id="F71-rules"),
        pytest.param({"args": ["--ignore-certificate-errors"]}, "chromium", "certificate", id="F13-certificates"),
        pytest.param({}, "firefox", "--browser chromium", id="F71-firefox"),
    ],
)
def test_a_browser_behind_which_the_wall_would_not_hold_is_not_launched(given, browser, word):
    with pytest.raises(ConfigurationError, match=word):
        launch_arguments(given, Target(base_url="https://cad.example.org", production=True), browser)


def test_a_context_with_a_proxy_is_not_opened_f71(guarded):
    with pytest.raises(ConfigurationError, match="proxy"):
        guarded[1].new_context(proxy={"server": "http://127.0.0.1:9"})


@pytest.fixture
def read_only(chromium: Browser, allowed: Allowed) -> Iterator[tuple[GuardedBrowser, Page]]:
    target = Target(base_url=allowed.url, name="here", read_only=True)
    guard = GuardedBrowser(Guard(target), BrowserHeaders(target))
    found = find_browser()
    assert found is not None
    browser = guard.watch(chromium.browser_type.launch(executable_path=found.path))
    page = browser.new_page()
    page.goto(allowed.url + "/page")
    yield guard, page
    browser.close()


def test_a_page_changes_nothing_on_a_read_only_target_but_logs_in(read_only, allowed):
    guard, page = read_only
    post = "path => fetch(path, {method: 'POST', body: 'x'}).then(a => a.status, () => 0)"
    assert page.evaluate(post, "/api/login") == 200
    assert page.evaluate(post, "/api/incidents") == 0
    with pytest.raises(ConfigurationError, match="read-only"):
        page.request.delete("/api/incidents/7")
    changed = [(method, path) for method, path, _, _ in allowed.seen if method != "GET"]
    assert changed == [("POST", "/api/login")]
    failure = guard.explain(Failure(kind="expectation", ours=False, message="no number was shown", detail=""))
    assert (failure.kind, failure.ours) == ("configuration", True)
    assert "@pytest.mark.mutates" in failure.message
    guard.guard.mutates = ["incident"]
    assert page.evaluate(post, "/api/incidents") == 200
