"""``synthprobe doctor``."""

from __future__ import annotations

import platform
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from synthprobe import pipeline
from synthprobe.browser.installation import (
    browser_trouble,
    driver_trouble,
    find_browser,
    install_browser,
    install_driver_library,
)
from synthprobe.cli.checks import CHECKS, ProjectAtHand, findings
from synthprobe.cli.named_checks import NAMED_CHECKS
from synthprobe.cli.options import AsJson, complete_targets
from synthprobe.cli.terminal import open_console, print_json, print_wrapped
from synthprobe.errors import ConfigurationError
from synthprobe.project import Project
from synthprobe.report.node import allure_version, find_allure, find_node, install_allure

_ALL = CHECKS | NAMED_CHECKS
_MISSING = "missing; install it with: synthprobe doctor --fix"


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A program that journeys or reports need."""

    name: str
    found: bool
    text: str


def doctor(
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHECK]...",
            autocompletion=lambda incomplete: [name for name in _ALL if name.startswith(incomplete)],
            help=f"Only these: {', '.join(CHECKS)}; or, only when named, {', '.join(NAMED_CHECKS)}.",
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(autocompletion=complete_targets, help="Target that is asked whether it answers.")
    ] = None,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Install the tools that are missing; `doctor history --fix` removes what is older than it is kept.",
        ),
    ] = False,
    paths: Annotated[
        list[Path] | None, typer.Option("--in", metavar="PATH", help="Where `source` or `leaks` looks.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="One more secret for `leaks`: env:VARIABLE or file:/path.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what keeps a run from working here: tools that are missing, and what is wrong with the project.

    Exit code 0: all is well, or warnings only. 1: something is wrong. 2: a tool is missing, or usage.
    """
    console = open_console()
    names = list(dict.fromkeys(checks or ()))
    if unknown := [name for name in names if name not in _ALL]:
        raise ConfigurationError(f"There is no check {unknown[0]!r}. Known ones: {', '.join(_ALL)}.")
    if (paths or secret) and not {"source", "leaks"} & set(names):
        raise ConfigurationError("--in and --secret belong to the checks `source` and `leaks`. Name one of them.")
    project = Project.here(must_exist=bool(names) and not paths)  # tools are looked at anywhere
    executable = project.config.browser.executable or None
    tell = open_console(stderr=as_json).print
    if fix and not names:
        _install(executable, tell)
    if fix and "history" in names:
        _prune(project, tell)
    tools = [] if names else _tools(executable, look=not fix)
    if target is not None and target not in project.config.targets:
        project.config.target(target)  # says which there are
    at_hand = ProjectAtHand(
        project.root,
        project.config,
        target=target or project.config.default_target,
        paths=paths or (),
        secrets=secret or (),
    )
    # a CI job installs its tools with --fix: what is wrong with a target must not keep its run from saying so
    only_files = not names and (fix or (target is None and not project.config.targets))
    chosen = {name: _ALL[name] for name in (["workflows"] if only_files else names or CHECKS)}
    found = findings(at_hand, chosen, named=bool(names))
    if as_json:
        print_json({"tools": tools, "findings": found})
    else:
        for tool in tools:
            console.print(f"{tool.name:8} {tool.text}")
        for finding in found:
            print_wrapped(console, f"{finding.level:8} {finding.check}: {finding.text}")
        for name in names:
            if all(finding.check != name for finding in found):
                console.print(f"{'well':8} {name}: nothing is wrong")
    if not all(tool.found for tool in tools):
        raise typer.Exit(2)
    if (names or not fix) and any(finding.level == "wrong" for finding in found):
        raise typer.Exit(1)


def _prune(project: Project, tell: Callable[[str], None]) -> None:
    with pipeline.open_history(project) as history:
        removed = history.prune(datetime.now(UTC))
    counted = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in removed.items() if count)
    tell(f"Removed or rolled up: {counted or 'nothing was due'}.")


def _install(executable: str | None, tell: Callable[[str], None]) -> None:
    if driver_trouble():
        install_driver_library(tell)
    if find_browser(executable) is None:
        install_browser(tell)
    if find_allure() is None:
        install_allure(tell)


def _tools(executable: str | None, *, look: bool) -> list[Tool]:
    """Which tools there are; whoever asks for a look has the browser show a page, which takes a second."""
    browser, node, allure, trouble = find_browser(executable), find_node(), find_allure(), driver_trouble()
    tools = [
        Tool(name="browser", found=bool(browser), text=f"{browser.name}: {browser.why}" if browser else _MISSING),
        Tool(name="node", found=bool(node), text=str(node or _MISSING)),
        Tool(name="allure", found=bool(allure), text=f"{allure_version()} at {allure[-1]}" if allure else _MISSING),
        Tool(name="versions", found=True, text=_versions()),
    ]
    if trouble:
        text = f"does not start: {trouble}; install what it needs with: synthprobe doctor --fix"
        tools.insert(1, Tool(name="driver", found=False, text=text))
    elif look and browser and (why := browser_trouble(browser)):
        text = f"{browser.name} shows no page: {why}; look at its libraries and fonts, or configure another one"
        tools[0] = Tool(name="browser", found=False, text=text)
    return tools


def _versions() -> str:
    """What whoever reads a report of a fault asks first."""
    ours = ", ".join(f"{name} {version(name)}" for name in ("synthprobe", "playwright", "pytest", "pytest-playwright"))
    return f"{ours}; Python {platform.python_version()}; {platform.system()} {platform.machine()}"
