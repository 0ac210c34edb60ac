"""The on-call page by incident, as a tired person reads it on a phone."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import made_run
import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from made_board import board
from made_site import publish, serve
from playwright.sync_api import Browser, Page, expect

from synthprobe.pipeline import read_verdict
from synthprobe.records.evidence import Evidence, SeenRequest
from synthprobe.records.history import JudgedSlot
from synthprobe.records.incident import Incident, IncidentEvent, Triage
from synthprobe.records.latency import Alarm, Mark, StepSeries
from synthprobe.records.result import Outcome
from synthprobe.records.target_status import TargetStatus
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.report.board import Day, journey_page, render_board
from synthprobe.report.cards import PublishedRun, PublishedRunbook, newest_evidence
from synthprobe.report.charts import strip
from synthprobe.report.status_page import StatusTarget, render_status

NOW = made_run.NOW
LOST, OVER, GONE = "261102-0310-AAAA", "261102-0110-BBBB", "261102-0110-CCCC"
WHY = Triage(
    cause_class="code", rule="script-error", why="A script of the page broke: queue is not defined", sure="high"
)
RUNBOOKS = {
    "dead-button": PublishedRunbook(
        address="runbooks/dead-button.html", title="The button does nothing", fallback="write cards", fix="undo"
    )
}


def _verdicts() -> tuple[JourneyVerdict, ...]:
    """Two journeys with one cause, one with a cause of its own, two that could not look for one reason."""
    shown = made_run.verdict_of(
        made_run.journey("call-intake", "A call becomes an incident", owner="dispatch-desk", severity="blocker"),
        "failed",
        steps=(made_run.step("take the call", 1.0, failed="it did not"),),
        evidence=(
            Evidence(kind="screenshot", title="now", media_type="image/png", path="evidence/call/1.png"),
            Evidence(
                kind="last-good", title="last good: take the call", media_type="image/png", path="evidence/call/2.png"
            ),
        ),
        cause="No number was shown.",
    )
    also = made_run.verdict_of(made_run.journey("second-call", "A second call is taken"), "failed", cause="Nor here.")
    own = made_run.verdict_of(made_run.journey("search", "Old records are found"), "failed", cause="GET /find was 500.")
    away = "The browser could not be started."
    blind = [
        made_run.verdict_of(made_run.journey(name, f"Journey {name}"), "unknown", cause=away, results=False)
        for name in ("map", "export")
    ]
    replace = msgspec.structs.replace
    around = (
        SeenRequest(method="POST", path="/api/incidents", status=500, after_s=1.2, duration_s=0.4),
        SeenRequest(method="GET", path="/static/board.js", status=200, after_s=1.9, duration_s=0.1),
    )
    messages = ("page error: ReferenceError: <b>queue</b> is not defined",)
    shown = replace(shown, results=(replace(shown.results[0], waterfall=around, console=messages),))
    return (
        replace(also, incident=LOST, triage=replace(WHY, elsewhere="call-intake")),
        replace(shown, incident=LOST, triage=WHY, runbook="dead-button", runbook_why="It names the script error."),
        own,
        *blind,
        made_run.verdict_of(made_run.journey("login", "A dispatcher signs in"), "passed"),
    )


def _standing() -> TargetStatus:
    slot = int(NOW.timestamp() // 300)
    incident = Incident(
        id=LOST,
        target="demo",
        kind="failing",
        state="acknowledged",
        fingerprint="v2:0",
        signature="s",
        title="A call becomes an incident, take the call: No number was shown.",
        opened_at=NOW - timedelta(minutes=20),
        first_seen_at=NOW - timedelta(minutes=25),
        last_seen_at=NOW,
        journeys=("call-intake", "second-call"),
        acknowledged_by="first-line",
        occurrences=5,
        triage=WHY,
        runbook="dead-button",
        events=(IncidentEvent(at=NOW - timedelta(minutes=9), role="first-line", text="took it <now>"),),
    )
    over = msgspec.structs.replace(
        incident,
        id=OVER,
        state="resolved",
        title="The map was old",
        resolved_at=NOW - timedelta(hours=2),
        resolved_how="fix",
        journeys=("map",),
    )
    gone = msgspec.structs.replace(
        over,
        id=GONE,
        title="The search was slow",
        resolved_how=None,
        removed=("map",),
        runbook="",
        runbook_why="No runbook knows this failure.",
    )
    day = tuple(
        JudgedSlot(
            slot=slot - back,
            at=NOW - timedelta(seconds=300 * back),
            location="local",
            outcomes={"call-intake": "failed" if back < 5 else "passed", "second-call": "passed"},
        )
        for back in range(100)
    )
    day = (msgspec.structs.replace(day[0], location="abroad", outcomes={"call-intake": "passed"}), *reversed(day))
    points = tuple((NOW - timedelta(minutes=25 + 5 * back), 400.0 + back % 7) for back in range(90))
    latency = StepSeries(
        title="take the call",
        points=points,
        usual_ms=400,
        smallest=1.2,
        alarms=(Alarm(at=NOW - timedelta(minutes=25), text="it broke", until=NOW),),
        marks=(Mark(at=NOW - timedelta(hours=3), text="build 7 → 8"),),
    )
    known = {LOST: latency}
    return TargetStatus(
        incidents=(gone, over, incident), latency=known, muted={LOST: date(2026, 12, 24)}, day=day, now_slot=slot
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cards")
    earlier = made_run.run("20261123T111500Z-0001", at=NOW - timedelta(minutes=25))
    for run in (earlier, made_run.run()):
        made_run.write(folder / run.id, _verdicts(), of=run)
    publish(
        [folder / earlier.id, folder / made_run.run().id],
        folder / "site",
        production={"demo"},
        runbooks=RUNBOOKS,
        stand=lambda target, now: _standing(),
    )
    shown = PublishedRun(verdict=read_verdict(folder / made_run.run().id / "verdict.json"), folder="runs/demo/x")
    worn = Day(day=NOW.date(), state="failed", runs=288, bad=5)
    render_status([StatusTarget(run=shown, days={"call-intake": (worn,)})], folder / "site", NOW)
    render_board(board(), folder / "site")
    with _served(folder / "site") as address:
        yield address


@contextmanager
def _served(site: Path) -> Iterator[str]:
    server = serve(site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Callable[..., Page]]:
    contexts: list[Any] = []

    def open_page(url: str, width: int = 1280, scheme: Any = "light") -> Page:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.goto(url)
        return page  # type: ignore[no-any-return]

    yield open_page
    for context in contexts:
        context.close()


def test_one_cause_is_one_card_with_what_to_do_and_who_has_it(site: str, opened: Callable[..., Page]) -> None:
    page = opened(f"{site}/#incident-{LOST}", 390)
    expect(page.get_by_role("article")).to_have_count(3)
    card = page.locator(f"#incident-{LOST}")
    expect(card).to_be_in_viewport()
    expect(card.get_by_role("heading")).to_have_text("A call becomes an incident")
    for text in ("taken by first-line", "muted until 2026-12-24", "seen in 5 runs", "Do now: write cards"):
        expect(card.get_by_text(text).first).to_be_visible()
    expect(card).to_contain_text("Likely cause: code (high confidence). A script of the page broke")
    expect(card.get_by_role("link", name="Runbook: The button does nothing")).to_be_visible()
    expect(card.get_by_role("img", name="Last 24 hours: failed in 5 of 100 slots judged")).to_be_visible()
    journeys = card.locator("[data-journey]").evaluate_all("all => all.map(each => each.dataset.journey)")
    assert journeys == ["call-intake", "second-call"]
    assert f"synthprobe fix plan undo --incident {LOST}" in card.inner_html()


def test_what_could_not_be_looked_at_for_one_reason_is_one_card_and_the_headline_counts_it(
    site: str, opened: Callable[..., Page]
) -> None:
    page = opened(site)
    expect(page.get_by_role("heading", level=1)).to_have_text("3 of 6 journeys fail on demo, 2 unknown")
    expect(page.locator("article.unknown")).to_have_count(1)
    expect(page.locator("article.unknown [data-journey]")).to_have_count(2)
    expect(page.get_by_text("production")).to_be_visible()
    seen_first = page.locator("article").filter(has_text="GET /find was 500.")
    expect(seen_first.locator("figure")).to_have_count(0)
    page.get_by_text("2 ended in the last day").click()
    page.get_by_role("link", name="The map was old").click()
    expect(page.get_by_text("by fix").first).to_be_visible()


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("skipped", "Last 24 hours: skipped in 1 of 1 slots judged"),
        ("passed", "Last 24 hours: passed in all of 1 slots judged"),
    ],
)
def test_what_was_skipped_did_not_pass(outcome: Outcome, text: str) -> None:
    slot = JudgedSlot(slot=7, at=NOW, location="local", outcomes={"map": outcome})
    made = strip(TargetStatus(day=(slot,), now_slot=7), {"map"})
    assert made is not None
    assert made.text == text


def test_an_incident_has_a_page_with_its_record_and_its_first_and_newest_evidence(
    site: str, opened: Callable[..., Page]
) -> None:
    page = opened(f"{site}/incidents/{LOST}.html")
    expect(page.get_by_text("first-line: took it <now>")).to_be_visible()
    sightings = page.get_by_role("link", name="run 2026")
    assert sightings.all_inner_texts() == ["run 20261123T111500Z-0001", f"run {made_run.run().id}"]
    sightings.first.click()
    expect(page.locator(f"#incident-{LOST}")).to_be_in_viewport()
    page.goto(f"{site}/incidents/{GONE}.html")
    expect(page.get_by_text(_standing().incidents[0].runbook_why)).to_have_count(1)
    expect(page.get_by_text(re.compile("^no longer checked since"))).to_be_visible()
    page.goto(f"{site}/runs/index.html")
    expect(page.get_by_role("row")).to_have_count(3)


def test_a_card_shows_the_requests_around_the_failure_and_the_last_day_of_its_step(
    site: str, opened: Callable[..., Page]
) -> None:
    page = opened(site, 390)
    card = page.locator(f"#incident-{LOST}")
    card.get_by_text("Requests and console: POST /api/incidents 500").click()
    rows = card.get_by_role("list", name="Requests around the failure").get_by_role("listitem")
    expect(rows).to_have_text([re.compile(r"500 POST /api/incidents\s+400 ms"), re.compile("200 GET /static/board.js")])
    expect(card.get_by_text("page error: ReferenceError: <b>queue</b> is not defined")).to_be_visible()
    for path, where in (("/", card), (f"/incidents/{LOST}.html", page.locator("main"))):
        page.goto(site + path)
        drawn = where.locator("figure.chart")
        if path == "/":
            card.get_by_text("Step's time, last day").click()
        for part, text in (("band", "usually 400 ms"), ("alarm", "it broke"), ("mark", "build 7 → 8")):
            expect(drawn.locator(f".{part} title")).to_contain_text(text)
        drawn.get_by_text("Each value").click()
        drawn.get_by_role("link").first.click()
        expect(page).to_have_url(re.compile("/runs/demo/.*0001/index.html"))


def test_the_last_good_picture_stands_beside_that_of_now_and_can_be_laid_over_it(
    site: str, opened: Callable[..., Page]
) -> None:
    page = opened(site, 390)
    card = page.locator(f"#incident-{LOST}")
    good, now = card.get_by_role("figure").filter(has=page.locator("img")).all()
    assert good.bounding_box()["x"] < now.bounding_box()["x"]  # type: ignore[index]
    expect(good).to_contain_text("last good: take the call")
    card.get_by_role("slider").fill("20")
    assert good.bounding_box() == now.bounding_box()
    assert "20%" in good.evaluate("figure => getComputedStyle(figure).clipPath")


def test_outsiders_see_titles_and_days_and_nothing_of_the_inside(site: str, opened: Callable[..., Page]) -> None:
    page = opened(f"{site}/status.html", 390)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not everything works as it should")
    first = page.get_by_role("article").filter(has_text="A call becomes an incident")
    expect(first).to_contain_text("not working")
    expect(first.get_by_role("listitem")).to_have_count(90)
    expect(first.get_by_label("failed in 5 of 288 runs")).to_be_visible()
    assert not [word for word in (LOST, "No number was shown", "<a ", "127.0.0.1:8700") if word in page.content()]
    for path, text in (("demo", "demo: not working"), ("demo/login", "A dispatcher signs in: working")):
        page.goto(f"{site}/badges/{path}.svg")
        expect(page.get_by_role("img", name=text)).to_be_visible()


def test_each_journey_from_each_location_and_what_is_left_of_the_error_budget(
    site: str, opened: Callable[..., Page]
) -> None:
    table = opened(site).locator("table.matrix")
    expect(table.get_by_role("columnheader")).to_have_text(["Journey", "abroad", "local"])
    row = table.get_by_role("row").filter(has_text="A call becomes an incident")
    expect(row.get_by_role("cell")).to_have_text([re.compile("passed"), re.compile("failed")])
    page = opened(f"{site}/board/demo/{journey_page('search')}")
    chart = page.get_by_role("img", name="54 % of the error budget is left after 30 days")
    expect(chart.locator("title").last).to_have_text(re.compile("02 Mar: 54 % left"))


def test_five_failures_on_three_targets_are_two_screens_four_on_a_phone_and_three_printed_pages(
    tmp_path: Path, opened: Callable[..., Page]
) -> None:
    also, shown, own, *_, well = _verdicts()
    judged = {"shop": (also, shown, own, well), "staging": (shown, own, well), "demo": (shown, well)}
    for name, journeys in judged.items():
        made_run.write(tmp_path / name, journeys, of=made_run.run(f"20261123T111500Z-{name}", name))
    folders = [tmp_path / name for name in judged]
    publish(folders, tmp_path / "site", runbooks=RUNBOOKS, stand=lambda target, now: _standing())
    with _served(tmp_path / "site") as address:
        for width, screens in ((1280, 2 * 900), (390, 4 * 844)):
            page = opened(address, width)
            expect(page.get_by_role("article")).to_have_count(5)
            assert page.evaluate("document.documentElement.scrollHeight") <= screens
        assert len(re.findall(rb"/Type */Page\b", page.pdf(format="A4"))) <= 3


def test_two_runs_of_one_incident_on_a_page_have_an_anchor_each(tmp_path: Path) -> None:
    runs = {tmp_path / name: name for name in ("healthy", "two faults")}
    for folder, label in runs.items():
        made_run.write(folder, _verdicts(), of=made_run.run(f"20261123T114000Z-{len(label):04}"))
    made = publish(list(runs), tmp_path / "site", labels=runs, stand=lambda target, now: _standing())
    anchors = re.findall(r'<article class="card [^>]* id="([^"]*)"', made.read_text())
    assert len(anchors) == len(set(anchors)) == 6
    assert f"incident-{LOST}" in anchors


def test_a_page_left_open_says_when_it_cannot_be_renewed_and_renews_itself(
    site: str, opened: Callable[..., Page]
) -> None:
    page = opened("about:blank")
    page.clock.install(time=datetime.now(UTC))
    with page.expect_response("**/status.json") as first:
        page.goto(site)
    first.value.finished()  # what it shows is known before anything changes
    page.route("**/status.json", lambda route: route.abort())
    page.clock.fast_forward(31_000)
    expect(page.get_by_text("This page cannot be renewed since")).to_be_visible()
    page.unroute_all()
    page.route("**/status.json", lambda route: route.fulfill(body="{}"))
    with page.expect_navigation():
        page.clock.fast_forward(61_000)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/incidents/{LOST}.html",
        "/incidents/index.html",
        "/runs/index.html",
        "/status.html",
        "/board/demo/index.html",
        f"/board/demo/{journey_page('search')}",
    ],
)
def test_every_page_can_be_read_by_everybody(site: str, opened: Callable[..., Page], path: str) -> None:
    """At both widths in both schemes: all rules at one of the four, and at the others what those may break."""
    page = opened(site + path)
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true })")
    seen = ["color-contrast", "target-size"]
    looks: list[tuple[int, Any, list[str]]] = [
        (1280, "light", ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]),
        (1280, "dark", seen), (390, "dark", seen), (390, "light", seen),
    ]  # fmt: skip
    for width, scheme, only in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options={"runOnly": only, "resultTypes": ["violations"]})
        assert found.violations_count == 0, f"{width}, {scheme}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_of_several_pictures_the_page_shows_the_one_that_was_taken_last_of_the_newest_attempt():
    judged = made_run.journeys()[-1]
    (result,) = judged.results[-1:]
    pictures = [
        Evidence(kind="screenshot", title=name, media_type="image/png", path=f"{name}.png") for name in ("one", "two")
    ]
    newest = msgspec.structs.replace(result, evidence=(*pictures, *result.evidence[:1]))
    shown = newest_evidence(msgspec.structs.replace(judged, results=(newest,)))
    assert (shown["screenshot"].path, shown["trace"]) == ("two.png", result.evidence[0])
