"""`synthprobe review`, on what the history and the outbox hold."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from recorded_runs import NOW, call
from typer.testing import CliRunner

from synthprobe.alerts.message import Alert
from synthprobe.alerts.outbox import Outbox
from synthprobe.cli.main import app
from synthprobe.errors import ConfigurationError
from synthprobe.history.store import History
from synthprobe.records.incident import Incident


@pytest.fixture
def month(root):
    (root / ".synthprobe").mkdir()
    outbox = Outbox(root / ".synthprobe" / "history.db")
    with History.open(root / ".synthprobe" / "history.db") as history:
        for n in range(12):
            at = NOW - timedelta(days=n, hours=1)
            history.put_incident(
                Incident(
                    id=f"I{n}", target="demo", kind="failing", state="resolved", fingerprint=f"v1:{n % 3}",
                    signature="", title="Sign in: 503", opened_at=at, first_seen_at=at, last_seen_at=at, resolved_at=at,
                    resolved_how="runbook" if n % 2 else "itself", resolved_by="first-line" if n % 2 else "synthprobe",
                )
            )  # fmt: skip
            for reason in ("opened", "recovered"):
                alert = Alert(id=f"{n}{reason}", route="all", reason=reason, urgency="page", incidents=(f"I{n}",),
                              title="t", body="b", at=at)  # fmt: skip
                outbox.put(alert)
                if n < 11:
                    outbox.delivered(alert.id, at)
    return root


def test_only_pages_that_reached_somebody_count_and_a_recovery_is_none(month):
    made = json.loads(call("review", "--only", "work", "--json"))["work"]
    known = {measure["id"]: measure for measure in made["measures"]["measures"]}
    assert (known["actionable"]["hits"], known["actionable"]["n"]) == (5, 11)
    assert (known["repeats"]["hits"], known["repeats"]["n"]) == (9, 12)
    assert known["first_line"]["few"]
    assert known["pages_per_shift"]["value"] == pytest.approx(11 / 90)


def test_the_table_speaks_in_sentences_and_the_page_is_made(month):
    output = call("review", "--only", "work")
    assert "12 incidents opened" in output
    assert "too few (6 of 6)" in output
    assert "9 of 12 incidents had been seen before" in output
    assert "0 % (0 of 12)" in output
    assert "0 of 12 incidents matched a runbook." in output
    assert "No route for alerts is configured" in output
    call("review", "--pages", "--only", "work")
    assert "too few (6 of 6)" in (month / ".synthprobe" / "site" / "ops" / "demo" / "index.html").read_text()


def test_nothing_recorded_is_neither_calm_nor_an_error(root):
    output = call("review", "--only", "work")
    assert "0 incidents opened. No incident is recorded in this window" in output
    assert output.count("not known") == 3


@pytest.mark.parametrize(("option", "says"), [("--zone", "a time zone"), ("--sleep", "HH:MM-HH:MM")])
def test_what_cannot_be_read_is_refused(root, option, says):
    with pytest.raises(ConfigurationError, match=says):
        raise CliRunner().invoke(app, ["review", option, "nonsense"]).exception
