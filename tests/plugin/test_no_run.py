"""What was no run leaves none, and a run in which nothing was judged is never green."""

from __future__ import annotations

import os
import subprocess
import sys

PASSING = (
    "import pytest\ndef test_fine(target):\n    assert target\ndef test_other():\n    pytest.skip('not on a Sunday')\n"
)


def left(project) -> list[str]:
    return [path.name for path in project.root.iterdir() if path.name.startswith((".synthprobe", "run"))]


def test_lists_and_wrong_options_leave_no_run(project):
    project.journeys(PASSING)
    for options, code in (
        (("--collect-only", "--junitxml", "junit.xml"), 0),
        (("--markers",), 0),
        (("--fixtures",), 0),
        (("--setup-only",), 0),
        (("-k", "nothing_of_that_name", "--junitxml", "junit.xml"), 5),
        (("--target", "nowhere"), 4),
    ):
        ran = project.run(*options, folder=None)
        assert (ran.code, left(project)) == (code, []), f"{options}: {ran.output}"
        assert "see them with" not in ran.output
    ran = project.run("journeys/test_it.py::test_fine", folder=None)
    assert (ran.code, left(project)) == (0, [".synthprobe"]), ran.output
    assert "see them with: synthprobe report .synthprobe/runs/demo/" in ran.output


def synthprobe(project, *arguments: str, **environ: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "synthprobe", *arguments]
    known = {"env": {**os.environ, **environ}, "capture_output": True, "text": True}
    done = subprocess.run(command, cwd=project.root, timeout=250, check=False, **known)
    return done.returncode, done.stdout + done.stderr


def test_a_path_without_a_journey_and_a_refusal_leave_no_run(project):
    project.journeys("", "test_empty.py")
    code, output = synthprobe(project, "run")
    assert (code, "No journey for demo was found in journeys, so nothing was run" in output) == (2, True), output
    code, output = synthprobe(project, "run", "journeys/test_missing.py")
    assert (code, "test_missing.py" in output) == (2, True), output
    project.journeys("def holds(x):\n    '''A rule.\n\n    >>> holds(2)\n    '''\n    assert x == 2\n", "rules.py")
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = --doctest-modules\n")
    code, output = synthprobe(project, "run")
    assert (code, "so nothing was run" in output, "rules.holds" in output) == (2, True, True), output
    project.journeys("from rules import holds\ndef test_rule(target):\n    holds(1)\n", "test_rule.py")
    code, output = synthprobe(project, "run", PYTHONOPTIMIZE="1")
    assert (code, "Python leaves out every assert here" in output) == (2, True), output
    code, output = synthprobe(project, "run", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert (code, "The plugin of synthprobe is not loaded (PYTEST_DISABLE_PLUGIN_AUTOLOAD" in output) == (2, True), (
        output
    )
    assert not list(project.root.glob(".synthprobe/runs/*/*"))
    code, output = synthprobe(project, "report")
    assert (code, "No run was found" in output) == (2, True), output


def test_a_run_that_judged_nothing_is_nowhere_called_good(project):
    project.journeys(
        "import pytest\npytestmark = pytest.mark.skip(reason='not on a Sunday')\ndef test_it():\n    pass\n"
    )
    code, output = synthprobe(project, "run", "--slot", "now")
    assert code == 3, output
    assert "Monitor blind: 1 of 1 journey was skipped on demo" in output
    matched = synthprobe(project, "runbook", "match")
    assert "every journey passed" not in matched[1], matched
    assert "Monitor blind" in matched[1]
