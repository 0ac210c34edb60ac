"""Options, the journey marker, and which session is one of journeys."""

from __future__ import annotations

import difflib
import inspect
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from synthprobe.config import Config, find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.model.journey import Journey, Severity, duration_s

MARKER = (
    "journey(id, title, owner, severity, runbook, uses_per_day, budget): what is known of a journey; every argument "
    "is optional"
)
MUTATES = (
    "mutates(*what, repeatable=False): what the journey changes at the target; it is skipped where the target does not "
    "allow that, and not run again just because it was slow unless it is repeatable"
)
CONFIG_KEY = pytest.StashKey[Config]()
ROOT_KEY = pytest.StashKey[Path]()
_ARGUMENTS = ("id", "title", "owner", "severity", "runbook", "uses_per_day", "budget")


def add_options(parser: pytest.Parser) -> None:
    """Declare the plugin's options.

    Args:
        parser: pytest's option parser.
    """
    group = parser.getgroup("synthprobe", "synthprobe: journeys against a live system")
    group.addoption("--target", metavar="NAME", help="target of the configuration to run against (default: demo)")
    group.addoption(
        "--canaries", type=int, metavar="SLOT", help="prove with canaries of this slot that failures are seen"
    )
    group.addoption("--suspicions", metavar="PATH", help="run journeys of this file again until they are as usual")
    group.addoption("--run-folder", metavar="PATH", help="folder of this run; made under .synthprobe/runs/ without it")


def project_root(config: pytest.Config) -> Path:
    """The project's root, which need not be pytest's.

    Args:
        config: pytest's configuration.

    Returns:
        The folder that holds the configuration.
    """
    if ROOT_KEY not in config.stash:
        config.stash[ROOT_KEY] = find_root(config.rootpath)
    return config.stash[ROOT_KEY]


def project_config(config: pytest.Config) -> Config:
    """The project's configuration, read once.

    Args:
        config: pytest's configuration.

    Returns:
        The configuration.

    Raises:
        pytest.UsageError: with a sentence, when it cannot be used.
    """
    if CONFIG_KEY not in config.stash:
        try:
            config.stash[CONFIG_KEY] = read_config(project_root(config))
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[CONFIG_KEY]


def wants_journeys(config: pytest.Config) -> bool:
    """Whether this session was asked to run journeys.

    Args:
        config: pytest's configuration.

    Returns:
        True when a path given to pytest is, holds, or stands in a folder of journeys.
    """
    if config.option.help or config.option.version:
        return False
    folders = [project_root(config) / name for name in project_config(config).journeys]
    for argument in config.args:
        path = (config.invocation_params.dir / argument.split("::")[0]).resolve()
        if any(path.is_relative_to(folder) or folder.is_relative_to(path) for folder in folders):
            return True
    return False


def is_journey_path(config: pytest.Config, path: Path) -> bool:
    """Whether tests of this file are journeys.

    Args:
        config: pytest's configuration.
        path: the file.

    Returns:
        True when it stands in a folder of journeys.
    """
    return _stands_in(path, project_root(config), project_config(config).journeys)


@cache  # asked for each of a file's tests
def _stands_in(path: Path, root: Path, folders: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(root / name) for name in folders)


@cache
def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path, root)


def journey_of(item: pytest.Item) -> Journey:
    """The record of a journey, from its marker, docstring and name.

    Args:
        item: the test.

    Returns:
        The journey.

    Raises:
        pytest.UsageError: when the marker has an unknown argument or a value that cannot be used.
    """
    given: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("journey"))):
        if mark.args:
            raise pytest.UsageError(_wrong(item, "it takes named arguments only, for example owner='dispatch-desk'"))
        given.update(mark.kwargs)
    for name in given:
        if name not in _ARGUMENTS:
            near = difflib.get_close_matches(name, _ARGUMENTS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise pytest.UsageError(
                _wrong(item, f"it has an unknown argument {name!r}.{hint} Known arguments: {', '.join(_ARGUMENTS)}")
            )
    severity = given.get("severity", "normal")
    if severity not in get_args(Severity):
        raise pytest.UsageError(
            _wrong(item, f"severity is {severity!r}, one of {', '.join(get_args(Severity))} was expected")
        )
    try:
        budget_s = duration_s(given["budget"]) if "budget" in given else None
    except ValueError as error:
        raise pytest.UsageError(_wrong(item, f"budget: {error}")) from None
    doc = inspect.cleandoc(getattr(getattr(item, "function", None), "__doc__", None) or "")
    name = re.sub(r"\[.*\]$", "", item.name)
    # the browser's name is no part of a journey's identity while there is one browser
    parameters = re.search(r"\[(.*)\]$", item.name)
    suffix = "" if not parameters or parameters[1] in {"chromium"} else f"[{parameters[1]}]"
    title = given.get("title") or (doc.splitlines()[0].rstrip(".") if doc else "")
    file = _relative(item.path, project_root(item.config))
    return Journey(
        id=str(given.get("id") or file.removesuffix(".py") + "." + name) + suffix,
        node_id="::".join([file, *item.nodeid.split("::")[1:]]),
        title=(title or name.removeprefix("test_").replace("_", " ")) + (f" {suffix}" if suffix else ""),
        owner=given.get("owner", ""),
        severity=severity,
        runbook=given.get("runbook", ""),
        uses_per_day=given.get("uses_per_day"),
        budget_s=budget_s,
    )


def mutates_of(item: pytest.Item) -> tuple[str, ...]:
    """What a journey declares that it changes.

    Args:
        item: the test.

    Returns:
        All arguments of its ``mutates`` markers.

    Raises:
        pytest.UsageError: when a marker names nothing, or something that is no word.
    """
    found: list[str] = []
    for mark in item.iter_markers("mutates"):
        words = bool(mark.args) and all(isinstance(what, str) and what for what in mark.args)
        if not words or mark.kwargs.keys() - {"repeatable"}:
            raise pytest.UsageError(
                f"The mutates marker of {item.nodeid} cannot be used: it names what the journey changes, for example "
                '@pytest.mark.mutates("incident"). See docs/reference/marker.md.'
            )
        found += mark.args
    return tuple(dict.fromkeys(found))


def is_repeatable(item: pytest.Item) -> bool:
    """Whether a journey may be run again just because it was slow.

    Args:
        item: the test.

    Returns:
        False when it changes something, and no marker of it says ``repeatable=True``.
    """
    marks = list(item.iter_markers("mutates"))
    return all(mark.kwargs.get("repeatable") is True for mark in marks)


def _wrong(item: pytest.Item, why: str) -> str:
    return f"The journey marker of {item.nodeid} cannot be used: {why}. See docs/reference/marker.md."
