"""F71, F11: what Playwright sends and opens itself, beside the pages of a journey, stands behind the same wall."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from two_hosts import Allowed, Forbidden, two_hosts


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Allowed, Forbidden]]:
    with two_hosts() as both:
        yield both


ASTRAY = {
    "fetched in the place of a page": (
        "page.route('**/asked', lambda route: route.fulfill(response=route.fetch(url=BAD)))\n    page.goto('/asked')"
    ),
    "redirected in the place of a page": (
        "page.route('**/to?*', lambda route: route.fulfill(response=route.fetch()))\n    page.goto('/to?url=' + BAD)"
    ),
    "another browser": "playwright.chromium.launch().new_page().goto(BAD)",
    "a profile": "playwright.chromium.launch_persistent_context(str(tmp_path), executable_path=EXE)",
    "a browser elsewhere": "playwright.chromium.connect_over_cdp(BAD)",
}


def test_it_arrives_nowhere_else_f71(project, hosts):
    allowed, forbidden = hosts
    project.configure(allowed.url)
    head = (
        "from synthprobe.browser.installation import find_browser\n"
        f"BAD = {forbidden.url!r}\nEXE = str(find_browser().path)\n\n"
    )
    names = {f"test_{place}": body for place, body in enumerate(ASTRAY.values())}
    project.journeys(
        head
        + "".join(f"def {name}(page, playwright, tmp_path):\n    {body}\n\n" for name, body in names.items())
        + "def test_fine(page):\n"
        "    page.route('**/to?*', lambda route: route.fulfill(response=route.fetch()))\n"
        "    page.goto('/to?url=/page')\n"
        "    assert page.get_by_text('here').is_visible()\n"
    )
    results = project.run().results
    kinds = {
        what: (results[name].outcome, results[name].failure.kind) for what, name in zip(ASTRAY, names, strict=True)
    }
    assert kinds == {
        "fetched in the place of a page": ("unknown", "configuration"),
        "redirected in the place of a page": ("failed", "egress"),
        "another browser": ("unknown", "configuration"),
        "a profile": ("unknown", "configuration"),
        "a browser elsewhere": ("unknown", "configuration"),
    }
    assert forbidden.arrived == []
    assert results["test_fine"].outcome == "passed", results["test_fine"].cause


CHANGES = {
    "passed on": "lambda route: route.continue_()",
    "turned into a change": "lambda route: route.continue_(method='DELETE')",
    "fetched": "lambda route: route.fulfill(response=route.fetch())",
}


def test_a_page_changes_nothing_on_a_read_only_target_through_a_journey_s_route_f71(project, hosts):
    allowed, _ = hosts
    allowed.seen.clear()
    project.configure(allowed.url)
    with (project.root / "synthprobe.toml").open("a") as config:
        config.write("read_only = true\n")
    send = "page.evaluate(\"fetch('/api/units/7', {method: 'POST', body: 'x'}).then(a => a.status, () => 0)\")"
    ask = "page.evaluate(\"fetch('/api/units/7').then(a => a.status, () => 0)\")"
    project.journeys(
        "".join(
            f"def test_{place}(page):\n    page.goto('/page')\n    page.route('**/api/**', {handler})\n"
            f"    assert {ask if 'method' in handler else send} == 200\n\n"
            for place, handler in enumerate(CHANGES.values())
        )
        + "def test_fine(page):\n    page.goto('/page')\n"
        f"    page.route('**/api/**', lambda route: route.continue_())\n    assert {ask} == 200\n"
    )
    results = project.run().results
    assert {what: results[f"test_{place}"].failure.kind for place, what in enumerate(CHANGES)} == dict.fromkeys(
        CHANGES, "configuration"
    )
    assert {method for method, *_ in allowed.seen} == {"GET"}
    assert results["test_fine"].outcome == "passed", results["test_fine"].cause


FOLLOWED = """
def test_{status}(page):
    page.goto('/page')
    page.context.add_cookies([{{'name': 'sid', 'value': 'one', 'url': page.url}}])
    page.route('**/to?*', lambda route: route.fulfill(response=route.fetch()))
    ask = "fetch('/to?status={status}&url=/{status}', {{method: 'POST', body: 'x', headers: {{'X-Own': 'kept'}}}})"
    assert page.evaluate(ask + ".then(a => a.status)") == 200
"""


@pytest.mark.parametrize(("status", "method", "body"), [(303, "GET", b""), (302, "GET", b""), (307, "POST", b"x")])
def test_what_a_route_fetches_follows_as_a_browser_would_f71(project, hosts, status, method, body):
    allowed, _ = hosts
    project.configure(allowed.url)
    project.journeys(FOLLOWED.format(status=status))
    result = project.run().results[f"test_{status}"]
    assert result.outcome == "passed", result.cause
    (last,) = [request for request in allowed.seen if request[1] == f"/{status}"]
    assert (last[0], last[3], last[2].get("X-Own"), last[2].get("Cookie")) == (method, body, "kept", "sid=one")
