"""A journey that fails in two ways by turns has an incident for each, and each run names the right one."""

import json
import os
import subprocess
import sys

JOURNEY = """
import os
from synthprobe import step

def test_order():
    with step("price"):
        assert os.environ["BROKEN"] != "price", "price is wrong"
    with step("stock"):
        assert os.environ["BROKEN"] != "stock", "stock is missing"
"""


def test_the_third_run_names_the_incident_of_the_first(tmp_path):
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "test_order.py").write_text(JOURNEY)
    (tmp_path / "synthprobe.toml").write_text(
        'second_attempts = 0\ndefault_target = "demo"\n[targets.demo]\nbase_url = "http://127.0.0.1:9"\n'
    )
    seen = []
    for broken in ("price", "stock", "price"):
        command = [sys.executable, "-m", "synthprobe", "run"]
        environ = {**os.environ, "BROKEN": broken}
        subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, timeout=250, check=False)
        path = max((tmp_path / ".synthprobe" / "runs" / "demo").glob("*/verdict.json"))
        (journey,) = json.loads(path.read_text())["journeys"]
        seen.append(journey["incident"])
    assert seen[0] == seen[2] != ""
    assert seen[1] not in {"", seen[0]}
    listed = [sys.executable, "-m", "synthprobe", "incident", "show", seen[0]]
    shown = subprocess.run(listed, cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False).stdout
    assert "price is wrong" in shown
    assert "stock" not in shown
