"""Triage: where the cause of a failure lies, by ordered rules that each say why.

First it is asked whether the probe can be believed at all. Only then is the target's failure classed. Where the
evidence is silent the class is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from synthprobe.records.incident import CauseClass, Triage
from synthprobe.triage.facts import TriageFacts
from synthprobe.triage.rules import RULES
from synthprobe.triage.sight import answered, known, missing_assets
from synthprobe.triage.sureness import sure_of


def triage(facts: TriageFacts) -> Triage:
    """Say where the cause lies: the first rule that fires, and as runner-up the next one of another class."""
    fired: list[tuple[CauseClass, str, str]] = []
    for cause, rule, test in RULES:
        if why := test(facts):
            fired.append((cause, rule, why))
            if cause == "probe":
                break
    if not fired:
        why = known(facts) or "Nothing that was seen points at one class."
        return Triage(cause_class="unknown", rule="nothing-fits", why=why, sure="low")
    cause, rule, why = fired[0]
    sure = "high" if cause == "probe" else sure_of(rule)
    other = next((one for one in fired[1:] if one[0] != cause), None)
    return Triage(
        cause_class=cause,
        rule=rule,
        why=f"Possible: {why}" if sure == "low" else why,
        sure=sure,
        runner_up=other[0] if other else "",
        runner_up_why=other[2] if other else "",
    )


def triage_together(found: Mapping[str, Triage], facts: Mapping[str, TriageFacts]) -> dict[str, Triage]:
    """Let a journey of which nothing is known name another one that broke by the same.

    What they have in common must have been seen in both: the request that failed, the error of a page, the node, the
    refused log-in. Its own class stays; the other's cause is said to be possible.
    """
    return {journey: _linked(journey, cause, found, facts) for journey, cause in found.items()}


def _linked(journey: str, own: Triage, found: Mapping[str, Triage], facts: Mapping[str, TriageFacts]) -> Triage:
    if own.cause_class != "unknown" or journey not in facts:
        return own
    marks = _marks(facts[journey])
    for other, cause in sorted(found.items(), key=lambda pair: ("high", "medium", "low").index(pair[1].sure)):
        shared = marks & _marks(facts[other]) if other != journey and other in facts else frozenset()
        if shared and cause.cause_class not in {"unknown", "probe"}:
            why = f"{own.why} Possible cause, as {other} shows {min(shared)} too: {cause.why}"
            return replace(own, why=why, elsewhere=other)
    return own


def _marks(f: TriageFacts) -> frozenset[str]:
    """What of a failure would be seen in another journey if it had the same cause."""
    asked = {answered(a, quote=False) for a in (*f.unwanted, *missing_assets(f)) if a.status >= 400 or a.status == 0}
    return frozenset(asked | set(f.evidence.page_errors))


def is_vague(said: Triage | None) -> bool:
    """Whether a triage does not itself say where the cause lies, so that another journey's may speak for it."""
    return said is None or said.cause_class == "unknown" or bool(said.elsewhere)
