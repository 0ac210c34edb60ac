"""What is said: one line for a tired person, then what to do, plain and short."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.alerts.routes import Urgency
from synthprobe.records.incident import SEVERITIES, Incident
from synthprobe.records.journey import Severity
from synthprobe.records.plain_text import plain_line
from synthprobe.records.result import DegradationKind
from synthprobe.words import counted, likely_cause

Reason = Literal["opened", "worse", "repeat", "escalated", "recovered", "missed", "drill"]
TITLE_CHARACTERS = 120
LINE_CHARACTERS = 400
LISTED = 12
_NO_TAGS = str.maketrans("<>", "‹›")
_NO_MARKUP = str.maketrans("<>*`~|", "‹›∗ˋ∼¦")  # signs that look alike: each chat has an escape of its own, or none
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
_WORD = {"page": "PAGE", "ticket": "Ticket", "probe": "Monitor blind"}
_STARTS: dict[Reason, str] = {
    "opened": "",
    "worse": "Worse: ",
    "repeat": "Still: ",
    "escalated": "Nobody took it: ",
    "recovered": "Over: ",
    "missed": "Missed: ",
    "drill": "Drill: ",
}
_TARGET_CHARACTERS = 24


class Measured(Struct, frozen=True, kw_only=True):
    """How far a step is from what it should be."""

    kind: DegradationKind
    step: str
    measured_s: float


class Background(Struct, frozen=True, kw_only=True):
    """What a person needs besides the incident itself."""

    fallback: str = ""
    runbook_url: str = ""
    report_url: str = ""
    trace_url: str = ""
    backend_trace: str = ""
    changed: str = ""
    job_url: str = ""
    evidence: str = ""
    published: bool = False
    opened_by: str = ""
    history: str = ""
    journey: str = ""
    sentence: str = ""
    measured: tuple[Measured, ...] = ()


class Occasion(Struct, frozen=True, kw_only=True):
    """Why a message is sent now, and on which route; ``after`` is the id of the message before it."""

    route: str
    reason: Reason
    urgency: Urgency
    after: str
    now: datetime


class Alert(Struct, frozen=True, kw_only=True):
    """One message, written once, sent until somebody has it.

    Attributes:
        id: the same for the same message, so that writing it twice sends it once.
        threads: what joins it with messages of the same trouble under another incident's id.
        severity: the worst of its incidents; empty in records of older versions.
        journey: title of the journey that showed it.
        sentence: what was wrong.
        measured: what was measured of each step that was not well enough, by which the next run is called worse.
        concerned: how many journeys its incidents broke or kept out; 0 in records of older versions.
    """

    id: str
    route: str
    reason: Reason
    urgency: Urgency
    incidents: tuple[str, ...]
    title: str
    body: str
    at: datetime
    threads: tuple[str, ...] = ()
    severity: Severity | Literal[""] = ""
    journey: str = ""
    sentence: str = ""
    measured: tuple[Measured, ...] = ()
    concerned: int = 0


def threads(incident: Incident) -> frozenset[str]:
    """What joins an incident with those before it: the same failure, or for what is no page the same step."""
    keys = {f"{incident.target} {fingerprint}" for fingerprint in incident.fingerprints}
    if incident.kind in {"degraded", "intermittent"}:
        keys |= {f"{incident.target} {journey} {incident.step}" for journey in incident.journeys[:1]}
    return frozenset(keys)


def concerned(incident: Incident) -> int:
    """How many journeys an incident breaks or keeps out."""
    return len(incident.journeys) + len(incident.blocked)


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


def _cut_title(title: str, limit: int) -> str:
    """A journey's title, cut before its parameters, which tell it from others."""
    name, bracket, parameters = title.rpartition(" [")
    if not title.endswith("]") or 2 * len(parameters) > limit:
        return _cut(title, limit)
    return f"{_cut(name, limit - len(bracket) - len(parameters))}{bracket}{parameters}"


def first_line(incident: Incident, background: Background, *, before: str = "", most: int = TITLE_CHARACTERS) -> str:
    """Journey, what is wrong in a plain sentence, since when: short enough for a telephone."""
    since, end = incident.first_seen_at, incident.resolved_at if incident.state == "resolved" else None
    tail = f" · since {since:%d %b %H:%M} UTC"
    if end:
        until = f"{end:%H:%M}" if end.date() == since.date() else f"{end:%d %b %H:%M}"
        tail = f" · {since:%d %b %H:%M} to {until} UTC"
    others = len(incident.journeys) - 1
    more = f" (+{counted(others, 'journey')})" if others > 0 else ""
    room = most - len(before) - len(tail) - len(more)
    if incident.location:
        return f"{before}{plain(incident.title, most - len(before) - len(tail))}{tail}"
    if not (title := background.journey) and not incident.cause:
        return f"{before}{plain(incident.title, room)}{more}{tail}"
    sentence = plain(background.sentence or incident.cause or incident.title)
    title = plain(title or ", ".join(incident.journeys[:1]))
    title = _cut_title(title, max(room - len(sentence) - 2, room * 2 // 5))
    return f"{before}{title}{more}: {_cut(sentence, room - len(title) - 2)}{tail}"


def write(incident: Incident, why: Occasion, background: Background, mask: Callable[[str], str]) -> Alert:
    """The message of one incident."""
    recovered = why.reason == "recovered"
    triage = None if recovered else incident.triage
    background = replace(background, sentence=mask(background.sentence), journey=mask(background.journey))
    owner = incident.owner or "nobody is named"
    taken = f"taken by {incident.acknowledged_by}" if incident.is_taken(why.now) else "nobody has it"
    end = incident.resolved_at if recovered and incident.resolved_at else why.now
    lines = [
        "" if recovered else _line("Do now", background.fallback),
        _line("Who", owner if recovered else f"{owner}; {taken}"),
        _page(incident, background, recovered=recovered),
        _link("Report", background.report_url) or _line("Report", background.opened_by),
        _link("Trace", background.trace_url),
        _line("What changed", background.changed),
        "" if recovered else _line("What is wrong", incident.cause or incident.title),
        _line("From where", incident.seen_from),
        _line("Step", incident.step),
        f"Seen: in {counted(incident.occurrences, 'run')}, {_span((end - incident.first_seen_at).total_seconds())}",
        _line("Likely cause", likely_cause(triage, incident.cause) if triage else ""),
        _link("Backend trace", background.backend_trace),
        _link("Job", background.job_url),
        _where(background),
        _line("Earlier runs", background.history),
        _line("Journeys", ", ".join(incident.journeys[:LISTED])),
        _line("Blocked by it", ", ".join(incident.blocked[:LISTED])),
        _line("Resolved", _how(incident) if recovered else ""),
        _line(
            "Incident",
            incident.id if recovered else f"{incident.id} (take it: synthprobe incident ack {incident.id} --by ROLE)",
        ),
    ]
    start = "No longer checked: " if recovered and incident.is_unwatched else _STARTS[why.reason]
    before = f"{start}{_WORD[why.urgency]} {plain(incident.target, _TARGET_CHARACTERS)}: "
    safe = replace(incident, title=mask(incident.title), cause=mask(incident.cause))  # before anything is cut
    alert = _alert([incident], why, mask(first_line(safe, background, before=before)), mask(_joined(lines)))
    return replace(
        alert,
        journey=background.journey,
        sentence=background.sentence or safe.cause,
        measured=background.measured,
    )


def _how(incident: Incident) -> str:
    return incident.events[-1].text if incident.is_unwatched else f"by {incident.resolved_how or 'unknown'}"


def write_storm(
    incidents: Sequence[Incident], why: Occasion, backgrounds: Mapping[str, Background], mask: Callable[[str], str]
) -> Alert:
    """One message for many incidents at once."""
    background = backgrounds.get(incidents[0].id, Background())
    targets = ", ".join(sorted({incident.target for incident in incidents}))
    oldest = min(incident.first_seen_at for incident in incidents)
    count = counted(len(incidents), "incident")
    states = {"recovered": "over", "missed": "came and went while no channel answered", "repeat": "still open"}
    state = states.get(why.reason, "at once")
    lines = [
        ""
        if why.reason in {"recovered", "missed"}
        else _line("Do now", background.fallback or "look for one cause first: host, network, login"),
        _link("Report", background.report_url) or _line("Report", background.opened_by),
        _line("What changed", background.changed),
        *listed(incidents, backgrounds, mask),
        _link("Job", background.job_url),
        _where(background),
        _line("Earlier runs", background.history),
    ]
    before = f"{_STARTS[why.reason]}{_WORD[why.urgency]} {plain(targets, _TARGET_CHARACTERS)}: {count} {state}"
    tail = f" · since {oldest:%d %b %H:%M} UTC"
    first = plain(mask(incidents[0].title), max(TITLE_CHARACTERS - len(before) - len(tail) - 8, 1))
    measured = (found for incident in incidents for found in backgrounds.get(incident.id, Background()).measured)
    alert = _alert(incidents, why, mask(f"{before}, first {first}{tail}"), mask(_joined(lines)))
    return replace(alert, measured=tuple(measured))


def listed(
    incidents: Sequence[Incident], backgrounds: Mapping[str, Background], mask: Callable[[str], str]
) -> list[str]:
    """A line for each incident, as far as a person reads them."""
    lines = []
    for incident in incidents[:LISTED]:
        safe = replace(incident, title=mask(incident.title), cause=mask(incident.cause))
        known = backgrounds.get(incident.id, Background())
        lines.append(f"- {incident.id}: {first_line(safe, known, most=LINE_CHARACTERS)}")
    if len(incidents) > LISTED:
        lines.append(f"- and {len(incidents) - LISTED} more, all in the report")
    return lines


def write_drill(route: str, urgency: Urgency, word: str, now: datetime) -> Alert:
    """A message that asks nothing of anybody."""
    return Alert(
        id=_id(route, "drill", [word], ""),
        route=route,
        reason="drill",
        urgency=urgency,
        incidents=(),
        title=f"Drill: nothing is wrong. This proves that the route {route} works ({word})",
        body=f"Nobody needs to act. Sent {now:%Y-%m-%d %H:%M} UTC. If these stop coming, the route is broken.",
        at=now,
    )


def _alert(incidents: Sequence[Incident], why: Occasion, title: str, body: str) -> Alert:
    ids = tuple(incident.id for incident in incidents)
    return Alert(
        id=_id(why.route, why.reason, ids, why.after),
        route=why.route,
        reason=why.reason,
        urgency=why.urgency,
        incidents=ids,
        title=_cut(title, TITLE_CHARACTERS),
        body=body,
        at=why.now,
        threads=tuple(sorted(frozenset().union(*map(threads, incidents)))),
        severity=min((incident.severity for incident in incidents), key=SEVERITIES.index),
        concerned=sum(map(concerned, incidents)),
    )


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(filter(None, lines))


def _id(route: str, reason: str, incidents: Sequence[str], after: str) -> str:
    return hashlib.sha256("|".join((route, reason, after, *sorted(incidents))).encode()).hexdigest()[:16]


def _line(name: str, text: str) -> str:
    return f"{name}: {plain(text)}" if text else ""


def _link(name: str, url: str) -> str:
    return (
        f"{name}: {_cut(_in_one_line(url).translate(_NO_TAGS), 1000)}"
        if url.startswith(("https://", "http://"))
        else ""
    )


def _page(incident: Incident, background: Background, *, recovered: bool) -> str:
    """The page that knows it, or the one that is offered in general, with its address where there is one."""
    name = "Runbook" if incident.runbook or not incident.general else "General page"
    listed = "" if recovered else incident.runbook or incident.general or "none fits"
    return _link(name, background.runbook_url) or _line(name, listed)


def _where(background: Background) -> str:
    """Publishing may fail, or take too long; the alert must lead somewhere all the same."""
    name = "Evidence also in" if background.published else "Evidence local only"
    return _line(name, background.evidence)


def _span(seconds: float) -> str:
    minutes = max(int(seconds // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes // 1440} days"
