"""`synthprobe incident` keeps who has it and how it ended, by role."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from synthprobe.history.store import History
from synthprobe.records.incident import Incident, Observation
from synthprobe.triage.lifecycle import follow

NOW = (datetime.now(UTC) - timedelta(days=5)).replace(hour=3, minute=12, second=0, microsecond=0)
SAID = f"{NOW + timedelta(minutes=8):%Y-%m-%dT%H:%M}"


@pytest.fixture
def incident(project):
    open_incident = Incident(
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
        owner="dispatch-desk",
    )
    project.journeys(
        "import pytest\n\n\n@pytest.mark.journey(id='map', owner='records')\ndef test_map():\n    assert True\n"
    )
    (project.root / ".synthprobe").mkdir()
    with History.open(project.root / ".synthprobe" / "history.db") as history:
        history.put_incident(open_incident)
    return open_incident


def synthprobe(project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synthprobe", "incident", *arguments]
    return subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)


def test_square_brackets_are_text(project, incident, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    odd = replace(incident, id="K7Q3", title="Map: look [/here]: [bold]grey[/b] :sos:")
    with History.open(project.root / ".synthprobe" / "history.db") as history:
        history.put_incident(odd)
    listed = synthprobe(project, "list")
    assert odd.title in listed.stdout, listed.stderr
    noted = synthprobe(project, "note", "K7Q3", "--user", "--by", "first-line", "--text", "map [/b] grey")
    assert "map [/b] grey" in noted.stdout, noted.stderr


def test_its_life_is_recorded_in_plain_words(project, incident):
    assert "K7Q2" in synthprobe(project, "list").stdout
    assert synthprobe(project, "ack", "K7Q2", "--by", "first-line").returncode == 0
    assert synthprobe(project, "note", "K7Q2", "--by", "dispatch-desk", "--at", SAID).returncode == 0
    done = synthprobe(
        project, "resolve", "K7Q2", "--by", "first-line", "--how", "runbook", "--note", "cleared the cache"
    )
    assert done.returncode == 0, done.stderr
    shown = synthprobe(project, "show", "K7Q2").stdout
    for line in (
        "first-line: took it",
        f"a user reported it at {SAID.replace('T', ' ')} UTC",
        "resolved it by runbook: cleared the",
    ):
        assert line in shown
    assert synthprobe(project, "list").stdout.strip() == "No incident is open."
    with (project.root / "synthprobe.toml").open("a") as settings:  # as on a laptop that lacks the variable
        settings.write('[history]\nurl = "env:NOT_SET_HERE"\n')
    assert synthprobe(project, "list").stdout.strip().endswith("No incident is open, as far as is known here.")
    assert "resolved" in synthprobe(project, "list", "--all").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ack", "K7Q2", "--by", "Jane Doe"), "a role in small letters was expected"),
        (("ack", "K7Q2", "--by", "jane@example.org"), "Names of people are not kept"),
        (("ack", "NONE", "--by", "first-line"), "There is no incident 'NONE'. Open ones: K7Q2"),
        (("note", "--by", "first-line"), "exactly one of both was expected"),
        (("note", "K7Q2", "--by", "first-line", "--at", "2999-01-01T00:00"), "still to come"),
        (("note", "K7Q2", "--by", "first-line", "--at", "yesterday"), "a date and a time were expected"),
        (("note", "K7Q2", "--by", "first-line", "--at", SAID[:10]), "a time is missing; a date and a time"),
        (("note", "K7Q2", "--by", "first-line", "--at", "2020-01-01T00:00"), "at most 30 days back"),
        (("note", "--by", "first-line", "--journey", "mapp"), "no journey 'mapp'. Did you mean 'map'?"),
        (("note", "--by", "first-line", "--journey", "zzz"), "no journey 'zzz'. Known ones: map, sign-in."),
        (
            ("resolve", "K7Q2", "--how", "runbook", "--by", "banana"),
            "Known roles: dispatch-desk, engineer, first-line, monitoring, records, supervisor.",
        ),
        (("ack", "K7Q2", "--by", "banana"), "a role that is not known"),
        (("list", "--target", "nowhere"), "There is no target 'nowhere'"),
        (("resolve", "K7Q2", "--by", "first-line", "--how", "magic"), "runbook, fix, engineer, itself"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(project, incident, arguments, says):
    done = synthprobe(project, *arguments)
    assert done.returncode == 2
    assert says in done.stderr


def test_what_the_monitor_did_not_see_is_kept_and_no_clean_run_ends_it(project, incident):
    done = synthprobe(project, "note", "--journey", "map", "--at", SAID, "--by", "first-line", "--text", "grey")
    assert done.returncode == 0, done.stderr
    with History.open(project.root / ".synthprobe" / "history.db") as history:
        (unseen,) = [kept_incident for kept_incident in history.incidents("demo") if kept_incident.journeys == ("map",)]
    assert (unseen.occurrences, unseen.reported_at) == (0, NOW + timedelta(minutes=8))
    clean: list[Observation] = []
    for slot in range(20):
        at = NOW + timedelta(hours=1, minutes=5 * slot)
        now = Observation(run_id=f"r{slot}", slot=slot, at=at, target="demo", journey="map", outcome="passed")
        (unseen,) = follow([unseen], [now], {"map": clean}, at).incidents
        clean.append(now)
    assert unseen.state == "open"
    assert synthprobe(project, "resolve", unseen.id, "--by", "records", "--how", "engineer").returncode == 0
    assert "is over already" in synthprobe(project, "ack", unseen.id, "--by", "records").stderr


def test_what_the_monitor_closed_can_be_told_afterwards_and_ended_when_it_did(project, incident):
    with History.open(project.root / ".synthprobe" / "history.db") as history:
        closed = {"state": "resolved", "resolved_at": NOW, "resolved_how": "itself", "resolved_by": "synthprobe"}
        history.put_incident(replace(incident, **closed))
    assert synthprobe(project, "resolve", "K7Q2", "--by", "first-line", "--how", "runbook").returncode == 0
    with History.open(project.root / ".synthprobe" / "history.db") as history:
        kept = history.incident("K7Q2")
    assert (kept.resolved_how, kept.resolved_by, kept.resolved_at) == ("runbook", "first-line", NOW)


def test_two_people_of_one_role_are_told_apart_and_not_named(project, incident, monkeypatch):
    monkeypatch.setenv("SYNTHPROBE_WHO", "someone at the desk")
    assert synthprobe(project, "resolve", "K7Q2", "--by", "first-line", "--how", "engineer").returncode == 0
    with History.open(project.root / ".synthprobe" / "history.db") as history:
        kept = history.incident("K7Q2")
    assert len(kept.resolved_mark) == 12
    assert "someone" not in str(kept)


def test_while_the_shared_history_is_away_a_report_is_kept_here(project, incident):
    with (project.root / "synthprobe.toml").open("a") as settings:
        settings.write('[history]\nurl = "postgresql+psycopg://u:p@127.0.0.1:1/x"\n')
    done = synthprobe(project, "note", "--journey", "map", "--by", "first-line")
    assert done.returncode == 0, done.stderr
    shown = " ".join(synthprobe(project, "list").stdout.split())
    assert ["map: a user reported it" in shown, "K7Q2" in shown, "cannot be reached" in shown] == [True, True, True]


def test_without_any_history_nothing_is_recorded_and_nothing_is_called_well(project, incident):
    place = project.root / ".synthprobe" / "history.db"
    place.rename(place.with_name("aside.db"))
    place.mkdir()
    done = synthprobe(project, "note", "--journey", "map", "--by", "first-line")
    assert (done.returncode, "cannot be reached" in done.stderr) == (2, True), done.stdout
    listed = synthprobe(project, "list")
    assert (listed.returncode, "is not known" in listed.stderr, listed.stdout) == (2, True, "")
