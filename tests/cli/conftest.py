"""A project folder for the commands that look back."""

from __future__ import annotations

from pathlib import Path

import pytest
import recorded_runs

from synthprobe.cli import remembered


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:9"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(remembered, "now", lambda: recorded_runs.NOW)
    return tmp_path
