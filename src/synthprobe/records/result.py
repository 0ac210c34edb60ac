"""A result: one attempt at a journey, its steps, and what was kept of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import force_setattr

from synthprobe.records.address import shown_address
from synthprobe.records.evidence import Evidence, Facts, SeenRequest
from synthprobe.records.finding import Finding
from synthprobe.records.journey import Journey, OwnName

Outcome = Literal["passed", "degraded", "failed", "unknown", "skipped"]
"""Nothing passes by default, by timeout, by crash or by absence."""

JUNIT_PLACE = "junit.path"
"""File of a run's folder that says where its JUnit file is."""

PART = "part.json"
"""File of a run's folder that holds its `Share`, where it looks at a part of a slot."""

TOLD_ALLURE = "allure-records"
"""Folder of a run that holds what was told to Allure, line by line, and what was attached."""

RUN_FOLDERS = ("journal", "progress", "evidence", TOLD_ALLURE)
"""What is made of a run's folder before anything is recorded."""

StepStatus = Literal["passed", "failed"]
Vital = Literal["", "time", "score"]
"""What a browser measured of a page: a time in seconds, or a number without a unit."""

DegradationKind = Literal["over budget", "stale", "above baseline"]
_SURE: dict[DegradationKind, str] = {
    "over budget": "measured",
    "stale": "measured",
    "above baseline": "by what is usual",
}

Check = Literal[
    "",
    "read-after-write",
    "rule",
    "sentinel",
    "invariant",
    "grant",
    "setting",
    "preference",
    "account",
    "freshness",
    "live",
    "delivery",
]
"""What it means when a step's expectation is contradicted; see docs/concepts/triage.md."""


class Degradation(Struct, frozen=True, kw_only=True):
    """A step did its job, but not well enough.

    Attributes:
        step: titles of the step and the steps around it, outermost first, joined by `` › ``; the journey's title for
            its own budget.
        message: a sentence with the figures; which failure it is is made of it, so it does not say how sure.
        sure: how sure it is, in a few words, where more is known than the kind says.
        limit_s: seconds it should be: the budget, the greatest age, or what is usual; nothing when it is not known.
        measured_s: seconds it was; nothing when it is not known.
        is_score: whether both are numbers without a unit.
    """

    kind: DegradationKind
    step: str
    message: str
    sure: str = ""
    limit_s: float | None = None
    measured_s: float | None = None
    is_score: bool = False

    @property
    def sentence(self) -> str:
        """What a person reads: which of the three, how sure, and the figures.

        Example:
            >>> Degradation(kind="stale", step="read", message="The map is 80 s old, the limit is 60 s.").sentence
            'stale (measured): The map is 80 s old, the limit is 60 s.'
        """
        return f"{self.kind} ({self.sure or _SURE[self.kind]}): {self.message}"


class Failure(Struct, frozen=True, kw_only=True):
    """Why an attempt did not finish.

    Attributes:
        kind: the reason in one or two words: ``expectation``, ``timeout``, ``refused``, ``dns``, ``tls``,
            ``deadline``, ``browser``, ``credentials``, ``journey error`` ...
        ours: true when the probe itself is at fault, so that nothing is known of the target.
        message: what happened, in a few lines a person reads first.
        detail: the whole text with the place in the journey's source.
        step: titles of the broken step and the steps around it, outermost first, joined by `` › ``.
        finding: what is known of it besides words; nothing in records of older versions.
        place: file and line of the journey at which it broke, relative to the project, as ``journeys/test_x.py:12``;
            empty when it is not known.
        beside: what else was raised together with it, by other fixtures, tasks or checks, each in one line.
    """

    kind: OwnName
    ours: bool
    message: str
    detail: str
    step: str = ""
    phase: OwnName = "call"
    finding: Finding | None = None
    place: str = ""
    beside: tuple[str, ...] = ()


LOG_IN_AS = "log in as "
"""Begins the title of the step in which a user is logged in by the fixture `logged_in`."""


class Step(Struct, frozen=True, kw_only=True):
    """A named, timed part of a journey.

    Attributes:
        duration_s: seconds on the monotonic clock.
        checks: what it means when it is contradicted; empty when the author did not say.
        span_id: 16 hexadecimal digits that name it in the target's traces.
        vital: what the browser measured of a page, if it is that; `duration_s` and `budget_s` of a score have no unit.
    """

    title: str
    status: StepStatus
    started_at: datetime
    duration_s: float
    budget_s: float | None = None
    error: str = ""
    checks: Check = ""
    role: str = ""
    runbook: OwnName = ""
    steps: tuple[Step, ...] = ()
    span_id: OwnName = ""
    vital: Vital = ""


