"""The project's configuration, the journey marker, and which test is which journey."""

from __future__ import annotations

import ast
import inspect
import keyword
import os
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from synthprobe.errors import ConfigurationError
from synthprobe.mistakes import nearest
from synthprobe.plugin.gate import MARKERS_OF_OTHERS, concern_of, journey_folders, nearest_project, stands_in
from synthprobe.plugin.inside_pytest import parameters
from synthprobe.project import Project
from synthprobe.records.journey import Journey, Severity, duration_s, readable

MARKER = (
    "journey(id, title, owner, severity, runbook, uses_per_day, budget, tags, every, targets): what is known of a "
    "journey; every argument is optional"
)
MUTATES = (
    "mutates(*what, repeatable=False): what the journey changes at the target; it is skipped where the target does not "
    "allow that, and not run again just because it was slow unless it is repeatable"
)
_PROJECT = pytest.StashKey[Project]()
JOURNEY = pytest.StashKey[Journey]()
"""Which journey a test is."""
_AN_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_READ = pytest.StashKey["Journey"]()
_ARGUMENTS = ("id", "title", "owner", "severity", "runbook", "uses_per_day", "budget", "tags", "every", "targets")
_REPEATED = {"deleter", "overload", "register", "setter"}
_LONGEST_S = 86_400.0
_A_FUNCTION = re.compile(r"^[ \t]*(?:async +)?def +(\w+)", re.M)
_A_TAG = re.compile(r"[A-Za-z_][\w.-]*")


def project_root(config: pytest.Config) -> Path:
    """The project's root, whatever pytest's is."""
    return concern_of(config).root or config.rootpath


def project_of(config: pytest.Config) -> Project:
    if _PROJECT not in config.stash:
        try:
            config.stash[_PROJECT] = Project.at(project_root(config))
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[_PROJECT]


def target_name(config: pytest.Config) -> str | None:
    """The target that was typed, by the option's full name where the project has a ``--target`` of its own."""
    return cast("str | None", config.option.synthprobe_target)


def wants_journeys(config: pytest.Config) -> bool:
    return concern_of(config).journeys


def is_journey_path(config: pytest.Config, path: Path) -> bool:
    """Whether tests of this file are journeys of the session's project."""
    return _stands_in(path, project_root(config))


@cache  # asked for each of a file's tests
def _stands_in(path: Path, root: Path) -> bool:
    nearest = nearest_project(path.parent)
    return (nearest is None or nearest.samefile(root)) and stands_in(path, journey_folders(root))


@cache
def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path if path.is_relative_to(root) else path.resolve(), root.resolve())


def journey_of(item: pytest.Item) -> Journey:
    """The record of a journey, from its marker, docstring and name; read once, when all is collected."""
    if (known := item.stash.get(_READ, None)) is None:
        known = item.stash[_READ] = _read(item)
    return known


