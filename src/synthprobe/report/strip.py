"""The last 24 hours of journeys, slot by slot, drawn as SVG that needs no script."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

from msgspec import Struct

from synthprobe.records.result import Outcome
from synthprobe.records.standing import Standing
from synthprobe.records.verdict import Verdict

_WORST: tuple[Outcome, ...] = ("failed", "unknown", "degraded", "passed", "skipped")
_MATRIX_ROWS = 200
_HEIGHT = {"failed": 14, "unknown": 11, "degraded": 9, "passed": 5, "skipped": 2}  # never told by colour alone


class Stretch(Struct, frozen=True, kw_only=True):
    """Slots beside each other that ended alike."""

    outcome: str
    left: int
    width: int
    height: int
    title: str


class Strip(Struct, frozen=True, kw_only=True):
    """The last 24 hours."""

    slots: int
    stretches: tuple[Stretch, ...]
    text: str


def strip(standing: Standing, journeys: Collection[str]) -> Strip | None:
    """How journeys ended in each slot of the last 24 hours, the worst of them for each; nothing when none was seen."""
    ends: dict[int, Outcome] = {}
    lasts = min((standing.intervals.get(journey, 1) for journey in journeys), default=1)
    for looked in standing.day:
        found = {looked.outcomes[journey] for journey in journeys if journey in looked.outcomes}
        if found:
            ends[looked.slot] = min(found | {ends[looked.slot]} if looked.slot in ends else found, key=_WORST.index)
    if not ends:
        return None
    first = standing.now_slot - standing.slots + 1
    until_next = {slot + later: end for slot, end in sorted(ends.items()) for later in range(lasts)}
    stretches = tuple(_stretches({**until_next, **ends}, first, standing.slots))
    others = {outcome: sum(end == outcome for end in ends.values()) for outcome in _WORST if outcome != "passed"}
    what = ", ".join(f"{outcome} in {number}" for outcome, number in others.items() if number) or "passed in all"
    return Strip(slots=standing.slots, stretches=stretches, text=f"Last 24 hours: {what} of {len(ends)} slots judged")


def _stretches(ends: dict[int, Outcome], first: int, slots: int) -> Iterator[Stretch]:
    day = timedelta(days=1)
    for outcome, group in groupby(range(first, first + slots), key=lambda slot: ends.get(slot, "")):
        held = list(group)
        begins, over = (
            datetime.fromtimestamp(slot * day.total_seconds() / slots, UTC) for slot in (held[0], held[-1] + 1)
        )
        if outcome:
            title = f"{begins:%H:%M} to {over:%H:%M} UTC: {outcome}"
            left, height = held[0] - first, _HEIGHT[outcome]
            yield Stretch(outcome=outcome, left=left, width=len(held), height=height, title=title)


def matrix(standing: Standing, verdict: Verdict) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Locations, and what each says of each journey, the worst first; nothing where there is one location only.

    A slot that several locations judged has their votes; otherwise each location's newest run of the last day counts.
    """
    found: dict[str, dict[str, str]] = {}
    for judged in verdict.journeys:
        found |= {judged.journey.id: {vote.location: vote.outcome for vote in judged.votes}} if judged.votes else {}
    for looked in standing.day if not found else ():
        for journey, outcome in looked.outcomes.items():
            found.setdefault(journey, {})[looked.location] = outcome
    locations = sorted({location for ends in found.values() for location in ends})
    if len(locations) < 2:
        return [], []
    return locations, [
        (judged.journey.title, [found[judged.journey.id].get(location, "") for location in locations])
        for judged in verdict.journeys
        if judged.journey.id in found
    ][:_MATRIX_ROWS]
