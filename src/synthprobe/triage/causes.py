"""Triage: where the cause of a failure lies, by ordered rules that each say why.

First it is asked whether the probe can be believed at all. Only then is the target's failure classed. Where the
evidence is silent the class is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping

from synthprobe.records.incident import CauseClass, Triage
from synthprobe.triage.facts import TriageFacts
from synthprobe.triage.rules import RULES, Sure

ELSEWHERE = "cause-elsewhere"
"""The rule of a journey whose cause another journey of the same run shows."""

_SAYS_LITTLE = {"read-after-write", "rule", "nothing-fits", "new-build"}
"""Rules that know only that something is wrong, so that a journey that knows more is believed."""
_LOST_GRANT = {*_SAYS_LITTLE, "role-split", "forbidden", "control-missing"}
"""What a grant that a role has lost looks like to journeys that do not ask for it."""
_STANDS_ALONE = {
    "certificate",
    "forbidden",
    "account-state",
    "account-refused",
    "slow-log-in",
    "slow-writes",
    "queueing",
}
"""Rules about one request or account: what they show explains no journey that did not ask for the same."""


def triage(facts: TriageFacts) -> Triage:
    """Say where the cause lies: the first rule that fires, and as runner-up the next one of another class."""
    fired: list[tuple[CauseClass, str, Sure, str]] = []
    for cause, rule, sure, test in RULES:
        if why := test(facts):
            fired.append((cause, rule, sure, why))
            if cause == "probe":
                break
    if not fired:
        why = "No rule fits the evidence: nothing points at one class."
        return Triage(cause_class="unknown", rule="nothing-fits", why=why, sure="low")
    cause, rule, sure, why = fired[0]
    other = next((one for one in fired[1:] if one[0] != cause), None)
    return Triage(
        cause_class=cause,
        rule=rule,
        why=why,
        sure=sure,
        runner_up=other[0] if other else "",
        runner_up_why=other[3] if other else "",
    )


def triage_together(found: Mapping[str, Triage]) -> dict[str, Triage]:
    """Let the journeys of one run speak for each other.

    Where a role has lost a grant or an address lies in the wrong town, some journeys show it, and others only find that
    something is wrong. Those share the cause of the surest one that shows it, with little certainty.
    """
    leads = [
        (said.rule != "grant", ("high", "medium", "low").index(said.sure), journey)
        for journey, said in found.items()
        if said.cause_class not in {"code", "probe", "unknown"}
        and said.sure != "low"
        and said.rule not in _STANDS_ALONE
    ]
    if not leads:
        return dict(found)
    lead = min(leads)[-1]
    explained = _LOST_GRANT if found[lead].rule == "grant" else _SAYS_LITTLE
    return {
        journey: _shared(said, lead, found[lead]) if said.rule in explained and journey != lead else said
        for journey, said in found.items()
    }


def _shared(own: Triage, journey: str, lead: Triage) -> Triage:
    return Triage(
        cause_class=lead.cause_class,
        rule=ELSEWHERE,
        why=f"In the same run {journey} shows what may explain it: {lead.why}",
        sure="low",
        runner_up=own.cause_class,
        runner_up_why=own.why,
        elsewhere=journey,
    )


def is_vague(said: Triage | None) -> bool:
    """Whether a triage does not itself say where the cause lies, so that another journey's may speak for it."""
    return said is None or said.cause_class == "unknown" or bool(said.elsewhere)
