"""In a maintenance window nobody is told, nothing counts against objectives, and whoever looks sees that it is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from test_afterwards import SIGN_IN, Heard, Project, heard, project

from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError
from synthprobe.pipeline.coverage import judge_objectives
from synthprobe.records.incident import Observation
from synthprobe.targets.windows import read_windows

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
DAY = timedelta(days=1)
WORDS = 'targets = ["demo"]\nowner = "desk"\nreason = "the database is moved"\n'


def test_nobody_is_told_in_a_window_and_what_is_still_wrong_is_told_after_it(project, heard):
    now = datetime.now(UTC)
    file = project.root / "windows.toml"
    times = f"from = {(now - timedelta(days=2)).isoformat()}\nto = {(now + timedelta(hours=1)).isoformat()}\n"
    file.write_text(f'[[window]]\n{WORDS}{times}journeys = ["sign-in"]\n')
    project.run()
    verdict = project.run(failing=(SIGN_IN,))
    assert verdict.notes[0].startswith("Maintenance until ")
    assert "the database is moved (desk). Nobody is told of sign-in" in verdict.notes[0]
    assert (heard.messages, heard.beats) == ([], ["success"] * 2)
    burning = project.run(failing=(SIGN_IN,)).notes
    assert not [note for note in burning if "error budget" in note], "two bad slots of twelve"
    assert heard.messages == []
    file.unlink()
    project.run(failing=(SIGN_IN,))
    assert [message["title"][:18] for message in heard.messages] == ["PAGE demo: Sign in"]


def test_what_is_wrong_in_a_window_counts_against_no_objective(tmp_path, project):
    now = datetime.now(UTC)
    file = tmp_path / "windows.toml"
    file.write_text(f"[[window]]\n{WORDS}from = {(now - 2 * DAY).isoformat()}\nto = {(now - DAY).isoformat()}\n")
    seen = [
        Observation(
            run_id=f"run-{hours}", slot=int(at.timestamp()) // 300, at=at, target="demo", journey="a", outcome="failed"
        )
        for hours in (30, 6)
        for at in [now - timedelta(hours=hours)]
    ]
    (with_window,), (without,) = (
        judge_objectives(project.config, seen, now, None, windows) for windows in (read_windows(file), ())
    )
    assert (with_window.bad, without.bad) == (1, 2)


def test_a_window_by_cron_is_open_in_the_time_of_its_zone(tmp_path):
    file = tmp_path / "windows.toml"
    file.write_text(f'[[window]]\n{WORDS}cron = "0 2 * * sun"\nlasts = "2h"\ntimezone = "Europe/Berlin"\n')
    (window,) = read_windows(file)
    summer, winter = datetime(2026, 7, 5, tzinfo=UTC), datetime(2026, 12, 6, tzinfo=UTC)
    for sunday, begin in ((summer, 0), (winter, 1)):
        opened = [hour for hour in range(24) if window.holds("demo", "any", sunday + timedelta(hours=hour, minutes=30))]
        assert opened == [begin, begin + 1]
    assert not window.holds("demo", "any", summer + timedelta(days=1, minutes=30))
    assert not window.holds("shop", "any", summer + timedelta(minutes=30))


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('targets = ["demo"]\n', "Each window is a table"),
        (WORDS, "either from and to, or cron and lasts"),
        (f'{WORDS}cron = "0 2 * * sun"\n', "either from and to, or cron and lasts"),
        (f'{WORDS}cron = "soon"\nlasts = "2h"\n', "has a time that cannot be used"),
        (f'{WORDS}cron = "0 2 * * *"\nlasts = "2h"\ntimezone = "Mars/Base"\n', "has a time that cannot be used"),
        (f"{WORDS}from = 2026-12-01T22:00:00\nto = 2026-12-01T23:00:00\n", "without a zone"),
        (f"{WORDS}from = 2026-12-01T22:00:00Z\nto = 2027-12-01T23:00:00Z\n", "at most 7 days"),
    ],
)
def test_a_window_that_is_not_in_order_is_a_sentence_and_silences_nobody(tmp_path, project, lines, sentence):
    (tmp_path / "windows.toml").write_text(f"[[window]]\n{lines}")
    with pytest.raises(ConfigurationError, match=sentence):
        read_windows(tmp_path / read_config(tmp_path, {}).windows)