def _read(item: pytest.Item) -> Journey:
    given: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("journey"))):
        if mark.args:
            raise pytest.UsageError(_wrong(item, "it takes named arguments only, for example owner='dispatch-desk'"))
        given.update(mark.kwargs)
    for name in given:
        if name not in _ARGUMENTS:
            known = f"{nearest(name, _ARGUMENTS)} Known arguments: {', '.join(_ARGUMENTS)}"
            raise pytest.UsageError(_wrong(item, f"it has an unknown argument {name!r}.{known}"))
    from synthprobe.plugin.inside_allure import decorated_words, known_severity  # once Allure's plugin is there

    words = decorated_words(item)
    severity = given.get("severity", known_severity(words.severity))
    if severity not in get_args(Severity):
        raise pytest.UsageError(
            _wrong(item, f"severity is {severity!r}, one of {', '.join(get_args(Severity))} was expected")
        )
    try:
        budget_s = duration_s(given["budget"]) if "budget" in given else None
    except ValueError as error:
        raise pytest.UsageError(_wrong(item, f"budget: {error}")) from None
    doc = inspect.cleandoc(getattr(getattr(item, "function", None), "__doc__", None) or "")
    doc = doc.replace(f"{project_root(item.config)}{os.sep}", "")  # pytest-bdd writes where the scenario stands
    name, bracket, bracketed = item.name.partition("[")
    if _AN_ADDRESS.search(bracketed):  # ids=repr, for example: the name of the test is another one in each process
        bracketed = "-".join(f"{name}{number}" for name, number in _indices(item).items()) + "]"
    # the browser's name is no part of a journey's identity while there is one browser
    suffix = "" if bracketed in {"", "chromium]"} else bracket + bracketed
    title = given.get("title") or words.title or (doc.splitlines()[0].rstrip(".") if doc else "")
    shown = f" {suffix}" if suffix and not (title == words.title and words.has_parameters) else ""
    file = _relative(item.path, project_root(item.config))
    within = [node.name for node in item.listchain()[:-1] if node.parent and node.parent.path == item.path]
    path = ".".join([file.removesuffix(".py"), *within, name])
    return Journey(
        id=str(given.get("id") or path) + suffix,
        node_id="::".join([file, *item.nodeid.split("::")[1:]]),
        title=(title or name.removeprefix("test_").replace("_", " ")) + readable(shown),
        owner=given.get("owner", words.owner),
        severity=severity,
        runbook=given.get("runbook", ""),
        uses_per_day=given.get("uses_per_day"),
        budget_s=budget_s,
        tags=tags_of(item) if "tags" in given else (),
        every_s=_every_s(item, given.get("every")),
        targets=_targets(item, given["targets"]) if "targets" in given else (),
        group=group_of(item),
        mutates=mutates_of(item),
    )


def tags_of(item: pytest.Item) -> tuple[str, ...]:
    """The words to select a journey by, of its own marker and those of its class and module."""
    given = [
        _names(item, "tags", mark.kwargs["tags"]) for mark in item.iter_markers("journey") if "tags" in mark.kwargs
    ]
    found = tuple(dict.fromkeys(tag for tags in given for tag in tags))
    if not found:
        return ()
    taken = {line.split(":")[0].split("(")[0].strip() for line in item.config.stash.get(MARKERS_OF_OTHERS, ())}
    for tag in found:
        why = ""
        if not _A_TAG.fullmatch(tag) or keyword.iskeyword(tag):
            why = "a word of letters, digits, _, - and . was expected, such as 'smoke'"
        elif tag in taken:
            why = "which pytest, a plugin or a conftest.py declares as a marker; take a word that means nothing yet"
        if why:
            raise pytest.UsageError(_wrong(item, f"tags has {tag!r}, {why}"))
    return found


def _names(item: pytest.Item, key: str, given: object) -> tuple[str, ...]:
    if isinstance(given, list | tuple) and all(isinstance(name, str) and name for name in given):
        return tuple(given)
    example = '["smoke"]' if key == "tags" else '["web"]'
    raise pytest.UsageError(_wrong(item, f"{key} is {given!r}, a list of names was expected: {key}={example}"))


def _every_s(item: pytest.Item, given: Any) -> float:
    """Seconds between two looks; 0 where each slot is one."""
    if given is None:
        return 0.0
    interval_s = project_of(item.config).config.interval_s
    try:
        every_s = duration_s(given)
    except ValueError as error:
        raise pytest.UsageError(_wrong(item, f"every: {error}")) from None
    if not interval_s <= every_s <= _LONGEST_S:
        raise pytest.UsageError(
            _wrong(
                item,
                f"every is {given!r}, and runs are {interval_s} s apart: from {interval_s}s to 24h was expected. Write "
                "a longer one, or let runs begin more often: interval_s in synthprobe.toml",
            )
        )
    return every_s if every_s > interval_s else 0.0


