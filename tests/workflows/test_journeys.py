"""The steps of journeys.yml, as written, do in a shell what they promise."""

import os
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from synthprobe.alerts.outbox import Outbox
from synthprobe.history.store import History
from synthprobe.records.journey import Journey
from synthprobe.records.result import Run
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.job_page import write_output

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted([*(ROOT / ".github" / "workflows").glob("*.yml"), *ROOT.glob("src/**/workflows/*.yml")])


def job(path: Path) -> dict:
    (found,) = yaml.safe_load(path.read_text())["jobs"].values()
    return found


OURS, WRITTEN = (
    ROOT / ".github/workflows/journeys.yml",
    ROOT / "src/synthprobe/cli/scaffold/github/workflows/journeys.yml",
)


def test_the_repository_runs_what_init_writes_and_installs_itself():
    def around(path: Path) -> tuple[str, str]:
        head, _, rest = path.read_text().partition("        id: install\n")
        return head, rest[rest.index("      - name: Unpack the history") :]

    assert around(OURS) == around(WRITTEN)
    assert "make setup" in OURS.read_text()


LOOKS = """
import os

def test_stays(api):
    api.get("/healthz").expect(200)

if "GONE" not in os.environ:
    def test_goes(api):
        api.get("/healthz").expect(200)
"""


class Runners:
    """Machines that each do one job of a workflow, and remember only what its caches carry."""

    def __init__(self, workflow: Path, checkout: Path, top: Path, environ: dict[str, str]) -> None:
        steps = job(workflow)["steps"]
        self.commands = {step["name"]: step["run"] for step in steps if "run" in step}
        self.carried = {
            path
            for step in steps
            if step.get("uses", "").startswith("actions/cache/restore@")
            for path in step["with"]["path"].split()
        }
        self.checkout, self.top, self.last, self.environ = checkout, top, checkout, environ

    def run(self, slot: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.steps("Unpack the history", "Run", "Pack the history", SLOT=slot, **environ)["Run"]

    def steps(self, *names: str, **environ: str) -> dict[str, subprocess.CompletedProcess[str]]:
        """A new machine does these steps of the job; all but the run must end well."""
        here = self.top / f"runner {len(list(self.top.glob('runner *')))}"
        shutil.copytree(self.checkout, here)
        (here / ".venv").symlink_to(ROOT / ".venv")
        for path in self.carried:
            if (self.last / path).is_dir():
                shutil.copytree(self.last / path, here / path)
            elif (self.last / path).exists():
                shutil.copy(self.last / path, here / path)
        self.last = here
        environ = {**os.environ, **self.environ, "TARGET": "demo", "COLUMNS": "200", **environ}
        done = {}
        for name in names:
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self.commands[name]]
            done[name] = subprocess.run(
                command, cwd=here, env=environ, capture_output=True, text=True, timeout=250, check=False
            )
            assert name == "Run" or done[name].returncode == 0, f"{name}: {done[name].stdout}{done[name].stderr}"
        return done


