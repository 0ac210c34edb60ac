"""Allure result files made to agree with the verdict: one final result for each expected journey.

What pytest leaves behind is not trusted: a run that was killed has no file for the journey it was in, and an
interrupted journey is written as passed. The verdict decides; the files are corrected to say the same.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthprobe.errors import ReportError
from synthprobe.files import write_whole
from synthprobe.records.evidence import Evidence
from synthprobe.records.figures import shown_figure
from synthprobe.records.incident import Triage
from synthprobe.records.journey import Journey
from synthprobe.records.result import Outcome, Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.markdown import as_text
from synthprobe.report.trace_viewer import viewer_link

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
_CAUSE = "cause"
_ENVIRONMENT = ("env", "target", "synthprobe target", "synthprobe environment")


def reconcile(
    run_dir: Path, verdict: Verdict, *, site_url: str = "", runbooks: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make the Allure results of a run agree with its verdict.

    Statuses are corrected, missing results are written from the records, and files of no expected journey are moved
    aside. Earlier attempts stay and are shown as retries. Doing it twice changes nothing.
    """
    results = run_dir / "allure-results"
    try:
        results.mkdir(parents=True, exist_ok=True)
        found = _read(results)
        by_journey, strangers = _sort(found, [one.journey for one in verdict.journeys])
        for path in strangers:
            aside = run_dir / "allure-results-aside"
            aside.mkdir(exist_ok=True)
            path.replace(aside / path.name)
        pages = {}
        for one in verdict.journeys:
            links = _links(one, verdict, run_dir, site_url, runbooks or {})
            final = _settle(run_dir, verdict, one, by_journey[one.journey.id], links)
            pages[one.journey.id] = hashlib.md5(final["uuid"].encode(), usedforsecurity=False).hexdigest()
        _describe(results, verdict)
    except OSError as error:
        raise ReportError(
            f"The Allure results in {results} could not be brought in line with the verdict"
            f" ({error.strerror or error}). Check the folder's permissions and the free space, then report again."
        ) from error
    return pages


def _read(results: Path) -> dict[Path, dict[str, Any]]:
    found = {}
    for path in sorted(results.glob("*-result.json")):
        try:
            content = json.loads(path.read_text("utf-8"))
        except ValueError:
            content = None
        found[path] = content if isinstance(content, dict) else {}
    return found


def _sort(
    found: Mapping[Path, dict[str, Any]], journeys: Sequence[Journey]
) -> tuple[dict[str, dict[Path, dict[str, Any]]], list[Path]]:
    """Group the files by journey, oldest attempt first; files of no expected journey come second."""
    grouped: dict[str, dict[Path, dict[str, Any]]] = {journey.id: {} for journey in journeys}
    names = {journey.id: {journey.title, journey.node_id.rpartition("::")[2]} for journey in journeys}
    strangers = []
    for path, content in sorted(found.items(), key=lambda item: (item[1].get("start") or 0, item[0])):
        ids = {label.get("value") for label in content.get("labels", []) if label.get("name") == _ID}
        if not ids:
            # An interrupted test is written without labels; its name is all there is to know it by.
            named = {id_ for id_, known_as in names.items() if content.get("name") in known_as}
            ids = named if len(named) == 1 else set()
        known = ids & grouped.keys()
        if len(known) == 1 and content.get("uuid"):
            grouped[known.pop()][path] = content
        else:
            strangers.append(path)
    return grouped, strangers


