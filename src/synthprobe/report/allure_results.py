"""Allure's result files, made once and after the verdict: of our records, and of what was told to Allure meanwhile."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Globals, Parameter, TestResult, TestResultContainer

from synthprobe.errors import ReportError
from synthprobe.files import read_lines
from synthprobe.records.evidence import Evidence
from synthprobe.records.figures import shown_figure
from synthprobe.records.incident import Triage
from synthprobe.records.journey import Journey
from synthprobe.records.result import TOLD_ALLURE, Failure, Outcome, Result, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.addresses import run_folder
from synthprobe.report.page import as_text
from synthprobe.report.trace_viewer import viewer_link
from synthprobe.words import explanation, whole_message

TRACE_TYPE = "application/vnd.allure.playwright-trace"
"""The media type that makes Allure show its trace button."""

STATUSES: dict[Outcome, str] = {
    "passed": "passed",
    "degraded": "broken",
    "failed": "failed",
    "unknown": "unknown",
    "skipped": "skipped",
}
"""What each outcome is called in Allure, which has no word for degraded."""

_ID = "ALLURE_ID"
_ENVIRONMENT = ("env", "target", "synthprobe target", "synthprobe environment")


def write_results(
    run_dir: Path, verdict: Verdict, folder: Path, *, site_url: str = "", runbooks: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Write the result of each attempt, the last as the verdict says; answers the report's page of each journey."""
    pages, written = {}, set()
    try:
        writer = AllureFileLogger(folder)
        originals, others = _told(run_dir / TOLD_ALLURE)
        for judgement in verdict.journeys:
            attempts = _attempts(run_dir, folder, verdict, judgement, originals)
            last = attempts[-1]
            ours, known = (
                _links(judgement, verdict, run_dir, site_url, runbooks or {}),
                {link["url"] for link in last.links},
            )
            last.links += [link for link in ours if link["url"] not in known]
            for attempt in attempts:
                writer.report_result(attempt)
            written |= {attempt.uuid for attempt in attempts}
            pages[judgement.journey.id] = _digest(last.uuid)
        for item in others:
            if isinstance(item, Globals):
                writer.report_globals(item)
            elif written & set(item.children):
                writer.report_container(item)
        for source in (run_dir / TOLD_ALLURE).glob("*-attachment.*"):
            _put(source, folder / source.name)
        _describe(folder, verdict)
    except OSError as error:
        raise ReportError(
            f"The Allure results of {run_dir} could not be written to {folder} ({error.strerror or error})."
            " Check the folder's permissions and the free space, then report again."
        ) from error
    return pages


def attempt_uuid(trace_id: str) -> str:
    """What an attempt is called in Allure."""
    return str(uuid.UUID(trace_id))


def environment_name(parameters: Mapping[str, str], target: str) -> str:
    """What the parameter is called that holds the target's name and keeps the histories of targets apart."""
    return next(name for name in _ENVIRONMENT if parameters.get(name, repr(target)) == repr(target))


def _told(records: Path) -> tuple[dict[str, dict[str, Any]], list[TestResultContainer | Globals]]:
    """What was told to Allure: of each attempt, by its name, and besides."""
    results, others = {}, list[TestResultContainer | Globals]()
    for path in sorted(records.glob("*.jsonl")):
        for line in read_lines(path, dict[str, dict[str, Any]]):
            for kind, item in line.items():
                if kind == "result":
                    results[item["uuid"]] = item
                else:
                    others.append(TestResultContainer(**item) if kind == "container" else Globals(**item))
    return results, others


def _attempts(
    run_dir: Path, folder: Path, verdict: Verdict, judgement: JourneyVerdict, originals: Mapping[str, dict[str, Any]]
) -> list[TestResult]:
    """One result for each attempt; one also where there was none."""
    journey, run = judgement.journey, verdict.run
    nothing = Result(
        run_id=run.id,
        target=run.target,
        journey=journey,
        attempt=1,
        outcome=judgement.outcome,
        started_at=run.started_at,
        duration_s=0,
    )
    made = [
        _attempt(run_dir, folder, verdict, judgement, result, originals) for result in judgement.results or (nothing,)
    ]
    # Allure finds the history and the retries by name and parameters: they must be the same for each attempt.
    known = next((attempt for attempt in reversed(made) if attempt.historyId), TestResult())
    for attempt in made:
        attempt.name = known.name or journey.title
        attempt.fullName = known.fullName or journey.node_id
        attempt.titlePath = known.titlePath
        attempt.testCaseId = known.testCaseId or _digest(journey.id)
        attempt.historyId = known.historyId or _digest(f"{journey.id} {run.target}")
        attempt.parameters = known.parameters or [Parameter(environment_name({}, run.target), repr(run.target))]
    return made


def _attempt(
    run_dir: Path,
    folder: Path,
    verdict: Verdict,
    judgement: JourneyVerdict,
    result: Result,
    originals: Mapping[str, dict[str, Any]],
) -> TestResult:
    """What was told of an attempt, or else what our records have of it."""
    is_last = not judgement.results or result is judgement.results[-1]
    name = attempt_uuid(result.trace_id) if result.trace_id else _name(verdict, result)
    start = int(result.started_at.timestamp() * 1000)
    made = TestResult(
        **originals.get(name)
        or {
            "uuid": name,
            "start": start,
            "stop": start + int(result.duration_s * 1000),
            "steps": [_step(step) for step in result.steps],
            "description": "\n\n".join(result.notes),
        }
    )
    judged: JourneyVerdict | Result = judgement if is_last else result
    made.status = STATUSES[judged.outcome]
    made.statusDetails = _details(judged, result.failure)
    made.labels = _labels(judgement.journey, made.labels)
    if is_last and judgement.triage is not None:
        made.description = f"{_triage(judgement.triage, judgement.cause)}\n\n{(made.description or '').strip()}".strip()
        made.labels.append({"name": "cause", "value": judgement.triage.cause_class})
    kept = [_attach(run_dir, folder, name, piece) for piece in result.evidence]
    made.attachments = [*filter(None, kept), *made.attachments]
    return made


