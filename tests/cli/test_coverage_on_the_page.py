"""The on-call page tells how much was looked at: coverage and worst gap beside availability, in a real browser."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from made_site import serve
from playwright.sync_api import expect
from recorded_runs import call, ran
from remembering import remember

from synthprobe.project import Project


@pytest.fixture
def page_of(root, chromium, without_allure):
    """Remembers the runs, makes the site of the newest and opens its first page."""
    closing = []

    def opened():
        assert remember(Project.at(root), "demo") == []
        newest = max((root / ".synthprobe" / "runs" / "demo").iterdir())
        call("report", str(newest))
        server = serve(root / ".synthprobe" / "site")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        closing.extend([context.close, server.shutdown, server.server_close])
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        return page

    yield opened
    for close in closing:
        close()


@pytest.mark.parametrize("worst", ["passed", "failed"])
def test_coverage_and_worst_gap_stand_beside_availability_f45(root, page_of, worst):
    with (root / "synthprobe.toml").open("a") as toml:
        toml.write("[objectives.search]\npercent = 95\nwindow_days = 7\n")
    for minutes in range(100, 0, -5):
        if minutes not in {40, 45}:
            ran(root, timedelta(minutes=minutes), outcome=worst if minutes in {5, 60} else "passed")
    page = page_of()
    watched = page.locator(".watched")
    expect(watched).to_contain_text("last 24 hours: coverage 90 %, 18 of 20 slots judged")
    expect(watched).to_contain_text("worst gap 10 m")
    expect(watched).to_contain_text("Too little was looked at")
    availability = "100 %" if worst == "passed" else "88.88 %"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for journey, wanted in (("search", "95 % in 7 d"), ("report", "99 % in 30 d")):
            standing = page.locator(
                f"tr[data-journey={journey}] .standing, article:has([data-journey={journey}]) .standing"
            )
            expect(standing).to_have_text(
                f"availability {availability}, coverage 90 %, worst gap 10 m (objective {wanted})"
            )
            expect(standing).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    (target,) = json.loads((root / ".synthprobe" / "site" / "status.json").read_text())["targets"]
    assert target["coverage"] == {"window_s": 86400.0, "elapsed": 20, "judged": 18, "worst_gap_s": 600.0}
    assert {(journey["coverage"], journey["worst_gap_s"]) for journey in target["journeys"]} == {(90.0, 600.0)}


def test_a_gap_at_the_begin_of_the_day_counts(root, page_of):
    ran(root, timedelta(hours=30))
    ran(root, timedelta(minutes=5))
    watched = page_of().locator(".watched")
    expect(watched).to_contain_text("coverage 0.34 %, 1 of 288 slots judged")
    expect(watched).to_contain_text("worst gap 23 h 55 m")


def test_a_target_whose_every_slot_was_judged_is_not_called_blind(root, page_of):
    for minutes in range(50, 0, -5):
        ran(root, timedelta(minutes=minutes))
    watched = page_of().locator(".watched")
    expect(watched).to_contain_text("coverage 100 %, 10 of 10 slots judged")
    expect(watched).to_contain_text("worst gap none")
    expect(watched).not_to_contain_text("Too little")


def test_runs_by_hand_alone_tell_no_coverage(root, page_of):
    ran(root, timedelta(minutes=5), scheduled=False)
    page = page_of()
    expect(page.get_by_role("heading", level=1)).to_contain_text("journeys pass on demo")
    expect(page.locator(".watched, .standing")).to_have_count(0)
