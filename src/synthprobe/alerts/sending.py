"""Telling people: what is due is written to the outbox, then sent until a channel has taken it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict, replace

from synthprobe.alerts.channels import SPARE_S, Channel
from synthprobe.alerts.message import Background, write_drill
from synthprobe.alerts.outbox import Attempt, Letter, Outbox
from synthprobe.alerts.routes import AlertRoute, AlertsConfig, Mute
from synthprobe.alerts.schedule import Schedule, schedule
from synthprobe.deadlines import is_ending, left_s
from synthprobe.records.incident import Incident

TOTAL_S = 60.0
"""Seconds that all messages of a run together may take; what is left then waits."""

_TRIES = 2
_LEAST_S = 0.5
_NO_TIME = "There was no time left to send every message; what was not sent waits in the outbox for the next run."


class Delivery(Struct, frozen=True, kw_only=True):
    """What came of sending."""

    delivered: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing waits and no first channel failed."""
        return not self.waiting and not self.sentences


def decide(
    incidents: Iterable[Incident],
    config: AlertsConfig,
    outbox: Outbox,
    now: datetime,
    *,
    mutes: Sequence[Mute] = (),
    silenced: Callable[[Incident], bool] | None = None,
    background: Mapping[str, Background] | None = None,
    mask: Callable[[str], str] = str,
) -> Schedule:
    """Write what is to be told of the incidents into the outbox, and put aside what is no longer so."""
    incidents = tuple(incidents)
    letters = outbox.about(incidents)
    heard = [replace(letter.alert, at=at) for letter in letters if (at := letter.heard_at)]
    found = schedule(
        incidents,
        sorted(heard, key=lambda alert: alert.at),
        now,
        config,
        waiting=[letter.alert for letter in letters if letter.is_waiting],
        silenced=silenced,
        mutes=mutes,
        backgrounds=background,
        mask=mask,
    )
    for alert in found.alerts:
        outbox.put(alert)
    for alert_id in found.superseded:
        outbox.put_aside(alert_id, now, "superseded")
    return found


def deliver(
    outbox: Outbox,
    config: AlertsConfig,
    channel: Channel,
    now: datetime,
    *,
    unrouted: Sequence[str] = (),
    everything: bool = False,
) -> Delivery:
    """Send what waits, and say what no route takes; a channel gets two tries, then the second is asked."""
    routes = {route.name: route for route in config.routes}
    delivered: list[str] = []
    waiting: list[str] = []
    sentences: list[str] = []
    ends = time.monotonic() + TOTAL_S
    with outbox.lock(left_s(TOTAL_S, spare_s=SPARE_S)):
        for letter in outbox.waiting():
            alert, taken = letter.alert, False
            if ends <= time.monotonic() or left_s(_LEAST_S, spare_s=SPARE_S) < _LEAST_S:
                sentences.append(_NO_TIME)
            elif (route := routes.get(alert.route)) is None:
                sentences.append(
                    f"The route {alert.route!r} of a waiting message is gone from the configuration. Add it, or look "
                    "at the message with synthprobe alert and drop it with synthprobe alert --drop."
                )
            elif everything or not letter.waits(now):
                taken, problems = _send(letter, route, outbox, channel, now)
                sentences += problems
                if not taken and outbox.letter(alert.id).is_hopeless(now):
                    outbox.put_aside(alert.id, now, "given up")
                    sentences.append(
                        f"The message {alert.id} is given up: no channel of the route {alert.route!r} takes it. "
                        "Correct the channel's address; what is still wrong then is told with its next repeat."
                    )
                    continue
            (delivered if taken else waiting).append(alert.id)
    if unrouted:
        lost = ", ".join(unrouted)
        sentences.append(f"No route takes the incidents {lost}. Add one: synthprobe doctor routes says which.")
    return Delivery(delivered=tuple(delivered), waiting=tuple(waiting), sentences=tuple(dict.fromkeys(sentences)))


def drill(
    config: AlertsConfig,
    channel: Channel,
    now: datetime,
    *,
    route: str | None = None,
    read: Callable[[str], str] | None = None,
) -> list[tuple[str, bool, str]]:
    """Send a message that asks nothing over every channel of every route, and read it back where that is possible."""
    results = []
    for alert_route in config.routes:
        if route not in {None, alert_route.name}:
            continue
        word = f"drill-{secrets.token_hex(4)}"
        alert = write_drill(alert_route.name, alert_route.urgency[0] if alert_route.urgency else "ticket", word, now)
        for source in (*alert_route.to, *alert_route.second):
            sent = channel(source, alert)
            works, sentence = sent.accepted, sent.why or "The channel took it."
            if works and alert_route.read_back and read and source == alert_route.to[0]:
                works = word in read(alert_route.read_back)
                sentence = "It was read back." if works else "The channel took it, but it did not arrive."
            results.append((f"{alert_route.name} {source}", works, sentence))
    return results


def _send(letter: Letter, route: AlertRoute, outbox: Outbox, channel: Channel, now: datetime) -> tuple[bool, list[str]]:
    problems = []
    for source in route.to:
        if source not in letter.accepted_by() and (why := _try(letter, source, outbox, channel, now)):
            problems.append(why)
    if not problems:
        outbox.delivered(letter.alert.id, now)
        return True, problems
    for source in route.second:
        if not _try(letter, source, outbox, channel, now, second=True):
            outbox.delivered(letter.alert.id, now)
            return True, [*problems, f"The second channel {source} took the message instead."]
    return False, problems


def _try(letter: Letter, source: str, outbox: Outbox, channel: Channel, now: datetime, *, second: bool = False) -> str:
    for _ in range(1 if is_ending() else _TRIES):
        sent = channel(source, letter.alert)
        outbox.tried(Attempt(alert=letter.alert.id, channel=source, at=now, second=second, **asdict(sent)))
        if sent.accepted:
            return ""
    return sent.why or f"The channel {source} did not take it."