def walk_steps(steps: Iterable[Step], above: str = "") -> Iterator[tuple[str, Step]]:
    """Every step and the steps inside it, in their order.

    Example:
        >>> began = datetime(2026, 11, 2)
        >>> inner = Step(title="type the plate", status="passed", started_at=began, duration_s=0.2)
        >>> outer = Step(title="search", status="passed", started_at=began, duration_s=0.3, steps=(inner,))
        >>> [path for path, _ in walk_steps([outer])]
        ['search', 'search › type the plate']
    """
    for step in steps:
        path = f"{above} › {step.title}" if above else step.title
        yield path, step
        yield from walk_steps(step.steps, path)


class Operation(Struct, frozen=True, kw_only=True):
    """What one backend operation took in one step of one attempt, as the target's ``Server-Timing`` says.

    Attributes:
        step: title of the step; empty outside any step.
        name: the metric's name, and the query it names: ``db search incidents``.
        total_ms: milliseconds of all of them together.
    """

    step: str
    name: str
    calls: int
    total_ms: float


class Progress(Struct, frozen=True, kw_only=True):
    """Where a worker is: written when an attempt or a step begins, so that a kill leaves a trace of where it struck.

    Attributes:
        pid: the worker's process; 0 when it is not known.
        within_s: seconds in which the next note must come; 0 when the attempt has no deadline.
        ended: whether the attempt is over.
    """

    journey: str
    attempt: int
    step: str
    at: datetime
    pid: int = 0
    within_s: float = 0.0
    ended: bool = False


class Share(Struct, frozen=True, kw_only=True):
    """What a run looks at, of a slot that several machines judge together.

    Attributes:
        of: how many parts share the pace that the target allows.
    """

    journeys: frozenset[str]
    of: int = 1


def new_run_id(now: datetime) -> str:
    """An id for a run that begins now; of two runs the later one has the greater id, also within a second."""
    return f"{now:%Y%m%dT%H%M%S}-{now.microsecond * 256 // 1_000_000:02x}{secrets.token_hex(2)}"


class Run(Struct, frozen=True, kw_only=True):
    """One pass over all journeys.

    Attributes:
        id: unique, sorts by time.
        build: the target's own word for what it runs, from its ``X-Build`` header; empty when it sends none.
        scheduled: whether it judges its slot; a run started by hand does not.
        interval_s: seconds between two slots, by which a journey is due or not; 0 for a run by hand.
        ended: why it was ended before it was done, in one word: ``cancelled``, ``deadline``, ``stalled``.
        reference_ms: milliseconds a fixed task took on the machine the probe stands on, just before.
        identifiers: how identifiers of the target look: what stands for each in a fingerprint, by regular expression.
        part: number of the part of a slot that several judge together; 0 for a run of its own.
        concludes: whether it holds no measurements, only what the parts of its slot say together.
    """

    id: str
    target: str
    base_url: str
    slot: int
    started_at: datetime
    build: str = ""
    location: str = ""
    command: str = ""
    scheduled: bool = False
    interval_s: float = 0.0
    ended: str = ""
    reference_ms: float = 0.0
    identifiers: dict[str, str] = {}
    part: int = 0
    concludes: bool = False

    def __post_init__(self) -> None:
        """A password in the address, which an older record may hold, goes no further than its file."""
        for name in ("base_url", "command"):
            force_setattr(self, name, shown_address(getattr(self, name)))


class Result(Struct, frozen=True, kw_only=True):
    """One attempt at a journey.

    Attributes:
        attempt: 1 for the first.
        duration_s: seconds on the monotonic clock, set-up and teardown included.
        evidence: what was kept, most telling first.
        operations: what the target's backend says it spent, also when the attempt passed.
        notes: what a person should know besides, for example a clock that is off.
        refused_hosts: hosts that pages asked for and that are not allowed, and how many requests they were.
        worker: the xdist worker, ``main`` without xdist.
        repeat: the command that repeats this journey here.
        facts: the evidence in short, when it did not pass.
        asked_target: whether it asked the target anything by ``page`` or ``api``, as far as is known.
        trace_id: 32 hexadecimal digits that name this attempt in the target's traces; empty when nothing ran.
        span_id: 16 hexadecimal digits of the attempt as a whole.
        backend_trace: where the attempt opens in the target's own tracing tool; empty when it has none.
        waterfall: the requests around the failure, in their order.
        console: what pages said that tells most, uncaught errors first.
    """

    run_id: OwnName
    target: OwnName
    journey: Journey
    attempt: int
    outcome: Outcome
    started_at: datetime
    duration_s: float
    cause: str = ""
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None
    degradations: tuple[Degradation, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    operations: tuple[Operation, ...] = ()
    notes: tuple[str, ...] = ()
    refused_hosts: dict[str, int] = field(default_factory=dict)
    build: str = ""
    worker: OwnName = "main"
    repeat: str = ""
    facts: Facts | None = None
    asked_target: bool = True
    trace_id: OwnName = ""
    span_id: OwnName = ""
    backend_trace: str = ""
    waterfall: tuple[SeenRequest, ...] = ()
    console: tuple[str, ...] = ()
