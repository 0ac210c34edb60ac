"""For a conftest.py: starts a dispatch centre when journeys run against the demo and none is served there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from urllib.parse import urlsplit

import pytest

from synthprobe.plugin.options import project_of, target_name, wants_journeys
from synthprobe.tools import die_with_parent


def is_served(base_url: str) -> bool:
    """Whether something listens at an address."""
    place = urlsplit(base_url)
    try:
        socket.create_connection((place.hostname, place.port or 80), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before the plugin chooses the target, the controller starts the centre; xdist's workers inherit its address."""
    if hasattr(config, "workerinput") or config.option.collectonly or not wants_journeys(config):
        return
    project = project_of(config).config
    target = target_name(config) or project.default_target
    if target != "demo" or config.getoption("base_url") or is_served(project.targets[target].base_url):
        return
    centre = subprocess.Popen(
        [sys.executable, "-m", "synthprobe_demo", "--port", "0"],
        stdout=subprocess.PIPE,
        preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGTERM) if os.name == "posix" else None,
    )
    assert centre.stdout is not None
    config.option.base_url = json.loads(centre.stdout.readline())["base_url"]

    def end() -> None:
        centre.terminate()
        centre.wait(timeout=10)

    config.add_cleanup(end)
