"""``synthprobe doctor``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.probes.installation import driver_trouble, find_browser, install_browser, install_driver_library
from synthprobe.report.node import allure_version, find_allure, find_node, install_allure

_RUN = re.compile(r"^(?P<before>[^#\n]*)\bsynthprobe run\b", re.MULTILINE)


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Install what is missing.")] = False,
) -> None:
    """Say which browser and which Node are used, and why; with --fix, install what is missing.

    Also says where a workflow runs `synthprobe run` without `exec`. Exit code 0: all is there. 2: something is missing.
    """
    console = open_console()
    root = find_root(Path.cwd())
    configured = read_config(root).browser.executable or None
    if fix and driver_trouble():
        install_driver_library(console.print)
    if fix and find_browser(configured, os.environ) is None:
        install_browser(console.print)
    if fix and find_allure() is None:
        install_allure(console.print)
    trouble = driver_trouble()
    browser, node, allure = find_browser(configured, os.environ), find_node(), find_allure()
    missing = "missing; install it with: synthprobe doctor --fix"
    console.print(f"browser  {f'{browser.name}: {browser.why}' if browser else missing}")
    if trouble:
        console.print(f"driver   does not start: {trouble}; install what it needs with: synthprobe doctor --fix")
    console.print(f"node     {node or missing}")
    console.print(f"allure   {f'{allure_version()} at {allure[-1]}' if allure else missing}")
    for path in sorted((root / ".github" / "workflows").glob("*.y*ml")):
        if any(not re.search(r"\bexec\s+\S*$", found["before"]) for found in _RUN.finditer(path.read_text("utf-8"))):
            console.print(
                f"warning  {path.relative_to(root)} starts synthprobe run without exec, so a cancelled job signals the "
                "shell alone. Make it the whole step: exec synthprobe run …",
                markup=False,
            )
    if trouble or not (browser and node and allure):
        raise typer.Exit(2)
