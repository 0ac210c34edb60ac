"""Which messages are due: incidents, what people know of them, and the time. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.alerts.message import (
    Alert,
    Background,
    Measured,
    Occasion,
    Reason,
    concerned,
    threads,
    write,
    write_storm,
)
from synthprobe.alerts.routes import URGENCIES, AlertRoute, AlertsConfig, Mute, Urgency
from synthprobe.records.incident import SEVERITIES, Incident
from synthprobe.records.journey import duration_s
from synthprobe.records.result import DegradationKind

THREAD = timedelta(days=14)
"""How long messages of the same trouble count together, whatever its incidents are called."""

LONGEST_PACE = timedelta(days=7)
"""The longest time between two tickets of the same trouble."""

_WIDER_BY = 3
"""How many times as many journeys as people were told of last make an incident worse."""

_WORSE_BY: Mapping[DegradationKind, float] = {"above baseline": 1.2}
"""How much slower a level is that the detector is sure of, for which people are told once more."""

_WORSE_ALONE = 2.0  # the same for what a single run measured
_CALM = timedelta(days=1)  # a page whose end was told that lately ends once more only after some quiet


class Schedule(Struct, frozen=True, kw_only=True):
    """What is to be told now."""

    alerts: tuple[Alert, ...] = ()
    muted: tuple[str, ...] = ()
    unrouted: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()


class _Pending(Struct, frozen=True):
    incident: Incident
    why: Occasion


def concerns(alert: Alert, incident: Incident) -> bool:
    """Whether a message speaks of an incident, or of the same trouble under an earlier one's id."""
    return incident.id in alert.incidents or not threads(incident).isdisjoint(alert.threads)


def schedule(
    incidents: Iterable[Incident],
    heard: Sequence[Alert],
    now: datetime,
    config: AlertsConfig,
    *,
    waiting: Sequence[Alert] = (),
    silenced: Callable[[Incident], bool] | None = None,
    mutes: Sequence[Mute] = (),
    backgrounds: Mapping[str, Background] | None = None,
    mask: Callable[[str], str] = str,
) -> Schedule:
    """Decide which messages are due, from those that reached somebody (``heard``) and those that still wait.

    An incident is told when it opens, when it becomes worse, at the pace of its urgency while nobody has it, on the
    next route when nobody takes it, and when it is over. Trouble that comes and goes is told at that pace as well,
    however often its incident opens; of tickets each pace is twice the one before. What waits is written anew, so
    that whoever hears at last hears what is so now.
    """
    backgrounds = dict(backgrounds or {})
    pending: list[_Pending] = []
    muted, unrouted, silent = [], [], set()
    known = sorted(incidents, key=lambda incident: _worst_first(incident, config.urgency(incident)))
    for incident in known:
        before = [alert for alert in heard if concerns(alert, incident)]
        waits = [alert for alert in waiting if incident.id in alert.incidents]
        if before and incident.state == "resolved":
            before_it = backgrounds.get(incident.id, Background())
            backgrounds[incident.id] = replace(
                before_it,
                journey=before_it.journey or before[-1].journey,
                sentence=before_it.sentence or before[-1].sentence,
            )
        chain, urgency = config.fitting(incident), config.urgency(incident)
        reached = _reached(chain, before, incident, now)
        route = reached[-1] if reached else None
        measured = backgrounds.get(incident.id, Background()).measured
        reason = None if _goes_on(incident, known) else _reason(incident, urgency, before, waits, now, route, measured)
        if route is not None and reason in {None, "repeat"} and route.name not in _routes(before, incident) and before:
            reason = "escalated" if incident.state == "open" and len(reached) > 1 else reason
        if reason is None:
            silent.add(incident.id)
        elif any(mute.holds(incident, now) for mute in mutes) or (silenced and silenced(incident)):
            muted.append(incident.id)
            silent.add(incident.id)
        elif route is None:
            unrouted.append(incident.id)
        else:
            after = before[-1].id if before else ""
            names = [place.name for place in reached] if reason in {"recovered", "worse"} else [route.name]
            pending += [
                _Pending(incident, Occasion(route=name, reason=reason, urgency=urgency, after=after, now=now))
                for name in names
            ]
    alerts = _written(pending, config, backgrounds, mask)
    ids, taken = {alert.id for alert in alerts}, silent | {place.incident.id for place in pending}
    superseded = [
        alert.id for alert in waiting if alert.id not in ids and alert.incidents and taken.issuperset(alert.incidents)
    ]
    alerts.sort(key=lambda alert: URGENCIES.index(alert.urgency))
    return Schedule(alerts=tuple(alerts), muted=tuple(muted), unrouted=tuple(unrouted), superseded=tuple(superseded))


def _written(
    pending: Sequence[_Pending], config: AlertsConfig, backgrounds: Mapping[str, Background], mask: Callable[[str], str]
) -> list[Alert]:
    def kind(place: _Pending) -> tuple[str, Reason, Urgency]:
        return place.why.route, place.why.reason, place.why.urgency

    alerts = []
    for (_, reason, urgency), group in groupby(sorted(pending, key=kind), kind):
        members = list(group)
        if reason == "missed":
            least = 1
        else:
            least = min(config.storm, 2) if (reason, urgency) == ("repeat", "ticket") else config.storm
        if len(members) >= least:
            why = replace(members[0].why, after=max(place.why.after for place in members))
            alerts.append(write_storm([place.incident for place in members], why, backgrounds, mask))
            continue
        alerts += [
            write(place.incident, place.why, backgrounds.get(place.incident.id, Background()), mask)
            for place in members
        ]
    return alerts


