"""Steps: the named, timed parts of a journey, and the headers by which the target can tell which of them asks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from types import TracebackType
from typing import Any, TypeVar, cast, get_args
from urllib.parse import quote

from synthprobe.errors import ConfigurationError
from synthprobe.journey.clock import monotonic
from synthprobe.journey.recorder import OpenStep, Recorder, StepListener, current_flow, innermost
from synthprobe.mistakes import nearest
from synthprobe.records.journey import duration_s
from synthprobe.records.result import Check
from synthprobe.targets.addresses import origin_of

__all__ = ["Recorder", "StepListener", "current", "left_out", "recording", "step", "swap"]

F = TypeVar("F", bound=Callable[..., Any])

_current: Recorder | None = None


def current() -> Recorder | None:
    """The recorder of the journey that runs now, if one does."""
    return _current


@contextmanager
def left_out() -> Iterator[None]:
    """Our own work, which no step is to be charged with: redaction, the ledger."""
    began = monotonic()
    try:
        yield
    finally:
        if _current is not None:
            _current.leave_out(monotonic() - began)


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Make a recorder the current one. Lets code that uses `step` be tested outside a run.

    Args:
        recorder: the recorder.

    Yields:
        The same recorder.

    Example:
        >>> from synthprobe.records.journey import Journey
        >>> with recording(Recorder(Journey(id="x", node_id="x", title="x"))) as recorder:
        ...     with step("log in", budget="3s"):
        ...         pass
        >>> recorder.steps[0].title
        'log in'
    """
    previous = swap(recorder)
    try:
        yield recorder
    finally:
        swap(previous)


def swap(recorder: Recorder | None) -> Recorder | None:
    """Set the current recorder."""
    global _current
    previous, _current = _current, recorder
    innermost.set(None)
    return previous


class step(ContextDecorator):  # noqa: N801 - reads as a word in a journey
    """A named, timed part of a journey: a context manager and a decorator.

    Steps nest, and work in helper functions and fixtures, in threads and in ``asyncio`` tasks. A step over its budget
    makes the journey degraded, never failed. A step that breaks in a thread or task breaks the journey, whoever
    catches its error, and one that has not ended when the journey does makes it unknown.

    Args:
        title: what the user does, in words; ``{}`` is not expanded.
        budget: how long it may take, for example ``"800ms"``, ``"3s"`` or seconds as a number.
        checks: what it means when the step is contradicted, for example ``"read-after-write"`` or ``"sentinel"``;
            helps triage, changes nothing else. The words: docs/concepts/triage.md.
        role: the role that acts, for example ``"dispatcher"``, so that a split by role is seen.
        runbook: id of the runbook that belongs to this very step, if one does.

    Raises:
        ConfigurationError: when the budget is no duration, the check is none, no journey is running, or a generator
            function is decorated, whose body runs after the step.

    Example:
        >>> @step("log in", budget="3s")
        ... def log_in() -> str:
        ...     return "in"
        >>> from synthprobe.records.journey import Journey
        >>> with recording(Recorder(Journey(id="x", node_id="x", title="x"))):
        ...     log_in()
        'in'
    """

    def __init__(
        self, title: str, *, budget: str | float | None = None, checks: Check = "", role: str = "", runbook: str = ""
    ) -> None:
        self.title = title
        self.checks: Check = checks
        self.role = role
        self.runbook = runbook
        if checks not in get_args(Check):
            raise ConfigurationError(
                f'Step "{title}" has checks={checks!r}, which is no check.{nearest(str(checks), get_args(Check))}'
                f" Known checks: {', '.join(sorted(filter(None, get_args(Check))))}."
            )
        if not isinstance(title, str):
            raise ConfigurationError(f"A step has the title {title!r}. What the user does was expected, in words.")
        self._opened: list[OpenStep] = []
        try:
            self.budget_s = None if budget is None else duration_s(budget)
        except ValueError as error:
            raise ConfigurationError(f'The budget of step "{title}" cannot be used: {error}') from None

    def __enter__(self) -> None:
        if _current is None:
            raise ConfigurationError(
                f'The step "{self.title}" was entered outside a journey. A journey is a test under journeys/ that '
                "pytest runs; to test a function that has steps, wrap the call in synthprobe.recording()."
            )
        self._opened.append(_current.start(self.title, self.budget_s, self.checks, self.role, self.runbook))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        flow = current_flow()
        mine = [step for step in self._opened if step.flow == flow] or self._opened
        if mine:
            step = mine[-1]
            self._opened.remove(step)
            step.recorder.end(step, error)

    def __call__(self, function: F) -> F:
        """Use the step as a decorator, of ``async`` functions as well."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(
                f'The step "{self.title}" decorates {function.__name__}, a generator function, whose body runs after '
                "the step would have ended. Write `with step(...)` inside it."
            )
        if not inspect.iscoroutinefunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        async def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return cast("F", inside)


LONGEST = 120
"""Characters one value has at most; few different values, never an id of a run, so that statements stay alike."""


def correlation_headers(recorder: Recorder | None, *, own: bool = True) -> dict[str, str]:
    """W3C ``traceparent`` and ``baggage`` of what is sent now."""
    if recorder is None:
        return {}
    headers = {"traceparent": f"00-{recorder.trace_id}-{recorder.span_id}-01"}
    if own:
        headers["baggage"] = baggage(recorder.journey.id, recorder.path)
    return headers


def baggage(journey: str, step: str) -> str:
    """The header's value."""
    members = {"synthprobe.journey": journey, "synthprobe.step": step}
    return ",".join(
        f"{name}={quote(value[:LONGEST], safe='', errors='replace')}" for name, value in members.items() if value
    )


def same_host(url: str, base_url: str) -> bool:
    """Whether an address is the target's own: others are not told which journey runs."""
    return origin_of(url) == origin_of(base_url) != ""
