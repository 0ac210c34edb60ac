"""Records the steps of one attempt, in whatever thread or task they run."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Protocol, runtime_checkable

from msgspec.structs import replace

from synthprobe import words
from synthprobe.errors import JourneyError
from synthprobe.evidence.cap import NAME_CAP, capped
from synthprobe.journey.clock import SteadyClock, monotonic
from synthprobe.records.evidence import Age, Exchange
from synthprobe.records.figures import shown_figure
from synthprobe.records.journey import Journey
from synthprobe.records.result import Check, Degradation, DegradationKind, Step, Vital


class StepListener(Protocol):
    """Told of every step as it happens, for example to mirror it into a report."""

    def step_started(self, key: str, title: str, around: str) -> None:
        """A step begins.

        ``key`` is unique to it; ``around`` is the key of the step it stands in where that is not simply the last one
        that began: in a thread or task of its own.
        """

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """That step ended, with what broke it."""


@runtime_checkable
class FigureListener(Protocol):
    """Told of figures that were measured elsewhere, too."""

    def figure_measured(self, key: str, text: str, around: str) -> None:
        """A figure of the open step, as a person reads it; ``key`` and ``around`` are those of a step."""


Flow = tuple[int, int]
_NOTED = 200
Noted = partial[Exchange]
"""What a client that is not ours was answered, to be recorded by a redactor."""
_ERRORS, _FAULTS = 400, 500


def current_flow() -> Flow:
    """Names the thread and ``asyncio`` task that asks; the second is 0 outside tasks."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.get_ident(), id(task) if task is not None else 0


