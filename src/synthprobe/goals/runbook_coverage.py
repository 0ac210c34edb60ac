"""How much of what happens is known already and written down: repeats, and the coverage by runbooks. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from synthprobe.goals.ratios import lasted, share
from synthprobe.records.incident import Incident
from synthprobe.records.measure import Measure
from synthprobe.words import counted


def repeats(known: Sequence[Incident], incidents: Sequence[Incident]) -> Measure:
    """How much of what happens has happened before.

    Formula: incidents whose fingerprint an earlier recorded incident has / incidents with a fingerprint.
    """
    some = [one for one in incidents if one.fingerprint]
    text = "incidents had been seen before, in the same step with the same words."
    return share("repeats", "Repeats", _repeated(known, incidents), some, text)


def repeats_without_runbook(known: Sequence[Incident], incidents: Sequence[Incident]) -> Measure:
    """How much has happened before, and still nobody wrote down what to do.

    Formula: repeats without a matching runbook / repeats.
    """
    some = _repeated(known, incidents)
    bare = [one for one in some if not one.runbook]
    text = "repeats had no runbook. Begin one: synthprobe runbook new FINGERPRINT."
    return share("repeats_without_runbook", "Repeats without runbook", bare, some, text)


def covered(incidents: Sequence[Incident]) -> Measure:
    """How much of what happens a runbook tells of.

    Formula: incidents that matched a runbook / all incidents.
    """
    hits = [one for one in incidents if one.runbook]
    return share("covered", "Covered by a runbook", hits, incidents, "incidents matched a runbook.")


def covered_minutes(incidents: Sequence[Incident]) -> Measure:
    """How much of the time in which something is wrong a runbook tells of.

    Formula: minutes of incidents that matched a runbook / minutes of all incidents. One that is not over counts for as
    long as it was seen.
    """
    hits = [one for one in incidents if one.runbook]
    whole, part = sum(map(lasted, incidents)), sum(map(lasted, hits))
    text = f"incidents matched a runbook; they lasted {part:.0f} of {counted(round(whole), 'minute')}."
    found = share("covered_minutes", "Covered by minutes", hits, incidents, text)
    return found if found.few else replace(found, value=part / whole if whole > 0 else None)


def _repeated(known: Sequence[Incident], incidents: Sequence[Incident]) -> list[Incident]:
    first: dict[str, str] = {}
    for one in known:
        first.setdefault(one.fingerprint, one.id)
    return [one for one in incidents if one.fingerprint and first.get(one.fingerprint) != one.id]
