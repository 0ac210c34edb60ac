"""After a part of a slot: judged against the past of its location and handed over; nobody is told yet."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from synthprobe.config import Project
from synthprobe.firstline.runbook import Shelf
from synthprobe.pipeline.against_past import LookAgain, judge_with_past, opened, shelf_of
from synthprobe.pipeline.judging import write_verdict
from synthprobe.pipeline.notes import noted
from synthprobe.pipeline.publishing import publish_part
from synthprobe.pipeline.run_state import mark_remembered
from synthprobe.records.fleet import PartSeen, Place
from synthprobe.records.verdict import Verdict


def after_part(
    project: Project, folder: Path, verdict: Verdict, place: Place, token: int, *, look_again: LookAgain | None = None
) -> Verdict:
    """Judge a part's steps by what is usual at its location, and hand over what it found to who concludes the slot."""
    notes = list(verdict.notes)
    shelf = Shelf()
    with noted(notes):
        shelf = shelf_of(project)
    with noted(notes), opened(project, notes) as history:
        judged = judge_with_past(history, project, folder, verdict, shelf.runbooks, notes, look_again)
        verdict = replace(judged.verdict, notes=tuple(dict.fromkeys(notes)))
        published = publish_part(project, folder, verdict, notes)
        history.ingest(judged.remembered, (), judged.states, part=seen_by(verdict, place, token, published))
        mark_remembered(folder, history)
    verdict = replace(verdict, notes=tuple(dict.fromkeys(notes)))
    write_verdict(folder, verdict)
    return verdict


def seen_by(verdict: Verdict, place: Place, token: int, files: dict[str, str] | None = None) -> PartSeen:
    """What a part says. It counts unless it was cancelled or could not look at anything, so that another may try."""
    plain = {v.journey.id for v in verdict.journeys if v.outcome == "passed" and not v.intermittent}
    looked = any(v.outcome != "unknown" for v in verdict.journeys) or not verdict.journeys
    return PartSeen(
        place=place,
        token=token,
        final=looked and verdict.run.ended != "cancelled",
        passed=tuple(v.journey.id for v in verdict.journeys if v.journey.id in plain),
        others=tuple(v for v in verdict.journeys if v.journey.id not in plain),
        run_id=verdict.run.id,
        build=verdict.run.build,
        finished_at=verdict.finished_at,
        notes=verdict.notes,
        files=files or {},
    )
