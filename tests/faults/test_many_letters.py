"""An outbox that holds many messages: what concerns nobody now is not read, and only so many are kept."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from first_schema import make_first_schema
from msgspec.structs import replace

from synthprobe.alerts import sending
from synthprobe.alerts.channels import Sent
from synthprobe.alerts.message import Background, Occasion, write
from synthprobe.alerts.outbox import Letter, Outbox, put_letter
from synthprobe.alerts.routes import AlertRoute, AlertsConfig
from synthprobe.history import database
from synthprobe.records.history import MOST_LETTERS
from synthprobe.records.incident import Incident

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
ROUTES = AlertsConfig(routes=(AlertRoute(name="all", to=("env:PAGER",)),))


def incident(number):
    return Incident(
        id=f"I-{number}", target="production", kind="failing", state="open", signature="s",
        fingerprint=f"v1:{number:016}", title="The button Create does nothing", opened_at=NOW, first_seen_at=NOW,
        last_seen_at=NOW, journeys=(f"call-intake-{number}",), owner="dispatch-desk", severity="critical",
    )  # fmt: skip


def letter(number, **more):
    why = Occasion(route="all", reason="opened", urgency="page", after="", now=NOW)
    alert = write(incident(number), why, Background(), str)
    return Letter(alert=alert, **more)


def tell(outbox, *incidents, at=NOW):
    sent = []
    sending.decide(incidents, ROUTES, outbox, at)
    sending.deliver(outbox, ROUTES, lambda _, alert: sent.append(alert) or Sent(accepted=True), at)
    return [(alert.reason, *alert.incidents) for alert in sent]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "history.db"


def test_the_messages_of_other_incidents_are_not_read_f62(place):
    """However many there are; here nobody could read them."""
    with Outbox(place) as outbox:
        assert tell(outbox, incident(1)) == [("opened", "I-1")]
        for number in range(2, 20):
            put_letter(outbox.history, letter(number, done=NOW))
        with closing(sqlite3.connect(place)) as store, store:
            store.execute("UPDATE letters SET body = '{' WHERE body NOT LIKE '%I-1\"%'")
    later = NOW + timedelta(hours=2)
    with Outbox(place) as outbox:
        assert tell(outbox, incident(1), incident(30), at=later) == [("opened", "I-30"), ("repeat", "I-1")]
        same_trouble = replace(incident(40), fingerprint=incident(1).fingerprint, state="resolved", resolved_at=later)
        assert tell(outbox, same_trouble, at=later) == [("recovered", "I-40")]


def test_of_messages_that_ended_the_newest_are_kept_and_what_waits_for_a_month_is_not(place):
    with Outbox(place) as outbox:
        put_letter(outbox.history, letter(1))
        put_letter(outbox.history, letter(2, done=NOW))
        body = outbox.history.letters({"I-2"})[0]
        with closing(sqlite3.connect(place)) as store, store:
            many = ((f"l-{number}", number, int(NOW.timestamp() * 1000) + 1 + number) for number in range(MOST_LETTERS))
            store.executemany(f"INSERT INTO letters VALUES (?, ?, ?, '{body}')", many)
        assert outbox.history.prune(NOW + timedelta(days=1))["letters"] == 1
        assert (outbox.history.letters({"I-2"}), len(outbox.waiting())) == ([], 1)
        outbox.history.prune(NOW + timedelta(days=31))
        assert outbox.letters() == []
        with closing(sqlite3.connect(place)) as store:
            assert store.execute("SELECT count(*) FROM letter_topics").fetchone() == (0,)


def test_messages_of_an_older_history_are_found_by_their_incident(place):
    engine = database.make_engine(f"sqlite:///{place}")
    with engine.execution_options(write=True).begin() as connection:
        make_first_schema(connection)
        old = letter(1, done=NOW)
        row = (old.alert.id, 0, 0, msgspec.json.encode(old).decode())
        connection.exec_driver_sql("INSERT INTO letters VALUES (?, ?, ?, ?)", row)
    engine.dispose()
    with Outbox(place) as outbox:
        assert tell(outbox, incident(1), at=NOW + timedelta(hours=2)) == [("repeat", "I-1")]
