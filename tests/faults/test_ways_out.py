"""F71: a hostile page tries every way it knows to reach another host, and to change a read-only target; none works."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import unquote

from playwright.sync_api import Browser, Error
from two_hosts import Allowed, Forbidden, two_hosts
from ways_out import CHANGES, RUN, SCRIPTS, TAGS

from synthprobe import Target
from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.installation import find_browser
from synthprobe.browser.wall import GuardedBrowser, launch_arguments
from synthprobe.journey.guard import Guard


def let_it_try(browser: Browser, allowed: Allowed, forbidden: Forbidden) -> tuple[set[str], set[str]]:
    """Which ways out arrived, and which changes."""
    forbidden.arrived.clear()
    allowed.seen.clear()
    context = browser.new_context()
    page = context.new_page()
    page.on("popup", lambda popup: None)
    for ways, tags, base in ((SCRIPTS, TAGS, forbidden.url), (CHANGES, {}, allowed.url + "/change")):
        page.goto(allowed.url + "/page?reports")
        context.unroute_all()
        page.unroute("**/*")
        with suppress(Error):  # a page that is led away is what is tried
            page.evaluate(RUN, [ways, tags, base, allowed.url, 1500])
    page.goto(allowed.url + "/page")  # the page before ends, with what it sends then
    page.wait_for_timeout(300)
    context.close()
    asked = {
        request.split(b" ")[1] for request in forbidden.arrived if request.startswith((b"GET /", b"POST /", b"HEAD /"))
    }
    out = {unquote(path.decode()[1:]) for path in asked}
    changed = {
        f"{method} {path}"
        for method, path, headers, _ in allowed.seen
        if method not in {"GET", "OPTIONS", "HEAD"} or "X-Http-Method-Override" in headers
    }
    return out or {str(request) for request in forbidden.arrived}, changed


def test_a_hostile_page_reaches_nobody_and_changes_nothing_f71(chromium):
    found = find_browser()
    assert found is not None
    with two_hosts() as (allowed, forbidden):
        free, free_changes = let_it_try(chromium, allowed, forbidden)
        assert len(TAGS | SCRIPTS) > 50
        assert len(free) >= 40, f"without guardrails more ways were expected to arrive: {sorted(free)}"
        assert len(free_changes) >= 26, sorted(free_changes)
        target = Target(base_url=allowed.url, name="live", production=True)
        guard = GuardedBrowser(Guard(target), BrowserHeaders(target))
        browser = guard.watch(
            chromium.browser_type.launch(**launch_arguments({"executable_path": found.path}, target, "chromium"))
        )
        try:
            out, changes = let_it_try(browser, allowed, forbidden)
        finally:
            browser.close()
    assert (out, changes) == (set(), {"POST /login"})