def test_a_runner_that_forgets_knows_judged_slots_and_lost_journeys_f47(tmp_path, new_project, centre, shell_environ):
    (tmp_path / "checkout").mkdir()
    made = new_project(tmp_path / "checkout")
    made.configure(centre.url)
    settings = made.root / "synthprobe.toml"
    settings.write_text("interval_s = 86400\n" + settings.read_text())
    made.journeys(LOOKS)
    runners = Runners(WRITTEN, made.root, tmp_path, shell_environ)
    first = runners.run("now")
    assert first.returncode == 0, first.stdout + first.stderr
    second = runners.run("now")
    assert (second.returncode, "already judged. Nothing was run." in second.stdout) == (0, True), second.stdout
    third = runners.run(str(int(time.time()) // 86400 + 1), GONE="yes")
    assert (third.returncode, "It was not collected, although" in third.stdout) == (3, True), third.stdout


BROKEN = """
def test_is_broken(api):
    api.get("/not-there").expect(200)
"""


def test_with_a_url_the_runs_go_on_and_a_verdict_that_waits_outlives_its_runner(
    tmp_path, new_project, centre, shell_environ
):
    (tmp_path / "checkout").mkdir()
    made = new_project(tmp_path / "checkout")
    made.configure(centre.url)
    with (made.root / "synthprobe.toml").open("a") as settings:
        settings.write('[history]\nurl = "env:HISTORY"\n[[alerts.routes]]\nname = "all"\nto = ["env:PAGER"]\n')
    settings = made.root / "synthprobe.toml"
    settings.write_text("interval_s = 86400\nsecond_attempt_delay_s = 0\n" + settings.read_text())
    made.journeys(BROKEN)
    runners = Runners(WRITTEN, made.root, tmp_path, shell_environ)
    pager = "json://127.0.0.1:1/nobody"
    first = runners.run("now", HISTORY="postgresql+psycopg://u:p@127.0.0.1:1/x", PAGER=pager)
    assert (first.returncode, "waits in" in first.stdout.replace("\n", " ")) == (1, True), first.stdout
    shared = tmp_path / "shared.db"
    second = runners.run(str(int(time.time()) // 86400 + 1), HISTORY=f"sqlite:///{shared}", PAGER=pager)
    assert second.returncode == 1, second.stdout
    with History.open(shared) as history:
        assert len(history.observations("demo")) == 2
        (incident,) = history.incidents("demo")
    assert incident.occurrences == 2
    (letter,) = Outbox(runners.last / ".synthprobe" / "history.db").letters()
    assert letter.alert.incidents == (incident.id,)


def test_the_run_is_the_whole_step_and_nothing_is_left_to_chance_f43():
    of = job(WRITTEN)
    (run,) = [step for step in of["steps"] if step.get("id") == "run"]
    lines = [line for line in run["run"].splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("exec ")
    assert of["concurrency"]["cancel-in-progress"] is False
    assert of["timeout-minutes"] * 60 > 240
    for step in of["steps"]:
        if "upload-artifact" in step.get("uses", ""):
            assert "secrets." not in str(step)
            assert "steps.report.outcome == 'success'" in step["if"], "what was refused is not uploaded"


def test_what_is_degraded_is_reported_too_and_the_job_says_how_to_open_it(tmp_path):
    steps = {step.get("name"): step for step in job(WRITTEN)["steps"]}
    assert "steps.run.outcome == 'failure' || steps.run.outputs.outcome == 'degraded'" in steps["Report"]["if"]
    page, output = tmp_path / "job.md", tmp_path / "output"
    environ = {"RUN_ID": "7", "REPOSITORY": "ops/watch", "TARGET": "demo", "GITHUB_STEP_SUMMARY": os.fspath(page)}
    command = ["bash", "-eo", "pipefail", "-c", steps["How to open it"]["run"]]
    done = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, check=True)
    opens = "gh run download 7 -R ops/watch -p 'report-demo*' -D report && synthprobe serve report/report-demo"
    assert done.stdout == page.read_text() == f"Open the report: `{opens}`\n"
    judged = JourneyVerdict(journey=Journey(id="a", node_id="a", title="A"), outcome="degraded")
    run = Run(id="r", target="demo", base_url="http://a", slot=1, started_at=datetime.now(UTC))
    write_output(Verdict(run=run, journeys=(judged,), finished_at=run.started_at), output)
    assert output.read_text() == "outcome=degraded\n"


def test_f61_an_upload_that_failed_is_tried_once_more_under_another_name():
    first, again = [step for step in job(WRITTEN)["steps"] if "upload-artifact" in step.get("uses", "")]
    assert first["continue-on-error"] is True
    assert f"steps.{first['id']}.outcome == 'failure'" in again["if"]
    assert "continue-on-error" not in again
    assert again["with"] == first["with"] | {"name": again["with"]["name"]}
    assert again["with"]["name"] != first["with"]["name"]


def test_what_a_killed_run_left_is_swept_whatever_became_of_the_run():
    steps = job(WRITTEN)["steps"]
    names = [step.get("name") for step in steps]
    sweep = steps[names.index("Sweep")]
    assert sweep["if"].removeprefix("${{").strip().startswith("always()")
    assert "continue-on-error" not in sweep
    assert "||" not in sweep["run"]
    packed, kept = (steps[names.index(name)] for name in ("Pack the history", "History into the cache"))
    assert {step["if"].removeprefix("${{").strip().partition(" ")[0] for step in (packed, kept)} == {"always()"}
    assert "history.pack" in kept["with"]["path"]
    assert names.index("Unpack the history") < names.index("Run") < names.index("Sweep") < steps.index(packed)


OUT_OF_A_JOB = {
    "actions/upload-artifact": {".synthprobe/site", "dist", "synthprobe.cdx.json"},
    "actions/upload-pages-artifact": {"site"},
    "actions/deploy-pages": set(),
    "actions/cache": {"~/.cache/ms-playwright", "~/.cache/synthprobe", "~/.cache/pip"},
    "actions/cache/save": {
        ".synthprobe/last-good",
        "history.pack",
        ".synthprobe/state",
    },
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_l43_what_leaves_a_job_is_a_list_without_the_checkout_or_the_environment(path):
    uploads = ("upload-", "cache", "gh-pages", "deploy-")
    for of in yaml.safe_load(path.read_text())["jobs"].values():
        for step in of["steps"]:
            action = step.get("uses", "").partition("@")[0]
            given = step.get("with", {})
            if action == "actions/checkout":
                assert given["persist-credentials"] is False, "no token in .git/config"
            if action == "actions/setup-python":
                assert "cache" not in given
            if any(word in action for word in uploads) and action != "actions/cache/restore":
                paths = set(given.get("path", "").split())
                assert paths <= OUT_OF_A_JOB[action], f"{action} takes {paths}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_workflow_has_no_permission_it_does_not_ask_for_and_every_action_is_pinned(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for of in workflow["jobs"].values():
        for step in of["steps"]:
            if "uses" in step:
                assert len(step["uses"].partition("@")[2]) == 40, step["uses"]


@pytest.mark.parametrize("linter", [["actionlint"], ["zizmor", "--offline", "--pedantic", "--quiet"]], ids=" ".join)
def test_the_workflow_linters_find_nothing(linter):
    command = [ROOT / ".venv" / "bin" / linter[0], *linter[1:], *WORKFLOWS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout
