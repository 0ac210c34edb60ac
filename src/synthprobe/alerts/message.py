"""What is said: one line for a tired person, then what to do, plain and short."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from synthprobe.alerts.routes import Urgency
from synthprobe.records.incident import Incident
from synthprobe.records.plain_text import plain_line

Reason = Literal["opened", "worse", "repeat", "recovered", "drill"]
TITLE_CHARACTERS = 240
LINE_CHARACTERS = 400
LISTED = 12
_NO_TAGS = str.maketrans("<>", "‹›")
_NO_MARKUP = str.maketrans("<>*`~|", "‹›∗ˋ∼¦")  # signs that look alike: each chat has an escape of its own, or none
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
_WORD = {"page": "PAGE", "ticket": "Ticket", "probe": "Monitor blind"}
_STARTS = {"opened": "", "worse": "Worse: ", "repeat": "Still: ", "recovered": "Over: ", "drill": "Drill: "}


class Background(Struct, frozen=True, kw_only=True):
    """What a person needs besides the incident itself.

    Attributes:
        fallback: how the work goes on without the broken part.
        runbook_url: absolute address of the runbook.
        report_url: absolute address of the report.
        trace_url: absolute address of the trace.
        backend_trace: address of the same attempt in the target's own tracing tool.
        changed: what changed before it began: a build, a setting.
        job_url: absolute address of the CI job, which is there even when nothing could be published.
        evidence: the run's folder on the machine that ran it.
        published: whether the evidence is meant to be published, so that the folder is only the second place.
        history: why nothing is known of earlier runs; empty when something is.
    """

    fallback: str = ""
    runbook_url: str = ""
    report_url: str = ""
    trace_url: str = ""
    backend_trace: str = ""
    changed: str = ""
    job_url: str = ""
    evidence: str = ""
    published: bool = False
    history: str = ""


class Alert(Struct, frozen=True, kw_only=True):
    """One message, written once, sent until somebody has it.

    Attributes:
        id: the same for the same message, so that writing it twice sends it once.
        route: name of the route it takes.
        reason: why it is sent now.
        urgency: how it is told.
        incidents: ids of the incidents it speaks of.
        title: the first line.
        body: the rest.
        at: when it was written, UTC.
    """

    id: str
    route: str
    reason: Reason
    urgency: Urgency
    incidents: tuple[str, ...]
    title: str
    body: str
    at: datetime


def plain(text: str, limit: int = LINE_CHARACTERS) -> str:
    """A target's text made harmless: one line, no markup, nobody called by it, cut."""
    text = _in_one_line(text)
    text = _MENTION.sub("(at)", text).translate(_NO_MARKUP)
    text = _EMPHASIS.sub("‗", text).replace("](", "] (")
    return _cut(text, limit)


def _in_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", plain_line(text)).strip()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def first_line(incident: Incident, now: datetime) -> str:
    """Journey, step and what is wrong in words, since when, how sure."""
    since = incident.first_seen_at
    end = incident.resolved_at if incident.state == "resolved" and incident.resolved_at else now
    seen = f"seen in {incident.occurrences} run{'s' if incident.occurrences != 1 else ''}"
    sure = f"{incident.triage.cause_class}, sureness {incident.triage.sure}" if incident.triage else "cause unknown"
    more = f" (+{len(incident.journeys) - 1} journeys)" if len(incident.journeys) > 1 else ""
    tail = f" · since {since:%d %b %H:%M} UTC ({_span((end - since).total_seconds())}) · {seen}, {sure}"
    return plain(f"{incident.title}{more}", TITLE_CHARACTERS - len(tail)) + tail


