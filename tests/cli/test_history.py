import pytest
from typer.testing import CliRunner

from synthprobe import pipeline
from synthprobe.cli.main import app
from synthprobe.config import Config, HistoryConfig
from synthprobe.errors import HistoryError
from synthprobe.history.store import History


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "synthprobe.toml").write_text("interval_s = 300\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str):
    return CliRunner().invoke(app, ["history", *words])


def test_a_history_travels_in_a_pack_and_in_an_export(project):
    with History.open(project / ".synthprobe" / "history.db") as history:
        history.append_audit({"n": 1})
    assert "sound" in typed("check").output
    assert typed("pack", "pack").exit_code == typed("export", "all.gz").exit_code == typed("prune").exit_code == 0
    assert isinstance(typed("unpack", "pack").exception, HistoryError)
    for way in ("unpack", "import"):
        (project / ".synthprobe" / "history.db").rename(project / f"before-{way}.db")
        assert typed(way, "pack" if way == "unpack" else "all.gz").exit_code == 0
        with History.open(project / ".synthprobe" / "history.db") as history:
            assert history.audit_entries() == [{"n": 1}]


def test_no_pack_in_the_cache_is_a_note(project):
    answer = typed("unpack", "not-there")
    assert (answer.exit_code, "begins anew" in answer.output) == (0, True)


def test_a_damaged_history_is_what_check_finds(project):
    (project / ".synthprobe").mkdir()
    (project / ".synthprobe" / "history.db").write_bytes(b"nothing of the kind")
    answer = typed("check")
    assert answer.exit_code == 1
    assert "was damaged" in answer.output


@pytest.mark.parametrize("url", ["mysql://x/y", "env:NOT_SET", "nonsense://", "postgresql+nonsense://x/y"])
def test_a_url_that_cannot_be_used_is_a_note_after_a_run_and_never_its_end(tmp_path, url):
    (note,) = pipeline.remember(tmp_path, Config(history=HistoryConfig(url=url)), "demo", {})
    assert note.endswith(".")
