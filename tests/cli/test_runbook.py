"""``synthprobe runbook`` on a recorded run."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from synthprobe import pipeline
from synthprobe.cli.main import app
from synthprobe.config import read_config
from synthprobe.errors import SynthprobeError
from synthprobe.model.evidence import Facts
from synthprobe.model.journey import Journey
from synthprobe.model.result import Failure, Result, Run

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks")
    shutil.copytree(ROOT / "journeys", tmp_path / "journeys")
    shutil.copytree(ROOT / "fixes", tmp_path / "fixes")
    (tmp_path / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:9"\n')
    folder = tmp_path / ".synthprobe" / "runs" / "demo" / "1-a"
    (folder / "journal").mkdir(parents=True)
    run = Run(id="a", target="demo", base_url="http://127.0.0.1:9", slot=1, started_at=NOW)
    dead, odd, fine = (
        Journey(id=id, node_id=id, title=id, runbook=id, owner="desk")
        for id in ("call-intake", "unit-status", "live-board")
    )
    lines = [
        _result(dead, "timeout", "Locator.click: Timeout", Facts(page_errors=("ReferenceError: q is not defined",))),
        _result(odd, "expectation", "something nobody has seen", Facts()),
        msgspec.structs.replace(_result(fine, "", "", None), outcome="passed", failure=None, cause=""),
    ]
    (folder / "run.json").write_bytes(msgspec.json.encode(run))
    (folder / "inventory.json").write_bytes(msgspec.json.encode([dead, odd, fine]))
    (folder / "journal" / "main.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


def _result(journey, kind, message, facts):
    return Result(
        run_id="a",
        target="demo",
        journey=journey,
        attempt=1,
        outcome="failed",
        cause=message,
        started_at=NOW,
        duration_s=1.0,
        failure=Failure(kind=kind, ours=False, message=message, detail="", step="press the button"),
        facts=facts,
    )


def call(*words):
    return CliRunner().invoke(app, ["runbook", *words])


def test_match_says_which_page_why_and_what_was_next(project):
    done = call("match")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "dead-button" in said
    assert "level 3: Its labels hold: rule is script-error." in said
    assert "A script of the page broke: ReferenceError: q is not defined" in said
    assert "call-intake: It is the default page of call-intake" in said
    assert "level 5: It is the default page of unit-status" in said
    assert "unknown (nothing-fits" in said
    assert "live-board" not in said


def test_looking_for_a_page_leaves_what_was_judged_as_it_is(project):
    folder = next((project / ".synthprobe" / "runs" / "demo").iterdir())
    pipeline.explain_run(project, read_config(project), folder, pipeline.judge(folder))
    judged = (folder / "verdict.json").read_bytes()
    assert b"script-error" in judged
    call("match")
    call("outcome", "none", "helped")
    assert (folder / "verdict.json").read_bytes() == judged


def test_a_recorded_incident_becomes_a_draft_and_its_outcome_is_noted(project):
    from synthprobe.cli.runbook import incidents

    incident = next(one for one in incidents(project) if one.journeys == ("unit-status",))
    done = call("new", incident.fingerprint)
    assert done.exit_code == 0, done.output
    (path,) = (project / "runbooks").glob("unit-status-*.md")
    assert "something nobody has seen" in path.read_text()
    again = call("new", incident.id)
    assert isinstance(again.exception, SynthprobeError)
    done = call("outcome", incident.id, "missing", "--by", "first-line")
    assert "runbook new" in done.output
    noted = next(one for one in incidents(project) if one.id == incident.id)
    assert (noted.runbook_outcome, noted.events[-1].role) == ("missing", "first-line")


def test_lint_fails_for_one_wrong_page_and_names_it(project):
    (project / "runbooks" / "dead-button.md").write_text("nothing")
    assert "dead-button.md:1:" in str(call("lint").exception)
    (project / "runbooks" / "dead-button.md").unlink()
    page = project / "runbooks" / "login-slow.md"
    page.write_text(page.read_text().replace("## Verify", "## Proof"))
    done = call("lint")
    assert done.exit_code == 1
    assert 'runbooks/login-slow.md:20: The section "## Verify" is missing.' in done.output


def test_lint_knows_the_fixes_of_the_project(project):
    page = project / "runbooks" / "account-locked.md"
    assert call("lint").exit_code == 0
    page.write_text(page.read_text().replace("fix: unlock-account", "fix: unlock-everybody"))
    done = call("lint")
    assert done.exit_code == 1
    assert "There is no fix 'unlock-everybody'. See: synthprobe fix list." in done.output
    shutil.rmtree(project / "fixes")
    assert "There is no fix 'unlock-everybody'." in call("lint").output, "a project without fixes has none"


def test_lint_knows_the_journeys_that_commands_name_in_classes_as_well(project):
    (project / "journeys" / "test_more.py").write_text(
        "class TestBoard:\n    def test_it(self):\n        pass\n\nasync def test_later():\n    pass\n"
    )
    page = project / "runbooks" / "login-slow.md"
    known, text = "journeys/dispatch/test_live_board.py::test_a_dispatcher_sees_a_live_board", page.read_text()
    assert known in text
    for name in ("TestBoard::test_it", "TestBoard", "test_later"):
        page.write_text(text.replace(known, f"journeys/test_more.py::{name}"))
        assert call("lint").exit_code == 0, name
    page.write_text(text.replace(known, "journeys/test_more.py::test_it"))
    done = call("lint")
    assert done.exit_code == 1
    assert "There is no journey 'journeys/test_more.py::test_it'." in done.output


def test_pages_lie_where_the_configuration_says(project):
    (project / "runbooks").rename(project / "pages")
    settings = project / "synthprobe.toml"
    settings.write_text(f'runbooks = "pages"\n{settings.read_text()}')
    assert "A button does nothing" in call("show", "dead-button").output
    assert "There is no runbook" not in str(call("lint").exception)


def test_show_renders_a_page_and_a_wrong_id_names_the_nearest(project):
    done = call("show", "dead-button")
    assert done.exit_code == 0
    assert "A button does nothing" in done.output
    assert "curl" in done.output
    assert "synthprobe fix plan unlock-account --incident INCIDENT" in call("show", "account-locked").output
    assert "Did you mean dead-button" in str(call("show", "dead-buton").exception)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("new", "v1:none"), "No incident v1:none is recorded."),
        (("outcome", "none", "helped"), "No incident none is recorded."),
        (("outcome", "none", "fine"), "'fine' is no outcome."),
    ],
)
def test_what_cannot_be_done_is_a_sentence(project, words, says):
    assert says in str(call(*words).exception)
