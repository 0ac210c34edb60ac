"""The Allure files say what the verdict says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made_run
import msgspec

from synthprobe.records.incident import Triage
from synthprobe.report.allure import reconcile
from synthprobe.report.allure_results import TRACE_TYPE


def read(run_dir: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    files = [json.loads(path.read_text()) for path in (run_dir / "allure-results").glob("*-result.json")]
    for content in sorted(files, key=lambda content: content["start"]):
        id_ = next(label["value"] for label in content["labels"] if label["name"] == "ALLURE_ID")
        found.setdefault(id_, []).append(content)
    return found


def test_each_journey_has_one_final_result_that_says_what_the_verdict_says(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path / "run")
    pages = reconcile(tmp_path / "run", verdict)
    found = read(tmp_path / "run")
    assert {id_: files[-1]["status"] for id_, files in found.items()} == {
        "login": "passed",
        "export": "skipped",
        "map": "unknown",
        "unit-status": "broken",
        "call-intake": "failed",
    }
    assert found.keys() == pages.keys()
    assert found["unit-status"][0]["statusDetails"]["message"].startswith(
        "degraded: over budget (measured): status is shown took"
    )
    assert found["map"][0]["statusDetails"]["message"].startswith("unknown: The browser process ended")
    assert len(found["call-intake"]) == 2, "the first attempt stays and is shown as a retry"
    first, last = found["call-intake"]
    assert first["parameters"] == last["parameters"] == [{"name": "env", "value": "'demo'"}]


def test_doing_it_twice_changes_nothing(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path / "run")
    pages = reconcile(
        tmp_path / "run", verdict, site_url="https://status.example", runbooks={"call-intake": "https://x"}
    )
    once = read(tmp_path / "run")
    assert (
        reconcile(tmp_path / "run", verdict, site_url="https://status.example", runbooks={"call-intake": "https://x"})
        == pages
    )
    assert read(tmp_path / "run") == once
    assert [link["name"] for link in once["call-intake"][-1]["links"]] == ["Open trace", "General page: call-intake"]


def test_the_cause_its_rule_and_the_runner_up_are_said_and_can_be_filtered_by(tmp_path: Path) -> None:
    found_out = Triage(
        cause_class="data", rule="sentinel-missing", why="The sentinel <b>R-1</b> is [gone](http://x).", sure="high",
        runner_up="code", runner_up_why="The build changed.",
    )  # fmt: skip
    verdict = made_run.write(tmp_path / "run")
    told = tuple(
        msgspec.structs.replace(one, triage=found_out) if one.outcome == "failed" else one for one in verdict.journeys
    )
    verdict = msgspec.structs.replace(verdict, journeys=told)
    for _ in range(2):
        reconcile(tmp_path / "run", verdict)
        final = read(tmp_path / "run")["call-intake"][-1]
        assert final["description"].count("Where the cause lies: data") == 1
    assert (
        "(high confidence). The sentinel \\<b\\>R-1\\</b\\> is \\[gone\\](http://x). Rule: sentinel-missing."
        in final["description"]
    )
    assert "Next in line: code. The build changed." in final["description"]
    assert [label["value"] for label in final["labels"] if label["name"] == "cause"] == ["data"]
    assert "cause" not in {label["name"] for label in read(tmp_path / "run")["unit-status"][-1]["labels"]}


def test_an_interrupted_journey_written_as_passed_is_corrected(tmp_path: Path) -> None:
    one = made_run.verdict_of(made_run.journey("board", "The board loads"), "unknown", cause="The run was interrupted.")
    verdict = made_run.write(tmp_path / "run", (one,))
    for path in (tmp_path / "run" / "allure-results").iterdir():
        path.unlink()
    made_run.allure_file(
        tmp_path / "run" / "allure-results", one.results[0], "passed", historyId=None, labels=[], fullName=None
    )
    reconcile(tmp_path / "run", verdict)
    files = read(tmp_path / "run")["board"]
    assert [content["status"] for content in files] == ["unknown"]
    assert files[0]["statusDetails"]["message"] == "unknown: The run was interrupted."
    assert files[0]["historyId"]


def test_a_killed_journey_is_written_from_the_records_with_its_evidence(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path / "run")
    for path in (tmp_path / "run" / "allure-results").iterdir():
        path.unlink()
    reconcile(tmp_path / "run", verdict)
    found = read(tmp_path / "run")
    made = found["call-intake"][0]
    assert [part["name"] for part in made["steps"]][-1] == "the other board shows it"
    assert [kept["type"] for kept in made["attachments"]] == [TRACE_TYPE, "image/png"]
    for kept in made["attachments"]:
        assert (tmp_path / "run" / "allure-results" / kept["source"]).is_file()
    assert len(found) == 5


def test_the_last_attempt_is_added_when_only_the_first_was_written(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path / "run")
    made_run.forget(tmp_path / "run", "call-intake")
    reconcile(tmp_path / "run", verdict)
    first, last = read(tmp_path / "run")["call-intake"]
    assert first["start"] < last["start"]
    assert last["attachments"]


def test_files_of_no_expected_journey_and_half_files_are_moved_aside_f60(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path / "run")
    stranger = made_run.verdict_of(made_run.journey("stranger", "Somebody else"), "passed")
    made_run.allure_file(tmp_path / "run" / "allure-results", stranger.results[0], "passed")
    (tmp_path / "run" / "allure-results" / "half-result.json").write_text('{"name": "ha')
    reconcile(tmp_path / "run", verdict)
    assert "stranger" not in read(tmp_path / "run")
    assert len(list((tmp_path / "run" / "allure-results-aside").iterdir())) == 2
