"""Where something was asked for: the request that is to blame, and its place without which of many records it names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from synthprobe.records.address import path_of
from synthprobe.records.finding import Contradiction
from synthprobe.triage.facts import TriageFacts, is_change
from synthprobe.triage.fingerprint import normalise

_FORMAT = re.compile(r"\.(json|xml|csv)$", re.IGNORECASE)  # how it is told, not what
_RECORD = re.compile(r"(/[^/]*<\w+>[^/]*)+$")  # what of a path says which one of many


def collection(path: str) -> str:
    """A normalised path without which of many it names: what is done to one of them and to all is done there."""
    return _RECORD.sub("", _FORMAT.sub("", path)) or "/"


def contradicted_request(facts: TriageFacts, identifiers: Mapping[str, str]) -> str:
    """The request of the API in whose answer something else is than expected, where it is known; empty otherwise."""
    found = facts.finding.contradiction
    if found is not None:
        is_in_answer = found.method and found.about != "header"
        return f"{found.method} {normalise(place_of(found, facts), identifiers)}" if is_in_answer else ""
    here = [a for a in facts.evidence.answers if a.by == "api" and a.step and facts.is_here(a)]
    logging_in = [number for number, a in enumerate(here) if a.credentials == "password" and is_change(a)]
    compared = here[logging_in[-1] + 1 :] if logging_in else here  # of what came last the author compared something
    asked = {f"{a.method} {normalise(a.place, identifiers)}" for a in compared}
    return asked.pop() if len(asked) == 1 and facts.kind == "expectation" else ""


def place_of(found: Contradiction, facts: TriageFacts) -> str:
    """Where the contradicted request was sent; of several operations there the last that was answered so."""
    path = path_of(found.url) or "/"
    asked = (found.method, path, found.status)
    return next(
        (a.place for a in reversed(facts.evidence.answers) if (a.method, a.path or "/", a.status) == asked), path
    )
