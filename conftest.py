"""Starts the dispatch centre when journeys run against the demo and no address was given."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from synthprobe.plugin.options import project_config, wants_journeys


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before the plugin chooses the target, the controller starts the centre; xdist's workers inherit its address."""
    if hasattr(config, "workerinput") or config.option.collectonly or not wants_journeys(config):
        return
    target = config.getoption("--target") or project_config(config).default_target
    if target != "demo" or config.getoption("base_url") or "SYNTHPROBE_DEMO_CONTROL" in os.environ:
        return
    centre = subprocess.Popen([sys.executable, "-m", "synthprobe.demo", "--port", "0"], stdout=subprocess.PIPE)
    assert centre.stdout is not None
    config.option.base_url = json.loads(centre.stdout.readline())["base_url"]
    os.environ["PYTEST_BASE_URL"] = config.option.base_url

    def end() -> None:
        os.environ.pop("PYTEST_BASE_URL", None)
        centre.terminate()
        centre.wait(timeout=10)

    config.add_cleanup(end)
