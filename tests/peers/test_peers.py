"""Installed beside other plugins, synthprobe changes nothing of what their own tests say."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.timeout(300)  # the first time it downloads
def test_the_tests_of_a_peer_end_alike_with_and_without_synthprobe():
    chosen = ["pytest-xdist", "--file", "test_plugin.py"]  # all of them every night
    command = [sys.executable, str(Path(__file__).with_name("peers.py")), *chosen]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 differences" in done.stdout
