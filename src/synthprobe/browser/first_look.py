"""What a site shows at a first look: enough for a first journey. Nothing is sent that could be a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from msgspec import Struct

from synthprobe.browser.installation import find_browser
from synthprobe.errors import ToolError
from synthprobe.evidence.failure import certificate_fault
from synthprobe.journey.deadline import BoundedAdapter, deadline
from synthprobe.journey.session import fault_of_proxy
from synthprobe.journey.trust import bundle, trusting_home
from synthprobe.targets.authorities import own_authorities
from synthprobe.targets.proxy import Proxy, refused
from synthprobe.targets.proxy_variables import without_proxies
from synthprobe.targets.target import Target

_WITHIN_S = 15.0
_API_WITHIN_S = 5.0
_HEADING_MS = 3000
_MAX_BYTES = 10_000_000
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_API_PATHS = (
    "/healthz",
    "/health",
    "/readyz",
    "/status",
    "/ping",
    "/api/health",
    "/api/status",
    "/api/v1/health",
    "/api",
    "/openapi.json",
    "/version",
)


class Site(Struct, frozen=True, kw_only=True):
    """A site as it was seen."""

    origin: str
    path: str = "/"
    is_page: bool = True
    title: str = ""
    heading: str = ""
    api: str = ""
    hosts: tuple[str, ...] = ()
    trouble: str = ""


def look_at(address: str, environ: Mapping[str, str], *, proxy: Proxy | None = None, password: str = "") -> Site:
    """Open a site twice, with the browser of this machine where there is one, and say what it shows both times."""
    place = urlsplit(address)
    given = Site(origin=f"{place.scheme}://{place.netloc}", path=place.path or "/")
    session = requests.Session()
    session.trust_env = False  # journeys ask no proxy of the environment either
    authorities = own_authorities(Target(name="", base_url=address), environ)
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(_MAX_BYTES))
    session.verify = bundle(authorities) if authorities else True
    if proxy is not None:
        session.proxies = dict.fromkeys(("http", "https"), proxy.with_password(password))
    with deadline(_WITHIN_S):
        try:
            answer = session.get(address)
        except requests.RequestException as error:
            fault = fault_of_proxy(proxy, error, address) if proxy is not None else None
            silent = certificate_fault(str(error)) or f"It did not answer ({type(error).__name__})."
            trouble = fault.text if fault else silent
            return Site(origin=given.origin, path=given.path, trouble=trouble)
    arrived = urlsplit(answer.url)
    origin = f"{arrived.scheme}://{arrived.netloc}"
    path = given.path if origin == given.origin else arrived.path or "/"
    if answer.status_code == 407 and proxy is not None:
        fault = refused(proxy, place.netloc, 407, answer.reason, answer.headers.get("Proxy-Authenticate", ""))
        return Site(origin=origin, path=path, trouble=fault.text)
    if answer.status_code >= 400:
        return Site(origin=origin, path=path, trouble=f"It answered with status {answer.status_code}.")
    if "json" in answer.headers.get("Content-Type", ""):
        return Site(origin=origin, path=path, is_page=False, api=path)
    seen = _browsed(f"{origin}{path}", environ, authorities, proxy, password)
    if seen is None:
        read = _Page(answer.text)
        seen = {"title": read.title, "heading": read.heading, "hosts": (), "data": read.data}
    candidates = [*seen["data"], *_linked(answer), *_API_PATHS]
    api = next((found for found in candidates if _answers_json(session, origin, found)), "")
    return Site(origin=origin, path=path, title=seen["title"], heading=seen["heading"], api=api, hosts=seen["hosts"])


def _browsed(
    url: str, environ: Mapping[str, str], authorities: str, proxy: Proxy | None, password: str
) -> dict[str, Any] | None:
    """What the browser shows; nothing when there is none, or it does not start."""
    found = find_browser(environ=environ)
    if found is None:
        return None
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            way: Any = None
            if proxy is not None:
                way = {"server": proxy.address, "bypass": "<-loopback>"}
                way |= {"username": proxy.user, "password": password} if proxy.user else {}
            env = without_proxies(environ) | ({"HOME": trusting_home(authorities)} if authorities else {})
            browser = playwright.chromium.launch(executable_path=found.path, proxy=way, env=env)
            looks = [_opened(browser, url) for _ in range(2)]
            browser.close()
    except (Error, ToolError):
        return None
    first, second = looks
    same = {name: first[name] if first[name] == second[name] else "" for name in ("title", "heading")}
    return {**first, **same}


def _opened(browser: Any, url: str) -> dict[str, Any]:
    from playwright.sync_api import Error

    context = browser.new_context(service_workers="block")
    context.route(
        "**/*", lambda route: route.continue_() if route.request.method in _HARMLESS else route.abort("blockedbyclient")
    )
    page = context.new_page()
    hosts: set[str] = set()
    data: list[str] = []
    own = urlsplit(url)

    def note(answer: Any) -> None:
        place = urlsplit(answer.url)
        if place.scheme not in {"http", "https"} or answer.status >= 400:
            return
        kind, is_own = answer.request.resource_type, place.netloc == own.netloc
        if not is_own and kind in {"document", "script", "stylesheet", "xhr", "fetch", "font", "image"}:
            hosts.add(str(place.hostname))
        is_data = kind in {"xhr", "fetch"} and "json" in answer.headers.get("content-type", "")
        if is_own and is_data and answer.request.method == "GET" and not place.query:
            data.append(place.path)

    page.on("response", note)
    page.goto(url, timeout=_WITHIN_S * 1000)
    heading = page.get_by_role("heading").filter(visible=True).first
    text = ""
    with suppress(Error):  # a page need not have one
        heading.wait_for(timeout=_HEADING_MS)
        text = _words(heading.inner_text())
    found = {"title": _words(page.title()), "heading": text, "hosts": tuple(sorted(hosts)), "data": tuple(data)}
    context.close()
    return found


def _linked(answer: requests.Response) -> list[str]:
    """What the page itself calls its form as data."""
    links = [link["url"] for link in answer.links.values() if "json" in link.get("type", "")]
    return [urlsplit(urljoin(answer.url, link)).path for link in links]


def _answers_json(session: requests.Session, origin: str, path: str) -> bool:
    try:
        answer = session.get(f"{origin}{path}", timeout=_API_WITHIN_S, allow_redirects=False)
        answer.json()
    except (requests.RequestException, ValueError):
        return False
    return answer.status_code == 200 and "json" in answer.headers.get("Content-Type", "")


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


class _Page(HTMLParser):
    """The title, the first heading, and what is linked as data, of a page that no browser opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._within = ""
        self._texts: dict[str, str] = {}
        self.data: tuple[str, ...] = ()
        self.feed(text)

    @property
    def title(self) -> str:
        return _words(self._texts.get("title", ""))

    @property
    def heading(self) -> str:
        return _words(self._texts.get("h1", ""))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"title", "h1"} and tag not in self._texts:
            self._within, self._texts[tag] = tag, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within:
            self._texts[self._within] += data
