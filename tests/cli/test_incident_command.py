"""`synthprobe incident` keeps who has it and how it ended, by role."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from synthprobe.history.store import History
from synthprobe.model.incident import Incident

NOW = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)


@pytest.fixture
def incident(project):
    one = Incident(
        id="K7Q2",
        target="demo",
        kind="failing",
        state="open",
        fingerprint="v1:abc",
        signature="s",
        title="Sign in: log in: 503",
        opened_at=NOW,
        first_seen_at=NOW,
        last_seen_at=NOW,
        journeys=("sign-in",),
    )
    (project.root / ".synthprobe").mkdir()
    with History.open(project.root / ".synthprobe" / "history.db") as history:
        history.put_incident(one)
    return one


def synthprobe(project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synthprobe", "incident", *arguments]
    return subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=60, check=False)


def test_its_life_is_recorded_in_plain_words(project, incident):
    assert "K7Q2" in synthprobe(project, "list").stdout
    assert synthprobe(project, "ack", "K7Q2", "--by", "first-line").returncode == 0
    assert (
        synthprobe(project, "report-user", "K7Q2", "--by", "dispatch-desk", "--at", "2026-11-20T03:20").returncode == 0
    )
    done = synthprobe(
        project, "resolve", "K7Q2", "--by", "first-line", "--how", "runbook", "--note", "cleared the cache"
    )
    assert done.returncode == 0, done.stderr
    shown = synthprobe(project, "show", "K7Q2").stdout
    for line in (
        "first-line: took it",
        "a user reported it at 2026-11-20 03:20 UTC",
        "resolved it by runbook: cleared the",
    ):
        assert line in shown
    assert synthprobe(project, "list").stdout.strip() == "No incident is open."
    assert "resolved" in synthprobe(project, "list", "--all").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ack", "K7Q2", "--by", "Jane Doe"), "a role in small letters was expected"),
        (("ack", "K7Q2", "--by", "jane@example.org"), "Names of people are not kept"),
        (("ack", "NONE", "--by", "first-line"), "There is no incident 'NONE'. Open ones: K7Q2"),
        (("resolve", "K7Q2", "--by", "first-line", "--how", "magic"), "runbook, fix, engineer, itself"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(project, incident, arguments, says):
    done = synthprobe(project, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
