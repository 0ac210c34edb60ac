"""What came of a drill: of one fault, and of two at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from synthprobe import words
from synthprobe.firstline.score_set import Sample
from synthprobe.records.verdict import JourneyVerdict, Verdict

_NEVER_CODE = {"data", "config", "user"}


@dataclass(frozen=True)
class Drilled:
    """What came of one fault or decoy."""

    name: str
    truth: str
    noticed: tuple[str, ...]
    cause_class: str = ""
    rule: str = ""
    runbook: str = ""
    wanted_runbook: str = ""
    tied: tuple[str, ...] = ()
    followed: str = ""
    unproved: str = ""
    called_code: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    wrong_pages: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()

    def wrong(self) -> str:
        """What did not hold, as a sentence; empty when all did."""
        if self.truth == "decoy":
            return f"The decoy was taken for a fault by {', '.join(self.noticed)}." if self.noticed else ""
        if not self.noticed:
            return "No journey that was expected to notice it did."
        if self.called_code and self.truth in _NEVER_CODE:
            return f"A {self.truth} fault was called code in {', '.join(self.called_code)}."
        if self.cause_class not in {self.truth, "unknown"}:
            return f"It was classed as {self.cause_class} by the rule {self.rule}; {self.truth} was expected."
        if not self.wanted_runbook or self.runbook != self.wanted_runbook:
            wanted = self.wanted_runbook or f"one with 'drill: {self.name}'"
            return f"The runbook {self.runbook or 'none'} was matched; {wanted} was expected."
        if self.wrong_pages:
            return f"A page of another fault is called the runbook: {', '.join(self.wrong_pages)}."
        if self.tied:
            return (
                f"{', '.join(self.tied)} fits as well as {self.runbook}; one page was expected. Let one match closer."
            )
        return self.unproved


@dataclass(frozen=True)
class Paired:
    """What came of two faults at once."""

    names: tuple[str, str]
    incidents: tuple[str, ...]
    right_pages: tuple[str, ...]
    wrong_pages: tuple[str, ...]

    def wrong(self) -> bool:
        """Whether it is not one incident for each, or a page of another fault is called the runbook."""
        return len(self.incidents) != len(self.names) or bool(self.wrong_pages)


def incidents_of(verdict: Verdict) -> tuple[str, ...]:
    """The incidents of a run, each in a line: class, page, and the journeys that show it."""
    found: dict[str, list[JourneyVerdict]] = {}
    for judgement in verdict.journeys:
        if judgement.incident:
            found.setdefault(judgement.incident, []).append(judgement)
    return tuple(
        f"{words.cause_and_page(judgements[0].triage, judgements[0].runbook, judgements[0].general)} "
        f"({', '.join(sorted(judgement.journey.id for judgement in judgements))})"
        for judgements in found.values()
    )


def wrong_pages(verdict: Verdict, right: Collection[str]) -> tuple[str, ...]:
    """Journeys whose page is none of these."""
    return tuple(
        f"{judgement.journey.id}: {judgement.runbook}"
        for judgement in verdict.journeys
        if judgement.runbook not in {"", *right}
    )
