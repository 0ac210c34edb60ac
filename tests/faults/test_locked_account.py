"""F68: the test account cannot log in any more: named as the account's state, with its own runbook, and not as code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from synthprobe.records.verdict import Verdict

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_an_account_that_is_locked_is_named_with_its_own_runbook_f68(tmp_path, centre):
    for name in ("journeys", "runbooks", "fixes"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / "journeys").rglob("test_*.py"):
        if path.name != "test_shift.py":
            path.unlink()
    config = (ROOT / "synthprobe.toml").read_text()
    (tmp_path / "synthprobe.toml").write_text(re.sub(r'(?<=\nbase_url = )"[^"]*"', f'"{centre.url}"', config))
    centre.fault("password_expired")
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    (path,) = (tmp_path / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    (broken,) = [journey for journey in verdict.journeys if journey.outcome == "failed"]
    assert broken.triage is not None
    assert (broken.triage.cause_class, broken.runbook) == ("user", "account-locked")
    assert "account" in broken.triage.why
