"""Steps: the named, timed parts of a journey."""

from __future__ import annotations

import difflib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, TypeVar, get_args

from synthprobe.errors import ConfigurationError
from synthprobe.model.evidence import Age
from synthprobe.model.figures import shown_above
from synthprobe.model.journey import Journey, duration_s
from synthprobe.model.result import Check, Degradation, Step, StepStatus
from synthprobe.probes.clock import SteadyClock

F = TypeVar("F", bound=Callable[..., Any])


class StepListener(Protocol):
    """Told of every step as it happens, for example to mirror it into a report."""

    def step_started(self, key: str, title: str) -> None:
        """A step begins; ``key`` is unique to it."""

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """That step ended, with what broke it."""


class _Open:
    """A step that has not ended."""

    def __init__(
        self,
        title: str,
        budget_s: float | None,
        started_at: datetime,
        checks: Check = "",
        role: str = "",
        runbook: str = "",
    ) -> None:
        self.title = title
        self.budget_s = budget_s
        self.started_at = started_at
        self.checks: Check = checks
        self.role = role
        self.runbook = runbook
        self.key = secrets.token_hex(8)
        self.began = time.monotonic()
        self.steps: list[Step] = []

    def close(self, error: BaseException | None) -> Step:
        status: StepStatus = "passed" if error is None else "failed"
        text = "" if error is None else (str(error).strip() or type(error).__name__).splitlines()[0]
        return Step(
            title=self.title,
            status=status,
            started_at=self.started_at,
            duration_s=time.monotonic() - self.began,
            budget_s=self.budget_s,
            error=text,
            checks=self.checks,
            role=self.role,
            runbook=self.runbook,
            steps=tuple(self.steps),
            span_id=self.key,
        )


class Recorder:
    """Records the steps of one attempt at a journey.

    Args:
        journey: the journey that runs.
        listeners: told of every step.
        trace_id: 32 hexadecimal digits that name this attempt in the target's traces.
        clock: tells when each step began, and how old data is; one of its own without it.
    """

    def __init__(
        self, journey: Journey, *listeners: StepListener, trace_id: str | None = None, clock: SteadyClock | None = None
    ) -> None:
        self.journey = journey
        self.trace_id = trace_id or secrets.token_hex(16)
        self.clock = clock or SteadyClock()
        self.started_at = self.clock.now()
        self.degradations: list[Degradation] = []
        self.notes: list[str] = []
        self.ages: list[Age] = []
        self.broken: str = ""
        self._began = time.monotonic()
        self._listeners = listeners
        self._root = _Open("", None, self.started_at)
        self._open: list[_Open] = [self._root]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that ended so far."""
        return tuple(self._root.steps)

    @property
    def duration_s(self) -> float:
        """Seconds since the attempt began, on the monotonic clock."""
        return time.monotonic() - self._began

    @property
    def path(self) -> str:
        """Titles of the open steps, outermost first, joined by `` › ``."""
        return " › ".join(step.title for step in self._open[1:])

    @property
    def root_span_id(self) -> str:
        """16 hexadecimal digits that name the attempt as a whole in the target's traces."""
        return self._root.key

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits that name the innermost open step in the target's traces."""
        return self._open[-1].key

    def start(self, title: str, budget_s: float | None, checks: Check = "", role: str = "", runbook: str = "") -> None:
        """Open a step inside the innermost open one."""
        step = _Open(title, budget_s, self.clock.now(), checks, role, runbook)
        self._open.append(step)
        for listener in self._listeners:
            listener.step_started(step.key, title)

    def end(self, error: BaseException | None) -> None:
        """Close the innermost open step."""
        path = self.path
        if error is not None and not self.broken:
            self.broken = path
        step = self._open.pop()
        record = step.close(error)
        self._open[-1].steps.append(record)
        if error is None and record.budget_s is not None and record.duration_s > record.budget_s:
            self.degraded("over budget", path, over_budget(record.title, record.duration_s, record.budget_s))
        for listener in self._listeners:
            listener.step_ended(step.key, error)

    def leave_out(self, seconds: float) -> None:
        """Leave out time that was spent waiting on our own account."""
        self._began += seconds
        for step in self._open:
            step.began += seconds

    def degraded(self, kind: str, step: str, message: str) -> None:
        """Note that a step did its job, but not well enough."""
        self.degradations.append(Degradation(kind=kind, step=step, message=message))  # type: ignore[arg-type]


def over_budget(title: str, took_s: float, budget_s: float) -> str:
    """The sentence for a step that took too long.

    Args:
        title: the step's or journey's title.
        took_s: seconds it took.
        budget_s: seconds it had.

    Returns:
        One sentence.

    Example:
        >>> over_budget("search", 3.21, 2)
        '"search" took 3.2 s, its budget is 2 s.'
        >>> over_budget("search", 2.04, 2)
        '"search" took 2.04 s, its budget is 2 s.'
    """
    return f'"{title}" took {shown_above(took_s, budget_s, digits=1)} s, its budget is {budget_s:g} s.'


_current: Recorder | None = None


def current() -> Recorder | None:
    """The recorder of the journey that runs now, if one does.

    Returns:
        The recorder, or nothing.
    """
    return _current


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Make a recorder the current one. Lets code that uses `step` be tested outside a run.

    Args:
        recorder: the recorder.

    Yields:
        The same recorder.

    Example:
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
    """Set the current recorder.

    Args:
        recorder: the recorder, or nothing.

    Returns:
        The one before.
    """
    global _current
    previous, _current = _current, recorder
    return previous


class step(ContextDecorator):  # noqa: N801 - reads as a word in a journey
    """A named, timed part of a journey: a context manager and a decorator.

    Steps nest, and work in helper functions and fixtures. A step over its budget makes the journey
    degraded, never failed.

    Args:
        title: what the user does, in words; ``{}`` is not expanded.
        budget: how long it may take, for example ``"800ms"``, ``"3s"`` or seconds as a number.
        checks: what it means when the step is contradicted, for example ``"read-after-write"`` or ``"sentinel"``;
            helps triage, changes nothing else. The words: docs/concepts/triage.md.
        role: the role that acts, for example ``"dispatcher"``, so that a split by role is seen.
        runbook: id of the runbook that belongs to this very step, if one does.

    Raises:
        ConfigurationError: when the budget is no duration, the check is none, or no journey is running.

    Example:
        >>> @step("log in", budget="3s")
        ... def log_in() -> str:
        ...     return "in"
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
            nearest = difflib.get_close_matches(str(checks), get_args(Check), n=1)
            raise ConfigurationError(
                f'Step "{title}" has checks={checks!r}, which is no check.'
                + (f" Did you mean {nearest[0]!r}?" if nearest else "")
                + f" Known checks: {', '.join(sorted(filter(None, get_args(Check))))}."
            )
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
        _current.start(self.title, self.budget_s, self.checks, self.role, self.runbook)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if _current is not None:
            _current.end(error)

    def __call__(self, function: F) -> F:
        """Use the step as a decorator."""
        return super().__call__(function)
