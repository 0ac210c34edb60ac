"""Page vitals: what a real browser measured of a page, as figures of a step with budgets."""

from __future__ import annotations

import re

from msgspec.structs import replace

from synthprobe.report.page import pages
from synthprobe.testing import FakeTarget

PAGE = """<!doctype html><title>Board</title><h1>Board</h1><button>Press</button>
<script>
  document.querySelector("button").onclick = () => {
    const began = performance.now();
    while (performance.now() - began < 250);
  };
  setTimeout(() => {
    document.body.insertAdjacentHTML("afterbegin", "<h2 style='font-size: 90px'>What comes late and is large</h2>");
    document.body.dataset.ready = "";
  }, 400);
</script>"""

JOURNEYS = """
from synthprobe import step, vitals

def test_the_board(page):
    with step("open the board"):
        page.goto("/")
        page.locator("body[data-ready]").wait_for()
        vitals(page, lcp="300ms", cls=0.05, inp="200ms")
    with step("press the button"):
        page.get_by_role("button").click()
        vitals(page, inp="200ms")

def test_a_quick_page(page):
    with step("open the quick page"):
        page.goto("/quick")
        vitals(page, lcp="30s", cls=0.1)

def test_no_step(page):
    page.goto("/quick")
    vitals(page)

def test_bad_duration(page):
    with step("open the quick page"):
        vitals(page, lcp="soon")

def test_bad_score(page):
    with step("open the quick page"):
        vitals(page, cls="0.1s")
"""


def test_what_the_browser_measured_is_judged_as_figures_of_the_step(project):
    with FakeTarget() as target:
        target.answers("GET", "/", body=PAGE, headers={"Content-Type": "text/html"})
        target.answers("GET", "/quick", body="<!doctype html><h1>Quick</h1>", headers={"Content-Type": "text/html"})
        project.configure(target.url)
        project.journeys(JOURNEYS)
        ran = project.run()
    results = ran.results
    board, quick = results["test_the_board"], results["test_a_quick_page"]
    opened, pressed = ({step.title: step for step in step_group.steps} for step_group in board.steps)
    assert 0.4 < opened["largest contentful paint (LCP)"].duration_s < board.duration_s
    assert 0.05 < opened["layout shift (CLS)"].duration_s < 2
    assert 0.25 <= pressed["interaction to next paint (INP)"].duration_s < 2
    assert board.outcome == "degraded"
    assert [re.sub(r"\d\.\d+", "N", degradation.message) for degradation in board.degradations] == [
        '"largest contentful paint (LCP)" took N s, its budget is N s.',
        '"layout shift (CLS)" is N, its budget is N.',
        '"interaction to next paint (INP)" took N s, its budget is N s.',
    ]
    assert board.notes == (
        "open the board: the browser measured no interaction to next paint (INP), so its budget was not judged.",
    )
    assert (quick.outcome, quick.degradations) == ("passed", ())
    assert {step.title: step.duration_s for step in quick.steps[0].steps}["layout shift (CLS)"] == 0.01
    for name, says in (
        ("no_step", "outside a step, and its figures belong to one. Call it at the end of a step"),
        ("bad_duration", r"lcp='soon'\) cannot be used: .*'soon'"),
        ("bad_score", r"cls='0.1s'\) cannot be used. A number above 0 without a unit was expected"),
    ):
        assert results[f"test_{name}"].outcome == "unknown"
        assert re.search(says, results[f"test_{name}"].cause), results[f"test_{name}"].cause

    (steps,) = (result["steps"] for result in ran.allure() if result["name"] == "the board")
    lines = [re.sub(r"[\d.]+( m?s)?$", "N", line["name"]) for step in steps for line in step["steps"]]
    painted, shifted, answered = (
        f"{name}: N"
        for name in ("largest contentful paint (LCP)", "layout shift (CLS)", "interaction to next paint (INP)")
    )
    assert lines == [painted, shifted, painted, shifted, answered]

    shown = pages().from_string("{{ step.duration_s | duration(step.vital == 'score') }}").render
    jumped = replace(opened["layout shift (CLS)"], duration_s=0.25)
    assert [shown(step=step) for step in (jumped, replace(jumped, vital=""))] == ["0.25", "250 ms"]
    assert [step.vital for step in opened.values()] == ["time", "score"]
    assert [degradation.is_score for degradation in board.degradations] == [False, True, False]
