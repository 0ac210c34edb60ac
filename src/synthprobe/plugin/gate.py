"""Whether a session of pytest concerns journeys at all. Until it does, nothing else of this package is imported."""

from __future__ import annotations

import argparse
import fnmatch
import os
import shlex
from collections.abc import Iterable, Iterator, MutableSequence
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from synthprobe.errors import ConfigurationError
from synthprobe.root import NO_PROJECT, is_project, project_at, read_table

_OPTIONS: dict[str, dict[str, Any]] = {
    "target": {"metavar": "NAME", "help": "target of the configuration to run against (default: default_target)"},
    "canaries": {"type": int, "metavar": "SLOT", "help": "prove with canaries of this slot that failures are seen"},
    "suspicions": {"metavar": "PATH", "help": "run journeys of this file again until all runs together are as usual"},
    "run-folder": {"metavar": "PATH", "help": "folder of this run; made under .synthprobe/runs/ without it"},
}
_SHOWN_ONLY = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test")
_NO_RUN = (*_SHOWN_ONLY, "collectonly", "setuponly", "setupplan")
_USUAL_FOLDERS = ("journeys",)


class Concern(NamedTuple):
    """What a session has to do with us."""

    root: Path | None
    journeys: bool


_CONCERN = pytest.StashKey[Concern]()
_ADDRESS = pytest.StashKey[str]()
MARKERS_OF_OTHERS = pytest.StashKey[tuple[str, ...]]()
"""Markers that pytest and plugins declare, as they do; the project's own are not among them."""
_MARKERS_OF_THE_PROJECT = pytest.StashKey[tuple[str, ...]]()


def add_options(parser: pytest.Parser) -> None:
    """Declare the plugin's options by the names that nobody else has."""
    for name, how in _OPTIONS.items():
        _group(parser).addoption(f"--synthprobe-{name}", **how)


def add_short_names(parser: pytest.Parser) -> None:
    """Declare ``--target`` and the like, each unless the project or another plugin has an option of that name."""
    for name, how in _OPTIONS.items():
        with suppress(ValueError, argparse.ArgumentError):
            _group(parser).addoption(f"--{name}", dest=f"synthprobe_{name.replace('-', '_')}", **how)


def note_markers(config: pytest.Config, *, of_project: bool) -> None:
    """Know which markers the project itself declares, and later which others there are."""
    lines = tuple(config.getini("markers"))
    if of_project:
        config.stash[_MARKERS_OF_THE_PROJECT] = lines
    else:
        own = config.stash.get(_MARKERS_OF_THE_PROJECT, ())
        config.stash[MARKERS_OF_OTHERS] = tuple(line for line in lines if line not in own)


def forget_values(paths: MutableSequence[str], arguments: Iterable[str]) -> None:
    """While a short name is not declared yet, pytest takes its value for a path: it is none."""
    typed = list(arguments)
    for option, value in pairwise(typed):
        if option.removeprefix("--") in _OPTIONS and value in paths and not os.path.lexists(value):
            paths.remove(value)


def concern_of(config: pytest.Config) -> Concern:
    """What a session has to do with us, found out once.

    The project is searched from each argument of pytest upwards, then from where pytest was started and from its root;
    then in the folders pytest will go through.
    """
    if _CONCERN not in config.stash:
        try:
            config.stash[_CONCERN] = _find(config)
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        if config.stash[_CONCERN].root is None and any(_typed(config, name) for name in _OPTIONS):
            raise pytest.UsageError(NO_PROJECT)
    return config.stash[_CONCERN]


def is_a_run(config: pytest.Config) -> bool:
    """Whether tests are run, and not only listed or prepared."""
    return not any(config.getoption(name, False) for name in _NO_RUN)


def is_address_typed(config: pytest.Config) -> bool:
    """Whether the address was typed where pytest was started."""
    return any(str(argument).startswith("--base-url") for argument in config.invocation_params.args)


def set_address_aside(config: pytest.Config) -> None:
    """An address in ``addopts`` or a variable is that of the project's ordinary tests, and of no target."""
    address = getattr(config.option, "base_url", None)
    if address and not is_address_typed(config) and concern_of(config).journeys:
        config.stash[_ADDRESS], config.option.base_url = address, None


def own_address(config: pytest.Config) -> str:
    """The address of the project's ordinary tests, where none was typed."""
    return config.stash.get(_ADDRESS, "") or config.getini("base_url")


def names_only_journeys(config: pytest.Config) -> bool:
    """Whether pytest was given nothing but journeys, be it by ``testpaths``."""
    root = concern_of(config).root
    return root is not None and all(stands_in(place, journey_folders(root)) for place in _places(config))


