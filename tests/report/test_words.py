"""What the page and the terminal say."""

from __future__ import annotations

import io

import made_run
import pytest
from msgspec.structs import replace
from rich.console import Console

from synthprobe.records.incident import Triage
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import Verdict
from synthprobe.report.oncall import BADGES, headline
from synthprobe.report.page import duration
from synthprobe.report.terminal import summary
from synthprobe.words import explanation

SEEN = "GET /stock was answered with state: expected 'in', got 'out'"


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ([], "Monitor blind: no journey was run on demo"),
        (["passed"] * 9, "All 9 journeys pass on demo"),
        (["failed"] * 2 + ["passed"] * 7, "2 of 9 journeys fail on demo"),
        (["failed", "unknown", "passed"], "1 of 3 journeys fails on demo, 1 unknown"),
        (["unknown", "passed"], "Monitor blind: 1 of 2 journeys could not be checked on demo"),
        (["degraded", "passed"], "1 of 2 journeys is degraded on demo"),
        (["skipped", "skipped"], "Monitor blind: 2 of 2 journeys were skipped on demo"),
        (["skipped", "passed", "passed"], "2 of 3 journeys pass on demo, 1 skipped"),
    ],
)
def test_the_headline(outcomes: list[Outcome], text: str) -> None:
    judgements = tuple(
        made_run.verdict_of(made_run.journey(str(n), "x"), outcome) for n, outcome in enumerate(outcomes)
    )
    assert headline(Verdict(run=made_run.run(), journeys=judgements, finished_at=made_run.NOW)) == text


def test_durations() -> None:
    assert [duration(0.82), duration(3.24), duration(125.0)] == ["820 ms", "3.2 s", "2 min 5 s"]


def test_the_terminal_lists_the_worst_first_and_runs_nothing_the_target_said() -> None:
    hostile = made_run.verdict_of(made_run.journey("h", "[red]x\x1b[2J"), "passed")
    intake = made_run.journeys()[-1]
    skipped = made_run.verdict_of(hostile.journey, "skipped", cause="[red]x\x1b[2J")
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(
        summary(Verdict(run=made_run.run(), journeys=(skipped, *made_run.journeys()), finished_at=made_run.NOW))
    )
    text = console.export_text()
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[0].startswith(f"✗ failed call-intake: {intake.results[-1].failure.step}")
    assert intake.cause in lines[1]
    assert "[red]x" in text
    assert "\x1b" not in text


def test_many_journeys_of_which_the_same_is_to_be_told_are_told_once_with_their_names() -> None:
    def shown(number: int) -> str:
        failed = made_run.journeys()[-1]
        alike = [replace(failed, journey=replace(failed.journey, id=f"shop-{n}")) for n in range(number)]
        other = replace(failed, journey=replace(failed.journey, id="till"), cause="the till is shut")
        stream = io.StringIO()
        Console(file=stream, width=200).print(
            summary(Verdict(run=made_run.run(), journeys=(*alike, other), finished_at=made_run.NOW))
        )
        return stream.getvalue()

    many = shown(5)
    assert many.count(BADGES["failed"][0]) == 2
    assert all(f"shop-{n}" in many for n in range(5))
    assert "the till is shut" in many
    assert len(many.splitlines()) < len(shown(3).splitlines())


@pytest.mark.parametrize(
    ("why", "candidate_why", "left"),
    [
        (f"{SEEN}.", "", ""),
        (f"{SEEN}; the page / has link Exit.", "", "The page / has link Exit."),
        ("Node b is broken.", "", "Node b is broken."),
        (SEEN[: len(SEEN) // 2], "", ""),
        (f"{SEEN}.", f"A record is gone. {SEEN}.", "May be data: A record is gone."),
        (f"{SEEN}.", f"{SEEN}.", "May be data."),
        (f'It was answered 200 ("{SEEN}").', "", f'It was answered 200 ("{SEEN}").'),
        (f"{SEEN} within 10 s.", "", f"{SEEN} within 10 s."),
    ],
)
def test_a_cause_says_only_what_the_failure_beside_it_does_not(why: str, candidate_why: str, left: str) -> None:
    found = Triage(
        cause_class="unknown", rule="r", why=why, sure="low",
        runner_up="data" if candidate_why else "", runner_up_why=candidate_why,
    )  # fmt: skip
    assert explanation(found, SEEN) == left
    assert explanation(found).count(SEEN) == (SEEN in f"{why}{candidate_why}"), "alone, it is said once"
