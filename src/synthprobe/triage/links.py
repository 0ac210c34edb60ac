"""What the failures of two journeys of a run have in common, so that one may show the cause of the other."""

from __future__ import annotations

from collections.abc import Callable

from synthprobe.records.incident import Triage
from synthprobe.triage.facts import TriageFacts, is_change
from synthprobe.triage.fingerprint import normalise
from synthprobe.triage.places import contradicted_request
from synthprobe.triage.shared_evidence import RIGHTS
from synthprobe.triage.sight import answered, missing_assets

_KEPT_FROM = RIGHTS | {"role-split", "preference"}
"""Rules by which an account is kept from something, so that it may miss it anywhere."""


def linked(own: TriageFacts, other: TriageFacts, cause: Triage, name: str) -> str:
    """By what another journey's cause may be the own one, in words that go before the cause; empty when by nothing."""
    return next((words for link in _LINKS if (words := link(own, other, cause, name))), "")


def is_silent(f: TriageFacts) -> bool:
    """Whether it misses something on a page, and was refused nothing."""
    return f.is_absent and not f.asked and all(a.is_well for a in f.unwanted)


def _seen_in_both(own: TriageFacts, other: TriageFacts, cause: Triage, name: str) -> str:
    shared = _marks(own) & _marks(other)
    return f"{name} shows {min(shared)} too" if shared else ""


def _marks(f: TriageFacts) -> frozenset[str]:
    """What of a failure would be seen in another journey if it had the same cause."""
    asked = {answered(a, quote=False) for a in (*f.unwanted, *missing_assets(f)) if not a.is_well}
    return frozenset(asked | set(f.script_errors))


def _asked_for_what_is_wrong(own: TriageFacts, other: TriageFacts, cause: Triage, name: str) -> str:
    """It asked, where it broke, for what another journey was given otherwise than expected, whoever asks."""
    return "" if cause.rule in RIGHTS else asked_in_vain(own, other, name)


def asked_in_vain(own: TriageFacts, other: TriageFacts, name: str) -> str:
    """The same, whatever the other one shows of its cause."""
    wrong = contradicted_request(other, {})
    here = [a for a in own.evidence.answers if own.is_here(a) and a.credentials != "password"]
    found = next((a for a in here if f"{a.method} {normalise(a.place, {})}" == wrong), None)
    if found is None:
        return ""
    asked = f"{found.method} {found.place}"
    if any(a.place == found.place for a in other.evidence.answers):
        return f"it asked {asked} too, and {name} got another answer than it expected there"
    return f"{name} got another answer than it expected to a request like {asked}"


def _works_as_the_same(own: TriageFacts, other: TriageFacts, cause: Triage, name: str) -> str:
    """It misses something, and works as an account that is kept from something in another journey."""
    if cause.rule not in _KEPT_FROM or any(not a.is_well for a in own.unwanted):
        return ""
    denied = [a for a in other.unwanted if a.status == 403]
    if denied and all(map(is_change, denied)) and not own.mutates:
        return ""  # who changes nothing misses nothing for that
    same = other.acting and any(a.account == other.acting for a in own.log_ins)
    return f"{name} works as {other.acting} too" if same else ""


_LINKS: tuple[Callable[[TriageFacts, TriageFacts, Triage, str], str], ...] = (
    _seen_in_both,
    _asked_for_what_is_wrong,
    _works_as_the_same,
)
