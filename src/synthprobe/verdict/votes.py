"""One verdict of what several locations say: who could not look has no vote, and too few against many are alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from synthprobe import words
from synthprobe.records.journey import Journey
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import JourneyVerdict, Vote


def judge_votes(journey: Journey, seen: Mapping[str, JourneyVerdict], quorum: int) -> JourneyVerdict:
    """What the locations say of a journey together."""
    votes = tuple(
        Vote(location=place, outcome=judgement.outcome, cause=judgement.cause) for place, judgement in seen.items()
    )
    needed = agreement(votes, quorum)
    failed = [vote.location for vote in votes if vote.outcome == "failed"]
    degraded = [vote.location for vote in votes if vote.outcome == "degraded"]
    if not any(vote.looked for vote in votes):
        skipped = bool(votes) and all(vote.outcome == "skipped" for vote in votes)
        blind = next(
            (judgement for judgement in seen.values() if judgement.outcome == ("skipped" if skipped else "unknown")),
            None,
        )
        cause = _why_nothing(votes, "skipped" if skipped else "unknown")
        bare = blind or JourneyVerdict(journey=journey, outcome="unknown", cause="No location looked at it.")
        return replace(bare, journey=journey, cause=cause or bare.cause, votes=votes)
    if not failed and not degraded:
        passed = [judgement for judgement in seen.values() if judgement.outcome == "passed"]
        unsteady = [judgement for judgement in passed if judgement.intermittent]
        telling = unsteady[0] if len(unsteady) >= needed else passed[0]
        return replace(
            telling,
            journey=journey,
            votes=votes,
            intermittent=telling.intermittent and len(unsteady) >= needed,
            cause=telling.cause if len(unsteady) >= needed else "",
        )
    telling = seen[(failed or degraded)[0]]
    if len(failed) >= needed:
        return replace(telling, journey=journey, votes=votes)
    if len(failed) + len(degraded) >= needed:
        telling = seen[(degraded or failed)[0]]
        return replace(telling, journey=journey, outcome="degraded", votes=votes)
    few = tuple(sorted({*failed, *degraded}, key=[vote.location for vote in votes].index))
    cause = f"It {words.seen_from(votes)}: {telling.cause}"
    return replace(telling, journey=journey, outcome="degraded", cause=cause, votes=votes, alone=few)


def agreement(votes: Sequence[Vote], quorum: int) -> int:
    """How many of the locations that looked must agree: the quorum, or a majority; never more than looked."""
    looked = sum(vote.looked for vote in votes)
    return max(1, min(quorum or looked // 2 + 1, looked))


def _why_nothing(votes: Sequence[Vote], outcome: Outcome) -> str:
    """Why no location looked, each reason once."""
    by_cause: dict[str, list[str]] = {}
    for vote in votes:
        if vote.outcome == outcome:
            by_cause.setdefault(vote.cause, []).append(vote.location)
    if len(votes) == 1:
        return next(iter(by_cause), "")
    return " ".join(f"From {words.listed(places)}: {cause}" for cause, places in by_cause.items())
