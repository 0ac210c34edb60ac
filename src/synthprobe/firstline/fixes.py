"""Fixes: small Python functions of the project, and the guarded access to the target they get."""

from __future__ import annotations

import importlib.util
import inspect
import re
import time
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from synthprobe.errors import ConfigurationError, FixRefused
from synthprobe.journey.api import Api
from synthprobe.journey.response import Response
from synthprobe.records.decoding import from_values
from synthprobe.records.incident import Incident
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target

TEXT_CHARACTERS = 2_000


class Plan(Struct, frozen=True, kw_only=True):
    """What a fix would do now, from what it sees now.

    Attributes:
        seen: the state that was observed just now, as a sentence.
        steps: what will be done, in plain language.
        touches: each object that will be changed; their number is the blast radius.
    """

    seen: str
    steps: tuple[str, ...]
    touches: tuple[str, ...]


class Guard:
    """The target's API as far as a fix may use it: declared writes only, while writing is allowed, within its time."""

    def __init__(self, api: Api, *, always: Sequence[str], writes: Sequence[str], within_s: float, most: int) -> None:
        self._api = api
        self._always = always
        self._writes = writes
        self._ends = time.monotonic() + within_s
        self._left = most
        self.most_writes = most
        """Requests that change something, at most: as many as the plan names objects or steps."""
        self.writing = False
        self.closed = False

    def get(self, path: str, **options: Any) -> Response:
        """Read; see `Api.request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        """Send a POST, if the fix declared it; see `Api.request`."""
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """Send a DELETE, if the fix declared it; see `Api.request`."""
        return self.request("DELETE", path, **options)

    def request(self, method: str, path: str, **options: Any) -> Response:
        """Send a request, if the fix may.

        Args:
            method: HTTP method.
            path: relative to the target's base URL.
            options: as of `Api.request`.

        Returns:
            The answer.

        Raises:
            FixRefused: when the request was not declared, comes too early, or is one too many.
        """
        wanted = f"{method} {path}"
        if "://" in path or path.startswith("//") or ".." in path:
            raise FixRefused(f"A fix asked for {path!r}; a path of the target itself was expected.")
        known = method == "GET" or _matches(wanted, self._always)
        if not known and not _matches(wanted, self._writes):
            raise FixRefused(f"A fix asked for {wanted}, which it did not declare. Add it to writes of @fix.")
        if not known and not self.writing:
            raise FixRefused(f"A fix asked for {wanted} in its plan or its check. Those only read.")
        left = self._ends - time.monotonic()
        if self.closed or left <= 0 or self._left <= 0:
            raise FixRefused(f"A fix asked for {wanted} after its time or its number of requests was used up.")
        if not known and self.most_writes <= 0:
            raise FixRefused(
                f"A fix asked for {wanted}, which is more than was planned: what it changes grew since. Plan it anew."
            )
        self._left -= 1
        self.most_writes -= 0 if known else 1
        return self._api.request(
            method, path, timeout=min(left, self._api.target.timeout_s), allow_redirects=False, **options
        )

    def bearer(self, token: str) -> None:
        """Send a token with every further request.

        Args:
            token: as the target gave it.
        """
        self._api.session.headers["Authorization"] = f"Bearer {token}"


@dataclass(frozen=True)
class Work:
    """What a fix is given.

    Attributes:
        target: the target.
        api: the guarded access to it.
        incident: the incident it is applied for.
        secret: gives a secret of the target by name.
    """

    target: Target
    api: Guard
    incident: Incident
    secret: Callable[[str], Secret]


_Id = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
_Said = Annotated[str, Meta(pattern=r"\S")]
_Request = Annotated[str, Meta(pattern=r"^[A-Z]+ /\S*$")]
_Seconds = Annotated[float, Meta(gt=0, le=3600)]


class _Declared(Struct, kw_only=True):
    """What a fix may declare: types and ranges."""

    id: _Id
    title: _Said
    roles: tuple[_Id, ...]
    writes: tuple[_Request, ...]
    always: tuple[_Request, ...] = field(name="signs_in_by")
    most_touched: Annotated[int, Meta(ge=1)]
    per_hour: Annotated[int, Meta(ge=1)]
    within_s: _Seconds = field(name="within")
    most_requests: Annotated[int, Meta(ge=0)]
    approval: bool
    irreversible: str


class Fix(_Declared, kw_only=True):
    """A registered fix. Made by `fix`; `applies`, `checks` and `undoes` add its parts.

    Attributes:
        id: its name on the command line and in runbooks.
        title: what it does, in words.
        plan: looks at the target now, and says what would be done; nothing when nothing is needed.
    """

    plan: Callable[..., Plan | None]
    inputs: dict[str, Any] = field(default_factory=dict)
    apply: Callable[..., str] | None = None
    check: Callable[..., str] | None = None
    undo: Callable[..., str] | None = None

    def applies(self, function: Callable[..., str]) -> Callable[..., str]:
        """Decorate the function that does what the plan says; it returns what it did, in words."""
        self.apply = function
        return function

    def checks(self, function: Callable[..., str]) -> Callable[..., str]:
        """Decorate the independent read that shows it worked; it raises when it did not."""
        self.check = function
        return function

    def undoes(self, function: Callable[..., str]) -> Callable[..., str]:
        """Decorate the function that takes it back."""
        self.undo = function
        return function

    def read_inputs(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Turn what was typed into what the functions take."""
        expected = ", ".join(self.inputs) or "none"
        for name in given:
            if name not in self.inputs:
                raise FixRefused(f"The fix {self.id} has no input {name!r}. Its inputs: {expected}.")
        values = {}
        for name, (kind, default) in self.inputs.items():
            if name in given:
                try:
                    values[name] = from_values(given[name], kind, strict=False)
                except msgspec.ValidationError as error:
                    raise FixRefused(
                        f"The input {name!r} of {self.id} is {given[name][:60]!r}, which cannot be used: {error}."
                    ) from None
            elif default is inspect.Parameter.empty:
                raise FixRefused(f"The fix {self.id} needs the input {name!r}: --input {name}=VALUE.")
            else:
                values[name] = default
        return values


