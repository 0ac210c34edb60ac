"""F71: a host is the same host in configuration, session and browser, however it is written."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Error

from synthprobe import Api, ConfigurationError, Target, loopback
from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.installation import find_browser
from synthprobe.browser.wall import GuardedBrowser, launch_arguments
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard
from synthprobe.targets.guardrails import allowed_hosts, check_guardrails, may_reach
from synthprobe.targets.proxy import Proxy

SAME = {
    "bücher.example": ("xn--bcher-kva.example", "BÜCHER.example", "b\u0075\u0308cher.example", "bücher.example."),
    "*.bücher.example": ("www.xn--bcher-kva.example", "a.b.Bücher.example"),
    "faß.example": ("xn--fa-hia.example",),
    "日本。jp": ("日本.jp", "xn--wgv71a.jp"),
    "[2001:DB8::1]": ("[2001:db8:0:0:0:0:0:1]",),
    "2001:db8::1": ("[2001:db8::1]",),
    "CDN.example.org": ("cdn.example.org", "cdn.example.org:8443"),
}


@pytest.mark.parametrize(("written", "found"), SAME.items(), ids=[f"F71-{number}" for number in range(len(SAME))])
def test_a_host_is_known_in_every_form(written, found):
    target = check_guardrails(Target(base_url="https://shop.example", allowed_hosts=(written,)))
    assert all(may_reach(target, f"https://{host}/") for host in found), allowed_hosts(target)
    assert not may_reach(target, "https://xn--bcher-kva.example.org/")
    assert not may_reach(target, "https://[2001:db8::2]/")


@pytest.mark.parametrize(
    "written", ["cdn.example.org:8443", "[::1]:80", "https://a.example", "a b", "2130706433", "*", "::x"]
)
@pytest.mark.parametrize("key", ["allowed_hosts", "blocked_hosts"])
def test_what_is_no_host_is_refused(key, written):
    with pytest.raises(ConfigurationError, match=f"in {key}. A host name without scheme, port and path"):
        check_guardrails(Target(base_url="https://shop.example", **{key: (written,)}))


class Answers(loopback.Handler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.answer(200, b"here", {"Content-Type": "text/html"})


class OfIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def answering(kind: type[ThreadingHTTPServer], host: str) -> Iterator[ThreadingHTTPServer]:
    server = kind((host, 0), Answers)
    server.asked = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@contextmanager
def guarded(target: Target, chromium: Browser) -> Iterator[Browser]:
    found, guard = find_browser(), GuardedBrowser(Guard(target), BrowserHeaders(target))
    assert found is not None
    launched = launch_arguments({"executable_path": found.path}, target, "chromium", guard._proxies())
    browser = guard.watch(chromium.browser_type.launch(**launched))
    yield browser
    browser.close()
    guard.release()


def test_ipv6_addresses_are_hosts_like_others_f71(chromium):
    with answering(OfIPv6, "::1") as server, answering(ThreadingHTTPServer, "127.0.0.1") as other:
        target = Target(base_url=f"http://[::1]:{server.server_port}", name="six")
        Api(target, Redactor()).get("/session").expect(200)
        with pytest.raises(ConfigurationError, match="127.0.0.1"):
            Api(target, Redactor()).get(f"http://127.0.0.1:{other.server_port}/")
        with guarded(target, chromium) as browser:
            page = browser.new_context(base_url=target.base_url).new_page()
            page.goto("/page")
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
                with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
                    page.goto(f"http://{host}:{other.server_port}/")
    assert [path for path in server.asked if "icon" not in path] == ["/session", "/page"]
    assert other.asked == []


def test_a_name_in_its_own_letters_is_asked_for_as_browsers_do_f71(chromium):
    with answering(ThreadingHTTPServer, "127.0.0.1") as proxy:
        address = f"http://127.0.0.1:{proxy.server_port}"
        names = ("*.straße.example",)
        target = Target(base_url="http://bücher.example", allowed_hosts=names, proxy=Proxy(address=address))
        api = Api(target, Redactor())
        api.get("/session").expect(200)
        api.get("http://www.straße.example/other").expect(200)
        with guarded(target, chromium) as browser:
            page = browser.new_context(base_url=target.base_url).new_page()
            page.goto("/page")
            page.goto("http://www.straße.example/page")
            with pytest.raises(Error, match="ERR_EMPTY_RESPONSE"):
                page.goto("http://strasse.example/page")
    assert [url for url in proxy.asked if "icon" not in url] == [
        "http://xn--bcher-kva.example/session",
        "http://www.xn--strae-oqa.example/other",
        "http://xn--bcher-kva.example/page",
        "http://www.xn--strae-oqa.example/page",
    ]