class OpenStep:
    """A step that has not ended."""

    def __init__(self, recorder: Recorder, around: OpenStep | None, flow: Flow, begun: Step) -> None:
        self.recorder = recorder
        self.around = around
        self.flow = flow
        self.key = begun.span_id
        self.began = monotonic()
        self.steps: list[Step] = []
        self.has_ended = False
        self._begun = begun

    @property
    def lineage(self) -> list[OpenStep]:
        """This step and those around it, innermost first."""
        return [self, *self.around.lineage] if self.around else []

    @property
    def path(self) -> str:
        """Titles, outermost first."""
        return " › ".join(step._begun.title for step in reversed(self.lineage))

    def close(self, error: BaseException | None) -> Step:
        """Its record."""
        # of several at once each leaves out its own
        longest_s = max((step.duration_s for step in self.steps if not step.vital), default=0.0)
        return replace(
            self._begun,
            status="passed" if error is None else "failed",
            duration_s=max(monotonic() - self.began, longest_s),
            error="" if error is None else _first_line(error),
            steps=tuple(self.steps),
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


innermost: ContextVar[OpenStep | None] = ContextVar("innermost open step", default=None)


class Recorder:
    """Records the steps of one attempt at a journey.

    Each thread and each ``asyncio`` task has open steps of its own. A task's stand in the step in which it was made;
    a thread's, which Python tells nothing of that, in the innermost step the journey itself has open.
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
        self._began = monotonic()
        self._listeners = listeners
        self._flow = current_flow()
        self._root = OpenStep(self, None, self._flow, self._begun(""))
        self._trunk = self._root
        self.asked = 0
        self.unseen: list[tuple[str, Callable[[], bool]]] = []
        self.noted: deque[Noted] = deque(maxlen=_NOTED)
        self._elsewhere: list[BaseException] = []
        self._caught: dict[str, BaseException] = {}
        self._unended: dict[str, OpenStep] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that ended so far."""
        return tuple(self._root.steps)

    @property
    def duration_s(self) -> float:
        """Seconds since the attempt began, on the monotonic clock."""
        return monotonic() - self._began

    @property
    def path(self) -> str:
        """Titles of the open steps, outermost first, joined by `` › ``."""
        return self._innermost.path

    @property
    def root_span_id(self) -> str:
        """16 hexadecimal digits that name the attempt as a whole in the target's traces."""
        return self._root.key

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits that name the innermost open step in the target's traces."""
        return self._innermost.key

    @property
    def _innermost(self) -> OpenStep:
        """The open step of the thread or task that asks."""
        step = innermost.get()
        if step is None or step.recorder is not self:
            return self._trunk
        while step.has_ended and step.around is not None:
            step = step.around
        return step

    @property
    def is_elsewhere(self) -> bool:
        """Whether whoever asks is a thread or task beside the journey's own flow."""
        return current_flow() != self._flow

    def start(
        self, title: str, budget_s: float | None, checks: Check = "", role: str = "", runbook: str = ""
    ) -> OpenStep:
        """Open a step inside the innermost open one."""
        title = capped(title, NAME_CAP)
        flow, outer = current_flow(), innermost.get()
        if flow != self._flow and outer is not None and outer.recorder is not self:
            raise JourneyError(
                f'The step "{title}" was entered in a thread or task that the journey '
                f'"{outer.recorder.journey.title}" left running after its end. Join the thread, or await the task, '
                "before the journey ends."
            )
        begun = self._begun(title, budget_s=budget_s, checks=checks, role=role, runbook=runbook)
        step = OpenStep(self, self._innermost, flow, begun)
        innermost.set(step)
        if flow == self._flow:
            self._trunk = step
        else:
            self._unended[step.key] = step
        for listener in self._listeners:
            listener.step_started(step.key, title, step.around.key if step.around and flow != self._flow else "")
        return step

    def _begun(
        self, title: str, *, budget_s: float | None = None, checks: Check = "", role: str = "", runbook: str = ""
    ) -> Step:
        return Step(
            title=title,
            status="passed",
            started_at=self.clock.now(),
            duration_s=0.0,
            budget_s=budget_s,
            checks=checks,
            role=role,
            runbook=runbook,
            span_id=secrets.token_hex(8),
        )

    def end(self, step: OpenStep, error: BaseException | None) -> None:
        """Close a step."""
        path, around = step.path, step.around
        if around is None or step.has_ended:
            return  # a thread or task that the journey did not wait for
        step.has_ended = True
        self._unended.pop(step.key, None)
        if error is not None:
            self.broken = self.broken or path
            if step.flow != self._flow:
                self._elsewhere.append(error)
            elif isinstance(error, Exception):
                self._caught.setdefault(path, error)
        else:
            self._caught.pop(path, None)
        record = step.close(error)
        while around.has_ended and around.around is not None:
            around = around.around  # the step around it did not wait for it
        around.steps.append(record)
        if innermost.get() is step:
            innermost.set(around)
        if self._trunk is step:
            self._trunk = around
        if error is None and record.budget_s is not None and record.duration_s > record.budget_s:
            text = words.over_budget(record.title, record.duration_s, record.budget_s)
            self.degraded("over budget", path, text, record.budget_s, record.duration_s)
        for listener in self._listeners:
            listener.step_ended(step.key, error)

    def measured(self, title: str, figure: float, budget: float | None, kind: Vital) -> None:
        """Note a figure of the innermost open step that was not timed here, as a step within it."""
        around = self._innermost
        step = replace(self._begun(title, budget_s=budget), duration_s=figure, vital=kind)
        around.steps.append(step)
        text, elsewhere = f"{title}: {shown_figure(step)}", around.key if self.is_elsewhere else ""
        for listener in self._listeners:
            if isinstance(listener, FigureListener):
                listener.figure_measured(step.span_id, text, elsewhere)
        if budget is not None and figure > budget:
            path = f"{around.path} › {title}"
            is_score = kind == "score"
            text = words.over_budget(title, figure, budget, is_score=is_score)
            self.degraded("over budget", path, text, budget, figure, is_score=is_score)

    def leave_out(self, seconds: float) -> None:
        """Leave out time that was spent waiting on our own account."""
        now = monotonic()
        self._began = min(self._began + seconds, now)
        for step in self._innermost.lineage:
            step.began = min(step.began + seconds, now)

    def answered(self, method: str, url: str, status: int, is_looked_at: Callable[[], bool]) -> None:
        """An answer came; one that says error is to be looked at, but for what deletes, which may be gone already."""
        if status >= _ERRORS and (method != "DELETE" or status >= _FAULTS):
            self.unseen.append((f"{method} {url} was answered with {status}", lambda: not is_looked_at()))

    def heard_elsewhere(self, error: BaseException) -> None:
        """What broke in a thread or task, outside of any step."""
        self._elsewhere.append(error)

    def left_unheard(self) -> BaseException | None:
        """What the journey did not hear once its body has ended: of threads and tasks, of steps that broke."""
        unended = [step for step in self._unended.values() if step.around is not None]
        for step in unended:
            step.has_ended = True
        self._unended.clear()
        if self._elsewhere:
            return self._elsewhere[0]
        if unended:
            titles = ", ".join(f'"{step.path}"' for step in unended)
            return JourneyError(
                f"The journey ended while a step was still open in a thread or task: {titles}. What it would have "
                "found is not known. Join the thread, or await the task, before the journey ends."
            )
        for path, error in self._caught.items():
            return JourneyError(
                f'The step "{path}" broke, and its error was caught: {_first_line(error)}. A journey passes only when '
                "every step did its job. Catch what may break inside the step, or let it end the journey."
            )
        for answered, is_unseen in self.unseen:
            if is_unseen():
                return JourneyError(
                    f"{answered}, and nothing looked at the answer, so the journey would pass whatever it is. "
                    "Write .expect(200) behind it, or what it must be."
                )
        return None

    def degraded(
        self,
        kind: DegradationKind,
        step: str,
        message: str,
        limit_s: float,
        measured_s: float,
        *,
        is_score: bool = False,
    ) -> None:
        """Note that a step did its job, but not well enough."""
        self.degradations.append(
            Degradation(
                kind=kind, step=step, message=capped(message), limit_s=limit_s, measured_s=measured_s, is_score=is_score
            )
        )
