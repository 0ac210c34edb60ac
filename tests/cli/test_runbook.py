"""``synthprobe runbook`` on a recorded run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from synthprobe import pipeline
from synthprobe.cli.lookup import known_incidents
from synthprobe.cli.main import app
from synthprobe.errors import SynthprobeError
from synthprobe.firstline.score_set import marks
from synthprobe.project import Project
from synthprobe.records.evidence import Facts
from synthprobe.records.journey import Journey
from synthprobe.records.result import Failure, Result, Run, Step

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
        _result(
            dead,
            "timeout",
            "Locator.click: Timeout",
            Facts(page_errors=("ReferenceError: intakeQueue is not defined",)),
        ),
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
        steps=(Step(title="press the button", status="failed", started_at=NOW, duration_s=1.0),),
    )


def call(*words):
    return CliRunner().invoke(app, ["runbook", *words])


def checked():
    return CliRunner().invoke(app, ["doctor", "runbooks"])


def noted(id, *words):
    return CliRunner().invoke(app, ["incident", "note", id, *words])


def test_match_says_which_page_why_and_what_was_next(project):
    done = call("match")
    assert done.exit_code == 0, done.output
    output = " ".join(done.output.split())
    assert "dead-button" in output
    assert (
        "why It knows this failure: rule is script-error, journey is call-*, the message holds /intakeQueue" in output
    )
    assert "target demo incident " in output
    assert "A script of the page broke: ReferenceError: intakeQueue is not defined" in output
    assert "next call-intake: General page for call-intake." in output
    assert "general unit-status why General page for unit-status. No runbook knows this failure." in output
    assert "unknown (nothing-fits" in output
    assert "live-board" not in output


def test_looking_for_a_page_leaves_what_was_judged_as_it_is(project):
    folder = next((project / ".synthprobe" / "runs" / "demo").iterdir())
    pipeline.explain_run(Project.at(project), folder, pipeline.judge(folder))
    judged = (folder / "verdict.json").read_bytes()
    assert b"script-error" in judged
    call("match")
    noted("none", "--runbook", "helped")
    assert (folder / "verdict.json").read_bytes() == judged


def test_a_recorded_incident_becomes_a_draft_and_its_outcome_is_noted(project):
    incident = next(
        known_incident
        for known_incident in known_incidents(Project.at(project))
        if known_incident.journeys == ("unit-status",)
    )
    done = call("new", incident.fingerprint)
    assert done.exit_code == 0, done.output
    (path,) = (project / "runbooks").glob("unit-status-*.md")
    assert "something nobody has seen" in path.read_text()
    again = call("new", incident.id)
    assert isinstance(again.exception, SynthprobeError)
    done = noted(incident.id, "--runbook", "missing", "--by", "first-line")
    assert "runbook new" in done.output
    found = next(
        known_incident for known_incident in known_incidents(Project.at(project)) if known_incident.id == incident.id
    )
    assert (found.runbook_outcome, found.events[-1].role) == ("missing", "first-line")
    assert [(mark.runbook, mark.worth) for mark in marks([found])] == [(found.runbook, "missing")]


def test_lint_fails_for_one_wrong_page_and_names_it(project):
    page = project / "runbooks" / "login-slow.md"
    page.write_text(page.read_text().replace("## Verify", "## Proof"))
    done = checked()
    assert done.exit_code == 1
    assert 'runbooks/login-slow.md:18: The section "## Verify" is missing.' in done.output


def test_bad_pages_are_left_out_with_a_sentence_and_the_others_are_used(project):
    bad = project / "runbooks" / "search-cached.md"
    bad.write_text(bad.read_text().replace("audience: first-line", "audience: x"))
    (project / "runbooks" / "login-slow.md").write_bytes(b"\xff\xfe")
    done = checked()
    assert done.exit_code == 1
    assert "wrong    runbooks: runbooks/search-cached.md:5: the front matter cannot be used" in done.output
    assert "wrong    runbooks: runbooks/login-slow.md cannot be read" in done.output
    shown = call("show", "dead-button")
    assert "A button does nothing" in shown.output
    assert "left out: runbooks/login-slow.md cannot be read" in shown.output
    folder = next((project / ".synthprobe" / "runs" / "demo").iterdir())
    for judged in (
        pipeline.after_run(Project.at(project), folder, pipeline.judge(folder)),
        pipeline.explain_run(Project.at(project), folder, pipeline.judge(folder)),
    ):
        assert [journey.runbook for journey in judged.journeys] == ["dead-button", "", ""]
        assert [journey.general for journey in judged.journeys] == ["", "unit-status", ""]
        assert sum("runbooks/search-cached.md:5:" in note for note in judged.notes) == 1
    (begun,) = (folder / "drafts").iterdir()
    assert begun.name.startswith("unit-status-"), "what a page knows needs none, nor does a fault of the probe"


def test_lint_lists_what_is_wrong_with_the_snoozes_beside_the_rest(project):
    (project / "runbooks" / "snoozes.yaml").write_text(
        "- {what: a, rule: coverage, until: 2026-13-45, why: x, owner: y}\n"
    )
    done = checked()
    assert done.exit_code == 1
    assert "wrong    runbooks: runbooks/snoozes.yaml cannot be read: month must be in 1..12" in done.output


def test_journeys_without_an_id_need_a_page_as_well(project):
    (project / "journeys" / "test_more.py").write_text(
        "import pytest\n\ndef test_plain():\n    pass\n\n"
        "@pytest.mark.journey(owner='desk')\ndef test_owned():\n    pass\n"
        "\n@pytest.mark.journey(runbook='nowhere-page')\ndef test_lost():\n    pass\n"
    )
    done = checked()
    assert done.exit_code == 1
    for name in ("plain", "owned"):
        assert f"The journey 'journeys/test_more.test_{name}' names no runbook." in done.output
    assert "The journey 'journeys/test_more.test_lost' names the runbook 'nowhere-page'" in done.output
    (project / "journeys" / "test_more.py").write_text("def test_broken(:\n")
    assert "pytest cannot collect the journeys" in str(checked().exception)


def test_a_page_that_did_not_help_twice_in_a_row_is_stale_until_it_is_rewritten(project):
    incident = next(
        known_incident
        for known_incident in known_incidents(Project.at(project))
        if known_incident.journeys == ("call-intake",)
    )
    assert noted(incident.id, "--runbook", "outdated").exit_code == 0
    assert checked().exit_code == 0
    assert noted(incident.id, "--runbook", "outdated").exit_code == 0
    done = checked()
    assert done.exit_code == 1
    assert "runbooks/dead-button.md:1: It did not help twice in a row: outdated on " in done.output
    assert noted(incident.id, "--runbook", "helped").exit_code == 0
    assert checked().exit_code == 0
    noted(incident.id, "--runbook", "outdated"), noted(incident.id, "--runbook", "missing")
    assert checked().exit_code == 1
    git(project, "init")
    git(project, "add", "runbooks")
    git(project, "commit", when="2027-06-01T00:00:00Z")
    assert checked().exit_code == 0, "it was rewritten since"


def test_a_test_that_a_page_names_and_that_changed_since_the_drill_makes_it_stale(project):
    git(project, "init")
    git(project, "add", ".")
    git(project, "commit")
    revision = git(project, "rev-parse", "--short=12", "HEAD")
    page = project / "runbooks" / "login-slow.md"
    page.write_text(re.sub(r"revision: .*}", f'revision: "{revision}-dirty"}}', page.read_text()))
    journeys = project / "journeys" / "dispatch" / "test_live_board.py"
    written = journeys.read_text()
    journeys.write_text(written + "\n\nUNNAMED = 1\n")
    assert checked().exit_code == 0, "what it does not name may change"
    journeys.write_text(
        re.sub(r"(def test_a_dispatcher_sees_a_live_board\(.*?:\n)", r"\1    assert True\n", written, flags=re.S)
    )
    done = checked()
    assert done.exit_code == 1
    named = "journeys/dispatch/test_live_board.py::test_a_dispatcher_sees_a_live_board"
    assert f"runbooks/login-slow.md:1: {named}, which it names, changed since the last drill" in done.output
    page.write_text(page.read_text().replace(revision, "0123456789ab"))
    assert checked().exit_code == 0, "git does not know that revision"


def git(folder, *words, when="2026-01-01T00:00:00Z"):
    command = ["git", "-c", "user.name=desk", "-c", "user.email=desk@example.org", *words]
    if words[0] == "commit":
        command += ["-q", "-m", "pages"]
    environ = {**os.environ, "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_draft_is_not_chosen_before_it_is_finished(project):
    before = call("match").output
    incident = next(
        known_incident
        for known_incident in known_incidents(Project.at(project))
        if known_incident.journeys == ("unit-status",)
    )
    assert call("new", incident.fingerprint).exit_code == 0
    assert call("match").output == before
    done = checked()
    assert done.exit_code == 1
    assert "so the page matches no failure and covers nothing" in done.output


def test_a_draft_of_what_is_over_is_filled_from_the_run_that_saw_it_last(project):
    runs = project / ".synthprobe" / "runs" / "demo"
    folder = runs / "1-a"
    verdict = pipeline.explain_run(Project.at(project), folder, pipeline.judge(folder))
    incident = next(
        known_incident
        for known_incident in known_incidents(Project.at(project))
        if known_incident.journeys == ("unit-status",)
    )
    incident = msgspec.structs.replace(incident, first_seen_at=NOW, last_seen_at=NOW, state="resolved", resolved_at=NOW)
    with pipeline.open_history(Project.at(project)) as history:
        history.put_incident(incident)
    green = msgspec.structs.replace(
        verdict,
        run=msgspec.structs.replace(verdict.run, id="b", started_at=NOW + timedelta(hours=1)),
        journeys=tuple(
            msgspec.structs.replace(
                each,
                outcome="passed",
                results=tuple(msgspec.structs.replace(r, outcome="passed", failure=None) for r in each.results),
            )
            for each in verdict.journeys
        ),
    )
    (runs / "2-b").mkdir()
    (runs / "2-b" / "run.json").write_bytes(msgspec.json.encode(green.run))
    (runs / "2-b" / "verdict.json").write_bytes(msgspec.json.encode(green))
    assert call("new", incident.id).exit_code == 0
    (path,) = (project / "runbooks").glob("unit-status-*.md")
    assert "- `press the button`: 1.0 s (broken)" in path.read_text()


def test_lint_knows_the_fixes_of_the_project(project):
    page = project / "runbooks" / "account-locked.md"
    assert checked().exit_code == 0
    page.write_text(page.read_text().replace("fix: unlock-account", "fix: unlock-everybody"))
    done = checked()
    assert done.exit_code == 1
    assert "There is no fix 'unlock-everybody'. See: synthprobe fix plan." in done.output
    shutil.rmtree(project / "fixes")
    assert "There is no fix 'unlock-everybody'." in checked().output, "a project without fixes has none"


def test_lint_knows_the_journeys_that_commands_name_in_classes_as_well(project):
    (project / "journeys" / "test_more.py").write_text(
        "import pytest\npytestmark = pytest.mark.journey(runbook='call-intake')\n\n"
        "class TestBoard:\n    def test_it(self):\n        pass\n\nasync def test_later():\n    pass\n"
    )
    page = project / "runbooks" / "login-slow.md"
    known, text = "journeys/dispatch/test_live_board.py::test_a_dispatcher_sees_a_live_board", page.read_text()
    assert known in text
    for name in ("TestBoard::test_it", "TestBoard", "test_later"):
        page.write_text(text.replace(known, f"journeys/test_more.py::{name}"))
        assert checked().exit_code == 0, name
    page.write_text(text.replace(known, "journeys/test_more.py::test_it"))
    done = checked()
    assert done.exit_code == 1
    assert "There is no journey 'journeys/test_more.py::test_it'." in done.output


def test_pages_lie_where_the_configuration_says(project):
    (project / "runbooks").rename(project / "pages")
    settings = project / "synthprobe.toml"
    settings.write_text(f'runbooks = "pages"\n{settings.read_text()}')
    assert "A button does nothing" in call("show", "dead-button").output
    assert "There is no runbook" not in str(checked().exception)


def test_show_renders_a_page_and_a_wrong_id_names_the_nearest(project):
    done = call("show", "dead-button")
    assert done.exit_code == 0
    assert "A button does nothing" in done.output
    assert "synthprobe http GET" in done.output
    output = call("show", "account-locked").output
    first, second = output.split("\n\n")[1].splitlines()
    assert "The commands need $BASE_URL" in first
    assert "How to get them: runbooks/README.md" in second
    assert output.index("synthprobe fix plan unlock-account --incident INCIDENT") < output.index("By hand, only when")
    assert "synthprobe fix apply unlock-account --incident INCIDENT --by ROLE --really" in output
    assert "Did you mean 'dead-button'" in str(call("show", "dead-buton").exception)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("runbook", "new", "v1:none"), "No incident v1:none is recorded."),
        (("incident", "note", "none", "--runbook", "helped"), "No incident none is recorded."),
        (("incident", "note", "none"), "There is nothing to write down."),
        (("incident", "note", "none", "--runbook", "helped", "--user"), "are two notes"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(project, words, says):
    assert says in str(CliRunner().invoke(app, words).exception)
