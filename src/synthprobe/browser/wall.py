"""Holds a browser to the target's guardrails.

Resolver rules given at launch are the wall: no other host resolves in this browser. Here stands what they leave open:
requests that Playwright itself sends, a context's own proxy, changes to a read-only target, and the marks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import msgspec
from playwright.sync_api import (
    APIRequest,
    APIRequestContext,
    Browser,
    BrowserContext,
    BrowserType,
    Error,
    Page,
    Playwright,
    Request,
)

from synthprobe.browser.egress_proxy import WALLED, EgressProxy
from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.page_requests import guard_client, guard_routes, release_routes
from synthprobe.browser.read_only import guard_protocol, hold_messages, hold_network, release_protocol
from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError, SynthprobeError, TargetError, ToolError
from synthprobe.evidence.learning import Learner
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey import steps
from synthprobe.journey.api import Api
from synthprobe.journey.guard import Guard
from synthprobe.journey.trust import trusting_home
from synthprobe.records.finding import Finding, Refusal
from synthprobe.records.result import Failure
from synthprobe.targets.addresses import host_of, matches_host, origin_of, read_address
from synthprobe.targets.guardrails import (
    browser_arguments,
    egress_refusal,
    is_read_only,
    may_reach,
)
from synthprobe.targets.proxy import ProxyFault
from synthprobe.targets.proxy_variables import without_proxies
from synthprobe.targets.secrets import Credentials
from synthprobe.targets.target import Target, sends_by_egress_proxy

_CRASHED = "A page crashed in the browser, so nothing more was seen in it."
_ENDED = "The browser ended by itself, so nothing more was seen in it."
_OWN_ARGUMENTS = (
    "--host-resolver-rules",
    "--host-rules",
    "--proxy-server",
    "--proxy-bypass-list",
    "--proxy-pac-url",
    "--proxy-auto-detect",
)
_ERRORS = 400
_UNSAFE_ARGUMENTS = ("--ignore-certificate-errors", "--allow-running-insecure-content", "--disable-web-security")


def launch_arguments(
    given: Mapping[str, Any],
    target: Target,
    browser_name: str,
    proxies: Mapping[str, Any] | None = None,
    authorities: str = "",
) -> dict[str, Any]:
    """Launch arguments with the wall in them; ``proxies`` name our own proxy, where the target has one."""
    if browser_name != "chromium":
        raise ConfigurationError(
            f"Which hosts a journey may reach is enforced by Chromium's resolver rules, and {browser_name} has none. "
            "Run the journeys with --browser chromium."
        )
    arguments = list(given.get("args") or ())
    refused = [argument for argument in arguments if argument.split("=")[0] in _OWN_ARGUMENTS]
    if target.production:
        refused += [argument for argument in arguments if argument.split("=")[0] in _UNSAFE_ARGUMENTS]
    if given.get("proxy") or refused:
        what = ", ".join(refused) or "a proxy"
        raise ConfigurationError(
            f"The browser was to be launched with {what}, behind which the hosts it reaches cannot be limited. "
            "Remove it from browser_type_launch_args; hosts the journey needs belong into allowed_hosts of the target, "
            "a company's proxy into proxy of the target."
        )
    env = without_proxies(given.get("env") or ENVIRONMENT)
    if authorities:
        with nullcontext() if target.ca_file else suppress(ToolError):  # a machine's variables are often for others
            env["HOME"] = trusting_home(authorities)
    return {**given, **(proxies or {}), "env": env, "args": [*arguments, *browser_arguments(target)]}


class GuardedBrowser:
    """Holds every context of a browser to the guardrails, and remembers what was refused."""

    def __init__(
        self,
        guard: Guard,
        headers: BrowserHeaders,
        credentials: Credentials | None = None,
        learner: Learner | None = None,
    ) -> None:
        self.guard = guard
        self._learner = learner or Redactor()
        self.headers = headers
        self._credentials = credentials or Credentials()
        self._introduced = False
        self._held = 0
        self._egress: EgressProxy | None = None
        self._faults: dict[str, ProxyFault] = {}
        self._refused: Counter[str] = Counter()
        self._asked = ""
        self._navigation = ""
        self._change = ""
        self.error_page = ""
        """Of the last page that was opened, that it is an error's."""
        self._lost = ""

    def begin(self) -> None:
        self._refused.clear()
        self._hear_of_proxy()
        self._faults = {}
        self._asked = self._navigation = self._change = self.error_page = self._lost = ""

    def notes(self) -> list[str]:
        """What was refused in this attempt, one sentence each host."""
        return (
            [
                f"Not allowed, so not reached: {host} ({count} request{'s' if count > 1 else ''})."
                for host, count in self.refused_hosts().items()
            ]
            + list(dict.fromkeys(fault.text for fault in self._hear_of_proxy().values()))
            + ([self._change] if self._change else [])
            + ([self._lost] if self._lost else [])
        )

    def refused_hosts(self) -> dict[str, int]:
        """Hosts that pages asked for in this attempt in vain, without those that are known to be refused."""
        known = self.guard.target.blocked_hosts
        return {
            host: count
            for host, count in sorted(self._refused.items())
            if not any(matches_host(host, pattern) for pattern in known)
        }

    def explain(self, failure: Failure, *, of_page: bool = True) -> Failure:
        """The failure, put down to a refused request or a crash where the journey stood on one."""
        if failure.phase == "teardown" or failure.kind in {"egress", "configuration"}:
            return failure
        if of_page and self._lost and failure.kind != "browser":
            text = f"{self._lost}\n{failure.message}"
            return msgspec.structs.replace(failure, kind="browser", ours=True, message=text)
        for host, fault in self._hear_of_proxy().items() if of_page else ():
            if fault.of_all or host == host_of(self.guard.target.base_url) or host in failure.message:
                found, ours = Finding(refusal=Refusal(kind=fault.kind, reason=fault.text)), fault.kind == "proxy"
                text = f"{fault.text}\n{failure.message}"
                return msgspec.structs.replace(failure, kind=fault.kind, ours=ours, message=text, finding=found)
        why = self._asked or self._navigation or self._change
        if not why:
            return failure
        is_led = not self._asked and bool(self._navigation)
        kind, ours = ("egress", False) if is_led else ("configuration", True)
        return msgspec.structs.replace(failure, kind=kind, ours=ours, message=f"{why}\n{failure.message}")

    def watch(self, browser: Browser) -> Browser:
        """Hold every context this browser opens from now on."""
        new_context: Callable[..., BrowserContext] = browser.new_context
        session = browser.new_browser_cdp_session()
        user_agent: str = session.send("Browser.getVersion")["userAgent"]
        if is_read_only(self.guard.target):
            hold_network(session, self.guard, self._refused_change)
        else:
            session.detach()

        def new_guarded_context(*args: Any, **kwargs: Any) -> BrowserContext:
            own = kwargs.get("extra_http_headers")
            arguments = self._context_arguments(kwargs, user_agent)
            context = new_context(*args, **{**arguments, "extra_http_headers": self.headers.of_context(own)})
            self.headers.follow(context, own)
            self._hold(context, kwargs.get("base_url") or self.guard.target.base_url, own)
            return context

        def new_guarded_page(**kwargs: Any) -> Page:
            return browser.new_context(**kwargs).new_page()

        close = browser.close

        def close_on_purpose(**kwargs: Any) -> None:
            if browser.is_connected():
                browser.remove_listener("disconnected", self._browser_ended)
            close(**kwargs)

        browser.on("disconnected", self._browser_ended)
        browser.close = close_on_purpose  # type: ignore[method-assign]
        browser.new_context = new_guarded_context  # type: ignore[method-assign]
        browser.new_page = new_guarded_page  # type: ignore[method-assign]
        return browser

    def hold(self, playwright: Playwright, executable: Callable[[], str | None] = lambda: None) -> Playwright:
        """Hold all that Playwright can open: browsers, request clients, and answers to a page's requests.

        A journey that launches a browser and does not say which gets the one that ``executable`` names.
        """
        self._hold_clients(playwright.request)
        for kind in (playwright.chromium, playwright.firefox, playwright.webkit):
            self._hold_launches(kind, executable)
        guard_routes(self.guard, self._refused_answer)
        guard_protocol(self.guard)
        self._held += 1
        return playwright

    def release(self) -> None:
        """A Playwright ends, and with the last one what was held in their classes."""
        self._held -= 1
        if self._held:
            return
        release_routes()
        release_protocol()
        if self._egress is not None:
            self._egress.close()
            self._egress = None

    def _proxies(self) -> dict[str, Any]:
        """The only proxy that a browser, or a client of Playwright's, is given: our own, in front of the target's."""
        if not sends_by_egress_proxy(self.guard.target):
            return {}
        if self._egress is None:
            self._egress = EgressProxy(self.guard.target, self._credentials)
        return {"proxy": {"server": self._egress.address}}

    def _hear_of_proxy(self) -> dict[str, ProxyFault]:
        """What went wrong at the target's proxy in this attempt, by host."""
        if self._egress is not None:
            self._faults = {**self._egress.faults(), **self._faults}
        return self._faults

    def _hold_clients(self, opener: APIRequest) -> None:
        new_context: Callable[..., APIRequestContext] = opener.new_context

        def new_guarded_context(**kwargs: Any) -> APIRequestContext:
            target = self.guard.target
            arguments = self._context_arguments(kwargs, "Playwright")
            del arguments["service_workers"]
            client = new_context(**arguments, **self._proxies())
            own = kwargs.get("extra_http_headers")
            guard_client(client, kwargs.get("base_url") or target.base_url, self.guard, self._learner, own)
            return client

        opener.new_context = new_guarded_context  # type: ignore[method-assign]

    def _hold_launches(self, kind: BrowserType, executable: Callable[[], str | None]) -> None:
        launch: Callable[..., Browser] = kind.launch

        def launch_guarded(**kwargs: Any) -> Browser:
            ours = self._proxies(), self._credentials.authorities
            if kind.name == "chromium" and not kwargs.get("executable_path") and not kwargs.get("channel"):
                kwargs["executable_path"] = executable()
            return self.watch(launch(**launch_arguments(kwargs, self.guard.target, kind.name, *ours)))

        def refuse(*_: Any, **__: Any) -> Any:
            raise ConfigurationError(
                "A browser was to be connected to, or launched with a profile of its own; which hosts it reaches "
                "cannot be limited from here. Use the fixtures page, context or browser."
            )

        kind.launch = launch_guarded  # type: ignore[method-assign]
        for name in ("connect", "connect_over_cdp", "launch_persistent_context"):
            setattr(kind, name, refuse)

    def _context_arguments(self, given: dict[str, Any], user_agent: str) -> dict[str, Any]:
        target = self.guard.target
        if given.get("proxy"):
            raise ConfigurationError(
                "A browser context was to be opened with a proxy, behind which the hosts it reaches cannot be limited. "
                "Remove the proxy from the context's arguments; a company's proxy is named by proxy of the target."
            )
        if given.get("ignore_https_errors"):
            self.guard.check_tls("ignore_https_errors", "a browser context")
        ours: dict[str, Any] = {"service_workers": "block", "ignore_https_errors": not target.tls_verify}
        if self._credentials.door is not None:
            user, password = self._credentials.door
            door = {"username": user, "password": password.reveal(), "origin": origin_of(target.base_url)}
            ours["http_credentials"] = door
        if self._credentials.identities:
            self._introduce()
            ours["client_certificates"] = [
                {
                    "origin": identity.origin,
                    "cert": identity.chain,
                    "key": identity.key,
                    "passphrase": identity.password,
                }
                for identity in self._credentials.identities
            ]
        agent = f"{given.get('user_agent') or user_agent} {target.user_agent}".rstrip()
        return {**ours, **given, "user_agent": agent}

    def _introduce(self) -> None:
        """See once that certificates are accepted: of a refusal Playwright makes a page, as if it were the target's."""
        if not self._introduced:
            api = Api(self.guard.target, Redactor(), guard=self.guard, credentials=self._credentials)
            for identity in self._credentials.identities:
                _ = api.request("HEAD", f"{identity.origin}/", allow_redirects=False).status
            api.session.close()
            self._introduced = True

    def _hold(self, context: BrowserContext, base_url: str, own: Mapping[str, str] | None) -> None:
        context.on("requestfailed", self._failed)
        context.on("page", partial(self._follow, base_url))
        _hear_exposed(context)
        guard_client(context.request, base_url, self.guard, self._learner, own)
        hold_messages(context, self.guard, self._refused_change)

    def _follow(self, base_url: str, page: Page) -> None:
        page.on("crash", self._page_crashed)
        _hear_exposed(page)
        goto = page.goto

        def goto_noted(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = goto(*args, **kwargs)
            except Error as error:
                read = read_address(str(args[0] if args else kwargs.get("url", "")), base_url)
                if self._is_walled(str(error)) and read is not None and read.protocol in {"http:", "https:"}:
                    self._asked = self._asked or egress_refusal(self.guard.target, read.href)
                raise
            is_error = answer is not None and answer.status >= _ERRORS
            self.error_page = f"{answer.url} was answered with {answer.status}" if answer and is_error else ""
            return answer

        page.goto = goto_noted  # type: ignore[method-assign]

    def _page_crashed(self, _: Page) -> None:
        self._lost = self._lost or _CRASHED

    def _browser_ended(self, _: Browser) -> None:
        self._lost = _ENDED

    def _failed(self, request: Request) -> None:
        """A request that did not resolve, to a host that is not allowed, was stopped by the wall."""
        if may_reach(self.guard.target, request.url) or not self._is_walled(request.failure or ""):
            return
        self._refused[host_of(request.url)] += 1
        if request.is_navigation_request() and not _in_frame(request):
            self._navigation = self._navigation or egress_refusal(self.guard.target, request.url)

    def _is_walled(self, failure: str) -> bool:
        """Whether the wall stopped what failed with these words."""
        walled = WALLED if sends_by_egress_proxy(self.guard.target) else WALLED[:1]
        return any(text in failure for text in walled)

    def _refused_answer(self, refusal: SynthprobeError) -> None:
        if isinstance(refusal, TargetError) and refusal.kind == "egress":
            self._navigation = self._navigation or str(refusal)
        if isinstance(refusal, ConfigurationError):
            self._refused_change(str(refusal))

    def _refused_change(self, why: str) -> None:
        self._change = self._change or why


def _hear_exposed(owner: BrowserContext | Page) -> None:
    """A page catches what breaks in a function that it was given; the journey hears of what contradicts the target."""

    def hearing(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except AssertionError as error:
                if recorder := steps.current():
                    recorder.heard_elsewhere(error)
                raise

        return call

    for name in ("expose_function", "expose_binding"):
        expose = getattr(owner, name)
        setattr(owner, name, lambda given, function, expose=expose: expose(given, hearing(function)))


def _in_frame(request: Request) -> bool:
    try:
        return request.frame.parent_frame is not None
    except Error:
        return False  # the first navigation of a popup has no frame yet
