"""A verdict: the outcome of every journey in a run, judged from the recorded results."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import force_setattr

from synthprobe.records.incident import Observation, Triage
from synthprobe.records.journey import Journey
from synthprobe.records.result import Degradation, Outcome, Result, Run


class Vote(Struct, frozen=True, kw_only=True):
    """What one location says of a journey."""

    location: str
    outcome: Outcome
    cause: str = ""

    @property
    def looked(self) -> bool:
        """Whether it says anything of the target: who could not look has no vote."""
        return self.outcome not in {"unknown", "skipped"}


class JourneyVerdict(Struct, frozen=True, kw_only=True):
    """The outcome of one journey in a run.

    Attributes:
        intermittent: it failed and then passed.
        since: when the state began, UTC, if earlier runs are known.
        degradations: in which ways it was not well enough, with what earlier runs say of it.
        results: the attempts as they were written, oldest first; empty when nothing was recorded.
        waited: it has no result, and was in a step when it was ended: for what it waited is not known.
        unconfirmed: it failed, and the run was ended before the second attempt.
        reruns: fresh runs of a journey that was slower than usual; samples, not attempts.
        triage: where the cause lies, when it did not pass; that of the incident it belongs to.
        general: id of the page that is offered when none knows it; empty when there is none.
        runbook_why: why that page.
        incident: id of the incident it belongs to; empty when it belongs to none.
        responsible: the role that is told of its incident, which may be another one than the journey's owner.
        votes: what each location says, where several looked.
        alone: the locations that found it not well, when they are too few for the target to be at fault.
    """

    journey: Journey
    outcome: Outcome
    cause: str = ""
    intermittent: bool = False
    since: datetime | None = None
    degradations: tuple[Degradation, ...] = ()
    results: tuple[Result, ...] = ()
    waited: bool = False
    unconfirmed: bool = False
    reruns: tuple[Result, ...] = ()
    triage: Triage | None = None
    runbook: str = ""
    general: str = ""
    runbook_why: str = ""
    incident: str = ""
    responsible: str = ""
    votes: tuple[Vote, ...] = ()
    alone: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """What the last attempt measured stands, also in records of older versions."""
        if self.results and not self.degradations and self.outcome != "passed":
            force_setattr(self, "degradations", self.results[-1].degradations)

    @property
    def offered(self) -> str:
        """The general page; where nothing was explained, the one that the journey itself names."""
        unexplained = self.triage is None and self.outcome in {"failed", "degraded"}
        return self.general or (self.journey.runbook if unexplained and not self.runbook else "")

    @property
    def telling(self) -> Result | None:
        """The last attempt that says why it is not ``passed``; nothing when every one passed or was skipped."""
        return next(
            (result for result in reversed(self.results) if self.outcome_of(result) not in {"passed", "skipped"}), None
        )

    @property
    def is_disbelieved(self) -> bool:
        """Whether what its last attempt says is not believed, as the run itself is at fault."""
        last = self.telling
        return self.outcome == "unknown" and last is not None and last.outcome != "unknown" and not self.unconfirmed

    def outcome_of(self, result: Result) -> Outcome:
        """The outcome of one of its attempts, with what earlier runs say of it."""
        judged_by_past = {self.outcome, result.outcome} <= {"passed", "degraded"}
        return self.outcome if self._is_last(result) and judged_by_past else result.outcome

    def cause_of(self, result: Result) -> str:
        """Why one of its attempts is not ``passed``, with what earlier runs say of it."""
        degraded = self._is_last(result) and self.outcome_of(result) == "degraded"
        return self.cause if degraded else "" if self.outcome_of(result) == "passed" else result.cause

    def degradations_of(self, result: Result) -> tuple[Degradation, ...]:
        """In which ways one of its attempts was not well enough, with what earlier runs say of it."""
        return self.degradations if self._is_last(result) else result.degradations

    def _is_last(self, result: Result) -> bool:
        return bool(self.results) and self.results[-1] is result


class Verdict(Struct, frozen=True, kw_only=True):
    """The outcome of a run. Written before any evidence is published.

    Attributes:
        journeys: one verdict for each expected journey, worst first.
        blind: why the monitor itself cannot be believed in this run, as a sentence; empty when it can.
        notes: what a person should know besides.
        not_due: how many journeys were not due in the run's slot, by their own interval.
        blind_locations: locations from which nothing could be looked at, in this slot and the one before.
        removed: ids of journeys of the run before that are no longer there, as their files or settings were changed.
    """

    run: Run
    journeys: tuple[JourneyVerdict, ...]
    finished_at: datetime
    blind: str = ""
    notes: tuple[str, ...] = ()
    not_due: int = 0
    blind_locations: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether nothing was to be done: no journey was due."""
        return not self.journeys and bool(self.not_due) and not self.blind

    def observation(self, judged: JourneyVerdict) -> Observation:
        """What the run says of one of its journeys, in the few words that incidents are made of."""
        failure = next((result.failure for result in reversed(judged.results) if result.failure), None)
        return Observation(
            run_id=self.run.id,
            slot=self.run.slot,
            at=self.run.started_at,
            target=self.run.target,
            journey=judged.journey.id,
            outcome=judged.outcome,
            intermittent=judged.intermittent,
            step=failure.step if failure else "",
            cause=judged.cause,
            build=self.run.build,
            location=self.run.location,
            alone=bool(judged.alone),
            weak={degradation.step: degradation.message for degradation in judged.degradations},
        )

    def count(self, outcome: Outcome) -> int:
        """How many journeys ended so."""
        return sum(journey.outcome == outcome for journey in self.journeys)
