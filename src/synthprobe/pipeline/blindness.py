"""A run that was ended before its end: it has a verdict all the same, and people and the watcher hear of it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from synthprobe.pipeline.afterwards import after_run
from synthprobe.pipeline.context import Context
from synthprobe.pipeline.judging import judge, read_verdict, write_verdict
from synthprobe.pipeline.notes import Noted
from synthprobe.pipeline.notification import tell_people, tell_watcher
from synthprobe.pipeline.publishing import Published
from synthprobe.pipeline.spare_folder import spare_folder
from synthprobe.project import Project
from synthprobe.records.intervals import due_journeys
from synthprobe.records.journey import Journey
from synthprobe.records.verdict import Verdict
from synthprobe.targets.target import Target
from synthprobe.triage.blind_runs import blind_run_incident
from synthprobe.verdict.judge import Unseen, judge_run


def end_blind(
    project: Project,
    target: Target,
    reason: str,
    *,
    slot: int | None,
    folder: Path | None,
    expected: Sequence[Journey] = (),
) -> tuple[Path, Verdict]:
    """Judge a run that something ended, wherever its verdict can be written, and tell who must know."""
    reason = project.redactor.text(reason)
    verdict = _judged(folder, project, target, reason, slot, expected)
    verdict = replace(verdict, blind=verdict.blind or reason)
    place = _written(project, folder, verdict)
    context = Context(project, place, verdict)
    with Noted(context.notes):
        return place, after_run(project, place, verdict, blind=reason)
    if slot is not None:  # what ended the run strikes here as well, so only the least is done
        with Noted(context.notes):
            incident = blind_run_incident(None, context.with_notes(), reason, datetime.now(UTC))
            tell_people(context, [incident] if incident else [], publish=lambda _: Published())
        with Noted(context.notes):
            tell_watcher(project, verdict, notified=False)
    return place, context.with_notes()


def _judged(
    folder: Path | None, project: Project, target: Target, reason: str, slot: int | None, expected: Sequence[Journey]
) -> Verdict:
    if folder is not None:
        with contextlib.suppress(Exception):
            return read_verdict(folder / "verdict.json")
        with contextlib.suppress(Exception):
            if (verdict := judge(folder, missing=f"blind: {reason}", write=False)).journeys:
                return verdict
    interval_s = project.config.interval_s if slot is not None else 0.0
    known = {"id": folder.name.partition("-")[2]} if folder is not None else {}
    run = project.run(target, slot, scheduled=slot is not None, interval_s=interval_s, ended="blind", **known)
    expected = due_journeys(expected, run.slot, run.interval_s)
    return judge_run(
        run, expected, [], run.started_at, missing=lambda _: Unseen(cause=f"blind: {reason}"), blind=reason
    )


def _written(project: Project, folder: Path | None, verdict: Verdict) -> Path:
    """The first place that takes the verdict; the project's own when none does."""
    run = verdict.run
    inside = Path("runs") / run.target / f"{run.slot}-{run.id}"
    own = folder or project.folder / inside
    for is_spare in (False, True):
        with contextlib.suppress(OSError):
            place = spare_folder(project.root) / inside if is_spare else own
            place.mkdir(parents=True, exist_ok=True)
            write_verdict(place, verdict)
            (place / "run.json").write_bytes(msgspec.json.encode(run))
            return place
    return own
