"""What people said of a runbook after use, read back from the incidents it was used for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from synthprobe.model.incident import Incident

Worth = Literal["helped", "outdated", "missing"]
"""What a page was worth, as said after use."""

_SAID = re.compile(r"The runbook ([\w-]+): (helped|outdated|missing)\.")


class Mark(Struct, frozen=True, kw_only=True):
    """One word about a page.

    Attributes:
        runbook: the page's id.
        at: when it was said, UTC.
        said: ``helped``, ``outdated`` or ``missing``.
    """

    runbook: str
    at: datetime
    said: str


def sentence(runbook: str, said: str) -> str:
    """How a mark stands in the record of an incident."""
    return f"The runbook {runbook or '(none)'}: {said}."


def marks(incidents: Iterable[Incident]) -> tuple[Mark, ...]:
    """Every mark that was set."""
    found = [
        Mark(runbook=said[1], at=event.at, said=said[2])
        for incident in incidents
        for event in incident.events
        if (said := _SAID.fullmatch(event.text))
    ]
    return tuple(sorted(found, key=lambda mark: mark.at))
