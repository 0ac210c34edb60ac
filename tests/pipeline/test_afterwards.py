"""After a run: what is slower than usual is degraded, one cause is one incident, and the right people hear once."""

from __future__ import annotations

import json
import random
import re
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin

import msgspec
import pytest
from made_site import publish
from msgspec.structs import replace

from synthprobe import loopback, pipeline
from synthprobe.config import Config, read_config
from synthprobe.project import Project
from synthprobe.records.evidence import Answer, Evidence, Facts
from synthprobe.records.journey import Journey
from synthprobe.records.result import Degradation, Failure, Result, Run, Step
from synthprobe.records.verdict import Verdict
from synthprobe.triage.fingerprint import fingerprint
from synthprobe.verdict.judge import judge_run

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12)
SIGN_IN = Journey(
    id="sign-in", node_id="journeys/test_a.py::test_a", title="Sign in", owner="front-desk", severity="critical"
)
SEARCH = Journey(id="search", node_id="journeys/test_b.py::test_b", title="Search", owner="records", severity="normal")
LOGGED_IN = Answer(by="api", method="POST", path="/door", status=200, step="log in", credentials="password")


class Heard:
    """What arrived at the channel and at the watcher."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: list[dict[str, str]] = []
        self.beats: list[str] = []
        self.told: list[str] = []


@pytest.fixture
def heard() -> Iterator[Heard]:
    class Handler(loopback.Handler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path.startswith("/beat"):
                found.told.append(body)
                found.beats.append(self.path.partition("?")[0].removeprefix("/beat").strip("/") or "success")
            else:
                found.messages.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Heard(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


class Runs:
    """Runs of a project, one every five minutes."""

    def __init__(self, root: Path, heard: Heard) -> None:
        (root / "synthprobe.toml").write_text(
            '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n[heartbeat]\nurl = "env:BEAT"\n'
            '[[alerts.routes]]\nname = "all"\nto = ["env:PAGER"]\n'
        )
        self.root = root
        self.config: Config = read_config(root, {})
        self.environ = {
            "PAGER": f"json://127.0.0.1:{heard.port}/pager",
            "BEAT": f"http://127.0.0.1:{heard.port}/beat",
        }
        self.number = 0
        self.evidence: tuple[Evidence, ...] = ()
        self.random = random.Random(7)

    def run(
        self,
        *,
        ms: float = 480.0,
        failing: tuple[Journey, ...] = (),
        message: str = "503",
        expected: int = 2,
        skipped: str = "",
        reference_ms: float = 10.0,
        weak: tuple[Degradation, ...] = (),
        answers: tuple[Answer, ...] = (LOGGED_IN,),
        page_errors: tuple[str, ...] = (),
        step: str = "log in",
        at: datetime | None = None,
    ) -> Verdict:
        by_schedule = START + timedelta(minutes=5 * self.number)
        at = at or by_schedule
        self.number += 1
        run = Run(
            id=f"run-{self.number:03}",
            target="demo",
            base_url="http://127.0.0.1:9",
            slot=self.number + round((at - by_schedule).total_seconds() / 300),
            started_at=at,
            scheduled=True,
            location=self.config.location,
            reference_ms=reference_ms * (1 + self.random.gauss(0, 0.04)),
        )
        results = []
        for journey in (SIGN_IN, SEARCH)[:expected]:
            seconds = ms / 1000 * (1 + self.random.gauss(0, 0.04))
            words = message.format(title=journey.title)
            failure = Failure(kind="expectation", ours=False, message=words, detail="", step=step)
            broken = journey in failing
            results.append(
                Result(
                    run_id=run.id,
                    target="demo",
                    journey=journey,
                    attempt=1,
                    outcome="skipped" if skipped else "failed" if broken else "degraded" if weak else "passed",
                    started_at=at,
                    duration_s=seconds,
                    cause=skipped or (words if broken else weak[0].sentence if weak else ""),
                    degradations=weak,
                    steps=(
                        Step(title=step, status="failed" if broken else "passed", started_at=at, duration_s=seconds),
                    ),
                    failure=failure if broken else None,
                    evidence=self.evidence if broken else (),
                    facts=Facts(
                        answers=tuple(replace(a, status=401) if broken and a is LOGGED_IN else a for a in answers),
                        page_errors=page_errors,
                    ),
                    backend_trace=f"https://traces.example/{run.id}" if broken else "",
                )
            )
        folder = self.root / ".synthprobe" / "runs" / "demo" / run.id
        folder.mkdir(parents=True)
        for kept in self.evidence:
            (folder / kept.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / kept.path).write_bytes(b"PK\5\6" + bytes(18))
        verdict = judge_run(run, (SIGN_IN, SEARCH), results, at)
        pipeline.write_verdict(folder, verdict)
        done = pipeline.after_run(Project(self.root, self.config, self.environ), folder, verdict)
        assert msgspec.json.decode((folder / "verdict.json").read_bytes(), type=Verdict) == done
        return done

    def incidents(self, state: str | None = None):
        with pipeline.open_history(Project(self.root, self.config, {})) as history:
            return [incident for incident in history.incidents("demo") if state in {None, incident.state}]


@pytest.fixture
def project(tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> Runs:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))  # the spare folder is the project's own
    return Runs(tmp_path, heard)


def test_a_step_that_doubles_is_degraded_with_the_figures_and_well_again_later(project, heard):
    for _ in range(40):
        assert {judgement.outcome for judgement in project.run().journeys} == {"passed"}
    outcomes = [project.run(ms=1008).journeys[0] for _ in range(3)]
    last = outcomes[-1]
    assert last.outcome == "degraded", [judgement.outcome for judgement in outcomes]
    assert "log in takes 2.1 × its usual 4" in last.cause
    assert "The least this step can show is" in last.cause
    assert last.degradations[0].kind == "above baseline"
    assert "newest run" not in last.cause
    assert re.match(
        r'Ticket demo: Search \(\+1 journey\): "log in" 4\d\d → 1\d\d\d ms · since', heard.messages[0]["title"]
    ), heard.messages
    cause = project.run().journeys[0].cause
    assert "log in takes 2.1 × its usual 4" in cause
    assert re.search(r"The newest run took 4\d\d ms; it is called well again after several such runs in a row", cause)
    for _ in range(8):
        verdict = project.run()
    assert {judgement.outcome for judgement in verdict.journeys} == {"passed"}


OVER = Degradation(kind="over budget", step="log in", message='"log in" took 1.9 s, its budget is 1 s.')
STALE = Degradation(kind="stale", step="log in", message="The newest position is 9 minutes old.")


def test_a_slow_probe_is_said_and_nobody_hears_of_the_target(project, heard):
    for _ in range(40):
        project.run()
    slow = [project.run(ms=1920, reference_ms=40, weak=(OVER,)) for _ in range(4)]
    assert all("Probe suspected: the machine it stands on took" in " ".join(verdict.notes) for verdict in slow)
    assert {judgement.outcome for verdict in slow for judgement in verdict.journeys} == {"passed"}
    assert (heard.messages, project.incidents()) == ([], [])
    stale = project.run(ms=1920, reference_ms=40, weak=(OVER, STALE))
    assert {(judgement.outcome, judgement.cause) for judgement in stale.journeys} == {("degraded", STALE.sentence)}
    assert {judgement.outcome for judgement in project.run(ms=1920, weak=(OVER,)).journeys} == {"degraded"}


def test_which_of_the_three_and_how_sure_is_said_and_makes_no_other_incident(project, heard):
    project.run()
    causes = [project.run(weak=(OVER,)).journeys[0].cause]
    longer = replace(OVER, message='"log in" took 1.04 s, its budget is 1 s.')
    causes += [project.run(weak=(degradation,)).journeys[0].cause for degradation in (longer, OVER)]
    assert causes == [
        f"over budget (measured): {OVER.message}",
        f"over budget (measured in 2 runs in a row): {longer.message}",
        f"over budget (measured in 3 runs in a row): {OVER.message}",
    ]
    (incident,) = project.incidents("open")
    journey, *_ = incident.journeys
    assert incident.fingerprint == fingerprint(journey, "log in", "over budget", OVER.message)
    assert incident.occurrences == 3
    assert "other words" not in " ".join(event.text for event in incident.events)
    assert heard.messages[0]["title"].startswith('Ticket demo: Search (+1 journey): "log in" took 1.9 s, its budget is')
    for _ in range(40):
        project.run()
    slow = [project.run(ms=1008).journeys[0] for _ in range(3)][-1]
    assert slow.cause.startswith(
        "above baseline (at most one false alarm in 10,000 runs): log in takes 2.1 × its usual 4"
    )


def test_the_probes_own_task_is_no_step_of_the_target(project):
    project.run()
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        assert ("synthprobe:reference-task", "") in history.detector_states("demo")
        assert set(history.steps("demo")) == {"sign-in", "search"}


def test_a_slowdown_nobody_feels_is_not_degraded(project):
    for _ in range(40):
        project.run(ms=8)
    assert {judgement.outcome for _ in range(4) for judgement in project.run(ms=24).journeys} == {"passed"}


def test_one_cause_is_one_incident_told_once_and_its_end_as_well(project, heard):
    for _ in range(3):
        project.run()
    for _ in range(3):
        verdict = project.run(failing=(SIGN_IN, SEARCH))
    (incident,) = project.incidents("open")
    assert {*incident.journeys, *incident.blocked} == {"sign-in", "search"}
    assert (incident.severity, incident.owner) == ("critical", "front-desk")
    assert incident.triage is not None
    assert {judgement.incident for judgement in verdict.journeys} == {incident.id}
    (begun,) = (project.root / ".synthprobe" / "runs" / "demo").glob(f"*{verdict.run.id}/drafts/*.md")
    assert incident.id.lower() in begun.name
    assert incident.fingerprint in begun.read_text(), "what no page knows has a runbook that is begun"
    assert len(heard.messages) == 1
    assert heard.messages[0]["title"].startswith("PAGE demo: Search: 503 · since"), heard.messages[0]
    for _ in range(3):
        project.run()
    assert project.incidents("open") == []
    assert len(heard.messages) == 2
    assert "Over" in heard.messages[1]["title"]


def test_what_also_happens_where_they_pass_makes_no_one_cause_of_two_failures(project):
    usual = Answer(by="api", method="GET", path="/ads", status=403, step="list")
    project.run(step="list", answers=(usual,))
    broken = {"step": "list", "failing": (SIGN_IN, SEARCH), "message": "{title} shows nothing"}
    project.run(answers=(usual,), **broken)
    assert sorted(incident.journeys for incident in project.incidents("open")) == [("search",), ("sign-in",)]
    project.run(step="list", answers=(usual,))
    project.run(answers=(usual, replace(usual, path="/door")), **broken | {"message": "{title} is closed"})
    assert ("search", "sign-in") in [incident.journeys for incident in project.incidents("open")]


def test_a_refusal_that_is_new_is_told_although_journeys_that_pass_meet_it_too(project):
    met = Answer(by="page", method="GET", path="/board", status=401, step="list", resource="fetch")
    new = replace(met, path="/rows", status=403)

    def why(*answers):
        verdict = project.run(step="list", failing=(SIGN_IN,), message="{title} shows nothing", answers=answers)
        (judgement,) = [judgement for judgement in verdict.journeys if judgement.outcome == "failed"]
        assert judgement.triage.cause_class == "unknown", "what passes meets it, too"
        return judgement.triage.why

    assert "/rows" not in why(met, new), "nothing is known of earlier runs"
    project.run(step="list", answers=())
    project.run(step="list", answers=(met,))
    found = why(met, new)
    assert "GET /rows was answered 403; journeys that pass meet it, too" in found
    assert "/board" not in found, "a page that asks before its log-in"
    project.run(step="list", answers=(met, new))
    assert "/rows" not in why(met, new), "it is not new any more"


def test_an_error_that_pages_also_throw_where_they_pass_makes_no_one_cause_of_two_failures(project):
    thrown = "TypeError: no part 17 of undefined"
    project.run(step="list", page_errors=(thrown,))
    broken = {"step": "list", "failing": (SIGN_IN, SEARCH), "message": "{title} shows nothing"}
    verdict = project.run(page_errors=(thrown.replace("17", "2"),), **broken)
    assert sorted(incident.journeys for incident in project.incidents("open")) == [("search",), ("sign-in",)]
    assert not any("part" in judgement.triage.why for judgement in verdict.journeys)
    project.run(step="list", page_errors=(thrown,))
    project.run(page_errors=(thrown, "TypeError: the list is null"), **broken | {"message": "{title} is empty"})
    assert ("search", "sign-in") in [incident.journeys for incident in project.incidents("open")]


def test_the_alert_leads_to_the_report_and_to_the_trace_that_is_published(project, heard, tmp_path):
    with (tmp_path / "synthprobe.toml").open("a") as toml:
        toml.write('[report]\nsite_url = "https://site.example/watch/"\n')
    project.config = read_config(tmp_path, {})
    project.environ |= {
        "GITHUB_SERVER_URL": "https://forge.example",
        "GITHUB_REPOSITORY": "ops/watch",
        "GITHUB_RUN_ID": "7",
    }
    trace = "evidence/sign in/1/trace.zip"
    project.evidence = (Evidence(kind="trace", title="trace", media_type="application/zip", path=trace),)
    project.run(failing=(SIGN_IN,))
    lines = dict(line.split(": ", 1) for line in heard.messages[0]["message"].splitlines())
    (incident,) = project.incidents()
    assert lines["Report"] == f"https://site.example/watch/index.html#incident-{incident.id}"
    assert lines["Job"] == "https://forge.example/ops/watch/actions/runs/7"
    assert lines["Backend trace"] == "https://traces.example/run-001"
    viewer = "https://site.example/watch/trace-viewer/index.html?trace="
    assert lines["Trace"].startswith(viewer)
    (run,) = (tmp_path / ".synthprobe" / "runs" / "demo").iterdir()
    assert lines["Evidence also in"] == run.relative_to(tmp_path).as_posix()
    site = tmp_path / "site"
    publish([run], site)
    assert f'id="incident-{incident.id}"' in (site / "index.html").read_text()
    opened = urljoin("https://site.example/watch/trace-viewer/", unquote(lines["Trace"].removeprefix(viewer)))
    published = site / unquote(opened.removeprefix("https://site.example/watch/"))
    assert published.read_bytes() == (run / trace).read_bytes()


def test_the_watcher_hears_that_the_slot_was_judged_not_that_the_target_is_well(project, heard):
    project.run(failing=(SIGN_IN,))
    assert heard.beats == ["success"]
    project.run(expected=1)
    assert heard.beats == ["success", "fail"]


def test_a_run_that_policy_kept_from_looking_tells_the_watcher_neither_success_nor_failure_f72(project, heard):
    project.run(skipped="The kill switch is on.")
    assert heard.beats == ["log"]
    assert heard.told == ["Every journey was skipped. The kill switch is on."]


def test_a_history_that_cannot_be_used_costs_a_note_and_nothing_else(project):
    project.run()
    database = project.root / ".synthprobe" / "history.db"
    for path in database.parent.glob("history.db*"):
        path.unlink()
    database.mkdir()
    verdict = project.run(failing=(SIGN_IN,))
    assert [judgement.outcome for judgement in verdict.journeys] == ["failed", "passed"]
    assert verdict.journeys[0].triage is not None
    assert verdict.notes


def test_mutes_that_cannot_be_read_silence_nobody(project, heard):
    (project.root / "mutes.toml").write_text("no table")
    assert any("mutes.toml cannot be used" in note for note in project.run(failing=(SIGN_IN,)).notes)
    assert len(heard.messages) == 1
    assert heard.beats == ["success"]


def test_a_budget_that_begins_to_be_used_too_fast_is_said_once_and_again_after_it_was_well(project):
    notes_by_run = [
        [note for note in project.run(failing=failing, expected=1).notes if "error budget" in note]
        for failing in [(), (SIGN_IN,), (), (SIGN_IN,), (SIGN_IN,), (), (SIGN_IN,)]
    ]
    assert [len(notes) for notes in notes_by_run] == [0, 0, 0, 1, 0, 0, 0]
    assert notes_by_run[3] == [
        "Sign in: The error budget is used 14.4 × too fast or faster: 2 of the last 12 slots (1 h) were bad, "
        "2 are too many."
    ]


def test_an_objective_that_makes_no_sense_costs_a_note_and_nothing_else(project):
    toml = project.root / "synthprobe.toml"
    toml.write_text(toml.read_text() + "[objectives.default]\npercent = 100\n")
    project.config = read_config(project.root, {})
    done = project.run(failing=(SIGN_IN,))
    assert [note for note in done.notes if "above 0 and under 100" in note]
    assert [incident.journeys for incident in project.incidents("open")] == [("sign-in",)]
