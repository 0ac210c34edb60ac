"""Triage: where the cause of a failure lies, by ordered rules that each say why.

First it is asked whether the probe can be believed at all. Only then is the target's failure classed. Where the
evidence is silent the class is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from synthprobe.records.incident import CauseClass, Triage
from synthprobe.triage.bearing import bearing
from synthprobe.triage.facts import TriageFacts
from synthprobe.triage.links import asked_in_vain, is_silent, linked
from synthprobe.triage.places import contradicted_request
from synthprobe.triage.rules import RULES
from synthprobe.triage.sight import known
from synthprobe.triage.sureness import sure_of

_SUPPOSED = {"rule", "read-after-write"}
"""Rules that believe what the author supposed of a step: that what it was given is right."""

_DECLARED = _SUPPOSED | {"sentinel", "invariant", "grant", "setting", "preference", "account-declared", "delivery"}
"""Rules that say again what the author declared of a step."""


def triage(facts: TriageFacts) -> Triage:
    """Say where the cause lies: the first rule that fires, and as runner-up the next one of another class.

    A rule that has not earned it on the score set names no class: it is ``unknown``, and the rule's class is next.
    """
    seen = bearing(facts)
    fired: list[tuple[CauseClass, str, str]] = []
    for cause, rule, test in RULES:
        if why := test(seen):
            fired.append((cause, rule, why))
            if cause == "probe":
                break
    if not fired:
        why = known(facts) or "Nothing that was seen points at one class."
        return Triage(cause_class="unknown", rule="nothing-fits", why=why, sure="low")
    cause, rule, why = fired[0]
    sure = ("medium" if seen.kind == "journey error" else "high") if cause == "probe" else sure_of(rule)
    if sure == "low":
        return Triage(
            cause_class="unknown", rule=rule, why=known(seen) or why, sure=sure, runner_up=cause, runner_up_why=why
        )
    other = next((hit for hit in fired[1:] if hit[0] != cause), None)
    return Triage(
        cause_class=cause,
        rule=rule,
        why=why,
        sure=sure,
        runner_up=other[0] if other else "",
        runner_up_why=other[2] if other else "",
    )


def triage_together(found: Mapping[str, Triage], facts: Mapping[str, TriageFacts]) -> dict[str, Triage]:
    """Let a journey of which nothing is known name another one that may show its cause.

    They must have something in common: a request, the error of a page, an account. Its own class stays, and the
    other's cause is said to be possible. What an author supposed of a step holds as long as what the target was given
    is right, so it gives way to such a link, and to a journey that was answered otherwise than expected by the same
    request and supposes nothing.
    """
    return {journey: _together(journey, cause, found, facts) for journey, cause in found.items()}


def _together(journey: str, own: Triage, found: Mapping[str, Triage], facts: Mapping[str, TriageFacts]) -> Triage:
    supposed, declared = own.rule in _SUPPOSED, own.rule in _DECLARED
    if journey not in facts or not (declared or own.candidate == "unknown"):
        return own
    seen = (known(facts[journey]) if declared else own.why) or own.why
    silent = Triage(cause_class="unknown", rule="nothing-fits", sure="low", why=seen)
    excluded = {"unknown", "probe", *({"code"} if supposed else ())}
    for name, cause in sorted(found.items(), key=lambda pair: ("high", "medium", "low").index(pair[1].sure)):
        if declared and not supposed:
            break
        if name == journey or name not in facts or cause.candidate == "probe":
            continue
        shows = cause.candidate not in excluded and cause.rule not in _SUPPOSED
        link = linked(facts[journey], facts[name], cause, name) if shows else ""
        if not shows and is_silent(facts[journey]):
            link = asked_in_vain(facts[journey], facts[name], name)
        if link:
            shown = cause.runner_up_why if shows and cause.cause_class == "unknown" else cause.why
            why = f"{seen} Possible cause, as {link}: {shown}" if shows else f"{seen} It may be one cause, as {link}."
            return replace(silent, why=why, elsewhere=name)
    asked = contradicted_request(facts[journey], {}) if declared else ""
    doubted = asked and any(
        cause.candidate == "unknown" and contradicted_request(facts[name], {}) == asked
        for name, cause in found.items()
        if name != journey and name in facts
    )
    return silent if doubted else own


def is_vague(cause: Triage | None) -> bool:
    """Whether a triage does not itself say where the cause lies, so that another journey's may speak for it."""
    return cause is None or cause.cause_class == "unknown" or bool(cause.elsewhere)


def contradict(mine: Triage | None, other: Triage | None) -> bool:
    """Whether each names a class of the target, and another one."""
    named = {cause.cause_class for cause in (mine, other) if cause} - {"unknown", "probe"}
    return len(named) > 1
