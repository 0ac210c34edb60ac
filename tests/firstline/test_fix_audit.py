"""What was done is chained in the audit, masked, and said in plain language."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from filelock import FileLock
from test_fixes import ANNA, NOW, again, desk, events, incident, mend, recorded, rewritten, world

from synthprobe.errors import AuditError, ConfigurationError, FixRefused
from synthprobe.firstline.audit import AuditEntry
from synthprobe.firstline.policy import FixesConfig
from synthprobe.records.incident import IncidentEvent

__all__ = ["desk", "incident", "mend", "world"]


def chained(desk, mend, incident, world) -> None:
    repair = mend()
    for _ in range(2):
        again(world)
        desk.apply(repair, incident, ANNA, really=True)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda rows: [rows[0], rows[1].replace("Mended", "Melted"), *rows[2:]], 2),
        (lambda rows: [rows[0], *rows[2:]], 2),
        (lambda rows: [rows[1], rows[0], *rows[2:]], 1),
        (lambda rows: rows[:-1], 4),
        (lambda rows: [*rows[:-1], rows[-1][:-20]], 4),
        (lambda rows: [*rows[:2], "no JSON", *rows[2:]], 3),
        (lambda rows: [], 1),
        (lambda rows: [rows[0], rows[1].replace('"at":', '"extra":1,"at":', 1), *rows[2:]], 2),
        (lambda rows: [rows[0], rows[1].replace('"at":', '"at":"2026-01-01T00:00:00Z","at":', 1), *rows[2:]], 2),
    ],
    ids=["changed", "removed", "swapped", "end removed", "cut off", "foreign", "emptied", "unknown field", "twice"],
)
def test_15_audit_is_chained(desk, mend, incident, world, tmp_path, damage, line):
    chained(desk, mend, incident, world)
    assert len(desk.audit.entries()) == 4
    rewritten(tmp_path, damage)
    with pytest.raises(AuditError, match=f"Line {line} of the audit"):
        desk.audit.entries()


def test_15_who_deletes_the_history_resets_nothing(desk, mend, incident, world, tmp_path):
    chained(desk, mend, incident, world)
    for path in tmp_path.glob("history.db*"):
        path.unlink()
    again(world)
    with pytest.raises(AuditError, match="audit.json beside the history knows 4 lines and the hash of the last"):
        desk.apply(mend(), incident, ANNA, really=True)
    anew = AuditEntry(at=NOW, event="begun", fix="", target="", incident="", role="engineer", who="b", text="deleted")
    assert desk.audit.begin(anew).number == 1
    assert events(desk) == ["begun"]
    with pytest.raises(FixRefused, match="applied 2 times in the last hour"):
        desk.apply(mend(per_hour=2), incident, ANNA, really=True)
    assert world.mended == 2


def test_15_a_lock_that_is_held_a_history_that_is_none_or_a_copy_that_cannot_be_read_is_a_sentence(
    desk, mend, incident, world, tmp_path
):
    held = replace(desk, audit=recorded(tmp_path, wait_s=0.05))
    with FileLock(tmp_path / "audit.lock"), pytest.raises(AuditError, match=r"has held audit.lock for 0.05 s"):
        held.apply(mend(), incident, ANNA, really=True)
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state" / "audit.json").write_text("[{")
    with pytest.raises(AuditError, match=r"cannot be compared: .*audit.json cannot be read"):
        desk.apply(mend(), incident, ANNA, really=True)
    for path in tmp_path.glob("history.db*"):
        path.unlink()
    (tmp_path / "history.db").mkdir()
    with pytest.raises(AuditError, match="The history cannot be used as the audit"):
        desk.apply(mend(), incident, ANNA, really=True)
    assert world.mended == 0


def test_15_who_is_interrupted_leaves_a_line(desk, mend, incident):
    def interrupted(journeys):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(desk, rerun=interrupted).apply(mend(), incident, ANNA, really=True)
    assert events(desk) == ["applying", "failed"]


def test_16_freeze_window(desk, mend, incident, world):
    window = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M}+00:00/{NOW + timedelta(hours=1):%Y-%m-%dT%H:%M}+00:00"
    with pytest.raises(FixRefused, match="freeze window"):
        replace(desk, config=FixesConfig(freeze=(window,))).apply(mend(), incident, ANNA, really=True)
    with pytest.raises(ConfigurationError, match="START/END"):
        replace(desk, config=FixesConfig(freeze=("Christmas",))).apply(mend(), incident, ANNA, really=True)
    assert world.mended == 0


def test_17_secrets_are_masked(desk, mend, incident, tmp_path):
    repair = mend()
    repair.apply = lambda work: f"used {work.secret('supervisor').reveal()}"
    desk.apply(repair, incident, ANNA, really=True)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"watch-Harbor-9" not in written
    assert b"used [masked]" in written
    assert ANNA.who.encode() not in written


def test_18_plain_language_on_the_incident(desk, mend, incident, tmp_path):
    desk.apply(mend(), incident, ANNA, really=True)
    event = msgspec.json.decode((tmp_path / "I-1.jsonl").read_bytes(), type=IncidentEvent)
    assert event.text == (
        "It is broken. The role first-line applied 'Mend it'. Mended. Seen mended. Its journeys pass again."
    )


def test_automatic_only_when_allowed_and_earned(desk, mend, incident, world):
    repair = mend()
    with pytest.raises(FixRefused, match="does not let mend"):
        desk.apply(repair, incident, ANNA, really=True, automatic=True)
    desk = replace(desk, target=msgspec.structs.replace(desk.target, automatic_fixes=("mend",)))
    for clean in range(5):
        with pytest.raises(FixRefused, match=f"had {clean} clean applies"):
            desk.apply(repair, incident, ANNA, really=True, automatic=True)
        desk.apply(repair, incident, ANNA, really=True)
        again(world)
    assert desk.apply(repair, incident, ANNA, really=True, automatic=True).ok
