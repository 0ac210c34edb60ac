"""A journey: one user's path through the target, written as a pytest test."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Literal

from msgspec import Meta, Struct

Severity = Literal["blocker", "critical", "normal", "minor", "trivial"]
"""How bad it is for the users when the journey fails; the words are Allure's."""

OWN = Meta(extra={"own": True})
OwnName = Annotated[str, OWN]
"""A name that is ours, not the target's: redaction leaves it as it is, whatever the target issues."""

_ESCAPE = re.compile(r"\\\\|\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_LONGEST_S = 366 * 86_400.0


class Journey(Struct, frozen=True, kw_only=True):
    """What is known of a journey before it runs.

    Attributes:
        id: identity that survives a rename when the marker sets it; otherwise made of the node id.
        node_id: pytest's name for the test, relative to the project's root.
        title: what a person reads: the docstring's first line, or the test's name in words.
        owner: the role or team to tell, never a person.
        uses_per_day: how often real users walk this path in a day; weighs the impact board.
        budget_s: seconds the whole journey may take; over it the journey is degraded.
        every_s: seconds between two scheduled looks at it; 0 when every slot is one.
        targets: the targets it is for; every target without any.
        group: name of the ``xdist_group`` it belongs to, whose journeys never run at the same time; usually empty.
        mutates: what it changes at the target, by its marker.
    """

    id: OwnName
    node_id: OwnName
    title: str
    owner: OwnName = ""
    severity: Severity = "normal"
    runbook: OwnName = ""
    uses_per_day: float | None = None
    budget_s: float | None = None
    tags: tuple[OwnName, ...] = ()
    every_s: float = 0.0
    targets: tuple[OwnName, ...] = ()
    group: OwnName = ""
    mutates: tuple[OwnName, ...] = ()


def readable(name: str) -> str:
    r"""A name in which the letters stand that pytest writes as escapes in the id of a parametrised test.

    Example:
        >>> readable("test_desk[M\\xfcnchen-new\\nline]")
        'test_desk[München-new\\nline]'
    """
    return _ESCAPE.sub(_letter, name)


def _letter(escape: re.Match[str]) -> str:
    code = int("".join(filter(None, escape.groups())) or "0", 16)
    letter = chr(code) if code <= sys.maxunicode else ""
    return letter if letter.isprintable() and letter > "~" else escape[0]


def duration_s(text: str | float) -> float:
    """Seconds in a duration as people write it.

    Example:
        >>> duration_s("1500ms")
        1.5
    """
    match = _DURATION.fullmatch(str(text).strip()) if not isinstance(text, bool) else None
    seconds = float(match["number"]) * _SECONDS[match["unit"]] if match else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError(
            f"{text!r} is not a duration: a number above zero with ms, s, m or h was expected, a year at most, "
            'for example "3s".'
        )
    return seconds
