"""F44: the scheduler drops slots, or the machine of a run is lost. The next run that gets through says so."""

import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from synthprobe import pipeline

from set_clock import OwnClock  # isort: skip

SLOT_S = 300
NOW = int(time.time()) // SLOT_S


@pytest.fixture
def judged(project):
    """Runs the journeys a minute after a slot began, so many slots from now: the run's verdict."""
    toml = project.root / "synthprobe.toml"
    toml.write_text(f"interval_s = {SLOT_S}\n{toml.read_text()}")
    project.journeys("def test_it(): assert True")
    clock = OwnClock(project.root)

    def run(later: int, *options: str):
        clock.set((NOW + later) * SLOT_S + 60 - int(time.time()))
        command = [sys.executable, "-m", "synthprobe", "run", *options]
        done = subprocess.run(
            command, cwd=project.root, env=clock.environ, capture_output=True, text=True, timeout=250, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = pipeline.read_verdict(pipeline.newest_run(project.root, ".synthprobe") / "verdict.json")
        assert verdict.run.slot == NOW + later
        return verdict

    return run


def gap_sentence(slots: str, first: int, until: int) -> str:
    began, ended = (datetime.fromtimestamp((NOW + slot) * SLOT_S, UTC) for slot in (first, until))
    day = "%H:%M" if began.date() == ended.date() else "%Y-%m-%d %H:%M"
    return f"No run judged the {slots} before this one ({began:{day}} to {ended:{day}} UTC)."


def gaps(verdict) -> list[str]:
    return [note for note in verdict.notes if note.startswith("No run judged")]


def test_f44_the_next_run_says_how_many_slots_nobody_judged(judged):
    assert gaps(judged(0, "--slot", "now")) == [], "before the first run nothing was missed"
    assert gaps(judged(1, "--slot", "now")) == []
    (gap,) = gaps(judged(3, "--slot", "now"))
    assert gap.startswith(gap_sentence("slot", 2, 3))
    assert gaps(judged(5)) == [], "a run by hand judges no slot and misses none"
    (gap,) = gaps(judged(7, "--slot", "now"))
    assert gap.startswith(gap_sentence("3 slots", 4, 7))
    (gap,) = gaps(judged(295, "--slot", "now"))
    assert gap.startswith(gap_sentence("287 slots", 8, 295)), "a gap over midnight names its days"
    assert f"({datetime.fromtimestamp((NOW + 8) * SLOT_S, UTC):%Y-%m-%d %H:%M} to " in gap


def test_f44_slots_of_another_length_are_not_counted(judged, project):
    judged(0, "--slot", "now")
    toml = project.root / "synthprobe.toml"
    toml.write_text(toml.read_text().replace(f"interval_s = {SLOT_S}", "interval_s = 60"))
    command = [sys.executable, "-m", "synthprobe", "run", "--slot", "now"]
    subprocess.run(command, cwd=project.root, capture_output=True, timeout=250, check=True)
    verdict = pipeline.read_verdict(pipeline.newest_run(project.root, ".synthprobe") / "verdict.json")
    assert (verdict.run.slot > 4 * NOW, gaps(verdict)) == (True, [])
