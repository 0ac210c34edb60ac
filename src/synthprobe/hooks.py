"""What a project or an installed package may add to synthprobe, as documented hooks.

A plugin is a module with functions marked ``@hookimpl``, named under ``plugins`` in the configuration.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

import pluggy
from msgspec import Struct

from synthprobe.errors import ConfigurationError
from synthprobe.mistakes import nearest_or_all
from synthprobe.records.incident import CauseClass
from synthprobe.targets.secrets import Secret

hookimpl = pluggy.HookimplMarker("synthprobe")
"""Marks a function of a plugin as the implementation of a hook."""

C = TypeVar("C")
_KIND = "_synthprobe_testdata_kind"
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


class PythonKind(Struct, frozen=True, kw_only=True):
    """A kind of test data that Python functions find and remove. Made by `testdata_kind`.

    Attributes:
        name: the kind's name.
        find: gives the objects that hold a token, each as a mapping of its fields.
        delete: removes one of them.
        is_gone: whether one of them is gone, or counts as gone.
        needs: what they are given first: ``api``, a session of the target, or ``page``, a page that is logged in.
        log_in: logs a new page in for `synthprobe sweep`, with a function that gives secrets; nothing without one.
        within_s: seconds each call may take.
    """

    name: str
    find: Callable[[Any, str], Iterable[Mapping[str, Any]]]
    delete: Callable[[Any, Mapping[str, Any]], object]
    is_gone: Callable[[Any, Mapping[str, Any]], bool]
    needs: str
    log_in: Callable[[Any, Callable[[str], Secret]], object] | None = None
    within_s: float = 30.0


def testdata_kind(name: str, *, within: float = 30.0) -> Callable[[type[C]], type[C]]:  # noqa: PT028 - no test
    """Mark a class of static functions as the way to find and remove one kind of test data, in a plugin of the project.

    Args:
        name: the kind, as in ``testdata.create(name, ...)``.
        within: seconds each call may take.

    Returns:
        The decorator. The class has ``find(api, token)``, ``delete(api, found)`` and ``is_gone(api, found)``; each may
        be called twice. With ``page`` as their first parameter they are given a page that is logged in, for `synthprobe
        sweep` by ``log_in(page, secret)``.

    Raises:
        ConfigurationError: when a part is missing, or takes neither ``api`` nor ``page``.

    Example:
        >>> @testdata_kind("experiment")
        ... class Experiment:
        ...     @staticmethod
        ...     def find(api, token):
        ...         return api.get("/experiments?name=" + token).expect(200).json["experiments"]
        ...     @staticmethod
        ...     def delete(api, found):
        ...         api.post("/experiments/delete", json={"id": found["id"]}).expect(200)
        ...     @staticmethod
        ...     def is_gone(api, found):
        ...         return api.get("/experiments/" + found["id"]).expect(200).json["stage"] == "deleted"
    """

    def mark(functions: type[C]) -> type[C]:
        parts: dict[str, Any] = {part: getattr(functions, part, None) for part in ("find", "delete", "is_gone")}
        missing = [part for part, function in parts.items() if not callable(function)]
        if missing:
            raise ConfigurationError(f"The kind of test data {name!r} has no {missing[0]}. Add it to the class.")
        first = {next(iter(inspect.signature(function).parameters), "") for function in parts.values() if function}
        if len(first) != 1 or not first <= {"api", "page"}:
            raise ConfigurationError(
                f"find, delete and is_gone of the kind of test data {name!r} take {', '.join(sorted(first))} first. "
                "All three were expected to take api, or all three page."
            )
        log_in = getattr(functions, "log_in", None)
        kind = PythonKind(name=name, needs=first.pop(), log_in=log_in, within_s=within, **parts)
        setattr(functions, _KIND, kind)
        return functions

    return mark


testdata_kind.__test__ = False  # type: ignore[attr-defined]  # no test, whatever pytest makes of the name


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
        self.kinds: dict[str, PythonKind] = {}
        """Kinds of test data that its Python functions find and remove."""
        for name in names:
            module = _module(name, root)
            _refuse_unknown(name, module)
            self._manager.register(module, name)
            for kind in (getattr(var, _KIND, None) for var in vars(module).values() if isinstance(var, type)):
                if isinstance(kind, PythonKind):
                    self.kinds[kind.name] = kind

    def drills(self) -> tuple[DrillPlan, ...]:
        """Every system that may be broken."""
        return tuple(plan for plan in self._manager.hook.synthprobe_drill() if plan is not None)

    def describe_answer(self, headers: Mapping[str, str]) -> AnswerSource:
        """Who gave an answer, by its headers."""
        lower = {name.lower(): value for name, value in headers.items()}
        found: AnswerSource | None = self._manager.hook.synthprobe_describe_answer(headers=lower)
        return found or AnswerSource(node=lower.get("x-node", ""), build=lower.get("x-build", ""))

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
            raise ConfigurationError(
                f"The plugin {name!r} implements {attribute}, and there is no such hook. "
                f"{nearest_or_all(attribute, known)}"
            )
