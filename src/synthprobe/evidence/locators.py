"""What Playwright's log says of the element that a journey looked for, and of what else it waited for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synthprobe.records.finding import Sight, Sought

_WAITING = re.compile(
    r"^\s*-? *waiting for (?P<locator>(?:get_by_|locator\(|frame_locator\().+?)(?:\s+to\s+be\s+\w+)?$"
)
_UNDER_WAY = re.compile(r"\s*-? *((?:waiting for (?:request|response|navigation to)|navigating to) [\"'].+)")
_ALLOWED = re.compile(r"(?:Timeout|with timeout) (\d+)ms")
_COVERS = re.compile(r"(<.+>) (?:from <.+> subtree )?intercepts\s+pointer\s+events")
_SIGHTS: tuple[tuple[str, Sight], ...] = (
    ("intercepts pointer", "covered"),
    ("element is not enabled", "disabled"),
    ("element is not visible", "hidden"),
    ("element is not stable", "moving"),
    ("outside of the viewport", "outside"),
    ("detached from the DOM", "replaced"),
)


def sought_in(first: str, rest: Sequence[str]) -> Sought | None:
    """The element, of a message's first line and the others; nothing when it was there, or the log does not say."""
    locator = locator_in(rest)
    log = [line for line in rest if not line.lstrip().startswith("- <")]
    if not locator or not ("Timeout" in first or first.startswith("Locator expected")):
        return None
    whole = "\n".join(rest)
    sight = next((sight for words, sight in _SIGHTS if words in whole), None)
    resolved = any("locator resolved to" in line for line in log)
    if sight is None and resolved:
        return None
    covering = _COVERS.search(whole)
    allowed = _ALLOWED.search("\n".join((first, whole)))
    return Sought(
        locator=locator,
        sight=sight or "absent",
        within_s=int(allowed[1]) / 1000 if allowed else 0.0,
        by=covering[1][:160] if covering else "",
    )


def locator_in(rest: Sequence[str]) -> str:
    """How the element was looked for, by the lines below a message's first one; empty when they do not say."""
    return next((found["locator"].strip() for line in rest if (found := _WAITING.match(line))), "")


def under_way_in(rest: Sequence[str]) -> str:
    """What was asked or waited for besides elements; empty when the lines do not say."""
    return next((found[1] for line in rest if (found := _UNDER_WAY.match(line))), "")