def _settle(
    run_dir: Path,
    verdict: Verdict,
    one: JourneyVerdict,
    files: dict[Path, dict[str, Any]],
    links: list[dict[str, str]],
) -> dict[str, Any]:
    """Write the files of one journey so that its last attempt says what the verdict says."""
    results = run_dir / "allure-results"
    last = one.results[-1] if one.results else None
    if not files or (len(files) < len(one.results) and not _same(list(files.values())[-1], last)):
        made = _made(run_dir, verdict, one, last)
        files = {**files, results / f"{made['uuid']}-result.json": made}
    final = list(files.values())[-1]
    final["status"] = STATUSES[one.outcome]
    final["statusDetails"] = _details(one, last, final.get("statusDetails") or {})
    if one.triage is not None:
        said = _triage(one.triage)
        final["description"] = f"{said}\n\n{final.get('description', '').removeprefix(said).strip()}".strip()
        causes = [label for label in final.get("labels", []) if label.get("name") != _CAUSE]
        final["labels"] = [*causes, {"name": _CAUSE, "value": one.triage.cause_class}]
    known = {link.get("url") for link in final.get("links", [])}
    final["links"] = [*final.get("links", []), *(link for link in links if link["url"] not in known)]
    ours = repr(verdict.run.target)
    given = final.get("parameters", [])
    parameters = [one for one in given if one.get("name") not in _ENVIRONMENT or one.get("value") != ours]
    taken = {str(kept.get("name")): str(kept.get("value")) for kept in parameters}
    env = {"name": environment_name(taken, verdict.run.target), "value": ours}
    described = any(label.get("name") == _ID for label in final.get("labels", []))
    plain = one.journey.node_id.rpartition("::")[2]
    name = final.get("name") if described and final.get("name") != plain else ""
    for content in files.values():
        # Allure finds the history and the retries by name and parameters: they must be the same for each attempt.
        content["parameters"] = [*parameters, env]
        content["labels"] = _labels(one.journey, content.get("labels", []))
        content["name"] = name or one.journey.title
        content.setdefault("fullName", one.journey.node_id)
        content.setdefault("start", _ms(one.results[-1]) if last else _started(verdict))
        content.setdefault("stop", content["start"])
        content.setdefault("testCaseId", _digest(one.journey.id))
        content.setdefault("historyId", _digest(f"{one.journey.id} {verdict.run.target}"))
    for path, content in files.items():
        write_whole(path, json.dumps(content, ensure_ascii=False))
    return final


def environment_name(parameters: Mapping[str, str], target: str) -> str:
    """What the parameter is called that holds the target's name and keeps the histories of targets apart."""
    return next(name for name in _ENVIRONMENT if parameters.get(name, repr(target)) == repr(target))


def _same(content: Mapping[str, Any], result: Result | None) -> bool:
    """Whether a file tells of this attempt: their times overlap."""
    if result is None or "start" not in content:
        return False
    start, stop = _ms(result), _ms(result) + result.duration_s * 1000
    return bool(content["start"] <= stop + 1000 and content.get("stop", content["start"]) >= start - 1000)


def _made(run_dir: Path, verdict: Verdict, one: JourneyVerdict, last: Result | None) -> dict[str, Any]:
    """A result written from the records, with the evidence that was saved."""
    attempt = last.attempt if last else 1
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"synthprobe:{verdict.run.id}:{one.journey.id}:{attempt}"))
    start = _ms(last) if last else _started(verdict)
    evidence = last.evidence if last else ()
    attachments = [_attach(run_dir, kept) for kept in evidence if kept.path]
    return {
        "uuid": name,
        "start": start,
        "stop": start + int(last.duration_s * 1000 if last else 0),
        "steps": [_step(step) for step in (last.steps if last else ())],
        "attachments": [kept for kept in attachments if kept],
        "description": "\n\n".join(last.notes) if last else "",
    }


def _attach(run_dir: Path, evidence: Evidence) -> dict[str, str] | None:
    source = run_dir / evidence.path
    if not source.resolve().is_relative_to(run_dir.resolve()) or not source.is_file():
        return None
    name = f"{uuid.uuid5(uuid.NAMESPACE_URL, evidence.path)}-attachment{source.suffix}"
    target = run_dir / "allure-results" / name
    if not target.exists():
        shutil.copyfile(source, target)
    kind = TRACE_TYPE if evidence.kind == "trace" else evidence.media_type
    return {"name": evidence.title, "source": name, "type": kind}


