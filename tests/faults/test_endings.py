"""Whatever ends pytest says why in the verdict of its own slot, and costs the journey that was running at most."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from synthprobe import loopback, pipeline
from synthprobe.records.verdict import Verdict

TWO = "def test_first():\n    assert True\n\ndef test_second():\n    assert True\n"


class Run:
    """One `synthprobe run` and its verdict, if it left any."""

    def __init__(self, project, *options: str, **environ: str) -> None:
        before = set((project.root / ".synthprobe").glob("runs/demo/*"))
        done = subprocess.run(
            [sys.executable, "-m", "synthprobe", "run", *options],
            cwd=project.root,
            env={**os.environ, "COLUMNS": "300", **environ},
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        self.code, self.output = done.returncode, done.stdout + done.stderr
        self.folders = sorted(set((project.root / ".synthprobe").glob("runs/demo/*")) - before)

    @property
    def verdict(self) -> Verdict:
        (folder,) = self.folders
        return pipeline.read_verdict(folder / "verdict.json")

    @property
    def outcomes(self) -> dict[str, tuple[str, str]]:
        return {
            journey.journey.id.rsplit(".", 1)[-1]: (journey.outcome, journey.cause) for journey in self.verdict.journeys
        }


@pytest.fixture
def run(project) -> Callable[..., Run]:
    settings = project.root / "synthprobe.toml"
    settings.write_text("second_attempts = 0\ninterval_s = 86400\n" + settings.read_text())
    project.journeys(TWO)
    return lambda *options, **environ: Run(project, *options, **environ)


@pytest.fixture
def beats() -> Iterator[tuple[str, list[str]]]:
    """A watcher of heartbeats, and the paths it was asked for."""
    heard: list[str] = []

    class Watcher(loopback.Handler):
        def do_POST(self) -> None:
            heard.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer()

        do_GET = do_HEAD = do_POST

    with loopback.served(Watcher) as url:
        yield f"{url}/beat", heard


def test_a_conftest_that_cannot_be_imported_is_the_cause_in_its_own_slot_f89(project, run, beats):
    url, heard = beats
    conftest = project.root / "journeys" / "conftest.py"
    conftest.write_text("def (\n")
    first = run()
    assert (first.code, first.folders) == (2, [])
    refusal = "journeys/conftest.py could not be imported: SyntaxError: invalid syntax (conftest.py, line 1)"
    assert f"{refusal} Correct that," in first.output.replace("\n", " "), "it names no file of Python's own"
    conftest.write_text("")
    assert run().code == 0
    conftest.write_text("import nobody_installed_this\n")
    with (project.root / "synthprobe.toml").open("a") as settings:
        settings.write('\n[heartbeat]\nurl = "env:BEAT"\n')
    broken = run("--slot", "now", BEAT=url)
    assert broken.code == 3, broken.output
    why = "journeys/conftest.py could not be imported: ModuleNotFoundError: No module named 'nobody_installed_this'"
    cause = f"worker: pytest ended before this journey began: {why} (journeys/conftest.py, line 1)."
    assert broken.outcomes == {"test_first": ("unknown", cause), "test_second": ("unknown", cause)}
    assert broken.verdict.notes == ()
    assert heard[-1].startswith("/beat/fail")


@pytest.mark.parametrize(
    ("addopts", "why"),
    [
        ("--no-such-option", "unrecognized arguments: --no-such-option"),
        ("-p no:xdist", "This run needs pytest-xdist, and it is switched off here"),
    ],
)
def test_a_slot_in_which_nothing_is_known_yet_has_its_verdict_too_f89(project, run, addopts, why):
    (project.root / "pytest.ini").write_text(f"[pytest]\naddopts = {addopts}\n")
    refused = run("--slot", "now", "-n", "2")
    assert refused.code == 3, refused.output
    assert refused.verdict.journeys == ()
    assert why in refused.verdict.blind
    assert refused.verdict.blind in refused.output


ENDS = {
    "F90 a crash that prints ERROR": (
        "import os\nprint('ERROR: not a usage error', flush=True)\nos._exit(1)",
        "worker: The process died while",
        "it ended with code 1",
    ),
    "F90 pytest.exit": (
        "import pytest\npytest.exit('the town is closed')",
        "cancelled: The run was ended while",
        "Exit: the town is closed",
    ),
    "F90 an interrupt of its own": (
        "raise KeyboardInterrupt",
        "cancelled: The run was ended while",
        "KeyboardInterrupt (journeys/test_it.py, line 2)",
    ),
}


@pytest.mark.parametrize(("body", "cause", "note"), list(ENDS.values()), ids=list(ENDS))
def test_what_ends_pytest_costs_the_journey_that_ran_and_the_rest_is_run_afresh(project, run, body, cause, note):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    third = "\ndef test_third():\n    raise AssertionError('an error of the target')\n"
    project.journeys(f"def test_ending():\n{lines}\n{TWO}{third}")
    ended = run()
    assert ended.code == 1, ended.output
    outcome, why = ended.outcomes["test_ending"]
    assert (outcome, why.startswith(cause)) == ("unknown", True), why
    assert {name: outcome for name, (outcome, _) in ended.outcomes.items()} == {
        "test_ending": "unknown",
        "test_first": "passed",
        "test_second": "passed",
        "test_third": "failed",
    }
    (sentence,) = ended.verdict.notes
    assert sentence.startswith("pytest ended early, and 3 journeys that had not begun were run in a fresh process: ")
    assert (note in sentence, "target" in sentence) == (True, False)


def test_a_journey_that_a_conftest_takes_out_is_not_said_to_have_met_an_end_f91(project, run):
    """In a project that names its tests in another way, too; canaries have their own names."""
    (project.root / "pytest.ini").write_text("[pytest]\npython_files = check_*.py\npython_functions = check_*\n")
    (project.root / "journeys" / "test_it.py").unlink()
    project.journeys(
        "def check_first():\n    assert 1\n\ndef check_second():\n    assert 1\n\ndef check_third():\n    assert 1\n",
        "check_it.py",
    )
    project.journeys(
        "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_protocol(item):\n"
        "    return True if item.name == 'check_second' else None\n"
        "def pytest_collection_modifyitems(items):\n"
        "    items[:] = [item for item in items if item.name != 'check_third']\n",
        "conftest.py",
    )
    ended = run()
    assert ended.outcomes["check_first"] == ("passed", "")
    outcome, why = ended.outcomes["check_second"]
    assert (outcome, why.partition(": a plugin")[0]) == (
        "unknown", "worker: pytest went through without this journey"
    )  # fmt: skip
    assert ended.outcomes.keys() == {"check_first", "check_second"}
    left_out, sentence = ended.verdict.notes
    assert left_out.startswith("1 journey was left out of this run by -k, -m, --deselect or a plugin, and not judged: ")
    assert "journeys/check_it.py::check_third" in left_out
    assert sentence.startswith(
        "pytest left journeys out, and 1 journey that had not begun was given to a fresh process"
    )


def test_a_fresh_process_that_ends_early_too_is_not_explained_by_the_words_of_the_first(project, run):
    project.journeys(
        "import os, pytest\n\ndef test_ending():\n    pytest.exit('the town is closed')\n\n"
        "def test_dying():\n    os._exit(0)\n\ndef test_later():\n    assert 1\n"
    )
    ended = run()
    assert {name: why for name, (_, why) in ended.outcomes.items()} == {
        "test_ending": 'cancelled: The run was ended while "ending" was running.',
        "test_dying": 'worker: The process died while "dying" was running.',
        "test_later": "worker: pytest ended before this journey began: it ended with code 0.",
    }
    (sentence,) = ended.verdict.notes
    assert sentence.startswith(
        "pytest ended early, and 2 journeys that had not begun were given to a fresh process, which ended early as "
        "well (it ended with code 0): Exit: the town is closed"
    )


def test_options_that_leave_journeys_unjudged_are_switched_off_and_noted_f91(project, run):
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = -x --stepwise --collect-only --fixtures --markers\n")
    project.journeys("def test_broken():\n    assert 1 == 2\n\n" + TWO)
    ended = run()
    assert (ended.code, len(ended.outcomes)) == (1, 3), ended.output
    assert [outcome for outcome, _ in ended.outcomes.values()] == ["failed", "passed", "passed"]
    (note,) = ended.verdict.notes
    assert note.startswith(
        "pytest's -x or --maxfail, --stepwise, --collect-only, --markers, --fixtures was switched off, as a run judges "
        "every journey."
    )


def test_workers_that_collect_different_journeys_say_so_f92(project, run):
    project.journeys(
        "import os, pytest\n\n@pytest.mark.parametrize('store', [os.getpid()])\n"
        "def test_store(store):\n    assert store\n\n" + TWO
    )
    ended = run("-n", "2")
    assert ended.code == 3, ended.output
    assert {outcome for outcome, _ in ended.outcomes.values()} == {"unknown"}
    for _, cause in ended.outcomes.values():
        assert "The workers of pytest-xdist collected different journeys, so none was run." in cause
        assert "test_store[" in cause


def test_a_plugin_that_breaks_pytest_is_the_cause_f90(project, run):
    (project.root / "journeys" / "conftest.py").write_text(
        "def pytest_collection_finish(session):\n    raise RuntimeError('a plugin of mine')\n"
    )
    ended = run()
    assert ended.code == 3, ended.output
    for outcome, cause in ended.outcomes.values():
        assert (outcome, "RuntimeError: a plugin of mine (journeys/conftest.py, line 2)" in cause) == ("unknown", True)


UNRENDERABLE = """
import types
from _pytest._code import source

