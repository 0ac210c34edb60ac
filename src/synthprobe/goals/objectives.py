"""Judges journeys against objectives: what nobody could look at is neither good nor bad, and too much of it unknown."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction

import msgspec

from synthprobe.records.history import JudgedSlot
from synthprobe.records.incident import Observation
from synthprobe.records.intervals import Interval, turn
from synthprobe.records.objective import (
    BurnRule,
    CheckedRule,
    Coverage,
    Objective,
    ObjectiveState,
    ObjectiveStatus,
    Slice,
    SliceState,
)
from synthprobe.records.result import Outcome

_DAY_S = 86_400
_LATE_S = 7 * _DAY_S  # a slot may be judged late; slots of another length lie years apart


def in_slots(seen: Iterable[Observation], interval_s: int) -> Iterator[Observation]:
    """Tell what runs said in slots of one length, whatever the interval was when they ran."""
    for observation in seen:
        length = slot_length(observation.slot, observation.at, interval_s)
        if length == interval_s:
            yield observation
            continue
        begin = observation.slot * length
        end = begin + max(length - interval_s, 0)
        for slot in range(begin // interval_s, end // interval_s + 1):
            yield msgspec.structs.replace(observation, slot=slot)


def in_turns(seen: Iterable[Observation], interval_s: int, every_s: float) -> Iterator[Observation]:
    """The same in a journey's own interval: each observation stands in the look its slot belongs to."""
    for observation in in_slots(seen, interval_s):
        yield (
            msgspec.structs.replace(observation, slot=turn(observation.slot, interval_s, every_s))
            if every_s > interval_s
            else observation
        )


def least_interval(slots: Sequence[JudgedSlot], intervals: Mapping[str, Interval], interval_s: int) -> float:
    """Seconds between two slots in which anything is due: the shortest interval of the journeys that are still there.

    A journey that was left out of its last two looks before the newest slot is gone.
    """
    last = {journey: slot.slot for slot in slots for journey in slot.outcomes}
    newest = max(last.values(), default=0)
    known = {journey: intervals.get(journey, Interval()).every_s for journey in last}
    return min(
        (
            max(every_s, interval_s)
            for journey, every_s in known.items()
            if turn(newest, interval_s, every_s) - turn(last[journey], interval_s, every_s) < 2
        ),
        default=interval_s,
    )


