"""The commands as a person meets them first."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest


def synthprobe(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "synthprobe", *words], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_it_says_its_version():
    assert synthprobe("--version") == (0, f"synthprobe {version('synthprobe')}\n")


@pytest.mark.parametrize("words", [(), ("--help",)], ids=["nothing", "help"])
def test_it_says_what_it_can_do(words):
    _, said = synthprobe(*words)
    assert "find half-broken states before a user does." in " ".join(said.split())
    assert "Run the journeys once" in said


def test_an_unknown_command_is_refused():
    code, said = synthprobe("watch")
    assert code == 2
    assert "No such command 'watch'" in said