def parse(*arguments, **named):
    raise SystemError("AST constructor recursion depth mismatch (before=58, after=62)")

source.ast = types.SimpleNamespace(**{**vars(source.ast), "parse": parse})
"""
FAILS = """
def test_broken():
    state = "dead"
    assert state == "alive", "the town is dark"

class Odd(Exception):
    def __repr__(self):
        raise ValueError("no words")
    __str__ = __repr__

def test_odd():
    raise Odd

"""


def test_a_failure_that_cannot_be_rendered_ends_nothing_f93(project):
    """Some releases of CPython 3.11 cannot parse source below Playwright's greenlet; it is stood in for here."""
    (project.root / "journeys" / "conftest.py").write_text(UNRENDERABLE)
    project.journeys(FAILS + TWO)
    ran = project.run()
    assert ran.code == 1, ran.output
    outcomes = {name: result.outcome for name, result in ran.results.items()}
    assert outcomes == {"test_broken": "failed", "test_odd": "unknown", "test_first": "passed", "test_second": "passed"}
    assert "the town is dark" in ran.results["test_broken"].cause
    detail = ran.results["test_broken"].failure.detail
    assert "test_it.py" in detail
    assert "pytest could not render this traceback: SystemError" in detail


SKIPS = """
import os, pytest

if os.environ.get("CLOSED"):
    pytest.skip("the shop is closed tonight", allow_module_level=True)
if os.environ.get("BROKEN"):
    raise RuntimeError("no such shop")

def test_shop():
    assert True
"""


def test_a_file_that_skips_itself_or_breaks_is_said_of_each_journey_in_it_f93(project, run):
    project.journeys(SKIPS, "test_shop.py")
    assert run().code == 0
    closed = run(CLOSED="1")
    assert (closed.code, closed.outcomes["test_shop"]) == (0, ("skipped", "the shop is closed tonight")), closed.output
    broken = run(BROKEN="1")
    assert broken.code == 3, broken.output
    cause = "journey file: journeys/test_shop.py could not be read as journeys: RuntimeError: no such shop"
    assert broken.outcomes["test_shop"] == ("unknown", cause)
    assert {broken.outcomes[name][0] for name in ("test_first", "test_second")} == {"passed"}
    assert len(broken.outcomes) == 3
    project.journeys(f"{SKIPS}\ndef (", "test_shop.py")
    for workers in ("2", "0", "2"):
        changed = run("-n", workers)
        assert changed.outcomes["test_shop"][0] == "unknown", changed.output
        assert len(changed.outcomes) == 3
        assert "No longer among" not in changed.output
