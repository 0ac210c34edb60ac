import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from remembering import remember
from typer.testing import CliRunner

from synthprobe.cli.main import app, main
from synthprobe.config import Config, HistoryConfig
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.history.store import History
from synthprobe.project import Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "synthprobe.toml").write_text("interval_s = 300\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str):
    return CliRunner().invoke(app, ["history", "copy", *words])


def checked():
    return CliRunner().invoke(app, ["doctor", "history"])


def test_a_history_travels_in_a_pack_and_in_an_export(project):
    with History.open(project / ".synthprobe" / "history.db") as history:
        history.append_audit({"n": 1})
    assert "nothing is wrong" in checked().output
    assert typed("--pack", "--to", "pack").exit_code == typed("--to", "all.gz").exit_code == 0
    pruned = CliRunner().invoke(app, ["doctor", "history", "--fix"])
    assert (pruned.exit_code, "Removed or rolled up: nothing was due." in pruned.output) == (0, True)
    assert isinstance(typed("--pack", "--from", "pack").exception, HistoryError)
    for way in (("--pack", "--from", "pack"), ("--from", "all.gz")):
        (project / ".synthprobe" / "history.db").rename(project / f"before-{len(way)}.db")
        assert typed(*way).exit_code == 0
        with History.open(project / ".synthprobe" / "history.db") as history:
            assert history.audit_entries() == [{"n": 1}]


@pytest.fixture
def damaged(project):
    """A store that looks sound from outside, and cannot be read to its end."""
    path = project / ".synthprobe" / "history.db"
    with History.open(path) as history:
        for number in range(400):
            history.append_audit({"n": number, "text": "x" * 200})
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = store.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()
        (size,) = store.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(data)
    return path


def test_an_export_of_a_damaged_history_leaves_the_last_good_one(damaged, monkeypatch, capsys):
    Path("all.gz").write_bytes(b"the last good one")
    monkeypatch.setattr(sys, "argv", ["synthprobe", "history", "copy", "--to", "all.gz"])
    with pytest.raises(SystemExit) as end:
        main()
    output = capsys.readouterr()
    assert end.value.code == 2
    assert "found to be damaged" in output.err
    assert "was put aside as" in output.out.replace("\n", " ")
    assert Path("all.gz").read_bytes() == b"the last good one"
    assert not list(Path().glob("*.tmp"))
    assert not [line for line in output.out.splitlines() if "rows were written" in line]


def test_a_damaged_history_is_not_packed(damaged):
    Path("pack").write_bytes(b"the last good one")
    answer = typed("--pack", "--to", "pack")
    assert isinstance(answer.exception, HistoryError)
    assert "cannot be packed" in str(answer.exception)
    assert Path("pack").read_bytes() == b"the last good one"
    assert {path.name for path in Path().iterdir()} == {"pack", "synthprobe.toml", ".synthprobe"}
    assert checked().exit_code == 1


@pytest.mark.parametrize("way", [("--pack", "--to"), ("--to",)], ids=["pack", "whole"])
@pytest.mark.parametrize("place", ["no/such/folder/x", "folder", ".", "..", "synthprobe.toml/x", "pipe"])
def test_a_place_where_no_file_can_be_is_a_sentence(project, way, place):
    (project / "folder").mkdir()
    os.mkfifo(project / "pipe")
    before = sorted(project.iterdir())
    answer = typed(*way, place)
    assert isinstance(answer.exception, HistoryError), answer.output
    assert "othing was written" in str(answer.exception)
    assert sorted(path for path in project.iterdir() if path.name != ".synthprobe") == before


def test_with_a_url_as_well_a_runner_keeps_one_file(project):
    (project / "synthprobe.toml").write_text('[history]\nurl = "postgresql+psycopg://u:p@127.0.0.1:1/x"\n')
    answer = typed("--pack", "--to", "history.pack")
    assert (answer.exit_code, (project / "history.pack").exists()) == (0, True)
    assert "cannot be reached" in answer.output
    (project / ".synthprobe" / "history.db").unlink()
    assert "is in place" in typed("--pack", "--from", "history.pack").output


def test_where_to_or_from_is_said_once(project):
    for words in ((), ("--to", "a", "--from", "b")):
        answer = typed(*words)
        assert isinstance(answer.exception, ConfigurationError)
        assert "exactly one of both was expected" in str(answer.exception)


def test_no_pack_in_the_cache_is_a_note(project):
    answer = typed("--pack", "--from", "not-there")
    assert (answer.exit_code, "begins anew" in answer.output) == (0, True)


def test_a_damaged_history_is_what_check_finds(project):
    (project / ".synthprobe").mkdir()
    (project / ".synthprobe" / "history.db").write_bytes(b"nothing of the kind")
    answer = checked()
    assert answer.exit_code == 1
    assert answer.output.count("was damaged") == 1


UNUSABLE = [
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite://rel.db",
    "garb4ge.db",
    "mysql://x/y",
    "nonsense://",
    "postgresql+psycopg://u:secret-word@host:notaport/x",
    "postgresql+psycopg://u:secret-word@host:99999/x",
]


@pytest.mark.parametrize("url", UNUSABLE)
@pytest.mark.parametrize("words", ["run", "report", "review", "doctor history"])
def test_a_url_that_cannot_be_used_is_refused_when_the_configuration_is_read(project, url, words):
    (project / "synthprobe.toml").write_text(f'[history]\nurl = "{url}"\n')
    error = CliRunner().invoke(app, words.split()).exception
    assert isinstance(error, ConfigurationError)
    assert "history.url that cannot be used" in str(error)
    assert "secret-word" not in str(error)
    assert [path.name for path in project.iterdir()] == ["synthprobe.toml"]


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_url_from_the_environment_that_cannot_be_used_is_a_sentence(project, url, monkeypatch):
    (project / "synthprobe.toml").write_text('[history]\nurl = "env:HISTORY"\n')
    monkeypatch.setenv("HISTORY", url)
    answer = checked()
    assert answer.exit_code == 1
    assert "Correct [history] url" in " ".join(answer.output.split())
    assert "secret-word" not in answer.output


def test_a_relative_sqlite_path_belongs_to_the_projects_root(project, monkeypatch):
    (project / "synthprobe.toml").write_text('[history]\nurl = "sqlite:///memory/rel.db"\n')
    (project / "journeys").mkdir()
    monkeypatch.chdir(project / "journeys")
    assert "nothing is wrong" in checked().output
    assert (project / "memory" / "rel.db").exists()
    assert not list((project / "journeys").iterdir())


def test_a_file_in_the_way_of_the_history_is_a_sentence(project):
    (project / ".synthprobe").write_text("in the way")
    answer = checked()
    assert answer.exit_code == 1
    assert "cannot be reached" in answer.output


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "env:NOT_SET", "nonsense://", "postgresql+nonsense://x/y", "garb4ge.db"]
)
def test_a_url_that_cannot_be_used_is_a_note_after_a_run_and_never_its_end(tmp_path, url):
    (note,) = remember(Project(tmp_path, Config(history=HistoryConfig(url=url))), "demo")
    assert note.endswith(".")