def _reason(
    incident: Incident,
    urgency: Urgency,
    before: Sequence[Alert],
    waits: Sequence[Alert],
    now: datetime,
    route: AlertRoute | None,
    measured: Sequence[Measured],
) -> Reason | None:
    last = before[-1] if before else None
    ended = last is None or last.reason in {"recovered", "missed"}
    if incident.state == "resolved":
        if ended:
            return "missed" if waits else None
        return "recovered" if _may_end(incident, urgency, before, now, route) else None
    if last is None:
        return None if incident.is_taken(now) or not _in_hours(urgency, now, route, first=True) else "opened"
    if not ended and _is_worse(incident, urgency, last):
        return "worse"
    more = not ended and (_is_wider(incident, last) or _is_slower(measured, before))
    if more and _in_hours(urgency, now, route, first=True):
        return "worse"
    if incident.is_taken(now):
        return None
    if ended and urgency != "ticket":
        return "opened"
    # a message of the future was written by a clock that was ahead: it keeps nobody quiet
    if abs(now - last.at) < _pace(urgency, before, now, route) or not _in_hours(urgency, now, route):
        return None
    return "opened" if ended else "repeat"


def _is_worse(incident: Incident, urgency: Urgency, last: Alert) -> bool:
    if last.urgency == "ticket" and URGENCIES.index(urgency) < URGENCIES.index("ticket"):
        return True
    return bool(last.severity) and SEVERITIES.index(incident.severity) < SEVERITIES.index(last.severity)


def _is_wider(incident: Incident, last: Alert) -> bool:
    """Whether it breaks so many more journeys than people were told of last that it is another matter."""
    return 0 < last.concerned * _WIDER_BY <= concerned(incident)


def _is_slower(measured: Sequence[Measured], before: Sequence[Alert]) -> bool:
    """Whether a step that people know of is further from what it should be than they were told last."""
    last_seconds = {(found.kind, found.step): found.measured_s for alert in before for found in alert.measured}
    return any(
        0
        < last_seconds.get((found.kind, found.step), 0.0) * _WORSE_BY.get(found.kind, _WORSE_ALONE)
        <= found.measured_s
        for found in measured
    )


def _may_end(
    incident: Incident, urgency: Urgency, before: Sequence[Alert], now: datetime, route: AlertRoute | None
) -> bool:
    """Whether the end is told now: at once, unless the same trouble ended and came back before."""
    lately = THREAD if urgency == "ticket" else _CALM
    if not any(alert.reason == "recovered" and now - alert.at < lately for alert in before):
        return _in_hours(urgency, now, route, first=True)
    if urgency == "ticket":
        return abs(now - before[-1].at) >= _pace(urgency, before, now, route) and _in_hours(urgency, now, route)
    return now - (incident.resolved_at or incident.last_seen_at) >= _pace(urgency, before, now, route)


def _pace(urgency: Urgency, before: Sequence[Alert], now: datetime, route: AlertRoute | None) -> timedelta:
    pace = (route or AlertRoute(name="", to=())).pace(urgency)
    if urgency != "ticket":
        return pace
    lately = sum(abs(now - alert.at) < THREAD for alert in before)
    return max(pace, min(pace * float(2 ** min(max(lately - 1, 0), 10)), LONGEST_PACE))


def _in_hours(urgency: Urgency, now: datetime, route: AlertRoute | None, *, first: bool = False) -> bool:
    """Tickets wait for working hours: the first message, and the first end, only where the route names them."""
    if urgency != "ticket" or route is None or (first and not route.hours):
        return True
    return bool(route.repeat and not route.hours) or route.working_hours().hold(now)


def _goes_on(incident: Incident, known: Sequence[Incident]) -> bool:
    """Whether another incident speaks of the same trouble: one that is open, or a later one that is over as well."""
    if incident.state != "resolved":
        return False
    return any(
        other.id != incident.id
        and (other.state != "resolved" or other.opened_at > incident.opened_at)
        and not threads(other).isdisjoint(threads(incident))
        for other in known
    )


def _reached(
    chain: Sequence[AlertRoute], before: Sequence[Alert], incident: Incident, now: datetime
) -> list[AlertRoute]:
    """The routes that an incident is told on now; the last is the newest."""
    reached = list(chain[:1])
    for route, following in pairwise(chain):
        heard_at = next((alert.at for alert in before if alert.route == route.name and _is_of(alert, incident)), None)
        if not route.escalate or heard_at is None:
            break
        is_late = incident.state == "open" and now - heard_at >= timedelta(seconds=duration_s(route.escalate))
        if not is_late and following.name not in _routes(before, incident):
            break
        reached.append(following)
    return reached


def _is_of(alert: Alert, incident: Incident) -> bool:
    return incident.id in alert.incidents


def _routes(before: Sequence[Alert], incident: Incident) -> set[str]:
    return {alert.route for alert in before if _is_of(alert, incident)}


def _worst_first(incident: Incident, urgency: Urgency) -> tuple[int, int, datetime]:
    return URGENCIES.index(urgency), SEVERITIES.index(incident.severity), incident.first_seen_at