def slot_length(slot: int, at: datetime, interval_s: int) -> int:
    """How long the slots were when a run judged one: a slot's number times its length is the time it began."""
    moment = at.timestamp()
    if slot <= 0 or abs(moment - slot * interval_s) <= _LATE_S:
        return interval_s
    fits = range(math.ceil((moment - _DAY_S) / (slot + 1)), min(int(moment // slot), _DAY_S) + 1)
    return max(fits, key=lambda length: math.gcd(length, _DAY_S), default=interval_s)


UNKNOWN_CAP = 0.05
"""Share of slices that may be left out because nobody could look, before the objective is unknown."""
HOUR, DAY = 3600.0, 86400.0

STANDARD_RULES = (
    BurnRule(factor=14.4, long_s=HOUR, short_s=300),
    BurnRule(factor=6, long_s=6 * HOUR, short_s=1800),
    BurnRule(factor=3, long_s=DAY, short_s=2 * HOUR),
    BurnRule(factor=1, long_s=3 * DAY, short_s=6 * HOUR),
)
"""The multi-window rules in common use; which of them can work depends on the interval."""

_STATES: dict[Outcome, SliceState] = {
    "passed": "good",
    "degraded": "good",
    "failed": "bad",
    "unknown": "unknown",
    "skipped": "skipped",
}
_RANK: tuple[SliceState, ...] = ("bad", "good", "skipped", "unknown")


def slices(observations: Iterable[Observation], objective: Objective) -> tuple[Slice, ...]:
    """One slice for each slot of the objective's journey."""
    found: dict[int, Slice] = {}
    for seen in observations:
        if seen.journey != objective.journey:
            continue
        state: SliceState = "bad" if is_bad(seen.outcome, objective) else _STATES[seen.outcome]
        new_slot = Slice(slot=seen.slot, state=state, fingerprint=seen.fingerprint, cause=seen.cause)
        held = found.get(seen.slot)
        if held is None or _RANK.index(state) < _RANK.index(held.state):
            found[seen.slot] = new_slot
    return tuple(found[slot] for slot in sorted(found))


def is_bad(outcome: Outcome, objective: Objective) -> bool:
    """Whether an outcome makes a slice bad."""
    return outcome == "failed" or (outcome == "degraded" and objective.count_degraded)


def judge_objective(
    objective: Objective,
    seen: Sequence[Slice],
    *,
    now_slot: int,
    interval_s: float,
    since_slot: int | None = None,
    expected_from: int = 0,
    rules: Sequence[BurnRule] = (),
) -> ObjectiveStatus:
    """How a journey stands against its objective; slots before ``expected_from`` count only where it was judged."""
    _check(objective, interval_s)
    length = round(objective.window_days * DAY / interval_s)
    first = now_slot - length + 1
    inside = sorted((slot for slot in seen if first <= slot.slot <= now_slot), key=lambda slot: slot.slot)
    began = since_slot if since_slot is not None else (inside[0].slot if inside else now_slot)
    first = max(first, began)
    inside = [slot for slot in inside if slot.slot >= first]
    count = Counter(slot.state for slot in inside)
    every_slot = max(first, expected_from)
    before = sum(slot.slot < every_slot for slot in inside)
    elapsed = max(before + now_slot - every_slot + 1 - count["skipped"], 0)
    judged = count["good"] + count["bad"]
    unknown = elapsed - judged
    used_s = count["bad"] * interval_s
    budget_s = float(_allowed(objective) * length) * interval_s
    causes = Counter(
        slot.fingerprint or slot.cause or "no cause was recorded" for slot in inside if slot.state == "bad"
    )
    key, largest = causes.most_common(1)[0] if causes else ("", 0)
    words = {slot.fingerprint: slot.cause for slot in inside if slot.cause}
    availability = 100 * count["good"] / judged if judged else None
    status = ObjectiveStatus(
        objective=objective,
        state="unknown",
        why="",
        availability=availability,
        coverage=100 * judged / elapsed if elapsed else 0.0,
        elapsed=elapsed,
        good=count["good"],
        bad=count["bad"],
        unknown=unknown,
        skipped=count["skipped"],
        budget_s=budget_s,
        used_s=used_s,
        largest_cause_s=largest * interval_s,
        largest_cause=words.get(key, key),
        worst_gap_s=_worst_gap([slot for slot in inside if slot.slot >= every_slot], every_slot, now_slot) * interval_s,
        text=_budget_text(used_s, budget_s, largest * interval_s, words.get(key, key)),
        burning=burn_text(objective, inside, now_slot=now_slot, interval_s=interval_s, rules=rules),
        spent=_spent(inside, now_slot, objective.window_days, interval_s),
    )
    state, why = _state(status)
    return msgspec.structs.replace(status, state=state, why=why)


def _spent(inside: Sequence[Slice], now_slot: int, window_days: float, interval_s: float) -> tuple[float, ...]:
    """Seconds of bad slices in each day of the window, oldest first."""
    back = Counter(int((now_slot - slot.slot) * interval_s // DAY) for slot in inside if slot.state == "bad")
    return tuple(back[day] * interval_s for day in reversed(range(math.ceil(window_days))))


def judge_coverage(observations: Iterable[Observation], *, now_slot: int, interval_s: float) -> Coverage | None:
    """How much of the time somebody looked at the target, whatever was found."""
    states: dict[int, SliceState] = {}
    for seen in observations:
        state = _STATES[seen.outcome]
        states[seen.slot] = min(states.get(seen.slot, state), state, key=_RANK.index)
    if not states:
        return None
    first = max(min(states), now_slot - round(DAY / interval_s) + 1)
    inside = [Slice(slot=slot, state=state) for slot, state in sorted(states.items()) if first <= slot <= now_slot]
    count = Counter(slot.state for slot in inside)
    return Coverage(
        window_s=DAY,
        elapsed=max(now_slot - first + 1 - count["skipped"], 0),
        judged=count["good"] + count["bad"],
        worst_gap_s=_worst_gap(inside, first, now_slot) * interval_s,
    )


def check_rule(objective: Objective, rule: BurnRule, interval_s: float) -> CheckedRule:
    """What a burn-rate rule really asks for at the interval it runs with."""
    _check(objective, interval_s)
    share = Fraction(str(rule.factor)) * _allowed(objective)
    long_of, short_of = (max(int(length // interval_s), 1) for length in (rule.long_s, rule.short_s))
    long_needs, short_needs = max(math.ceil(share * long_of), 1), max(math.ceil(share * short_of), 1)
    needed = max(long_needs, short_needs)
    name = f"{rule.factor:g} × over {span(rule.long_s)}"
    fault = refused = ""
    if rule.factor <= 0 or rule.long_s < rule.short_s:
        fault, refused = (
            "it cannot be used",
            f"{name}: the factor must be above 0 and the long window not shorter than the short one.",
        )
    elif share > 1:
        fault = "it cannot fire"
        refused = (
            f"It cannot fire: {name} asks for {float(100 * share):.4g} % of the samples to fail. "
            "Take a smaller factor, or a higher objective."
        )
    elif rule.long_s < interval_s:
        fault = "it cannot fire reliably"
        refused = f"It cannot fire reliably: {name} is shorter than the {span(interval_s)} between two samples."
    elif long_needs < 2:
        fault = "one sample trips it"
        refused = (
            f"One sample trips it: {name} is reached by 1 bad sample of {long_of}, so any blip alarms. "
            "Take a longer window, a larger factor, a shorter interval, or a lower objective."
        )
    cannot = share > 1 or rule.factor <= 0
    return CheckedRule(
        rule=rule,
        long_needs=long_needs,
        long_of=long_of,
        short_needs=short_needs,
        short_of=short_of,
        outage_s=None if cannot else needed * interval_s,
        fault=fault,
        refused=refused,
    )


def burn_rules(objective: Objective, interval_s: float) -> tuple[BurnRule, ...]:
    """The standard rules that can work for this objective at this interval."""
    checked = (check_rule(objective, rule, interval_s) for rule in STANDARD_RULES)
    return tuple(rule.rule for rule in checked if not rule.refused)


def burning(rule: CheckedRule, seen: Sequence[Slice], now_slot: int) -> bool:
    """Whether a rule fires now. Unknown slices count neither for nor against."""
    bad = [slot.slot for slot in seen if slot.state == "bad" and slot.slot <= now_slot]
    long = sum(slot > now_slot - rule.long_of for slot in bad)
    short = sum(slot > now_slot - rule.short_of for slot in bad)
    return not rule.refused and long >= rule.long_needs and short >= rule.short_needs


def burn_text(
    objective: Objective, seen: Sequence[Slice], *, now_slot: int, interval_s: float, rules: Sequence[BurnRule] = ()
) -> str:
    """What the fastest rule that fires now says."""
    checked = (check_rule(objective, rule, interval_s) for rule in rules or STANDARD_RULES)
    fires = [rule for rule in checked if burning(rule, seen, now_slot)]
    if not fires:
        return ""
    fastest = max(fires, key=lambda fire: fire.rule.factor)
    bad = sum(slot.state == "bad" and now_slot - fastest.long_of < slot.slot <= now_slot for slot in seen)
    return (
        f"The error budget is used {fastest.rule.factor:g} × too fast or faster: {bad} of the last {fastest.long_of} "
        f"slots ({span(fastest.rule.long_s)}) were bad, {fastest.long_needs} are too many."
    )


def lint(objective: Objective, interval_s: float, rules: Sequence[BurnRule] = ()) -> tuple[str, ...]:
    """Why an objective cannot be used as it is declared."""
    if rules:
        return tuple(
            checked_rule.refused for rule in rules if (checked_rule := check_rule(objective, rule, interval_s)).refused
        )
    if burn_rules(objective, interval_s):
        return ()
    samples = objective.window_days * DAY / interval_s
    allowed = float(_allowed(objective)) * samples
    return (
        f"{objective.percent:g} % cannot be watched with one sample each {span(interval_s)}: it allows {allowed:.3g} "
        f"bad samples in {objective.window_days:g} days, so every standard rule is either tripped by one sample or can "
        f"never fire. Lower the objective, or sample more often: {samples:.0f} samples without a failure only show an "
        f"error rate under {300 / samples:.2g} %.",
    )


def span(seconds: float) -> str:
    """A length of time in hours and minutes, as an error budget is told."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds >= 2 * DAY and seconds % DAY == 0:
        return f"{seconds / DAY:.0f} d"
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join(filter(None, (f"{hours} h" if hours else "", f"{minutes} m" if minutes else "")))


def _check(objective: Objective, interval_s: float) -> None:
    if not 0 < objective.percent < 100:
        raise ValueError(
            f"The objective of {objective.journey} is {objective.percent:g} %: a percentage above 0 and under 100 was "
            "expected, for example 99. Nothing is good all of the time, so 100 leaves no budget."
        )
    if not (objective.window_days > 0 and interval_s > 0):
        raise ValueError(
            f"The objective of {objective.journey} has a window of {objective.window_days:g} days and an interval of "
            f"{interval_s:g} s: both must be above 0."
        )


def _allowed(objective: Objective) -> Fraction:
    """The share of slices that may be bad, exactly: 99.9 % leaves 1/1000, not 0.0010000000000000009."""
    return 1 - Fraction(str(objective.percent)) / 100


def _worst_gap(inside: Sequence[Slice], first: int, now_slot: int) -> int:
    seen = [slot.slot for slot in inside if slot.state != "unknown"]
    edges = [first - 1, *seen, now_slot + 1]
    return max((later - sooner - 1 for sooner, later in itertools.pairwise(edges)), default=0)


def _budget_text(used_s: float, budget_s: float, largest_s: float, cause: str) -> str:
    used = span(used_s) if used_s else "nothing"
    text = f"{used} of {span(budget_s)} used"
    return f"{text}, {span(largest_s)} of it one cause: {cause}" if largest_s else text


def _state(status: ObjectiveStatus) -> tuple[ObjectiveState, str]:
    if status.availability is None:
        return "unknown", "No slot was judged, so nothing is known of the objective."
    if status.unknown > UNKNOWN_CAP * status.elapsed:
        return "unknown", (
            f"{status.unknown} of {status.elapsed} slots were not judged, more than the "
            f"{100 * UNKNOWN_CAP:g} % that may be left out, so the objective is unknown. Mend the monitor first."
        )
    percent, wanted = status.availability, status.objective.percent
    if status.used_s > status.budget_s:
        return "missed", f"{percent:.4g} % of the judged slots were good; {wanted:g} % was expected."
    return (
        "met",
        f"{percent:.4g} % of the judged slots were good and the error budget for {wanted:g} % is not used up.",
    )
