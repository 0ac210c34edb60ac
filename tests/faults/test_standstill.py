"""A frozen worker or browser costs the journey it was in, and seconds of the run, not minutes."""

from __future__ import annotations

import time

import pytest
from test_endings import TWO, Run, run  # noqa: F401

STOPS = "import os, signal\n\ndef test_frozen():\n    os.kill(os.getpid(), signal.SIGSTOP)\n\n"
STOPS_BROWSER = """
import psutil, signal

def test_frozen(page):
    for one in psutil.Process().children(recursive=True):
        if any('headless' in part for part in one.cmdline()):
            one.send_signal(signal.SIGSTOP)
    page.set_default_timeout(60_000)
    page.reload()

def test_page(page):
    page.set_content('<h1>here</h1>')
    assert page.inner_text('h1') == 'here'

"""
DIES_ONCE = """
import os, pathlib, signal
marker = pathlib.Path(__file__).with_name('died')
if not marker.exists():
    marker.touch()
    os.kill(os.getpid(), signal.SIGKILL)

"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["F94 one process", "F94 two workers"])
def test_a_process_that_is_stopped_costs_its_journey(project, run, options):  # noqa: F811
    project.journeys(STOPS + TWO)
    began = time.monotonic()
    ended: Run = run(*options)
    assert (ended.code, time.monotonic() - began < 40) == (3, True), ended.output
    cause = 'worker: Its process was stopped for 2 s and was killed while "frozen" was running.'
    assert ended.outcomes == {
        "test_frozen": ("unknown", cause),
        "test_first": ("passed", ""),
        "test_second": ("passed", ""),
    }


def test_a_browser_that_is_stopped_costs_its_journey_f94(project, run):  # noqa: F811
    project.journeys(STOPS_BROWSER + TWO)
    began = time.monotonic()
    ended: Run = run()
    assert (ended.code, time.monotonic() - began < 40) == (3, True), ended.output
    outcome, cause = ended.outcomes["test_frozen"]
    assert (outcome, cause.startswith("browser: ")) == ("unknown", True), cause
    assert {ended.outcomes[name][0] for name in ("test_page", "test_first", "test_second")} == {"passed"}


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["F95 one process", "F95 two workers"])
def test_a_process_killed_while_it_collects_costs_a_restart(project, run, options):  # noqa: F811
    project.journeys(DIES_ONCE + TWO)
    ended: Run = run(*options)
    assert ended.code == 0, ended.output
    assert ended.outcomes == {"test_first": ("passed", ""), "test_second": ("passed", "")}
