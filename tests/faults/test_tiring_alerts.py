"""Alerts that do not tire: what comes and goes, lasts, waits or is in hand is told seldom, and is told."""
# ruff: noqa: N802 - the names carry the rows' ids

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from test_alerts import NOW, config, environ, incident, other, outbox, receiver, tell
from typer.testing import CliRunner

from synthprobe.alerts.message import TITLE_CHARACTERS, Alert, Background, Measured
from synthprobe.alerts.outbox import Outbox
from synthprobe.alerts.routes import AlertRoute, AlertsConfig
from synthprobe.alerts.schedule import schedule
from synthprobe.cli.main import app
from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError
from synthprobe.records.incident import Incident, Observation
from synthprobe.triage.lifecycle import follow

__all__ = ["environ", "other", "outbox", "receiver"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SERIES = (Path(__file__).parent / "twelve_days.txt").read_text().split()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TICKETS = AlertsConfig(routes=(AlertRoute(name="desk", to=("env:DESK",)),))


class Desk:
    """People who hear what is due; the channel between may be away."""

    def __init__(self, settings: AlertsConfig = TICKETS) -> None:
        self.settings, self.heard = settings, list[Alert]()

    def hears(self, incidents: list[Incident], now: datetime) -> list[Alert]:
        alerts = list(schedule(incidents, self.heard, now, self.settings).alerts)
        self.heard += alerts
        return alerts


def test_twelve_days_of_flapping_and_degraded_slots_are_at_most_six_messages():
    desk, began = Desk(), datetime(2026, 11, 2, tzinfo=UTC)
    assert {mark for day in SERIES for mark in day} == set(".di")
    known: list[Incident] = []
    seen: list[Observation] = []
    for number, mark in enumerate("".join(SERIES)):
        at = began + number * timedelta(minutes=5)
        here = Observation(
            run_id=f"run-{number}", slot=number, at=at, target="production", journey="search",
            outcome="degraded" if mark == "d" else "passed", intermittent=mark == "i",
            fingerprint={"d": "v2:00000000000000d0", "i": "v2:00000000000000f0"}.get(mark, ""),
            step="" if mark == "." else "search by name", cause="" if mark == "." else "slow",
        )  # fmt: skip
        over = [
            known_incident
            for known_incident in known
            if known_incident.state == "resolved" and at - known_incident.resolved_at < 8 * DAY
        ]
        going = [known_incident for known_incident in known if known_incident.state != "resolved"]
        known = [*over, *follow(going, [here], {"search": seen[-24:]}, at).incidents]
        seen.append(here)
        desk.hears(known, at)
    assert 2 <= len(desk.heard) <= 6, [(alert.at.isoformat(), alert.title) for alert in desk.heard]
    assert len({id for alert in desk.heard for id in alert.incidents}) > 1, "it ended and came back"
    assert {alert.urgency for alert in desk.heard} == {"ticket"}


@pytest.mark.parametrize(
    ("kind", "hours"),
    [("failing", [0, 1, 2]), ("monitor blind", [0, 4, 8]), ("degraded", [0, 33, 81])],
)
def test_each_urgency_has_a_pace_of_its_own_and_tickets_wait_for_working_hours(kind, hours):
    monday, desk = datetime(2026, 11, 2, 0, 30, tzinfo=UTC), Desk()
    for hour in range(hours[-1] + 1):
        desk.hears([incident(kind=kind)], monday + hour * HOUR)
    assert [(alert.at - monday) // HOUR for alert in desk.heard] == hours
    assert [alert.reason for alert in desk.heard] == ["opened", "repeat", "repeat"]


def test_a_route_with_hours_hears_of_tickets_in_them_and_of_pages_at_once():
    berlin = {"hours": "Mon-Fri 08:00-18:00", "timezone": "Europe/Berlin"}
    desk = Desk(AlertsConfig(routes=(AlertRoute(name="desk", to=("env:A",), **berlin),)))
    sunday = datetime(2026, 11, 1, 3, tzinfo=UTC)
    assert desk.hears([incident(kind="degraded")], sunday) == []
    assert [alert.urgency for alert in desk.hears([incident(2)], sunday)] == ["page"]
    assert desk.hears([incident(kind="degraded")], sunday + DAY + 3.9 * HOUR) == []
    assert [alert.urgency for alert in desk.hears([incident(kind="degraded")], sunday + DAY + 4 * HOUR)] == ["ticket"]


def test_what_is_taken_is_silent_until_it_is_worse_or_the_time_has_passed():
    desk = Desk()
    desk.hears([incident(severity="normal")], NOW)
    taken = {"state": "acknowledged", "acknowledged_by": "engineer", "acknowledged_until": NOW + 8 * HOUR}
    assert desk.hears([incident(severity="normal", **taken)], NOW + 7 * HOUR) == []
    (worse,) = desk.hears([incident(severity="critical", **taken)], NOW + 7 * HOUR)
    assert worse.title.startswith("Worse: PAGE")
    assert "taken by engineer" in worse.body
    assert desk.hears([incident(severity="critical", **taken)], NOW + 7.9 * HOUR) == []
    (late,) = desk.hears([incident(severity="critical", **taken)], NOW + 8 * HOUR)
    assert late.title.startswith("Still: PAGE")
    assert "nobody has it" in late.body


def test_an_incident_that_breaks_three_times_as_many_journeys_as_were_told_is_told_again():
    desk, search = Desk(), ("search",)
    taken = {"state": "acknowledged", "acknowledged_by": "engineer"}
    desk.hears([incident(journeys=search)], NOW)
    assert desk.hears([incident(journeys=(*search, "log-in"), **taken)], NOW + HOUR / 6) == []
    (worse,) = desk.hears([incident(journeys=(*search, "log-in"), blocked=("board",), **taken)], NOW + HOUR / 3)
    assert worse.title.startswith("Worse: PAGE")
    assert "(+1 journey)" in worse.title
    assert "Blocked by it: board" in worse.body
    many = (*search, "log-in", *map(str, range(5)))
    assert desk.hears([incident(journeys=many, blocked=("board",), **taken)], NOW + HOUR / 2) == []
    (more,) = desk.hears([incident(journeys=(*many, "map"), blocked=("board",), **taken)], NOW + HOUR)
    assert more.title.startswith("Worse: PAGE")


def test_a_page_that_ends_and_comes_back_is_told_and_its_next_end_only_after_some_quiet():
    desk = Desk()

    def at(minutes, number, *, over=False):
        now = NOW + timedelta(minutes=minutes)
        same = {"fingerprint": "v2:00000000000000aa", "opened_at": NOW + timedelta(minutes=number)}
        ended = {"state": "resolved", "resolved_at": now} if over else {}
        return [alert.title.split(" production")[0] for alert in desk.hears([incident(number, **same, **ended)], now)]

    assert (at(0, 1), at(20, 1, over=True)) == (["PAGE"], ["Over: PAGE"])
    assert (at(30, 2), at(40, 2, over=True)) == (["PAGE"], []), "the same came back; its end is not told at once"
    assert at(50, 3) == [], "nobody was told that it had ended"
    assert at(95, 3) == ["Still: PAGE"]


def test_degraded_says_the_numbers_and_every_first_line_is_short():
    for sentence in ('"log in" 53 → 110 ms', "the button Create does nothing " * 9):
        background = Background(journey="A dispatched crew is notified exactly once " * 3, sentence=sentence)
        slow = incident(kind="degraded", target="production-of-the-north-" * 3)
        for state in ({}, {"state": "resolved", "resolved_at": NOW + DAY}, {"journeys": ("a", "b", "c")}):
            desk = Desk()
            desk.hears([slow], NOW - HOUR)
            shown = msgspec.structs.replace(slow, **state)
            alerts = schedule(
                [shown], [] if len(state) < 2 else desk.heard, NOW, TICKETS, backgrounds={"I-1": background}
            )
            for alert in alerts.alerts:
                assert len(alert.title) <= TITLE_CHARACTERS
                assert "02 Nov 03:00" in alert.title
                assert sentence[:12] in alert.title


def test_a_degradation_that_gets_worse_is_told_once_also_when_somebody_has_it():
    desk, monday = Desk(), datetime(2026, 11, 2, 10, tzinfo=UTC)
    taken = {"state": "acknowledged", "acknowledged_by": "engineer"}

    def hears(minutes, ms, kind="above baseline", **state):
        slow = Measured(kind=kind, step="search by name", measured_s=ms / 1000)
        background = Background(journey="Search", sentence=f"53 → {ms} ms", measured=(slow,))
        shown = [incident(kind="degraded", **state)]
        at = monday + timedelta(minutes=minutes)
        alerts = schedule(shown, desk.heard, at, TICKETS, backgrounds={"I-1": background}).alerts
        desk.heard += alerts
        return [alert.title.partition(" · ")[0] for alert in alerts]

    assert hears(0, 110) == ["Ticket production: Search: 53 → 110 ms"]
    assert hears(5, 125, **taken) == [], "as it was told"
    assert hears(10, 240, **taken) == ["Worse: Ticket production: Search: 53 → 240 ms"]
    assert [hears(minutes, 240, **taken) for minutes in range(15, 60, 5)] == [[]] * 9
    assert hears(60, 900, kind="over budget", **taken) == [], "nobody was told of that step's budget"
    assert hears(65, 110, **taken) == []


def test_F62_after_an_outage_each_incident_is_told_once_as_it_is_now(outbox, environ, receiver):
    receiver.how = 500
    over = {"state": "resolved", "resolved_at": NOW + HOUR}
    for minutes in range(0, 180, 5):
        now = NOW + timedelta(minutes=minutes)
        first = [incident(1, occurrences=minutes, cause=f"seen {minutes}")]
        second, third = ([incident(n, **(over if minutes >= 60 else {}))] for n in (2, 3))
        tell(outbox, environ, first + second + third, now)
    receiver.how, tried = 200, len(receiver.requests)
    last = [incident(1, occurrences=99, cause="the newest"), incident(2, **over), incident(3, **over)]
    tell(outbox, environ, last, NOW + 4 * HOUR)
    messages = receiver.messages[tried:]
    assert sorted(message["title"].split(" production")[0] for message in messages) == ["Missed: PAGE", "PAGE"]
    page, missed = sorted(messages, key=lambda message: message["title"], reverse=True)
    assert "the newest" in page["title"]
    assert [line[:6] for line in missed["message"].splitlines() if line.startswith("- ")] == ["- I-2:", "- I-3:"]
    tell(outbox, environ, last, NOW + 4.1 * HOUR)
    assert len(receiver.requests) == tried + 2


def test_an_address_that_is_gone_is_given_up_and_tried_again_with_the_next_repeat(outbox, environ, receiver):
    receiver.how = 410
    rounds = [tell(outbox, environ, [incident()], NOW + timedelta(minutes=m))[1].sentences for m in range(0, 60, 5)]
    assert len(receiver.requests) == 2 * 3, "three passes of two tries"
    assert "says that its address is gone (410)" in rounds[0][0]
    assert any("is given up" in sentence for sentences in rounds for sentence in sentences)
    assert rounds[-1] == ()
    receiver.how = 200
    tell(outbox, environ, [incident()], NOW + 2 * HOUR)
    assert receiver.messages[-1]["title"].startswith("Still: PAGE")


def test_a_page_nobody_takes_goes_to_the_next_route_and_its_end_to_both(outbox, environ, receiver, other):
    routes = (
        AlertRoute(name="first", to=("env:PAGER",), escalate="30m"),
        AlertRoute(name="second", to=("env:OTHER",), target=("production",)),
    )
    settings = AlertsConfig(routes=routes)

    def after(minutes, **more):
        tell(outbox, environ, [incident(**more)], NOW + timedelta(minutes=minutes), settings)
        return [[m["title"].split(" production")[0] for m in place.messages] for place in (receiver, other)]

    assert after(0) == [["PAGE"], []]
    assert after(29) == [["PAGE"], []]
    assert after(31) == [["PAGE"], ["Nobody took it: PAGE"]]
    assert after(60) == [["PAGE"], ["Nobody took it: PAGE"]]
    assert after(95) == [["PAGE"], ["Nobody took it: PAGE", "Still: PAGE"]]
    ends = {"state": "resolved", "resolved_at": NOW + 2 * HOUR}
    assert after(120, **ends) == [["PAGE", "Over: PAGE"], ["Nobody took it: PAGE", "Still: PAGE", "Over: PAGE"]]


def test_an_incident_somebody_took_is_not_escalated(outbox, environ, receiver, other):
    routes = (AlertRoute(name="a", to=("env:PAGER",), escalate="30m"), AlertRoute(name="b", to=("env:OTHER",)))
    tell(outbox, environ, [incident()], NOW, AlertsConfig(routes=routes))
    tell(outbox, environ, [incident(state="acknowledged")], NOW + HOUR, AlertsConfig(routes=routes))
    assert (len(receiver.requests), other.requests) == (1, [])


ROUTE = '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n[[alerts.routes]]\nname = "new name"\nto = ["env:PAGER"]\n'


def test_messages_of_a_renamed_route_are_shown_and_can_be_dropped(tmp_path, monkeypatch):
    (tmp_path / "synthprobe.toml").write_text(ROUTE)
    (tmp_path / ".synthprobe").mkdir()
    monkeypatch.chdir(tmp_path)
    with Outbox(tmp_path / ".synthprobe" / "history.db") as store:
        alert = schedule([incident()], [], NOW, config()).alerts[0]
        store.put(alert)

    def typed(*words):
        done = CliRunner().invoke(app, ["alert", *words])
        return " ".join(done.output.split()), done.exit_code

    shown, _ = typed()
    assert f"{alert.id} 2026-11-02 03:12 UTC route all (which is gone from the configuration), 0 tries" in shown
    assert "PAGE production: Call intake" in shown
    assert isinstance(CliRunner().invoke(app, ["alert", "--drop", "--route", "other"]).exception, ConfigurationError)
    assert isinstance(CliRunner().invoke(app, ["alert", "--drop"]).exception, ConfigurationError)
    assert typed("--drop", "--route", "all")[0].startswith(f"Dropped {alert.id}")
    assert typed()[0] == "No message waits."
    assert typed("--send")[0] == "0 delivered, 0 waiting."


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("repeat", "daily", "is not a duration"),
        ("escalate", "0m", "is not a duration"),
        ("hours", "office", "is no working hours: days and times within one day were expected"),
        ("hours", "Mon-Fri 18:00-08:00", "is no working hours"),
        ("timezone", "Mars/Olympus", "is no time zone; a name such as"),
    ],
)
def test_keys_of_a_route_that_cannot_be_used_are_a_sentence(tmp_path, key, value, sentence):
    (tmp_path / "synthprobe.toml").write_text(f"{ROUTE}{key} = {json.dumps(value)}\n")
    with pytest.raises(ConfigurationError, match=rf"synthprobe.toml:6 has alerts.routes 1.{key}.*{sentence}"):
        read_config(tmp_path, {})