def _name(verdict: Verdict, result: Result) -> str:
    place = f"synthprobe:{verdict.run.id}:{result.journey.id}:{result.attempt}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, place))


def _attach(run_dir: Path, folder: Path, attempt: str, evidence: Evidence) -> dict[str, str] | None:
    """Show a piece of evidence, or why it is withheld."""
    if evidence.kind == "exchanges" and evidence.media_type == "application/json":
        return None
    source = run_dir / evidence.path
    suffix = Path(evidence.path).suffix or ".txt"
    name = f"{uuid.uuid5(uuid.UUID(attempt), evidence.path or evidence.title)}-attachment{suffix}"
    if evidence.withheld:
        (folder / name).write_text(evidence.withheld, "utf-8")
        return {"name": evidence.title, "source": name, "type": "text/plain"}
    if not source.resolve().is_relative_to(run_dir.resolve()) or not source.is_file():
        return None
    _put(source, folder / name)
    kind = TRACE_TYPE if evidence.kind == "trace" else evidence.media_type
    return {"name": evidence.title, "source": name, "type": kind}


def _put(source: Path, target: Path) -> None:
    """The same file in another folder, without a copy where the disk is the same."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _step(step: Step) -> dict[str, Any]:
    start, is_figure = int(step.started_at.timestamp() * 1000), bool(step.vital)
    return {
        "name": f"{step.title}: {shown_figure(step)}" if is_figure else step.title,
        "status": step.status,
        "statusDetails": {"message": step.error} if step.error else {},
        "start": start,
        "stop": start + (0 if is_figure else int(step.duration_s * 1000)),
        "steps": [_step(inner) for inner in step.steps],
    }


def _details(judged: JourneyVerdict | Result, failure: Failure | None) -> dict[str, str]:
    """What Allure shows as the error, in our words."""
    trace = failure.detail if failure is not None else ""
    match judged.outcome:
        case "passed":
            return {}
        case "degraded":
            text = "\n".join(degradation.sentence for degradation in judged.degradations)
            return {"message": f"degraded: {text or judged.cause or 'no figures were recorded'}"}
        case "failed":
            message = whole_message(failure) if failure is not None else ""
            return {"message": message or judged.cause or "failed", "trace": trace}
        case "unknown":
            return {"message": f"unknown: {judged.cause or 'nothing was recorded for this journey'}", "trace": trace}
        case "skipped":
            return {"message": judged.cause or "skipped by declared policy"}


def _triage(triage: Triage, beside: str) -> str:
    """Markdown, in which nothing that a target said is markup; what stands beside it as the error is not said again."""
    why = as_text(explanation(triage, beside))
    parts = (f"**Likely cause: {triage.cause_class}** ({triage.sure} confidence).", why, f"Rule: {triage.rule}.")
    text = " ".join(filter(None, parts))
    if triage.runner_up and triage.cause_class != "unknown":
        text += f"\n\nNext in line: {triage.runner_up}. {as_text(triage.runner_up_why)}"
    return text


def _labels(journey: Journey, existing: list[dict[str, str]]) -> list[dict[str, str]]:
    """What the author of a journey told Allure stands; the first severity is the one told last."""
    kept: list[dict[str, str]] = []
    for label in existing:
        names = {label.get("name") for label in kept}
        if label.get("name") != _ID and not (label.get("name") == "severity" and "severity" in names):
            kept.append(label)
    names = {label.get("name") for label in kept}
    ours = {"severity": journey.severity, "owner": journey.owner or "no owner"}
    added = {**{name: value for name, value in ours.items() if name not in names}, _ID: journey.id}
    return [*kept, *({"name": name, "value": value} for name, value in added.items())]


def _links(
    judgement: JourneyVerdict, verdict: Verdict, run_dir: Path, site_url: str, runbooks: Mapping[str, str]
) -> list[dict[str, str]]:
    """Links beside the result; Allure follows absolute addresses only."""
    links = []
    if site_url:
        for kept in (kept for result in judgement.results[-1:] for kept in result.evidence):
            if kept.kind == "trace" and kept.path and (run_dir / kept.path).is_file():
                url = f"{site_url.rstrip('/')}/{viewer_link(f'{run_folder(verdict.run)}/{kept.path}')}"
                links.append({"name": "Open trace", "url": url, "type": "link"})
    for name, id in (("Runbook", judgement.runbook), ("General page", judgement.offered)):
        if id in runbooks:
            links.append({"name": f"{name}: {id}", "url": runbooks[id], "type": "runbook"})
    return links


def _describe(results: Path, verdict: Verdict) -> None:
    run = verdict.run
    lines = {
        "Target": run.target,
        "Address": run.base_url,
        "Build": run.build,
        "Location": run.location,
        "Run": run.id,
        "Command": run.command,
    }
    shown = {name: " ".join(value.split()).replace("\\", "\\\\") for name, value in lines.items() if value}
    text = "".join(f"{name}={value}\n" for name, value in shown.items())
    (results / "environment.properties").write_text(text, "utf-8")


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
