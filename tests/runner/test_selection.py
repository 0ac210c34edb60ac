"""Which journeys a run is about: those its target, its slot and pytest's own expressions leave in, and no others."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthprobe import pipeline

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from set_clock import OwnClock  # isort: skip

HOUR = (int(time.time()) // 3600 + 1) * 12
"""The first slot of an hour."""
JOURNEYS = """
import pytest

@pytest.mark.journey(id="often", tags=["smoke"])
def test_often(): assert len("a") == 1

@pytest.mark.journey(id="hourly", every="1h", tags=["deep", "smoke"])
def test_hourly(): assert len("a") == 2, "the letter is lost"
"""


@pytest.fixture
def run(project, without_allure):
    toml = project.root / "synthprobe.toml"
    more = '[targets.other]\nbase_url = "http://127.0.0.1:9"\n'
    toml.write_text(f"default_target = 'demo'\ninterval_s = 300\nsecond_attempts = 0\n{toml.read_text()}\n{more}")
    clock = OwnClock(project.root)

    def synthprobe(*options: str, slot: int | None = None):
        clock.set((slot if slot is not None else HOUR + 1) * 300 + 60 - int(time.time()))
        command = [sys.executable, "-m", "synthprobe", *options]
        done = subprocess.run(
            command, cwd=project.root, env=clock.environ, capture_output=True, text=True, timeout=250, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    return synthprobe


def judged(project) -> dict[str, str]:
    verdict = pipeline.read_verdict(pipeline.newest_run(project.root, ".synthprobe") / "verdict.json")
    return {journey.journey.id: journey.outcome for journey in verdict.journeys}


def test_what_is_not_due_in_a_slot_is_not_expected_in_it_and_stays_as_it_was_judged(project, run):
    toml = project.root / "synthprobe.toml"
    toml.write_text(toml.read_text() + f'[publish]\nurl = "{(project.root / "site").as_uri()}"\n')
    project.journeys(JOURNEYS)
    assert run("run", "--slot", "now", slot=HOUR)[0] == 1
    assert judged(project) == {"often": "passed", "hourly": "failed"}

    code, output = run("run", "--slot", "now", slot=HOUR + 2)
    assert (code, judged(project)) == (0, {"often": "passed"}), output
    assert "The only journey passes on demo; 1 not due" in output
    assert "left out of this run" not in output, "nobody left anything out"
    assert "No run judged the slot before this one" in output, "a journey was due in the slot between"
    assert (project.root / "site" / "status.json").exists(), output
    page = json.loads((project.root / "site" / "status.json").read_text())["targets"][0]
    assert (page["outcome"], page["slot"], len(page["cards"])) == ("failed", HOUR + 2, 1)
    assert {journey["id"]: journey["outcome"] for journey in page["journeys"]} == {
        "often": "passed",
        "hourly": "failed",
    }
    assert [run.name[:7] for run in pipeline.newest_runs(project.root, ".synthprobe")] == [
        str(HOUR),
        str(HOUR + 2),
    ], "a report shows the run that judged it as well"

    project.journeys(JOURNEYS.replace('id="often", ', 'id="often", every="30m", '))
    code, output = run("run", "--slot", "now", slot=HOUR + 4)
    assert (code, judged(project)) == (0, {}), output
    assert "No journey was due on demo" in output


def test_a_run_is_about_what_pytests_expressions_and_its_target_select(project, run):
    project.journeys(JOURNEYS)
    project.journeys(
        'import pytest\n@pytest.mark.journey(targets=["other"])\ndef test_far(): assert len("a") == 1\n', "test_far.py"
    )
    code, output = run("run", "-m", "deep", "-k", "hourly or far")
    assert (code, "left out of this run" in output) == (1, False), output
    assert judged(project) == {"hourly": "failed"}, "by hand every journey is due"
    assert run("run", "--target", "other", "-k", "far or often")[0] == 0
    assert set(judged(project)) == {"often", "journeys/test_far.test_far"}
    code, output = run("run", "-m", "nightly")
    assert code == 2
    assert "No journey in journeys is selected by -m nightly" in " ".join(output.split())
