"""`synthprobe report` without arguments shows the newest run of each target."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import made_run
import pytest
from typer.testing import CliRunner

from synthprobe.cli.main import app


def test_the_newest_run_of_each_target_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_allure: None
) -> None:
    (tmp_path / "synthprobe.toml").write_text(
        '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n[targets.shop]\nbase_url = "http://127.0.0.1:9"\n'
    )
    for number, (target, name) in enumerate([("shop", "first"), ("shop", "second"), ("demo", "third")]):
        folder = tmp_path / ".synthprobe" / "runs" / target / name
        made_run.write(folder, of=made_run.run(name, target, made_run.NOW + timedelta(minutes=number)))
        (folder / "run.json").write_text("{}")
        os.utime(folder / "run.json", (number, number))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["report"])
    assert done.exit_code == 0, done.output
    status = json.loads((tmp_path / ".synthprobe" / "site" / "status.json").read_text())
    assert {(shown["target"], shown["run"]) for shown in status["targets"]} == {("shop", "second"), ("demo", "third")}
