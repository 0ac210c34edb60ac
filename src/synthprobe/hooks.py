"""What a project or an installed package may add to synthprobe, as documented hooks.

A plugin is a module with functions marked ``@hookimpl``, named under ``plugins`` in the configuration.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pluggy
from msgspec import Struct

from synthprobe.errors import ConfigurationError
from synthprobe.records.incident import CauseClass
from synthprobe.targets.secrets import Secret

hookimpl = pluggy.HookimplMarker("synthprobe")
"""Marks a function of a plugin as the implementation of a hook."""

_hookspec = pluggy.HookspecMarker("synthprobe")


class Fault(Struct, frozen=True, kw_only=True):
    """A state that a drill can put a system in.

    Attributes:
        name: what it is called on the command line and in the ``drill`` key of a runbook.
        cause: the class of its cause; None for a decoy, a state that looks odd and is right.
        summary: what a user notices.
        noticed_by: ids of the journeys that must not pass; a decoy has none.

    Example:
        >>> Fault(name="search_slow", cause="code", summary="search takes 9 s", noticed_by=("search",)).name
        'search_slow'
    """

    name: str
    cause: CauseClass | None
    summary: str = ""
    noticed_by: tuple[str, ...] = ()


class DrillSystem(Protocol):
    """A running system that may be broken."""

    @property
    def base_url(self) -> str:
        """Where journeys reach it; replaces the address of the target."""

    def broken(self, fault: str) -> AbstractContextManager[None]:
        """Break the system for as long as the block runs, then heal it."""

    def environment(self, secret: Callable[[str], Secret]) -> Mapping[str, Secret]:
        """Variables that the commands of runbooks use, beside ``BASE_URL``; masked in all that is printed."""


class DrillPlan(Struct, frozen=True, kw_only=True):
    """What `synthprobe drill` can break, and how it starts the system that is broken.

    Attributes:
        target: name of the target whose journeys, secrets and guardrails are used; never a production target.
        faults: the faults and decoys there are.
        start: starts the system for as long as the block runs.
    """

    target: str
    faults: tuple[Fault, ...]
    start: Callable[[], AbstractContextManager[DrillSystem]]


class AnswerSource(Struct, frozen=True, kw_only=True):
    """Who answered a request.

    Attributes:
        node: the server; empty when the answer does not say.
        build: the version it runs; empty when the answer does not say.
    """

    node: str = ""
    build: str = ""


class Hooks:
    """The specifications of all hooks. Each is optional; a plugin implements what it needs."""

    @_hookspec
    def synthprobe_drill(self) -> DrillPlan | None:
        """A system that `synthprobe drill` may break.

        Returns:
            The plan, or None.

        Example:
            >>> @hookimpl
            ... def synthprobe_drill():
            ...     return DrillPlan(target="staging", faults=(Fault(name="slow", cause="infra"),), start=start_system)
        """

    @_hookspec(firstresult=True)
    def synthprobe_describe_answer(self, headers: Mapping[str, str]) -> AnswerSource | None:
        """Which server answered, and which build it runs.

        Args:
            headers: the answer's headers, names in lower case.

        Returns:
            The source, or None to leave it to the headers ``X-Node`` and ``X-Build``.

        Example:
            >>> @hookimpl
            ... def synthprobe_describe_answer(headers):
            ...     return AnswerSource(node=headers.get("x-served-by", ""), build=headers.get("x-release", ""))
            >>> synthprobe_describe_answer({"x-served-by": "web-3"}).node
            'web-3'
        """

    @_hookspec
    def synthprobe_normalise(self) -> Mapping[str, str] | None:
        """How identifiers of this system look, so that two sightings of a failure with other ids are the same failure.

        Returns:
            What stands for an identifier, by the regular expression that finds it.

        Example:
            >>> @hookimpl
            ... def synthprobe_normalise():
            ...     return {r"\\bMEDIC \\d+\\b": "<unit>"}
            >>> list(synthprobe_normalise().values())
            ['<unit>']
        """


def _described(headers: Mapping[str, str]) -> AnswerSource:
    return AnswerSource(node=headers.get("x-node", ""), build=headers.get("x-build", ""))


class Plugins:
    """The plugins of a project, and what they answer.

    Args:
        names: dotted module names, or paths ending in ``.py`` relative to the root.
        root: the project's root.

    Raises:
        ConfigurationError: when a plugin cannot be imported, or implements a hook that does not exist.
    """

    def __init__(self, names: Sequence[str] = (), root: Path = Path()) -> None:
        self._manager = pluggy.PluginManager("synthprobe")
        self._manager.add_hookspecs(Hooks)
        for name in names:
            module = _module(name, root)
            _refuse_unknown(name, module)
            self._manager.register(module, name)

    def drills(self) -> tuple[DrillPlan, ...]:
        """Every system that may be broken."""
        return tuple(plan for plan in self._manager.hook.synthprobe_drill() if plan is not None)

    def describe_answer(self, headers: Mapping[str, str]) -> AnswerSource:
        """Who gave an answer, by its headers."""
        lower = {name.lower(): value for name, value in headers.items()}
        found: AnswerSource | None = self._manager.hook.synthprobe_describe_answer(headers=lower)
        return found or _described(lower)

    def identifiers(self) -> dict[str, str]:
        """How identifiers look: what stands for each, by regular expression.

        Raises:
            ConfigurationError: when a plugin gives something that is not a regular expression.
        """
        found: dict[str, str] = {}
        for given in self._manager.hook.synthprobe_normalise():
            found |= given or {}
        for pattern in found:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigurationError(
                    f"synthprobe_normalise gives {pattern!r}, and a regular expression was expected: {error}."
                ) from None
        return found


@functools.cache
def load_plugins(names: tuple[str, ...] = (), root: Path = Path()) -> Plugins:
    """The plugins of a project, loaded once."""
    return Plugins(names, root)


def _module(name: str, root: Path) -> ModuleType:
    try:
        if not name.endswith(".py"):
            return importlib.import_module(name)
        path = root / name
        spec = importlib.util.spec_from_file_location(f"synthprobe_plugin_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    except Exception as error:  # a plugin's code may raise anything
        raise ConfigurationError(
            f"plugins names {name!r}, and it cannot be imported: {type(error).__name__}: {error}. "
            "Name an installed module, or a .py file relative to the project's root."
        ) from None


def _refuse_unknown(name: str, module: Any) -> None:
    known = [hook for hook in vars(Hooks) if hook.startswith("synthprobe_")]
    for attribute in vars(module):
        if attribute.startswith("synthprobe_") and hasattr(getattr(module, attribute), "synthprobe_impl"):
            if attribute in known:
                continue
            near = difflib.get_close_matches(attribute, known, n=1)
            raise ConfigurationError(
                f"The plugin {name!r} implements {attribute}, and there is no such hook. "
                + (f"Did you mean {near[0]}?" if near else f"Hooks: {', '.join(sorted(known))}.")
            )
