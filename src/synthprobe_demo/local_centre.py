"""For a conftest.py: starts a dispatch centre when journeys run against the demo and none is served there."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from synthprobe.plugin.options import project_of, target_name, wants_journeys


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
    from synthprobe_demo.process import running_centre  # most sessions start none

    centre = ExitStack()
    config.option.base_url = centre.enter_context(running_centre()).base_url
    config.add_cleanup(centre.close)
