"""By what a journey knows the fixed record that it misses."""

from __future__ import annotations

from typing import Literal

from synthprobe.records.address import path_of
from synthprobe.records.finding import Finding
from synthprobe.records.result import Check
from synthprobe.triage.fingerprint import normalise
from synthprobe.words import element

RecordBy = Literal["", "name", "number", "otherwise"]


def record_by(check: Check, finding: Finding | None) -> RecordBy:
    """By what a journey knows the fixed record that it misses: a name on a page, or a number in an address."""
    if check != "sentinel":
        return ""
    if finding and finding.sought and finding.sought.sight == "absent" and element(finding.sought.locator)[1]:
        return "name"
    found = finding.contradiction if finding else None
    last = path_of(found.url).rpartition("/")[2] if found and 400 <= found.status < 500 else ""
    return "number" if normalise(last) != last else "otherwise"