def write(
    incident: Incident,
    *,
    reason: Reason,
    urgency: Urgency,
    route: str,
    nth: int,
    now: datetime,
    background: Background,
    mask: Callable[[str], str],
) -> Alert:
    """The message of one incident."""
    recovered = reason == "recovered"
    lines = [
        "" if recovered else _line("Do now", background.fallback),
        _link("Runbook", background.runbook_url)
        or _line("Runbook", "" if recovered else incident.runbook or "none fits"),
        _link("Report", background.report_url),
        _link("Trace", background.trace_url),
        _link("Backend trace", background.backend_trace),
        _link("Job", background.job_url),
        _where(background),
        _line("What changed", background.changed),
        _line("Earlier runs", background.history),
        _line("Why this class", incident.triage.why if incident.triage and not recovered else ""),
        _line("Journeys", ", ".join(incident.journeys[:LISTED])),
        _line("Blocked by it", ", ".join(incident.blocked[:LISTED])),
        _line("Resolved", f"by {incident.resolved_how or 'unknown'}" if recovered else ""),
        _line(
            "Incident", incident.id if recovered else f"{incident.id} (take it: synthprobe incident ack {incident.id})"
        ),
        _line("Owner", incident.owner),
    ]
    title = f"{_STARTS[reason]}{_WORD[urgency]} {plain(incident.target, 40)}: {first_line(incident, now)}"
    return Alert(
        id=_id(route, reason, [incident.id], nth),
        route=route,
        reason=reason,
        urgency=urgency,
        incidents=(incident.id,),
        title=mask(title),
        body=mask("\n".join(line for line in lines if line)),
        at=now,
    )


def write_storm(
    incidents: Sequence[Incident],
    *,
    reason: Reason,
    urgency: Urgency,
    route: str,
    nth: int,
    now: datetime,
    background: Background,
    mask: Callable[[str], str],
) -> Alert:
    """One message for many incidents at once."""
    targets = ", ".join(sorted({incident.target for incident in incidents}))
    oldest = min(incident.first_seen_at for incident in incidents)
    state = "incidents are over" if reason == "recovered" else "incidents at once"
    listed = [f"- {incident.id}: {first_line(incident, now)}" for incident in incidents[:LISTED]]
    if len(incidents) > LISTED:
        listed.append(f"- and {len(incidents) - LISTED} more, all in the report")
    lines = [
        ""
        if reason == "recovered"
        else _line("Do now", background.fallback or "look for one cause first: host, network, login"),
        _link("Report", background.report_url),
        _link("Job", background.job_url),
        _where(background),
        _line("What changed", background.changed),
        _line("Earlier runs", background.history),
        *listed,
    ]
    return Alert(
        id=_id(route, reason, [incident.id for incident in incidents], nth),
        route=route,
        reason=reason,
        urgency=urgency,
        incidents=tuple(incident.id for incident in incidents),
        title=mask(
            f"{_STARTS[reason]}{_WORD[urgency]} {plain(targets, 80)}: {len(incidents)} {state}, "
            f"first {plain(incidents[0].title, 90)} · since {oldest:%d %b %H:%M} UTC"
        ),
        body=mask("\n".join(line for line in lines if line)),
        at=now,
    )


def write_drill(route: str, urgency: Urgency, word: str, now: datetime) -> Alert:
    """A message that asks nothing of anybody."""
    return Alert(
        id=_id(route, "drill", [word], 0),
        route=route,
        reason="drill",
        urgency=urgency,
        incidents=(),
        title=f"Drill: nothing is wrong. This proves that the route {route} works ({word})",
        body=f"Nobody needs to act. Sent {now:%Y-%m-%d %H:%M} UTC. If these stop coming, the route is broken.",
        at=now,
    )


def _id(route: str, reason: str, incidents: Sequence[str], nth: int) -> str:
    return hashlib.sha256("|".join((route, reason, str(nth), *sorted(incidents))).encode()).hexdigest()[:16]


def _line(name: str, text: str) -> str:
    return f"{name}: {plain(text)}" if text else ""


def _link(name: str, url: str) -> str:
    return (
        f"{name}: {_cut(_in_one_line(url).translate(_NO_TAGS), 1000)}"
        if url.startswith(("https://", "http://"))
        else ""
    )


def _where(background: Background) -> str:
    """The alert goes out before the upload, so it must still lead somewhere when the upload fails."""
    name = "Evidence also in" if background.published else "Evidence local only"
    return _line(name, background.evidence)


def _span(seconds: float) -> str:
    minutes = max(int(seconds // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes // 1440} days"