def refuse_unguarded(item: pytest.Item) -> None:
    """Fail a journey that is not held to its target's guardrails, before anything of it runs."""
    root = nearest_project(item.path.parent)
    concern = concern_of(item.config)
    if root is None or (concern.journeys and concern.root is not None and root.samefile(concern.root)):
        return
    if stands_in(item.path, journey_folders(root)):
        pytest.fail(
            f"{item.nodeid} is a journey of the project in {root}, which this session was not begun for, so nothing "
            f"would hold it to its target's guardrails. It was not run. Run it there: cd {shlex.quote(str(root))} && "
            "pytest",
            pytrace=False,
        )


def lacks_configuration(config: pytest.Config) -> bool:
    """Whether there is a folder of journeys and no configuration, which is worth a sentence."""
    if concern_of(config).root is not None:
        return False
    within = [place.relative_to(config.rootpath).parts for place in _places(config) if config.rootpath in place.parents]
    return any(
        any(folder in parts for parts in within) or any((place / folder).is_dir() for place in _places(config))
        for folder in _USUAL_FOLDERS
    )


@cache
def nearest_project(folder: Path) -> Path | None:
    """As `project_at`, also by way of a symbolic link; remembered, since it is asked for each test."""
    return project_at(folder) or project_at(folder.resolve())


@cache
def journey_folders(root: Path) -> tuple[Path, ...]:
    """The places of a project whose tests are journeys; the usual ones when its configuration cannot be read."""
    try:
        return _folders(root)
    except ConfigurationError:
        return tuple(root / name for name in _USUAL_FOLDERS)


def _group(parser: pytest.Parser) -> pytest.OptionGroup:
    return parser.getgroup("synthprobe", "synthprobe: journeys against a live system")


def _typed(config: pytest.Config, name: str) -> bool:
    return config.getoption(f"--synthprobe-{name}") is not None


def _find(config: pytest.Config) -> Concern:
    if given := getattr(config, "workerinput", {}).get("synthprobe_root"):
        return Concern(Path(given), journeys=True)
    shown = any(config.getoption(name, False) for name in _SHOWN_ONLY)
    places = _places(config)
    starts = [place if place.is_dir() else place.parent for place in places]
    starts += [config.invocation_params.dir, config.rootpath]
    roots = [root for start in dict.fromkeys(starts) if (root := nearest_project(start)) is not None]
    for root in dict.fromkeys(roots):
        if _asks_for(places, _folders(root)):
            return Concern(root, journeys=not shown)
    if not shown:
        for place in places:
            for root in _projects_below(config, place):
                if _asks_for(places, journey_folders(root)):
                    return Concern(root, journeys=True)
    return Concern(roots[0] if roots else None, journeys=False)


def _places(config: pytest.Config) -> list[Path]:
    start = config.invocation_params.dir
    return [Path(os.path.abspath(start / argument.split("::")[0])) for argument in config.args]


def _folders(root: Path) -> tuple[Path, ...]:
    written = read_table(root)
    names = written.table.get("journeys", _USUAL_FOLDERS)
    targets = written.table.get("targets")
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        names = _USUAL_FOLDERS  # refused in a sentence once the whole configuration is read
    tables = targets.values() if isinstance(targets, dict) else ()
    if any(isinstance(target, dict) and target.get("ready_made") for target in tables):
        names = (*names, written.name)  # it holds ready-made journeys
    return tuple(Path(os.path.abspath(root / name)) for name in names)


def _asks_for(places: Iterable[Path], folders: Iterable[Path]) -> bool:
    pairs = [(place, folder) for folder in folders for place in places]
    return any(stands_in(place, (folder,)) or stands_in(folder, (place,)) for place, folder in pairs)


def stands_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path is one of these folders or in one, also by way of a symbolic link."""
    real = path.resolve()
    return any(path.is_relative_to(folder) or real.is_relative_to(folder.resolve()) for folder in folders)


def _projects_below(config: pytest.Config, place: Path) -> Iterator[Path]:
    """Projects in the folders pytest goes through."""
    patterns = config.getini("norecursedirs")
    ignored = {Path(os.path.abspath(config.invocation_params.dir / path)) for path in config.getoption("ignore") or ()}
    for folder, below, files in os.walk(place):
        at = Path(folder)
        if {"synthprobe.toml", "pyproject.toml"} & set(files) and is_project(at):
            yield at
        if "pyvenv.cfg" in files:
            below.clear()
        below[:] = [
            name
            for name in sorted(below)
            if at / name not in ignored and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
        ]
