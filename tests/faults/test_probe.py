"""Faults of the probe itself: what it did not see is unknown, with the cause; what it saw is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from synthprobe.records.verdict import JourneyVerdict, Verdict

from hostile import hostile  # isort: skip

GOOD = "def test_good(api):\n    api.get('/healthz').expect(200)\n"


@dataclass
class Supervised:
    """What `synthprobe run` said and left."""

    code: int
    output: str
    root: Path

    @property
    def verdict(self) -> Verdict:
        path = max((self.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json"))
        return msgspec.json.decode(path.read_bytes(), type=Verdict)

    def __getitem__(self, name: str) -> JourneyVerdict:
        return next(journey for journey in self.verdict.journeys if journey.journey.id.endswith(name))


@pytest.fixture
def supervised(project, centre):
    """Runs a project's journeys as the cron job does."""
    project.configure(centre.url)
    text = (project.root / "synthprobe.toml").read_text()

    def run(*options: str, settings: str = "second_attempts = 0", **environ: str) -> Supervised:
        (project.root / "synthprobe.toml").write_text(f"{settings}\n{text}")
        done = subprocess.run(
            [sys.executable, "-m", "synthprobe", "run", *options],
            cwd=project.root,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
            env={**os.environ, "COLUMNS": "300", **environ},
        )
        assert "Traceback (most recent call last):\n  File" not in done.stderr, done.stderr
        return Supervised(done.returncode, done.stdout + done.stderr, project.root)

    return run


KILLS = """
import os, psutil, signal
from contextlib import suppress
from playwright.sync_api import expect

def kill(word):
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(word in part for part in process.cmdline()):
                process.send_signal(signal.SIGKILL)

def test_browser(page):
    page.goto('/login')
    kill('headless')
    page.goto('/login')

def test_while_waiting(page):
    page.goto('/login')
    kill('headless')
    expect(page.get_by_text('nowhere')).to_be_visible(timeout=2000)

def test_after_browser(page):
    page.goto('/login')

def test_driver(page):
    page.goto('/login')
    kill('run-driver')
    page.goto('/login')

def test_after_driver(page):
    page.goto('/login')

"""
KILLED = ("test_browser", "test_while_waiting", "test_driver")


def test_a_killed_browser_is_unknown_and_named_and_started_again_and_leaves_its_trace_f27_f28(project, supervised):
    project.journeys(KILLS + GOOD)
    run = supervised("-n", "1")
    assert run.code == 3, run.output
    for name in KILLED:
        assert (run[name].outcome, run[name].results[-1].failure.kind) == ("unknown", "browser"), run[name].cause
    for name in ("test_after_browser", "test_after_driver", "test_good"):
        assert run[name].outcome == "passed", run[name].cause
    kept = run["test_browser"].results[-1].evidence
    assert [evidence for evidence in kept if evidence.kind == "trace" and evidence.path], kept


