"""Triage: where the cause of a failure lies, by ordered rules that each say why.

First it is asked whether the probe can be believed at all. Only then is the target's failure classed. Where the
evidence is silent the class is ``unknown``.
"""

from __future__ import annotations

from synthprobe.model.incident import CauseClass, Triage
from synthprobe.verdict.triage_facts import TriageFacts
from synthprobe.verdict.triage_rules import RULES, Sure


def triage(facts: TriageFacts) -> Triage:
    """Say where the cause lies: the first rule that fires, and as runner-up the next one of another class.

    Args:
        facts: the evidence.

    Returns:
        The class, the rule, its sentence, how sure it is, and the runner-up.

    Example:
        >>> triage(TriageFacts(outcome="failed", kind="dns", message="no such host")).cause_class
        'infra'
    """
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


def is_vague(said: Triage | None) -> bool:
    """Whether a triage says nothing of where the cause lies, so that another journey's may speak for it.

    Args:
        said: the triage of one journey.

    Returns:
        True when there is none, or no rule fitted.

    Example:
        >>> is_vague(None)
        True
    """
    return said is None or said.cause_class == "unknown"
