"""Bad input is refused or handled with a sentence: never a wrong alarm, never the end of a run."""

import gzip
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from datetime import timedelta

import pytest
from made_history import EVERY, START, verdict
from msgspec.structs import replace
from typer.testing import CliRunner

from synthprobe import pipeline
from synthprobe.cli.main import app
from synthprobe.config import read_config
from synthprobe.errors import HistoryError
from synthprobe.history.database import REVISIONS
from synthprobe.history.store import History
from synthprobe.project import Project

KEY = ("journey-0", "step 0")


class Runs:
    """A project whose runs are judged against its history, one every five minutes."""

    def __init__(self, root):
        (root / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:9"\n')
        self.root, self.config, self.number = root, read_config(root, {}), len([*root.glob(".synthprobe/runs/demo/*")])
        self.noise = random.Random(5)

    def run(self, *, at=None, ms=None, run_id="", **how):
        self.number += 1
        usual = 400 * (1 + self.noise.gauss(0, 0.03))
        made = verdict(self.number, at=at, ms=ms if ms is not None else usual, run_id=run_id, **how)
        return self.judge(made)

    def judge(self, made):
        folder = self.root / ".synthprobe" / "runs" / "demo" / made.run.id
        folder.mkdir(parents=True, exist_ok=True)
        return pipeline.after_run(Project(self.root, self.config, {}), folder, made)

    def history(self):
        return pipeline.open_history(Project(self.root, self.config, {}))

    def incidents(self):
        with self.history() as history:
            return history.incidents("demo")

    def states(self):
        with self.history() as history:
            return history.detector_states("demo")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A project that saw thirty runs."""
    made = Runs(tmp_path_factory.mktemp("seen"))
    for _ in range(30):
        made.run()
    return made.root


@pytest.fixture
def project(seen, tmp_path):
    shutil.copytree(seen, tmp_path, dirs_exist_ok=True)
    return Runs(tmp_path)


def outcomes(done):
    return [judgement.outcome for judgement in done.journeys]


@pytest.mark.parametrize("back", [timedelta(minutes=7), timedelta(hours=3), timedelta(days=400)], ids=str)
def test_a_clock_that_goes_backwards_is_a_sentence_and_no_alarm(project, back):
    for number in range(1, 9):
        done = project.run(at=START + 31 * EVERY - back + number * timedelta(seconds=1))
        assert outcomes(done) == ["passed"]
        assert any("the clock of this machine went backwards" in note for note in done.notes), done.notes
    assert project.incidents() == []
    assert not any("backwards" in note for note in project.run().notes)


def test_an_old_run_that_passed_ends_no_incident(project):
    project.run(outcome="failed")
    (opened,) = project.incidents()
    for number in range(3):
        project.run(at=START - timedelta(days=1) + number * EVERY, run_id=f"late-{number}")
    assert project.incidents() == [opened]


@pytest.mark.parametrize("ago", [0, 1, 5])
@pytest.mark.parametrize("bad", [{"ms": 900.0}, {"outcome": "failed"}], ids=["slow", "failed"])
def test_a_run_that_comes_twice_counts_once(project, ago, bad):
    at = START + 31 * EVERY
    twice = verdict(at=at, run_id="twice", **bad)
    project.judge(twice)
    for number in range(ago):
        project.run(at=at + (number + 1) * EVERY)
    incidents, states = project.incidents(), project.states()
    for _ in range(3):
        again = project.judge(twice)
    assert (project.incidents(), project.states()) == (incidents, states)
    assert outcomes(again) == ["passed" if "ms" in bad else "failed"]
    with project.history() as history:
        assert sum(seen.run_id == "twice" for seen in history.observations("demo", last=99)) == 1


@pytest.mark.parametrize("ms", [0.0, -400.0, float("nan"), float("inf"), float("-inf")])
def test_a_duration_that_is_none_is_no_alarm_and_teaches_nothing(project, ms):
    for _ in range(6):
        done = project.run(ms=ms)
        assert outcomes(done) == ["passed"]
    assert project.incidents() == []
    assert outcomes(project.run()) == ["passed"]
    slow = [project.run(ms=1200) for _ in range(4)][-1]  # what is usual is still known
    assert outcomes(slow) == ["degraded"]
    assert "its usual 40" in slow.journeys[0].cause or "its usual 39" in slow.journeys[0].cause


def test_a_journey_that_is_no_more_disturbs_nobody(project):
    project.run(journeys=3, outcome="failed")
    before = project.incidents()
    for _ in range(3):
        assert outcomes(project.run()) == ["passed"]
    after = {incident.id: incident for incident in project.incidents()}
    assert {incident.id for incident in before} == set(after)
    with project.history() as history:
        assert set(history.steps("demo")) >= {"journey-0", "journey-1", "journey-2"}


def test_a_store_from_a_newer_version_costs_a_note_and_is_left_alone(project):
    database = project.root / ".synthprobe" / "history.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        count = connection.execute("SELECT count(*) FROM runs").fetchone()
    done = project.run(ms=1200)
    assert outcomes(done) == ["passed"]
    assert any("has schema 9999" in note and "Upgrade synthprobe" in note for note in done.notes)
    assert any("waits in" in note for note in done.notes)
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == count


@pytest.mark.parametrize("state", [b"", b"\x00", b"no state", b"\x93\x01\x02\x03"])
def test_a_detector_state_that_cannot_be_read_begins_anew(project, state):
    with project.history() as history:
        history.put_detector_states("demo", dict.fromkeys(history.detector_states("demo"), state))
    assert outcomes(project.run(ms=1200)) == ["passed"]


def exported(path, **change):
    """An export of one run, with something wrong in its one step's row."""
    with History.open(path / "source.db") as source:
        source.ingest(verdict(0))
        source.export(path / "all.gz")
    lines = [json.loads(line) for line in gzip.decompress((path / "all.gz").read_bytes()).splitlines()]
    row = next(values for name, values in lines[1:] if name == "steps")
    row.update(change)
    for name in [name for name, value in row.items() if value == "gone"]:
        del row[name]
    (path / "all.gz").write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    return path / "all.gz"


@pytest.mark.parametrize(
    "change",
    [
        {"duration_us": float("nan")},
        {"duration_us": None},
        {"duration_us": "fast"},
        {"duration_us": 1.5},
        {"at": "gone"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_an_export_with_a_row_that_says_nothing_is_refused_whole(history, tmp_path, change):
    with pytest.raises(HistoryError, match=r"Nothing was imported\."):
        history.import_(exported(tmp_path, **change))
    assert history.observations("demo") == []
    assert history.ingest(verdict(0))


def test_an_export_of_a_newer_version_and_one_with_a_row_twice_are_refused(history, tmp_path):
    lines = gzip.decompress(exported(tmp_path).read_bytes())
    newer = lines.replace(f'"{REVISIONS[-1]}"'.encode(), b'"9999"', 1)
    for content, says in ((newer, "another version"), (lines + lines.splitlines(keepends=True)[-1], "refused")):
        (tmp_path / "bad.gz").write_bytes(gzip.compress(content))
        with pytest.raises(HistoryError, match=says):
            history.import_(tmp_path / "bad.gz")
        assert history.observations("demo") == []


def test_a_series_with_gaps_and_with_durations_that_are_none_is_replayed_without_an_alarm(tmp_path):
    noise = random.Random(3)
    times = [300 * n + (7 * 86400 if n > 100 else 0) + (86400 if n > 150 else 0) for n in range(200)]
    rows = [f"{at},{100 * (1 + noise.gauss(0, 0.05)):.2f},1" for at in times]
    bad = {50: "", 60: "nan", 70: "0", 80: "-5", 90: "inf"}
    rows = [f"{times[n]},{bad[n]},1" if n in bad else row for n, row in enumerate(rows)]
    rows[40:40] = ["", ",,", "12000"]
    path = tmp_path / "holes.csv"
    path.write_text("timestamp,ms,status\n" + "\n".join(rows) + "\n")
    done = CliRunner().invoke(app, ["history", "replay", str(path)])
    assert (done.exit_code, "0 alarms, 0 reports." in done.output) == (0, True), done.output
    assert "7 rows have no usable time, duration or status and were passed over" in done.stderr


def test_a_run_of_which_nothing_was_timed_is_remembered_and_no_alarm(project):
    made = verdict(31)
    (judged,) = made.journeys
    blank = replace(judged.results[0], steps=(), duration_s=0.0)
    done = project.judge(replace(made, journeys=(replace(judged, results=(blank,)),)))
    assert outcomes(done) == ["passed"]
    assert set(project.states()) >= {KEY}


def test_the_address_that_a_provider_prints_is_taken_and_what_is_none_is_told_with_one_that_is(project, postgresql):
    (project.root / "synthprobe.toml").write_text(
        '[history]\nurl = "env:PLACE"\n[targets.demo]\nbase_url = "http://127.0.0.1:9"\n'
    )

    def doctor(place: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "synthprobe", "doctor", "history"]
        environ = {**os.environ, "PLACE": place}
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, env=environ)
        return done.returncode, done.stdout

    assert doctor(postgresql.replace("postgresql+psycopg:", "postgres:"))[0] == 0
    code, output = doctor("mysql://me@host/x")
    assert (code, "sqlite:///PATH or postgresql://HOST/DATABASE was expected" in output) == (1, True), output
    code, output = doctor("postgres://me@127.0.0.1:1/x")
    assert (code, "Connection refused. Is the server" in output, "?." in output) == (1, True, False), output
