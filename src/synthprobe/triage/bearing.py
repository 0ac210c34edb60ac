"""Which evidence bears on a failure: rules see only that, so what merely happened beside it names no class."""

from __future__ import annotations

from msgspec.structs import replace

from synthprobe.records.evidence import MANY_QUERIES, Answer
from synthprobe.targets.addresses import is_of_site
from synthprobe.triage.facts import TriageFacts, is_change
from synthprobe.triage.sight import is_blocked

_STATES = {"", "hidden", "detached", "disabled", "readonly", "unchecked"}
"""What Playwright calls the state of an element that shows nothing of its value."""


def bearing(f: TriageFacts) -> TriageFacts:
    """The facts without what cannot be why it broke.

    What comes from other sites, or did not come from another place, is left out; documents and log-ins are not. Where
    one answer was contradicted or did not come whole, it speaks, beside log-ins and changes that a page was refused,
    and no error of a script does, as none does of what was only slow. A page that
    shows another value works, so its scripts came, unless it waits for what they bring. How long something took says
    why only where time is what is wrong.
    """
    wrong, evidence = f.finding.contradiction, f.evidence
    answers = [a for a in evidence.answers if _is_own(a, f) or a.resource == "document" or a.credentials == "password"]
    if asked := f.asked:
        answers = [a for a in answers if (a.method, a.path or "/") == asked or a.credentials == "password" or _lost(a)]
    works = wrong is not None and wrong.about == "locator" and wrong.got not in _STATES and f.checks != "live"
    if works:
        answers = [a for a in answers if a.resource != "script" and not is_blocked(a)]
    if not (f.only_slow or f.outlasting or (wrong and wrong.about == "time")):
        answers = [
            replace(a, server_timing=tuple(p for p in a.server_timing if p.calls >= MANY_QUERIES)) for a in answers
        ]
    errors = () if works else f.script_errors
    return replace(f, evidence=replace(evidence, answers=tuple(answers), page_errors=errors))


def _is_own(a: Answer, f: TriageFacts) -> bool:
    """Whether an answer is the target's: one of its site, or what nothing but its own place left without one."""
    return not a.host or (a.status > 0 and is_of_site(f"http://{a.host}", f.site))


def _lost(a: Answer) -> bool:
    """Whether a page was refused a change, which an answer may then lack."""
    return a.by == "page" and is_change(a) and not a.is_well