_registered: dict[str, Fix] = {}


def fix(
    id: str,
    *,
    title: str,
    roles: Sequence[str],
    writes: Sequence[str],
    most_touched: int = 1,
    per_hour: int = 2,
    within: float = 30.0,
    most_requests: int = 20,
    approval: bool = False,
    irreversible: str = "",
    signs_in_by: Sequence[str] = ("POST /api/login",),
) -> Callable[[Callable[..., Plan | None]], Fix]:
    """Register a fix. The decorated function is its plan: it looks at the target as it is now, and only reads.

    Args:
        id: its name on the command line and in runbooks.
        title: what it does, in words.
        roles: who may apply it.
        writes: requests it may send while it is applied, as ``METHOD /path``; ``*`` stands for one part of the path.
        most_touched: how many objects it may change at once.
        per_hour: how often it may be applied in an hour.
        within: seconds it may take.
        most_requests: requests it may send.
        approval: whether somebody else must approve it first.
        irreversible: why it cannot be undone; empty when it has an undo.
        signs_in_by: requests allowed in every phase, to log in.

    Returns:
        The decorator.

    Raises:
        ConfigurationError: when the id is taken, a part is not of its type or range, or an input has no bounds.

    Example:
        ``@fix("clear-cache", title="Clear the cache", roles=("first-line",), writes=("POST /api/cache/clear",),
        irreversible="a cache fills itself again")``
    """

    given = dict(locals())

    def register(plan: Callable[..., Plan | None]) -> Fix:
        if id in _registered:
            raise ConfigurationError(f"Two fixes are called {id!r}. Give each its own id.")
        made = Fix(plan=plan, inputs=dict(_inputs(id, plan)), **msgspec.structs.asdict(_declared(**given)))
        _registered[id] = made
        return made

    return register


def load_fixes(folder: Path, roles: Collection[str]) -> dict[str, Fix]:
    """Load every fix of a folder."""
    _registered.clear()
    for path in sorted(folder.glob("[!_]*.py")):
        spec = importlib.util.spec_from_file_location(f"synthprobe_fixes_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except ConfigurationError:
            raise
        except (Exception, SystemExit) as error:  # whatever a project's own file does
            raise ConfigurationError(
                f"The fixes of {path.name} cannot be loaded: {type(error).__name__}: {error}. Correct the file."
            ) from None
    for declared_fix in _registered.values():
        check_complete(declared_fix, roles)
    return dict(sorted(_registered.items()))


def check_complete(declared_fix: Fix, roles: Collection[str]) -> None:
    """Refuse a fix that misses a part, or that nobody known may apply."""
    strange = [role for role in declared_fix.roles if role not in roles]
    if strange or not declared_fix.roles:
        what = f"names the role {strange[0]!r}, which is not known" if strange else "names no role that may apply it"
        raise ConfigurationError(
            f"The fix {declared_fix.id} {what}. Known roles: {', '.join(sorted(roles)) or 'none'}. Correct roles of "
            "@fix, or add the role to [fixes.roles]."
        )
    if declared_fix.apply is None:
        raise ConfigurationError(
            f"The fix {declared_fix.id} does nothing. Decorate a function with @{declared_fix.plan.__name__}.applies."
        )
    if declared_fix.check is None:
        raise ConfigurationError(
            f"The fix {declared_fix.id} has no independent read that shows it worked. Decorate one with "
            f"@{declared_fix.plan.__name__}.checks."
        )
    if (declared_fix.undo is None) == (not declared_fix.irreversible):
        raise ConfigurationError(
            f"The fix {declared_fix.id} needs either an undo (@{declared_fix.plan.__name__}.undoes) or "
            "irreversible='why it cannot be undone', and not both."
        )


def _declared(**given: object) -> _Declared:
    try:
        return from_values(given, _Declared)
    except (msgspec.ValidationError, TypeError) as error:
        message = re.sub(r"(.*) - at `\$\.(\w+).*", r"\2: \1", str(error))
        raise ConfigurationError(
            f"The fix {given['id']!r} is declared as it cannot be used: {message}. Correct it in @fix."
        ) from None


def _inputs(id: str, plan: Callable[..., Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    hints = typing.get_type_hints(plan, include_extras=True)
    for name, parameter in list(inspect.signature(plan).parameters.items())[1:]:
        kind = hints.get(name, str)
        bounds = [bound for bound in getattr(kind, "__metadata__", ()) if isinstance(bound, msgspec.Meta)]
        base = typing.get_args(kind)[0] if bounds else kind
        text = any(bound.max_length is not None and bound.pattern for bound in bounds)
        number = any((bound.ge, bound.gt) != (None, None) and (bound.le, bound.lt) != (None, None) for bound in bounds)
        if not (base is bool or typing.get_origin(base) is typing.Literal or (text if base is str else number)):
            raise ConfigurationError(
                f"The input {name!r} of the fix {id} has no bounds. Annotate it, for example "
                "Annotated[str, Meta(pattern='^[a-z]+$', max_length=32)] or Annotated[int, Meta(ge=0, le=60)]."
            )
        yield name, (kind, parameter.default)


def _matches(wanted: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", "[^/?#]+"), wanted) for pattern in patterns)
