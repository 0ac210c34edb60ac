"""Allure's files say what the verdict says, and are made once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made_run
import msgspec

from synthprobe.records.incident import Triage
from synthprobe.records.result import TOLD_ALLURE
from synthprobe.records.verdict import Verdict
from synthprobe.report.allure_results import TRACE_TYPE, write_results


def shown(run_dir: Path, verdict: Verdict, **more: Any) -> dict[str, list[dict[str, Any]]]:
    """The results of each journey, the oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    write_results(run_dir, verdict, run_dir / "shown", **more)
    files = [json.loads(path.read_text()) for path in (run_dir / "shown").glob("*-result.json")]
    for content in sorted(files, key=lambda content: content["start"]):
        id_ = next(label["value"] for label in content["labels"] if label["name"] == "ALLURE_ID")
        found.setdefault(id_, []).append(content)
    return found


def test_each_journey_has_one_final_result_that_says_what_the_verdict_says(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path)
    found = shown(tmp_path, verdict)
    assert {id_: files[-1]["status"] for id_, files in found.items()} == {
        "login": "passed",
        "export": "skipped",
        "map": "unknown",
        "unit-status": "broken",
        "call-intake": "failed",
    }
    assert found["unit-status"][0]["statusDetails"]["message"].startswith(
        "degraded: over budget (measured): status is shown took"
    )
    assert found["map"][0]["statusDetails"]["message"].startswith("unknown: The browser process ended")
    assert len(found["call-intake"]) == 2, "the first attempt stays and is shown as a retry"
    first, last = found["call-intake"]
    assert first["parameters"] == last["parameters"] == [{"name": "env", "value": "'demo'"}]
    assert first["historyId"] == last["historyId"]


def test_each_attempt_says_how_it_was_judged_itself(tmp_path: Path) -> None:
    failed = made_run.journeys()[-1]
    first, last = failed.results
    last = msgspec.structs.replace(last, outcome="passed", failure=None, evidence=())
    judgement = msgspec.structs.replace(failed, outcome="passed", results=(first, last))
    before, after = shown(tmp_path, made_run.write(tmp_path, (judgement,)))["call-intake"]
    assert (before["status"], before["statusDetails"]["message"]) == ("failed", made_run.HOSTILE)
    assert (after["status"], "statusDetails" in after) == ("passed", False)


def test_the_pages_of_a_report_stay_where_they_are(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path)
    more = {"site_url": "https://status.example", "runbooks": {"call-intake": "https://x"}}
    pages = [write_results(tmp_path, verdict, tmp_path / name, **more) for name in ("once", "again")]
    assert pages[0] == pages[1]
    assert pages[0].keys() == {judgement.journey.id for judgement in verdict.journeys}
    last = shown(tmp_path, verdict, **more)["call-intake"][-1]
    assert [link["name"] for link in last["links"]] == ["Open trace", "General page: call-intake"]


def test_the_cause_its_rule_and_the_runner_up_are_said_and_can_be_filtered_by(tmp_path: Path) -> None:
    found_out = Triage(
        cause_class="data", rule="sentinel-missing", why="The sentinel <b>R-1</b> is [gone](http://x).", sure="high",
        runner_up="code", runner_up_why="The build changed.",
    )  # fmt: skip
    verdict = made_run.write(tmp_path)
    judgements = tuple(
        msgspec.structs.replace(judgement, triage=found_out) if judgement.outcome == "failed" else judgement
        for judgement in verdict.journeys
    )
    found = shown(tmp_path, msgspec.structs.replace(verdict, journeys=judgements))
    final = found["call-intake"][-1]
    assert final["description"].count("Likely cause: data") == 1
    assert (
        "(high confidence). The sentinel \\<b\\>R-1\\</b\\> is \\[gone\\](http://x). Rule: sentinel-missing."
        in final["description"]
    )
    assert "Next in line: code. The build changed." in final["description"]
    assert [label["value"] for label in final["labels"] if label["name"] == "cause"] == ["data"]
    assert "cause" not in {label["name"] for label in found["unit-status"][-1]["labels"]}


def test_what_the_error_says_is_not_said_again_as_its_cause(tmp_path: Path) -> None:
    failed = made_run.journeys()[-1]
    found_out = Triage(
        cause_class="unknown", rule="r", why=f"{failed.cause.rstrip('.')}; the page has link Exit.", sure="low",
        runner_up="code", runner_up_why=f"A rule broke. {failed.cause}",
    )  # fmt: skip
    judgement = msgspec.structs.replace(failed, triage=found_out)
    last = shown(tmp_path, made_run.write(tmp_path, (judgement,)))["call-intake"][-1]
    assert failed.cause.rstrip(".") not in last["description"]
    assert [last["description"].count(more) for more in ("link Exit", "A rule broke")] == [1, 1]


def test_a_killed_journey_is_written_from_the_records_with_its_evidence(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path)
    (tmp_path / TOLD_ALLURE / "main.jsonl").unlink()
    found = shown(tmp_path, verdict)
    made = found["call-intake"][-1]
    assert [part["name"] for part in made["steps"]][-1] == "the other board shows it"
    assert [kept["type"] for kept in made["attachments"]] == [TRACE_TYPE, "image/png", "text/plain"]
    for kept in made["attachments"]:
        assert (tmp_path / "shown" / kept["source"]).is_file()
    assert len(found) == 5


def test_what_was_cut_off_and_what_is_of_no_expected_journey_is_left_out_f60(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path)
    made_run.forget(tmp_path)
    stranger = made_run.verdict_of(made_run.journey("stranger", "Somebody else"), "passed")
    made_run.tell(tmp_path, stranger.results[0], worker="gw1")
    found = shown(tmp_path, verdict)
    assert "stranger" not in found
    first, last = found["call-intake"]
    assert first["start"] < last["start"]
    assert [first[name] for name in ("historyId", "fullName")] == [last[name] for name in ("historyId", "fullName")]
    assert last["attachments"]
