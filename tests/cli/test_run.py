"""`synthprobe run` judges from outside pytest; `synthprobe report` refuses what is no run."""

import re
import subprocess
import sys

import msgspec
import pytest

from synthprobe.records.verdict import Verdict


def synthprobe(project, *arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "synthprobe", *arguments]
    return subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.parametrize(
    ("journey", "code"),
    [
        ("def test_x(api):\n    api.get('/healthz').expect(200)\n", 0),
        ("def test_x(api):\n    api.get('/healthz').expect(201)\n", 1),
        ("def test_x(api):\n    {}['x']\n", 3),
        ("import os\ndef test_x(api):\n    os._exit(0)\n", 3),
        ("", 2),
        ("import pytest\n@pytest.mark.journey(ownr=1)\ndef test_x():\n    pass\n", 2),
    ],
)
def test_the_exit_code_says_what_was_found(project, centre, journey, code):
    project.configure(centre.url)
    project.journeys(journey)
    done = synthprobe(project, "run")
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback (most recent call last)" not in done.stderr


@pytest.mark.parametrize("name", ["synthprobe/__init__.py", "synthprobe.py"])
def test_a_module_of_the_project_that_hides_the_package_is_refused_by_its_name(project, name):
    project.configure("http://127.0.0.1:1")
    project.journeys("def test_x(api):\n    api.get('/healthz').expect(200)\n")
    place = project.root / name
    place.parent.mkdir(exist_ok=True)
    place.touch()
    done = synthprobe(project, "run", python=("-P",))  # as the console script, which is not found beside the project
    assert done.returncode == 2
    assert name in done.stderr.replace("\n", "")
    assert not (project.root / ".synthprobe" / "runs").exists()


def test_a_journey_that_was_killed_is_unknown_with_the_others_judged(project, centre):
    project.configure(centre.url)
    project.journeys(
        "import os, signal\ndef test_a(api):\n    api.get('/healthz').expect(200)\n"
        "def test_b(api):\n    os.kill(os.getpid(), signal.SIGKILL)\ndef test_c(api):\n    assert True\n"
    )
    assert synthprobe(project, "run").returncode == 3
    (path,) = (project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    outcomes = {journey.journey.id.rsplit(".", 1)[-1]: journey.outcome for journey in verdict.journeys}
    assert outcomes == {"test_a": "passed", "test_b": "unknown", "test_c": "passed"}


def test_a_run_that_hangs_is_ended_at_its_deadline(project, centre):
    project.configure(centre.url)
    project.journeys("import threading\ndef test_x():\n    threading.Event().wait()\n")
    done = synthprobe(project, "run", "--deadline", "4")
    assert done.returncode == 3, done.stdout + done.stderr


def test_a_report_without_a_run_says_what_to_do(project):
    done = synthprobe(project, "report")
    assert done.returncode == 2
    assert "Run the journeys first" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_says_which_browser_is_used_and_warns_of_a_shell_that_stands_above_a_workflow_s_run_f43(project):
    workflows = project.root / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for name, step in (
        ("well", "exec .venv/bin/synthprobe run --slot now"),
        ("watch", ".venv/bin/synthprobe run; echo $?"),
        ("sweep", "synthprobe sweep # after synthprobe run"),
    ):
        (workflows / f"{name}.yml").write_text(f"jobs: {{a: {{steps: [{{run: '{step}'}}]}}}}\n")
    done = synthprobe(project, "doctor")
    assert done.returncode == 0, done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[:3]] == ["browser", "node", "allure"]
    assert re.findall(r"(\w+)\.yml starts synthprobe run without exec", done.stdout) == ["watch"]
