"""The job's own page says what is broken, and nothing the target wrote can change how it reads."""

from __future__ import annotations

import made_run
import pytest
from markdown_it import MarkdownIt

from synthprobe.environment import CiJob
from synthprobe.report.job_page import append_summary


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "job.md"
    path.write_text("What another step wrote.\n\n")
    return path


def test_f61_the_page_says_what_is_broken_worst_first_below_what_others_wrote(page, tmp_path):
    append_summary(made_run.write(tmp_path / "run"), page)
    before, _, after = page.read_text().partition("### ")
    assert before == "What another step wrote.\n\n"
    lines = after.splitlines()
    assert lines[0] == "1 of 5 journeys fails on demo, 1 degraded, 1 unknown"
    rows = [line for line in lines if line.startswith("| ") and "---" not in line][1:]
    assert [row.split(" | ")[0] for row in rows] == ["| ✗ failed", "| ? unknown", "| ! degraded"]
    assert "the other board shows it<br>Expected the other board to show the incident." in rows[0]
    assert any("Probe suspected" in line for line in lines), "its notes stand there as well"


def test_text_of_the_target_is_neither_markup_nor_another_cell(page, tmp_path):
    bad = "a|b <img src=x> `x` *y* [l](http://y) hush-hush-7\n\n# x " + "z" * 500
    judgement = made_run.verdict_of(made_run.journey("board", bad), "failed", cause=bad)
    append_summary(
        made_run.write(tmp_path / "run", (judgement,)), page, mask=lambda text: text.replace("hush-hush-7", "[masked]")
    )
    shown = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    cells = [shown[i + 1].children for i, token in enumerate(shown) if token.type == "td_open"]
    outcome, journey, why, runbook = ("".join(part.content for part in cell) for cell in cells)
    assert (outcome, runbook) == ("✗ failed", "")
    assert journey == bad.replace("hush-hush-7", "[masked]").replace("\n", " ")[:299] + "…"
    assert why == journey
    kinds = {part.type for token in shown for part in token.children or ()}
    assert kinds <= {"text", "text_special", "softbreak"}, "nothing of it is markup"


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        (
            {"GITHUB_SERVER_URL": "https://forge", "GITHUB_REPOSITORY": "ops/watch", "GITHUB_RUN_ID": "7"},
            "https://forge/ops/watch/actions/runs/7",
        ),
        ({"GITHUB_SERVER_URL": "https://forge"}, ""),
        ({"CI_JOB_URL": "https://gitlab/ops/watch/-/jobs/7"}, "https://gitlab/ops/watch/-/jobs/7"),
        ({}, ""),
    ],
)
def test_the_address_of_the_job(environ, address):
    assert CiJob.of(environ).address == address
