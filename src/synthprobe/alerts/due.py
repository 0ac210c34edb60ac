"""Which messages are due: incidents, what was told before, and the time. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from synthprobe.alerts.message import Alert, Background, Reason, write, write_storm
from synthprobe.alerts.routes import URGENCIES, AlertRoute, AlertsConfig, Mute, Urgency
from synthprobe.records.incident import Incident
from synthprobe.records.journey import duration_s

_Pending = tuple[AlertRoute, Reason, Urgency, int, Incident]
_SEVERITIES = ("blocker", "critical", "normal", "minor", "trivial")


class Due(Struct, frozen=True, kw_only=True):
    """What is to be said now.

    Attributes:
        alerts: the messages, pages first.
        muted: ids of the incidents a mute keeps silent.
        unrouted: ids of the incidents no route takes.
    """

    alerts: tuple[Alert, ...] = ()
    muted: tuple[str, ...] = ()
    unrouted: tuple[str, ...] = ()


def due(
    incidents: Iterable[Incident],
    told: Sequence[Alert],
    now: datetime,
    config: AlertsConfig,
    *,
    mutes: Sequence[Mute] = (),
    background: Mapping[str, Background] | None = None,
    mask: Callable[[str], str] = str,
) -> Due:
    """Decide which messages are due.

    An incident is told when it opens, when it becomes more urgent, every ``repeat`` while nobody took it, and when
    it is over. From ``storm`` at once on, one message speaks for all of them.
    """
    background = background or {}
    pending: list[_Pending] = []
    muted, unrouted = [], []
    for incident in sorted(incidents, key=lambda one: _worst_first(one, config.urgency(one))):
        before = [alert for alert in told if incident.id in alert.incidents]
        route = config.route(incident)
        urgency = config.urgency(incident)
        reason = _reason(incident, urgency, before, now, duration_s(route.repeat) if route else 3600.0)
        if reason is None:
            continue
        if any(mute.holds(incident, now) for mute in mutes):
            muted.append(incident.id)
        elif route is None:
            unrouted.append(incident.id)
        else:
            pending.append((route, reason, urgency, len(before), incident))
    alerts = []
    for (name, reason, how), group in groupby(sorted(pending, key=_group), _group):
        members = list(group)
        common = {"reason": reason, "urgency": how, "route": name, "now": now, "mask": mask}
        if len(members) >= config.storm:
            together = [incident for *_, incident in members]
            nth = max(nth for *_, nth, _ in members)
            alerts.append(
                write_storm(together, nth=nth, background=background.get(together[0].id, Background()), **common)  # type: ignore[arg-type]
            )
            continue
        for *_, nth, incident in members:
            alerts.append(
                write(incident, nth=nth, background=background.get(incident.id, Background()), **common)  # type: ignore[arg-type]
            )
    alerts.sort(key=lambda alert: URGENCIES.index(alert.urgency))
    return Due(alerts=tuple(alerts), muted=tuple(muted), unrouted=tuple(unrouted))


def _reason(
    incident: Incident, urgency: Urgency, before: Sequence[Alert], now: datetime, repeat_s: float
) -> Reason | None:
    last = before[-1] if before else None
    if incident.state == "resolved":
        return "recovered" if last and last.reason != "recovered" else None
    if last is None or last.reason == "recovered":
        return "opened"
    if URGENCIES.index(urgency) < URGENCIES.index(last.urgency) == URGENCIES.index("ticket"):
        return "worse"
    # a message of the future was written by a clock that was ahead: it keeps nobody quiet
    quiet = incident.state == "acknowledged" or abs((now - last.at).total_seconds()) < repeat_s
    return None if quiet else "repeat"


def _worst_first(incident: Incident, urgency: Urgency) -> tuple[int, int, datetime]:
    return URGENCIES.index(urgency), _SEVERITIES.index(incident.severity), incident.first_seen_at


def _group(pending: _Pending) -> tuple[str, Reason, Urgency]:
    route, reason, urgency, *_ = pending
    return route.name, reason, urgency
