"""A verdict: the outcome of every journey in a run, judged from the recorded results."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from synthprobe.model.incident import Triage
from synthprobe.model.journey import Journey
from synthprobe.model.result import Outcome, Result, Run


class JourneyVerdict(Struct, frozen=True, kw_only=True):
    """The outcome of one journey in a run.

    Attributes:
        journey: the journey.
        outcome: after all attempts.
        cause: why it is not ``passed``, in one line.
        intermittent: it failed and then passed.
        since: when the state began, UTC, if earlier runs are known.
        results: the attempts, oldest first; empty when nothing was recorded.
        reruns: fresh runs of a journey that was slower than usual; samples, not attempts.
        triage: where the cause lies, when it did not pass.
        runbook: id of the runbook that fits; empty when none does.
        runbook_why: why that one.
        incident: id of the incident it belongs to; empty when it belongs to none.
    """

    journey: Journey
    outcome: Outcome
    cause: str = ""
    intermittent: bool = False
    since: datetime | None = None
    results: tuple[Result, ...] = ()
    reruns: tuple[Result, ...] = ()
    triage: Triage | None = None
    runbook: str = ""
    runbook_why: str = ""
    incident: str = ""


class Verdict(Struct, frozen=True, kw_only=True):
    """The outcome of a run. Written before any evidence is published.

    Attributes:
        run: the run.
        journeys: one verdict for each expected journey, worst first.
        finished_at: when judging ended, UTC.
        blind: why the monitor itself cannot be believed in this run, as a sentence; empty when it can.
        notes: what a person should know besides.
    """

    run: Run
    journeys: tuple[JourneyVerdict, ...]
    finished_at: datetime
    blind: str = ""
    notes: tuple[str, ...] = ()

    def count(self, outcome: Outcome) -> int:
        """How many journeys ended so.

        Args:
            outcome: the outcome to count.

        Returns:
            The number of journeys.
        """
        return sum(journey.outcome == outcome for journey in self.journeys)
