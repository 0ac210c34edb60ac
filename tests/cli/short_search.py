"""The centre's journey of searches with some of its steps alone: where each search is slow, the others only wait."""

from __future__ import annotations

import re
from pathlib import Path


def shorten(journeys: Path, *steps: str) -> None:
    """Leave only these steps in the journey that searches records."""
    path = journeys / "dispatch" / "test_search.py"
    head, journey, *rest = re.split(r"(?m)^(?=@pytest\.mark\.journey)", path.read_text())
    beginning, *parts = re.split(r"(?m)^(?=    with step\()", journey)
    kept = [part for part in parts if any(part.startswith(f'    with step("{step}"') for step in steps)]
    assert len(kept) == len(steps), steps
    path.write_text("".join([head, beginning, *kept, "\n\n", *rest]))
