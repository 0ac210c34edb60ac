"""Failures whose right page is known, by drills and by what people said of pages: what claims are measured with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from synthprobe.errors import ConfigurationError
from synthprobe.files import write_whole
from synthprobe.firstline.matching import Subject, knows, subject_of
from synthprobe.firstline.runbook import Runbook
from synthprobe.records.decoding import from_json
from synthprobe.records.incident import Incident
from synthprobe.triage.fingerprint import normalise

FILE = "score-set.jsonl"
"""Beside the runbooks: what drills saw, a line for each journey that a fault broke."""


class Sample(Struct, frozen=True, kw_only=True):
    """A failure whose right page is known."""

    of: str
    runbook: str
    subject: Subject


def read_score_set(folder: Path) -> tuple[Sample, ...]:
    """Read what drills saw."""
    path = folder / FILE
    try:
        return tuple(from_json(line, Sample) for line in path.read_bytes().splitlines() if line.strip())
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(
            f"{folder.name}/{FILE} cannot be read: {error}. It is written by synthprobe drill --stamp; drill again."
        ) from None


def write_score_set(folder: Path, fault: str, ran: Collection[str], seen: Sequence[Sample]) -> None:
    """Put in what a drill saw of a fault, in the place of what earlier ones saw of it in the journeys that ran."""
    kept = [sample for sample in read_score_set(folder) if sample.of != fault or sample.subject.journey not in ran]
    lines = sorted([*kept, *seen], key=lambda sample: sample.of)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, b"".join(msgspec.json.encode(sample) + b"\n" for sample in lines))


def sampled(fault: str, runbook: str, subject: Subject) -> Sample:
    """A failure as it is kept: without what differs from one run to the next."""
    kept = msgspec.structs.replace(
        subject,
        message=normalise(subject.message, subject.identifiers),
        requests=tuple(dict.fromkeys(subject.requests))[:12],
        identifiers={},
        node="",
        former_fingerprint="",
    )
    return Sample(of=fault, runbook=runbook, subject=kept)


def remembered(incidents: Iterable[Incident], defaults: Mapping[str, str]) -> tuple[Sample, ...]:
    """Failures of the history of which people said that a page was about them: it helped, or was outdated."""
    return tuple(
        Sample(of=incident.id, runbook=incident.runbook, subject=subject_of(incident, defaults))
        for incident in incidents
        if incident.runbook and incident.runbook_outcome in {"helped", "outdated"}
    )


def wrongly_claimed(runbook: Runbook, samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Failures of others that a page says it knows."""
    return tuple(sample for sample in samples if sample.runbook != runbook.id and knows(runbook, sample.subject))


class Mark(Struct, frozen=True, kw_only=True):
    """One word about a page."""

    runbook: str
    at: datetime
    worth: str


def marks(incidents: Iterable[Incident]) -> tuple[Mark, ...]:
    """Every mark that was set; of an incident recorded by an older version, the last one."""
    found = [mark for incident in incidents for mark in _marks_of(incident)]
    return tuple(sorted(found, key=lambda mark: mark.at))


def _marks_of(incident: Incident) -> list[Mark]:
    marked = [Mark(runbook=event.runbook, at=event.at, worth=event.worth) for event in incident.events if event.worth]
    if marked or not incident.runbook_outcome or not incident.runbook:
        return marked
    at = max((event.at for event in incident.events), default=incident.opened_at)
    return [Mark(runbook=incident.runbook, at=at, worth=incident.runbook_outcome)]
