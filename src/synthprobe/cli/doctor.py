"""``synthprobe doctor``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from synthprobe.browser.installation import driver_trouble, find_browser, install_browser, install_driver_library
from synthprobe.cli.checks import Finding, ProjectAtHand, findings
from synthprobe.cli.completion import complete_targets
from synthprobe.cli.terminal import open_console, print_json, print_wrapped
from synthprobe.config import Config, find_root, read_config
from synthprobe.report.node import allure_version, find_allure, find_node, install_allure

_MISSING = "missing; install it with: synthprobe doctor --fix"


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A program that journeys or reports need.

    Attributes:
        name: what it is.
        found: whether it is there.
        text: which one is used and why, or how to get it.
    """

    name: str
    found: bool
    text: str


def doctor(
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target that is asked whether it answers.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Install the tools that are missing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what keeps a run from working here: tools that are missing, and what is wrong with the project.

    Exit code 0: all is well, or warnings only. 1: something is wrong. 2: a tool is missing, or usage.
    """
    console = open_console()
    root = find_root(Path.cwd())
    config = read_config(root)
    executable = config.browser.executable or None
    if fix:
        _install(executable, open_console(stderr=as_json).print)
    tools, found = _tools(executable), _findings(root, config, target, tools_only=fix)
    if as_json:
        print_json({"tools": tools, "findings": found})
    else:
        for tool in tools:
            console.print(f"{tool.name:8} {tool.text}")
        for finding in found:
            print_wrapped(console, f"{finding.level:8} {finding.check}: {finding.text}")
    if not all(tool.found for tool in tools):
        raise typer.Exit(2)
    if not fix and any(finding.level == "wrong" for finding in found):
        raise typer.Exit(1)


def _findings(root: Path, config: Config, target: str | None, *, tools_only: bool) -> list[Finding]:
    """A CI job installs its tools with --fix: what is wrong with a target must not keep its run from saying so."""
    name = target or config.default_target
    if target is not None and target not in config.targets:
        config.target(target)  # says which there are
    nothing_watched = target is None and not config.targets
    only = ["workflows"] if tools_only or nothing_watched else []
    return findings(ProjectAtHand(root=root, config=config, target=name, environ=os.environ), only)


def _install(executable: str | None, tell: Callable[[str], None]) -> None:
    if driver_trouble():
        install_driver_library(tell)
    if find_browser(executable, os.environ) is None:
        install_browser(tell)
    if find_allure() is None:
        install_allure(tell)


def _tools(executable: str | None) -> list[Tool]:
    browser, node, allure, trouble = find_browser(executable, os.environ), find_node(), find_allure(), driver_trouble()
    tools = [
        Tool(name="browser", found=bool(browser), text=f"{browser.name}: {browser.why}" if browser else _MISSING),
        Tool(name="node", found=bool(node), text=str(node or _MISSING)),
        Tool(name="allure", found=bool(allure), text=f"{allure_version()} at {allure[-1]}" if allure else _MISSING),
    ]
    if trouble:
        text = f"does not start: {trouble}; install what it needs with: synthprobe doctor --fix"
        tools.insert(1, Tool(name="driver", found=False, text=text))
    return tools
