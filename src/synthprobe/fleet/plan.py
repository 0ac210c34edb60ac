"""Deals the journeys of a slot out to parts. Pure: the same inventory and durations give the same plan anywhere."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from synthprobe.errors import ConfigurationError
from synthprobe.records.fleet import Plan, PlannedPart
from synthprobe.records.intervals import due_journeys
from synthprobe.records.journey import Journey

USUAL_S = 5.0
"""Seconds that a journey is expected to take while no duration at all is known."""


def plan_slot(
    journeys: Sequence[Journey],
    durations: Mapping[str, float],
    parts: int,
    *,
    target: str,
    slot: int,
    revision: str = "",
    locations: Sequence[str] = (),
    quorum: int = 0,
    interval_s: float = 0,
    version: str = "",
) -> Plan:
    """Deal journeys out to parts that take about equally long.

    The longest is dealt first, always to the part that has least so far; journeys of one group stay together.

    Example:
        >>> def journey(id):
        ...     return Journey(id=id, node_id=id, title=id)
        >>> plan = plan_slot([journey("a"), journey("b"), journey("c")], {"a": 9, "b": 1}, 2, target="demo", slot=1)
        >>> [[one.id for one in part.journeys] for part in plan.parts]
        [['a'], ['c', 'b']]
    """
    if parts < 1:
        raise ConfigurationError(f"A plan of {parts} parts was asked for; 1 or more were expected.")
    doubled = sorted(id for id, count in Counter(journey.id for journey in journeys).items() if count > 1)
    if doubled:
        raise ConfigurationError(
            f"Journeys share an id, so each would be judged twice or not at all: {', '.join(doubled)}. "
            "Give each an id of its own in its marker: @pytest.mark.journey(id=...)."
        )
    of_target = [journey for journey in journeys if not journey.targets or target in journey.targets]
    due = due_journeys(of_target, slot, interval_s)
    chosen = {journey.id for journey in due}
    usual_s = fmean(durations.values()) if durations else USUAL_S

    def takes_s(bundle: Sequence[Journey]) -> float:
        return sum(durations.get(journey.id, usual_s) for journey in bundle)

    bundles: dict[tuple[str, str], list[Journey]] = {}
    for journey in sorted(due, key=lambda journey: journey.id):
        bundles.setdefault(("group", journey.group) if journey.group else ("journey", journey.id), []).append(journey)
    least = [(0.0, number) for number in range(parts)]
    dealt: list[list[Journey]] = [[] for _ in range(parts)]
    for bundle in sorted(bundles.values(), key=lambda bundle: (-takes_s(bundle), bundle[0].id)):
        filled_s, number = heapq.heappop(least)
        dealt[number] += bundle
        heapq.heappush(least, (filled_s + takes_s(bundle), number))
    order = sorted(dealt, key=lambda part: (-takes_s(part), [journey.id for journey in part]))
    plan = Plan(
        target=target,
        slot=slot,
        revision=revision,
        parts=tuple(
            PlannedPart(number=number, journeys=tuple(part), expected_s=round(takes_s(part), 3))
            for number, part in enumerate(order, 1)
        ),
        locations=tuple(dict.fromkeys(locations)),
        quorum=quorum,
        version=version,
        not_due=tuple(
            sorted((journey for journey in journeys if journey.id not in chosen), key=lambda journey: journey.id)
        ),
    )
    refuse_holes(plan, due)
    return plan


def refuse_holes(plan: Plan, journeys: Sequence[Journey]) -> None:
    """Refuse a plan that drops a journey or deals it out twice."""
    planned, expected = Counter(journey.id for journey in plan.journeys), {journey.id for journey in journeys}
    wrong = sorted({id for id, count in planned.items() if count > 1} | (planned.keys() ^ expected))
    if wrong:
        raise ConfigurationError(
            f"The plan of slot {plan.slot} drops or doubles journeys: {', '.join(wrong)}. Nothing is dealt out by it. "
            "Plan the slot again."
        )