def _targets(item: pytest.Item, given: object) -> tuple[str, ...]:
    names, known = _names(item, "targets", given), project_of(item.config).config.targets
    for name in names:
        if name not in known:
            raise pytest.UsageError(
                _wrong(item, f"targets names {name!r}.{nearest(name, known)} Known targets: {', '.join(sorted(known))}")
            )
    return names


def group_of(item: pytest.Item) -> str:
    """Name of the ``xdist_group`` a journey belongs to; empty when it belongs to none."""
    marker = item.get_closest_marker("xdist_group")
    return str((marker.args[0] if marker.args else marker.kwargs.get("name", "")) if marker else "")


def parameter_names(item: pytest.Item) -> dict[str, str]:
    """What stands for parameters whose value is written in another way by each process, such as an object's address."""
    indices = _indices(item)
    return {name: f"{name}{indices.get(name, 0)}" for name, value in parameters(item).items() if not _is_lasting(value)}


def _indices(item: pytest.Item) -> Mapping[str, int]:
    return item.callspec.indices if hasattr(item, "callspec") else {}


def _is_lasting(value: Any) -> bool:
    """Whether a value is written in the same way by every process."""
    if isinstance(value, dict):
        return all(map(_is_lasting, (*value.keys(), *value.values())))
    if isinstance(value, list | tuple):
        return all(map(_is_lasting, value))
    if isinstance(value, set | frozenset):
        return len(value) < 2 and all(map(_is_lasting, value))
    if isinstance(value, str | bytes | int | float | None):
        return True
    text = repr(value)
    return not _AN_ADDRESS.search(text) and str(id(value)) not in text


def refuse_shared_ids(journeys: Iterable[tuple[pytest.Item, Journey]]) -> None:
    """Refuse two journeys of one id: the outcome of one would stand for both."""
    known: dict[str, str] = {}
    for item, journey in journeys:
        other = known.setdefault(journey.id, item.nodeid)
        if other != item.nodeid:
            raise pytest.UsageError(
                f"Two journeys have the id {journey.id!r}: {other} and {item.nodeid}. One verdict would stand for "
                "both, so nothing was run. Give each an id of its own: @pytest.mark.journey(id=...)."
            )


def refuse_names_given_twice(items: Iterable[pytest.Item]) -> None:
    """Refuse two tests of one name in one place of a file: Python keeps the last one, and the first never runs."""
    names: dict[Path, set[str]] = {}
    for item in items:
        names.setdefault(item.path, set()).add(getattr(item, "originalname", None) or item.name)
    for path, collected in names.items():
        with suppress(OSError, ValueError, SyntaxError):
            source = path.read_bytes()
            defined = [name for name in _A_FUNCTION.findall(source.decode("utf-8", "replace")) if name in collected]
            if len(set(defined)) == len(defined):
                continue  # so it need not be parsed
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Module | ast.ClassDef):
                    _refuse_names_twice(path.name, node.body, collected)


def _refuse_names_twice(file: str, body: Iterable[ast.stmt], collected: Collection[str]) -> None:
    known: dict[str, int] = {}
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name in collected:
            line = known.setdefault(statement.name, statement.lineno)
            marks = {ast.unparse(mark).split(".")[-1] for mark in statement.decorator_list}
            if line != statement.lineno and not marks & _REPEATED:
                raise pytest.UsageError(
                    f"{file} defines {statement.name} in line {line} and again in line "
                    f"{statement.lineno}: Python keeps "
                    "the last one only, so the first would never run. Nothing was run; give each a name of its own."
                )


def mutates_of(item: pytest.Item) -> tuple[str, ...]:
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
    """Whether a journey may be run again just because it was slow."""
    marks = list(item.iter_markers("mutates"))
    return all(mark.kwargs.get("repeatable") is True for mark in marks)


def _wrong(item: pytest.Item, why: str) -> str:
    return f"The journey marker of {item.nodeid} cannot be used: {why}. See docs/reference/marker.md."
