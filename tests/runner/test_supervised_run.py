"""A run is owned from outside: whatever dies, each journey has a verdict, nothing is green by default or lives on."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis.strategies import datetimes, integers

from synthprobe import eventually
from synthprobe.records.result import new_run_id
from synthprobe.records.verdict import Verdict

WAITS = """
import os, threading, pytest
from synthprobe import step

def test_before(api):
    api.get('/healthz').expect(200)

def test_in_it(page):
    page.goto('/login')
    with step('wait for the moon'):
        open(os.environ['READY'] + '.tmp', 'w').write(str(os.getpid()))
        os.replace(os.environ['READY'] + '.tmp', os.environ['READY'])
        threading.Event().wait()

def test_after(api):
    api.get('/healthz').expect(200)
"""

DEAF = """
import ctypes, os
from synthprobe import step

def test_in_it():
    with step('hold the lock of Python'):
        open(os.environ['READY'], 'w').write(str(os.getpid()))
        while True:
            ctypes.PyDLL(None).sleep(60)
"""


class Supervised:
    """A `synthprobe run` that has come to the step in which it waits for ever."""

    def __init__(self, project, *options: str, shell: bool = False, **environ: str) -> None:
        self.project = project
        self.ready = project.root / "ready"
        command = [sys.executable, "-m", "synthprobe", "run", *options]
        self.process = subprocess.Popen(
            ["bash", "-c", '"$@"; exit $?', "bash", *command] if shell else command,
            cwd=project.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "READY": str(self.ready), **environ},
        )
        deadline = time.monotonic() + 40
        while not self.ready.exists() and time.monotonic() < deadline and self.process.poll() is None:
            psutil.Process().cpu_percent(interval=0.05)
        assert self.ready.exists(), self.process.communicate(timeout=5)[0]
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    def named(self, word: str) -> list[psutil.Process]:
        return [
            process
            for process in self.family
            if process.is_running() and any(word in part for part in process.cmdline())
        ]

    def end(self) -> int:
        self.output = self.process.communicate(timeout=40)[0]
        return self.process.returncode

    def left(self) -> list[psutil.Process]:
        """What still runs much later; who ended and was not reaped by whoever adopted it runs no more."""
        end = time.monotonic() + 20  # how soon it is promised to end is measured by benchmarks/kills.py
        while (alive := [process for process in self.family if is_alive(process)]) and time.monotonic() < end:
            psutil.Process().cpu_percent(interval=0.05)
        return alive

    def verdict(self) -> Verdict:
        (path,) = (self.project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
        return msgspec.json.decode(path.read_bytes(), type=Verdict)

    def outcomes(self) -> dict[str, tuple[str, str]]:
        return {
            judgement.journey.id.rsplit(".", 1)[-1]: (judgement.outcome, judgement.cause)
            for judgement in self.verdict().journeys
        }


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def waiting(project, centre):
    project.configure(centre.url)
    text = (project.root / "synthprobe.toml").read_text()
    (project.root / "synthprobe.toml").write_text("second_attempts = 0\n" + text)
    project.journeys(WAITS)
    started: list[Supervised] = []

    def start(*options: str, **how) -> Supervised:
        started.append(Supervised(project, *options, **how))
        return started[-1]

    yield start
    for run in started:
        if run.process.poll() is None:
            run.process.kill()


@pytest.mark.parametrize(
    ("number", "seconds"),
    [pytest.param(signal.SIGINT, 7, id="F40 SIGINT"), pytest.param(signal.SIGTERM, 4, id="F41 SIGTERM")],
)
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_a_cancelled_run_is_judged_at_once(waiting, number, seconds, options):
    run = waiting(*options)
    began = time.monotonic()
    run.process.send_signal(number)
    code = run.end()
    took = time.monotonic() - began
    assert (code, took < seconds) == (3, True), f"{took:.1f} s\n{run.output}"
    outcomes = run.outcomes()
    assert outcomes["test_in_it"][0] == "unknown"
    assert "cancelled" in outcomes["test_in_it"][1]
    assert "wait for the moon" in outcomes["test_in_it"][1]
    assert outcomes["test_before"][0] in {"passed", "unknown"}
    assert len(outcomes) == 3
    assert run.left() == []


def test_what_failed_and_was_cancelled_before_its_second_attempt_is_not_confirmed(waiting, project):
    settings = project.root / "synthprobe.toml"
    settings.write_text(settings.read_text().replace("second_attempts = 0", "second_attempt_delay_s = 60"))
    project.journeys(
        "import os\ndef test_in_it(api):\n    open(os.environ['READY'], 'w').close()\n"
        "    api.get('/healthz').expect(500)\n"
    )
    run = waiting()
    journals = (project.root / ".synthprobe" / "runs").glob
    failed = b"status 500 was expected"
    eventually(lambda: any(failed in path.read_bytes() for path in journals("*/*/journal/*.jsonl")), within="40s")
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 3, run.output
    outcome, cause = run.outcomes()["test_in_it"]
    assert (outcome, cause.partition(":")[0]) == ("unknown", "cancelled")
    assert "before the second attempt, so nothing confirms that it failed. At attempt 1: GET /healthz" in cause
    assert ("--forked" in run.output, "The probe itself" in run.output) == (False, False), run.output


def test_a_run_whose_shell_is_killed_in_ci_is_ended_and_judged_f43(waiting):
    run = waiting(shell=True, CI="true")
    run.process.kill()
    assert run.left() == []
    assert run.outcomes()["test_in_it"][0] == "unknown"
    assert run.outcomes()["test_in_it"][1].startswith("cancelled: ")


def test_a_killed_worker_leaves_its_journey_unknown_and_the_others_judged_f32(waiting):
    run = waiting("-n", "2")
    os.kill(int(run.ready.read_text()), signal.SIGKILL)
    assert run.end() == 3, run.output
    outcomes = run.outcomes()
    assert outcomes["test_in_it"] == ("unknown", 'worker: The process died while "wait for the moon" was running.')
    assert (outcomes["test_before"][0], outcomes["test_after"][0]) == ("passed", "passed")
    assert run.left() == []


def test_a_killed_worker_s_journey_is_tried_again_and_the_lost_attempt_is_not_forgotten_f32(waiting, project):
    settings = project.root / "synthprobe.toml"
    settings.write_text(settings.read_text().replace("second_attempts = 0", "second_attempt_delay_s = 0"))
    project.journeys(WAITS.replace("    with step", "    again = os.path.exists(os.environ['READY'])\n    with step")
                     .replace("threading.Event().wait()", "again or threading.Event().wait()"))  # fmt: skip
    run = waiting("-n", "2")
    os.kill(int(run.ready.read_text()), signal.SIGKILL)
    assert run.end() == 0, run.output
    (judgement,) = [judgement for judgement in run.verdict().journeys if judgement.journey.id.endswith("test_in_it")]
    assert (judgement.outcome, [result.attempt for result in judgement.results]) == ("passed", [2])
    lost = 'in it: attempt 1 was lost (its process died while "wait for the moon" was running); attempt 2 passed.'
    assert lost in run.verdict().notes
    assert lost in run.output.replace("\n", " ")
    assert run.left() == []


def test_a_killed_pytest_leaves_nothing_green_that_did_not_finish(waiting):
    run = waiting()
    os.kill(int(run.ready.read_text()), signal.SIGKILL)
    assert run.end() == 3, run.output
    outcomes = run.outcomes()
    assert outcomes["test_in_it"] == ("unknown", 'worker: The process died while "wait for the moon" was running.')
    assert (outcomes["test_before"][0], outcomes["test_after"][0]) == ("passed", "passed")
    note = "pytest ended early, and 1 journey that had not begun was run in a fresh process: it was killed by SIGKILL"
    assert note in run.verdict().notes
    assert run.left() == []


def test_a_killed_supervisor_takes_workers_with_it_that_hear_nothing_f42(waiting, project):
    project.journeys(DEAF)
    run = waiting("-n", "2")
    run.process.kill()
    assert run.left() == []


def test_a_killed_supervisor_takes_all_with_it_and_the_next_run_says_so_f42(waiting, project):
    run = waiting()
    run.process.kill()
    run.end()
    assert run.left() == []
    project.journeys("def test_now(api):\n    api.get('/healthz').expect(200)\n")
    command = [sys.executable, "-m", "synthprobe", "run"]
    again = subprocess.run(command, cwd=project.root, timeout=250, check=False, capture_output=True, text=True)
    assert again.returncode == 0
    first, _ = sorted((project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json"))
    outcomes = {
        judgement.journey.id.rsplit(".", 1)[-1]: judgement.outcome
        for judgement in msgspec.json.decode(first.read_bytes(), type=Verdict).journeys
    }
    assert outcomes == {"test_before": "passed", "test_in_it": "unknown", "test_after": "unknown"}
    assert first.parent.name in again.stdout
    assert not list((project.root / ".synthprobe").glob("runs/*/*/raw"))


def test_a_failure_is_tried_again_and_a_second_pass_is_kept_as_intermittent(project, centre, tmp_path):
    project.configure(centre.url)
    text = (project.root / "synthprobe.toml").read_text()
    (project.root / "synthprobe.toml").write_text("second_attempt_delay_s = 0\n" + text)
    project.journeys(
        "import os\nfrom synthprobe import step\n"
        "def test_flaky(api):\n"
        f"    first = not os.path.exists({str(tmp_path / 'been')!r})\n"
        f"    open({str(tmp_path / 'been')!r}, 'w').close()\n"
        "    with step('look'):\n        api.get('/healthz').expect(500 if first else 200)\n"
        "def test_broken(api):\n    api.get('/healthz').expect(500)\n"
        "def test_alone(api):\n    api.get('/healthz').expect(500)\n"
    )
    (project.root / "journeys" / "conftest.py").write_text(
        "from _pytest.runner import runtestprotocol\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    return bool(runtestprotocol(item, nextitem=nextitem)) if item.name == 'test_alone' else None\n"
    )
    done = subprocess.run([sys.executable, "-m", "synthprobe", "run"], cwd=project.root, timeout=250, check=False)
    assert done.returncode == 1
    (path,) = (project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    verdicts = {judgement.journey.id.rsplit(".", 1)[-1]: judgement for judgement in verdict.journeys}
    (unconfirmed,) = verdict.notes
    assert [name for name in verdicts if f"{verdicts[name].journey.id}." in unconfirmed] == ["test_alone"]
    assert (verdicts["test_flaky"].outcome, verdicts["test_flaky"].intermittent) == ("passed", True)
    assert [result.outcome for result in verdicts["test_broken"].results] == ["failed", "failed"]
    evidence = [{kept.path for kept in result.evidence} for result in verdicts["test_broken"].results]
    assert all(evidence)
    assert not evidence[0] & evidence[1]


def test_a_blind_probe_calls_nothing_good_f75(project, centre):
    project.configure(centre.url)
    project.journeys("def test_it(api):\n    api.get('/healthz').expect(200)\n")
    (project.root / "blind.py").write_text(
        "from contextlib import suppress\n"
        "def pytest_runtest_setup(item):\n"
        "    item.obj = lambda *, body=item.obj, **given: look_away(body, given)\n"
        "def look_away(body, given):\n"
        "    with suppress(Exception):\n"
        "        body(**given)\n"
    )
    environ = {
        **os.environ,
        "PYTEST_PLUGINS": "blind",
        "PYTHONPATH": f"{project.root}:{os.environ.get('PYTHONPATH', '')}",
    }
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=project.root, timeout=250, check=False, capture_output=True, env=environ)
    (path,) = (project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    assert done.returncode == 3
    assert "canary must fail ended as passed" in verdict.blind
    assert [judgement.outcome for judgement in verdict.journeys] == ["unknown"]


def test_a_journey_that_disappears_without_a_change_is_reported(project, centre):
    project.configure(centre.url)
    toml = project.root / "synthprobe.toml"
    toml.write_text('journeys = ["journeys", "checks/own.py"]\n' + toml.read_text())
    own = project.root / "checks" / "own.py"
    own.parent.mkdir()

    def test_of(name):
        return f"def test_{name}(api):\n    api.get('/healthz').expect(200)\n"

    def run(**environ):
        command = [sys.executable, "-m", "synthprobe", "run"]
        env = {**os.environ, "COLUMNS": "200", **environ}
        return subprocess.run(
            command, cwd=project.root, timeout=250, check=False, capture_output=True, text=True, env=env
        )

    def incidents(*options):
        command = [sys.executable, "-m", "synthprobe", "incident", *options, "--json"]
        done = subprocess.run(command, cwd=project.root, timeout=250, check=True, capture_output=True)
        return json.loads(done.stdout)["incidents"]

    body = (
        "import os\nif not os.environ.get('GONE'):\n    def test_gone(api):\n        api.get('/healthz').expect(200)\n"
    )
    project.journeys(body + test_of("stays"))
    own.write_text(test_of("of_a_file") + test_of("kept"))
    assert run().returncode == 0
    gone = run(GONE="1")
    assert gone.returncode == 3, gone.stdout
    assert "was not collected" in gone.stdout
    run(GONE="1")
    assert [found["kind"] for found in incidents("list")] == ["monitor blind"]
    project.journeys(test_of("stays"))
    changed = run()
    assert changed.returncode == 0
    assert "No longer among the journeys" in changed.stdout
    assert [(found["state"], found.get("resolved_how")) for found in incidents("list", "--all")] == [("resolved", None)]
    own.write_text(test_of("kept"))
    assert run().returncode == 0


def test_a_slot_is_judged_once_f47_f48(project, centre):
    project.configure(centre.url)
    project.journeys("def test_it(api):\n    api.get('/healthz').expect(200)\n")
    text = (project.root / "synthprobe.toml").read_text()
    (project.root / "synthprobe.toml").write_text("interval_s = 86400\n" + text)
    command = [sys.executable, "-m", "synthprobe", "run", "--slot", "now"]
    first = subprocess.Popen(command, cwd=project.root, stdout=subprocess.PIPE, text=True)
    second = subprocess.run(command, cwd=project.root, timeout=250, check=False, capture_output=True, text=True)
    out = first.communicate(timeout=250)[0]
    third = subprocess.run(command, cwd=project.root, timeout=250, check=False, capture_output=True, text=True)
    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 0)
    assert sum("Nothing was run" in text for text in (out, second.stdout, third.stdout)) == 2
    assert "already judged" in third.stdout
    assert len(list((project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json"))) == 1


@given(now=datetimes(max_value=datetime(2999, 1, 1)), later_ms=integers(min_value=4, max_value=10_000))
def test_of_two_runs_the_later_has_the_greater_id_also_within_a_second(now, later_ms):
    assert new_run_id(now) < new_run_id(now + timedelta(milliseconds=later_ms))
