"""Holds a browser to the target's guardrails.

Resolver rules given at launch are the wall: no other host resolves in this browser. Here stands what they leave open:
requests that Playwright itself sends, a context's own proxy, changes to a read-only target, and the marks.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
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
    Route,
)

from synthprobe.errors import ConfigurationError, SynthprobeError, TargetError
from synthprobe.model.result import Failure
from synthprobe.probes.browser_headers import BrowserHeaders
from synthprobe.probes.browser_protocol import guard_protocol
from synthprobe.probes.browser_requests import guard_client, guard_routes
from synthprobe.probes.guard import Guard
from synthprobe.probes.trust import trusting_home
from synthprobe.targets.addresses import host_of, origin_of
from synthprobe.targets.authorities import own_authorities
from synthprobe.targets.guardrails import (
    browser_arguments,
    change_refusal,
    egress_refusal,
    is_read_only,
    may_reach,
)
from synthprobe.targets.proxy_variables import without_proxies
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target

_OWN_ARGUMENTS = (
    "--host-resolver-rules",
    "--host-rules",
    "--proxy-server",
    "--proxy-bypass-list",
    "--proxy-pac-url",
    "--proxy-auto-detect",
)
_UNSAFE_ARGUMENTS = ("--ignore-certificate-errors", "--allow-running-insecure-content", "--disable-web-security")


def launch_arguments(given: Mapping[str, Any], target: Target, browser_name: str) -> dict[str, Any]:
    """Launch arguments with the wall in them.

    Args:
        given: the arguments so far.
        target: whose guardrails.
        browser_name: ``chromium``, ``firefox`` or ``webkit``.

    Returns:
        All launch arguments.

    Raises:
        ConfigurationError: when the wall would not hold: another browser, a proxy, or rules of somebody else's.
    """
    if browser_name != "chromium":
        raise ConfigurationError(
            f"Which hosts a journey may reach is enforced by Chromium's resolver rules, and {browser_name} has none. "
            "Run the journeys with --browser chromium."
        )
    arguments = list(given.get("args") or ())
    refused = [one for one in arguments if one.split("=")[0] in _OWN_ARGUMENTS]
    if target.production:
        refused += [one for one in arguments if one.split("=")[0] in _UNSAFE_ARGUMENTS]
    if given.get("proxy") or refused:
        what = ", ".join(refused) or "a proxy"
        raise ConfigurationError(
            f"The browser was to be launched with {what}, behind which the hosts it reaches cannot be limited. "
            "Remove it from browser_type_launch_args; hosts the journey needs belong into allowed_hosts of the target."
        )
    env = without_proxies(given.get("env") or os.environ)
    if authorities := own_authorities(target, os.environ):
        env["HOME"] = trusting_home(authorities)
    return {**given, "env": env, "args": [*arguments, *browser_arguments(target)]}


class GuardedBrowser:
    """Holds every context of a browser to the guardrails, and remembers what was refused.

    Args:
        guard: asked before each request that Playwright sends, and before changes.
        headers: what every context sends with its requests.
        credentials: user and password of the door in front of the target, sent to its own origin only.
    """

    def __init__(self, guard: Guard, headers: BrowserHeaders, credentials: tuple[str, Secret] | None = None) -> None:
        self.guard = guard
        self.headers = headers
        self._credentials = credentials
        self._refused: Counter[str] = Counter()
        self._navigation = ""
        self._change = ""

    def begin(self) -> None:
        """A new attempt at a journey begins."""
        self._refused.clear()
        self._navigation = self._change = ""

    def notes(self) -> list[str]:
        """What was refused in this attempt, one sentence each host."""
        return [
            f"Not allowed, so not reached: {host} ({count} request{'s' if count > 1 else ''})."
            for host, count in sorted(self._refused.items())
        ] + ([self._change] if self._change else [])

    def explain(self, failure: Failure) -> Failure:
        """The failure, put down to a refused request where the journey stood on one.

        Args:
            failure: why the attempt did not finish.

        Returns:
            Of kind ``egress`` when a page was led to a host that is not allowed, ``read-only`` when it tried a change
            that the journey does not declare; else as given.
        """
        if failure.phase == "teardown" or failure.kind in {"egress", "read-only"}:
            return failure
        for kind, ours, why in (("egress", False, self._navigation), ("read-only", True, self._change)):
            if why:
                return msgspec.structs.replace(failure, kind=kind, ours=ours, message=f"{why}\n{failure.message}")
        return failure

    def watch(self, browser: Browser) -> Browser:
        """Hold every context this browser opens from now on.

        Args:
            browser: launched with `launch_arguments`.

        Returns:
            The same browser.
        """
        new_context: Callable[..., BrowserContext] = browser.new_context
        session = browser.new_browser_cdp_session()
        user_agent: str = session.send("Browser.getVersion")["userAgent"]
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

        browser.new_context = new_guarded_context  # type: ignore[method-assign]
        browser.new_page = new_guarded_page  # type: ignore[method-assign]
        return browser

    def hold(self, playwright: Playwright) -> Playwright:
        """Hold all that Playwright can open: browsers, request clients without one, and answers to a page's requests.

        Args:
            playwright: Playwright, started.

        Returns:
            The same.
        """
        self._hold_clients(playwright.request)
        for kind in (playwright.chromium, playwright.firefox, playwright.webkit):
            self._hold_launches(kind)
        guard_routes(self.guard, self._refused_answer)
        guard_protocol(self.guard)
        return playwright

    def _hold_clients(self, opener: APIRequest) -> None:
        new_context: Callable[..., APIRequestContext] = opener.new_context

        def new_guarded_context(**kwargs: Any) -> APIRequestContext:
            target = self.guard.target
            arguments = self._context_arguments(kwargs, "Playwright")
            del arguments["service_workers"]
            client = new_context(**arguments)
            own = kwargs.get("extra_http_headers")
            guard_client(client, kwargs.get("base_url") or target.base_url, self.guard, own)
            return client

        opener.new_context = new_guarded_context  # type: ignore[method-assign]

    def _hold_launches(self, kind: BrowserType) -> None:
        launch: Callable[..., Browser] = kind.launch

        def launch_guarded(**kwargs: Any) -> Browser:
            return self.watch(launch(**launch_arguments(kwargs, self.guard.target, kind.name)))

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
                "Remove the proxy from the context's arguments."
            )
        if given.get("ignore_https_errors"):
            self.guard.check_tls("ignore_https_errors", "a browser context")
        ours: dict[str, Any] = {"service_workers": "block", "ignore_https_errors": not target.tls_verify}
        if self._credentials is not None:
            user, password = self._credentials
            door = {"username": user, "password": password.reveal(), "origin": origin_of(target.base_url)}
            ours["http_credentials"] = door
        agent = f"{given.get('user_agent') or user_agent} {target.user_agent}".rstrip()
        return {**ours, **given, "user_agent": agent}

    def _hold(self, context: BrowserContext, base_url: str, own: Mapping[str, str] | None) -> None:
        context.on("requestfailed", self._failed)
        if is_read_only(self.guard.target):
            context.route("**/*", self._decide)
        guard_client(context.request, base_url, self.guard, own)

    def _failed(self, request: Request) -> None:
        """A request that did not resolve, to a host that is not allowed, was stopped by the wall."""
        if may_reach(self.guard.target, request.url) or "ERR_NAME_NOT_RESOLVED" not in (request.failure or ""):
            return
        self._refused[host_of(request.url)] += 1
        if request.is_navigation_request() and not _in_frame(request):
            self._navigation = self._navigation or egress_refusal(self.guard.target, request.url)

    def _decide(self, route: Route) -> None:
        """On a read-only target every request comes through here."""
        request = route.request
        if why := change_refusal(self.guard.target, request.method, request.url, self.guard.mutates, request.headers):
            self._change = self._change or why
            route.abort("blockedbyclient")
        else:
            route.fallback()

    def _refused_answer(self, refusal: SynthprobeError) -> None:
        if isinstance(refusal, TargetError) and refusal.kind == "egress":
            self._navigation = self._navigation or str(refusal)
        if isinstance(refusal, ConfigurationError):
            self._change = self._change or str(refusal)


def _in_frame(request: Request) -> bool:
    try:
        return request.frame.parent_frame is not None
    except Error:
        return False  # the first navigation of a popup has no frame yet