def run_folder(run: Run) -> str:
    """Where a run stands in the site."""
    return f"runs/{safe_name(run.target)}/{safe_name(run.id)}"


def safe_name(name: str) -> str:
    """A name that is a safe file name and a readable part of an address."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")
    if readable == name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{digest}".lstrip("-")


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


def _details(one: JourneyVerdict, last: Result | None, existing: Mapping[str, Any]) -> dict[str, Any]:
    """What Allure shows as the error, worded by the verdict."""
    failure = last.failure if last else None
    trace = str(existing.get("trace") or (failure.detail if failure else ""))
    match one.outcome:
        case "passed":
            return {}
        case "degraded":
            said = "\n".join(degradation.told for degradation in one.degradations)
            return {"message": f"degraded: {said or one.cause or 'no figures were recorded'}"}
        case "failed":
            said = failure.message if failure else ""
            return {"message": said or one.cause or str(existing.get("message") or "failed"), "trace": trace}
        case "unknown":
            return {"message": f"unknown: {one.cause or 'nothing was recorded for this journey'}", "trace": trace}
        case "skipped":
            return {"message": one.cause or str(existing.get("message") or "skipped by declared policy")}


def _triage(triage: Triage) -> str:
    """Markdown, in which nothing that a target said is markup."""
    said = (
        f"**Where the cause lies: {triage.cause_class}** ({triage.sure} confidence). {as_text(triage.why)} "
        f"Rule: {triage.rule}."
    )
    if triage.runner_up:
        said += f"\n\nNext in line: {triage.runner_up}. {as_text(triage.runner_up_why)}"
    return said


def _labels(journey: Journey, existing: list[dict[str, str]]) -> list[dict[str, str]]:
    """What the author of a journey told Allure stands; the first severity is the one told last."""
    kept: list[dict[str, str]] = []
    for label in existing:
        names = {one.get("name") for one in kept}
        if label.get("name") != _ID and not (label.get("name") == "severity" and "severity" in names):
            kept.append(label)
    names = {label.get("name") for label in kept}
    ours = {"severity": journey.severity, "owner": journey.owner or "no owner"}
    added = {**{name: value for name, value in ours.items() if name not in names}, _ID: journey.id}
    return [*kept, *({"name": name, "value": value} for name, value in added.items())]


def _links(
    one: JourneyVerdict, verdict: Verdict, run_dir: Path, site_url: str, runbooks: Mapping[str, str]
) -> list[dict[str, str]]:
    """Links beside the result; Allure follows absolute addresses only."""
    links = []
    if site_url:
        for kept in (kept for result in one.results[-1:] for kept in result.evidence):
            if kept.kind == "trace" and kept.path and (run_dir / kept.path).is_file():
                url = f"{site_url.rstrip('/')}/{viewer_link(f'{run_folder(verdict.run)}/{kept.path}')}"
                links.append({"name": "Open trace", "url": url, "type": "link"})
    for name, id in (("Runbook", one.runbook), ("General page", one.offered)):
        if id in runbooks:
            links.append({"name": f"{name}: {id}", "url": runbooks[id], "type": "runbook"})
    return links


def _describe(results: Path, verdict: Verdict) -> None:
    """The report's own lines on where and what was looked at."""
    run = verdict.run
    lines = {
        "Target": run.target,
        "Address": run.base_url,
        "Build": run.build,
        "Location": run.location,
        "Run": run.id,
        "Command": run.command,
    }
    text = "".join(f"{name}={_property(value)}\n" for name, value in lines.items() if value)
    (results / "environment.properties").write_text(text, "utf-8")


def _property(value: str) -> str:
    return " ".join(value.split()).replace("\\", "\\\\")


def _ms(result: Result) -> int:
    return int(result.started_at.timestamp() * 1000)


def _started(verdict: Verdict) -> int:
    return int(verdict.run.started_at.timestamp() * 1000)


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
