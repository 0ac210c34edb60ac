"""Rate, breaker, lock and approvals of fixes live in the shared history, whatever machine, whatever is deleted."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from synthprobe.cli.fix import recorded_audit
from synthprobe.config import read_config
from synthprobe.errors import AuditError, FixRefused
from synthprobe.firstline import fixes
from synthprobe.firstline.applying import FixDesk
from synthprobe.firstline.audit import AuditEntry
from synthprobe.firstline.fixes import Plan, fix
from synthprobe.firstline.identity import Actor
from synthprobe.project import Project
from synthprobe.records.incident import Incident
from synthprobe.targets.target import Target

NOW = datetime.now(UTC)
ANNA, BEN = Actor("first-line", "desk 4"), Actor("supervisor", "desk 9")
INCIDENT = Incident(
    id="I-1", target="demo", kind="failing", state="open", fingerprint="v1:a", signature="s", title="t",
    opened_at=NOW, first_seen_at=NOW, last_seen_at=NOW, journeys=("j",),
)  # fmt: skip


@pytest.fixture
def machine(place, tmp_path):
    """Makes the desk of one machine; all share the history."""

    def make(name: str, **more) -> FixDesk:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        url = place if "://" in place else f"sqlite:///{place}"
        (root / "synthprobe.toml").write_text(f'[history]\nurl = "{url}"\n')
        desk = FixDesk(
            config=read_config(root).fixes,
            target=Target(name="demo", base_url="http://127.0.0.1:9"),
            folder=root / ".synthprobe",
            audit=recorded_audit(Project.at(root)),
            rerun=lambda journeys: dict.fromkeys(journeys, "passed"),
            record=lambda *_: None,
            secret=lambda name: None,
            environ={},
            now=lambda: NOW,
        )
        return replace(desk, **more)

    return make


def mend(apply=lambda: "Mended.", **options):
    fixes._registered.clear()
    declared = {"roles": ("first-line",), "writes": (), "irreversible": "it is a test", **options}

    @fix("mend", title="Mend it", **declared)
    def mending(work):
        return Plan(seen="It is broken.", steps=("mend it",), touches=("it",))

    mending.applies(lambda work: apply())
    mending.checks(lambda work: "Seen mended.")
    return mending


def test_what_one_machine_did_counts_on_the_other(machine, tmp_path):
    mending, here, there = mend(), machine("here"), machine("there")
    for desk in (here, there):
        assert desk.apply(mending, INCIDENT, ANNA, really=True).ok
    for desk in (here, there, machine("new")):
        with pytest.raises(FixRefused, match="applied 2 times in the last hour"):
            desk.apply(mending, INCIDENT, ANNA, really=True)


def test_failures_on_two_machines_stop_it_everywhere(machine):
    red = {"rerun": lambda journeys: dict.fromkeys(journeys, "failed")}
    mending = mend(per_hour=9)
    for name in ("here", "there"):
        assert not machine(name, **red).apply(mending, INCIDENT, ANNA, really=True).ok
    with pytest.raises(FixRefused, match="failed 2 times in a row"):
        machine("here").apply(mending, INCIDENT, ANNA, really=True)


def test_two_machines_do_not_apply_at_once_and_one_that_died_does_not_bar_for_ever(machine):
    began, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        assert go_on.wait(30)
        return "Mended."

    mending, done = mend(slow, per_hour=9), []
    here = threading.Thread(target=lambda: done.append(machine("here").apply(mending, INCIDENT, ANNA, really=True)))
    here.start()
    assert began.wait(30)
    with pytest.raises(FixRefused, match="Another fix, mend, is being applied to 'demo'"):
        machine("there").apply(mending, INCIDENT, ANNA, really=True)
    go_on.set()
    here.join(30)
    assert done[0].ok
    there = machine("there")
    began_there = AuditEntry(
        at=NOW, event="applying", fix="mend", target="demo", incident="I-1", role="first-line", who=ANNA.mark
    )
    there.audit.append(began_there)  # and its machine is gone
    with pytest.raises(FixRefused, match="keeps others away for 15 min"):
        machine("here").apply(mending, INCIDENT, ANNA, really=True)
    later = NOW + timedelta(minutes=15)
    assert machine("here", now=lambda: later).apply(mending, INCIDENT, ANNA, really=True).changed


def test_what_is_approved_on_another_machine_is_approved(machine):
    mending = mend(approval=True)
    request = machine("here").apply(mending, INCIDENT, ANNA, really=True).request
    with pytest.raises(FixRefused, match="asked for this fix yourself"):
        machine("there").approve(request, Actor("supervisor", ANNA.who))
    machine("there").approve(request, BEN)
    assert machine("here").apply(mending, INCIDENT, ANNA, really=True).ok
    assert not machine("there").apply(mending, INCIDENT, ANNA, really=True).changed, (
        "an approval is used once, anywhere"
    )


def test_deleting_the_audit_is_noticed_and_resets_nothing(machine, tmp_path):
    mending = mend()
    for _ in range(2):
        machine("here").apply(mending, INCIDENT, ANNA, really=True)
    shutil.rmtree(tmp_path / "here" / ".synthprobe")
    with pytest.raises(AuditError, match="the shared history knows 4 lines"):
        machine("here").apply(mending, INCIDENT, ANNA, really=True)
    desk = machine("here")
    desk.audit.begin(
        AuditEntry(at=NOW, event="begun", fix="", target="", incident="", role="engineer", who=BEN.mark, text="deleted")
    )
    for desk in (machine("here"), machine("there")):
        with pytest.raises(FixRefused, match="applied 2 times in the last hour"):
            desk.apply(mending, INCIDENT, ANNA, really=True)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_without_the_history_nothing_is_changed(machine, place):
    mended = []
    mending = mend(lambda: mended.append(1) or "Mended.")
    machine("here").apply(mending, INCIDENT, ANNA)
    for path in Path(place).parent.glob("history.db*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    Path(place).mkdir()
    assert "Dry run" in machine("here").apply(mending, INCIDENT, ANNA).text
    with pytest.raises(FixRefused, match="not known what was applied elsewhere, so nothing was changed"):
        machine("here").apply(mending, INCIDENT, ANNA, really=True)
    assert mended == []