BOMBED = """
import pathlib, psutil, re

def test_bombed(page):
    (driver,) = [one for one in psutil.Process().children() if any('run-driver' in part for part in one.cmdline())]
    used = int(re.search('VmData:\\s+(\\d+)', pathlib.Path(f'/proc/{driver.pid}/status').read_text())[1]) * 1024
    driver.rlimit(psutil.RLIMIT_DATA, (used + 60_000_000,) * 2)
    page.request.get('{bomb}', timeout=30_000)

def test_page(page):
    page.goto('/login')

def test_bombed_page(page):
    page.goto('{bomb}', timeout=2000)
    assert page.title() == 'fine'

def test_page_again(page):
    page.goto('/login')
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process that runs")
def test_an_answer_that_unpacks_to_more_than_the_memory_costs_its_own_journey_alone_f11(project, supervised):
    with hostile() as url:
        project.journeys(BOMBED.replace("{bomb}", f"{url}/great-bomb"))
        run = supervised()
    assert (run["test_bombed"].outcome, run["test_bombed"].results[-1].failure.kind) == ("unknown", "browser")
    assert run["test_bombed_page"].outcome == "failed"
    for name in ("test_page", "test_page_again"):
        assert run[name].outcome == "passed", run[name].cause


def test_a_browser_that_cannot_start_leaves_api_journeys_judged_f29(project, supervised):
    project.journeys("def test_page(page):\n    page.goto('/login')\n" + GOOD)
    run = supervised(SYNTHPROBE_BROWSER="/bin/false")
    assert run.code == 3, run.output
    assert (run["test_page"].outcome, run["test_good"].outcome) == ("unknown", "passed")
    assert run["test_page"].cause.startswith("browser")


def test_a_browser_that_does_not_speak_playwrights_protocol_is_said_with_what_to_do_f31(project, supervised):
    project.journeys("def test_page(page):\n    page.goto('/login')\n" + GOOD)
    foreign = project.root / "browser"
    foreign.write_text("#!/bin/sh\necho 'Chromium 42.0.2311.90'\n")
    foreign.chmod(0o755)
    run = supervised(SYNTHPROBE_BROWSER=str(foreign))
    assert run.code == 3, run.output
    assert (run["test_page"].outcome, run["test_good"].outcome) == ("unknown", "passed")
    assert run["test_page"].cause.startswith("browser: The browser did not start.")
    assert "synthprobe doctor --fix" in run["test_page"].cause


def test_a_video_without_ffmpeg_does_not_cost_the_journey_f30(project, supervised):
    project.journeys("def test_page(page):\n    page.goto('/login')\n")
    (project.root / "journeys" / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(scope='session')\n"
        "def browser_context_args(browser_context_args, tmp_path_factory):\n"
        "    return {**browser_context_args, 'record_video_dir': tmp_path_factory.mktemp('video')}\n"
    )
    run = supervised(PLAYWRIGHT_BROWSERS_PATH=str(project.root / "none"))
    assert run["test_page"].outcome == "passed", run["test_page"].cause


def test_a_worker_that_dies_again_and_again_leaves_the_others_judged_f33(project, supervised):
    dying = "".join(f"def test_dies_{n}():\n    os._exit(1)\n" for n in range(3))
    project.journeys("import os\n" + dying + GOOD)
    run = supervised("-n", "2", settings="second_attempts = 0\njourney_deadline_s = 10\nstall_margin_s = 10")
    assert run.code == 3, run.output
    assert {journey.outcome for journey in run.verdict.journeys if "dies" in journey.journey.id} == {"unknown"}
    assert len(run.verdict.journeys) == 4


def test_a_run_that_stands_still_is_ended_long_before_its_deadline_f34(project, supervised):
    project.journeys(GOOD + "import threading\ndef test_stuck():\n    threading.Event().wait()\n")
    (project.root / "journeys" / "conftest.py").write_text(
        "import signal\ndef pytest_runtest_call(item):\n    signal.setitimer(signal.ITIMER_REAL, 0)\n"
    )
    run = supervised("--deadline", "90", settings="second_attempts = 0\njourney_deadline_s = 1\nstall_margin_s = 2")
    assert run.code == 3, run.output
    assert run["test_good"].outcome == "passed"
    assert run["test_stuck"].cause.startswith("stalled")
    assert (run["test_stuck"].triage.cause_class, "itself is at fault" in run.output) == ("unknown", False), run.output


def test_a_hang_while_files_are_read_ends_at_the_deadline_with_all_known_journeys_unknown_f37(project, supervised):
    project.journeys("import os, threading\nif os.environ.get('HANG'):\n    threading.Event().wait()\n" + GOOD)
    assert "deadline" in supervised("--deadline", "3", HANG="1").verdict.blind
    assert supervised().code == 0
    run = supervised("--deadline", "4", HANG="1")
    assert run.code == 3, run.output
    assert run["test_good"].cause == "deadline: The run reached its deadline before this journey began."


def test_a_file_that_cannot_be_read_leaves_the_others_judged_f38(project, supervised):
    project.journeys("def broken(:\n", "test_broken.py")
    project.journeys(GOOD)
    run = supervised()
    assert run.code == 3, run.output
    assert (run["test_broken.py"].outcome, run["test_good"].outcome) == ("unknown", "passed")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(
            "import pytest\n@pytest.mark.skip(reason='not today')\ndef test_x(): pass\n", 3, id="F39 all skipped"
        ),
        pytest.param("", 2, id="F39 nothing collected"),  # typed by hand, and no journey is known: a usage error
    ],
)
def test_nothing_judged_is_never_green(project, supervised, text, code):
    project.journeys(text)
    assert supervised().code == code


def test_a_filter_that_fits_nothing_is_never_green_and_leaves_every_known_journey_unknown_f39(project, supervised):
    project.journeys(GOOD)
    typo = {"PYTEST_ADDOPTS": "-k goood"}
    assert supervised(**typo).code == 2
    assert supervised().code == 0
    run = supervised(**typo)
    assert run.code == 3
    assert run["test_good"].cause.startswith("inventory: It was not collected")
    assert "1 journey was left out of this run by -k, -m, --deselect or a plugin" in run.output


def test_a_full_disk_for_evidence_costs_no_verdict_f52(project, supervised):
    """The evidence folder of the run takes no file."""
    project.journeys("def test_bad(page):\n    page.goto('/login')\n    assert False, 'as it must'\n" + GOOD)
    (project.root / "journeys" / "conftest.py").write_text(
        "import pytest, pathlib, shutil\n"
        "@pytest.fixture(autouse=True)\n"
        "def full(pytestconfig):\n"
        "    folder = pathlib.Path(pytestconfig.getoption('--synthprobe-run-folder')) / 'evidence'\n"
        "    if folder.is_dir():\n        shutil.rmtree(folder)\n        folder.write_text('')\n"
    )
    run = supervised()
    assert run.code == 1, run.output
    assert (run["test_bad"].outcome, run["test_good"].outcome) == ("failed", "passed")
    assert any("could not be kept" in note for note in run["test_bad"].results[-1].notes)


def test_a_full_disk_for_allure_costs_no_verdict_f53(project, supervised):
    """The folder of what is told to Allure takes no file."""
    project.journeys("import pytest\n" + GOOD + "def test_bad():\n    assert False, 'as it must'\n")
    (project.root / "journeys" / "conftest.py").write_text(
        "import pathlib, shutil\n"
        "def pytest_runtest_setup(item):\n"
        "    folder = pathlib.Path(item.config.getoption('--synthprobe-run-folder')) / 'allure-records'\n"
        "    if folder.is_dir():\n        shutil.rmtree(folder)\n        folder.write_text('')\n"
    )
    run = supervised()
    assert run.code == 1, run.output
    assert (run["test_bad"].outcome, run["test_good"].outcome) == ("failed", "passed")


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_run_f54(project, supervised):
    project.journeys(GOOD)
    (project.root / ".synthprobe").write_text("")
    run = supervised()
    assert run.code == 3
    assert "Nothing was run" in run.output


def test_what_the_target_says_is_no_command_to_the_runner_f76(project, supervised):
    project.journeys("def test_bad():\n    print('::add-mask::everything')\n    assert False, '\\n::error::gotcha'\n")
    run = supervised()
    assert run.code == 1
    assert not [line for line in run.output.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    log = next(project.root.rglob("pytest.log")).read_text("utf-8")
    assert not [line for line in log.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    assert "::error::gotcha" in log


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_of_the_interpreter_is_unknown_f33(project, supervised, number):
    project.journeys(GOOD + f"import os\ndef test_crash():\n    os.kill(os.getpid(), {int(number)})\n")
    run = supervised()
    assert run.code == 3, run.output
    assert (run["test_good"].outcome, run["test_crash"].outcome) == ("passed", "unknown")


def test_a_conftest_that_raises_is_named_f78(project, supervised):
    project.journeys(GOOD)
    (project.root / "journeys" / "conftest.py").write_text(
        "def pytest_runtest_setup(item):\n    raise RuntimeError('a plugin of mine')\n"
    )
    run = supervised()
    assert run.code == 3, run.output
    assert "a plugin of mine" in run["test_good"].cause


def test_a_plugin_that_breaks_pytest_leaves_every_known_journey_unknown_f78(project, supervised):
    project.journeys(GOOD)
    (project.root / "journeys" / "conftest.py").write_text(
        "def pytest_runtestloop(session):\n    raise RuntimeError('a plugin of mine')\n"
    )
    run = supervised()
    assert run.code == 3, run.output
    assert run["test_good"].outcome == "unknown"
    assert "a plugin of mine" in run.output
