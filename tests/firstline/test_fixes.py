"""Fixes keep the rules of safety, and end real faults of the dispatch centre through its own API."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
import requests
from filelock import FileLock
from msgspec import Meta

from synthprobe.errors import AuditError, ConfigurationError, FixRefused
from synthprobe.evidence.redaction import Redactor
from synthprobe.firstline import fixes
from synthprobe.firstline.applying import FixDesk
from synthprobe.firstline.audit import AuditEntry, RecordedAudit
from synthprobe.firstline.fixes import Guard, Plan, fix, load_fixes
from synthprobe.firstline.identity import Actor
from synthprobe.firstline.policy import FixesConfig
from synthprobe.firstline.runbooks import read_runbooks
from synthprobe.history.store import History
from synthprobe.records.incident import Incident, IncidentEvent
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target
from synthprobe_demo.faults import NAMES

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
ANNA, BEN = Actor("first-line", "desk 4"), Actor("supervisor", "desk 9")
PASSWORDS = {
    name: (ROOT / "journeys" / "dispatch" / "accounts" / name).read_text().strip()
    for name in ("supervisor", "admin", "dispatcher1")
}


class World:
    """A target that is broken until it is mended."""

    def __init__(self) -> None:
        self.broken, self.mended, self.undone, self.helps = True, 0, 0, True


@pytest.fixture
def world() -> World:
    fixes._registered.clear()
    return World()


@pytest.fixture
def mend(world):
    def make(**options):
        fixes._registered.clear()
        undo = not options.get("irreversible")

        @fix("mend", title="Mend it", **{"roles": ("first-line",), "writes": (), "per_hour": 9, **options})
        def one(work):
            return Plan(seen="It is broken.", steps=("mend it",), touches=("it",)) if world.broken else None

        @one.applies
        def _(work):
            world.mended += 1
            world.broken = not world.helps
            return "Mended."

        @one.checks
        def _(work):
            assert not world.broken, "it is still broken"
            return "Seen mended."

        if undo:

            @one.undoes
            def _(work):
                world.undone += 1
                return "Taken back."

        return one

    return make


@pytest.fixture
def incident() -> Incident:
    return Incident(
        id="I-1", target="demo", kind="failing", state="open", fingerprint="v1:a", signature="s", title="t",
        opened_at=NOW, first_seen_at=NOW, last_seen_at=NOW, journeys=("j",),
    )  # fmt: skip


def recorded(folder: Path, **more: object) -> RecordedAudit:
    return RecordedAudit(lambda: History.open(folder / "history.db"), folder, **more)


def rewritten(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """The rows of the audit, changed by somebody who may do anything with the file."""
    with closing(sqlite3.connect(folder / "history.db", isolation_level=None)) as store:
        for act in ("update", "delete"):
            store.execute(f"DROP TRIGGER IF EXISTS audit_refuses_{act}")
        rows = change([body for (body,) in store.execute("SELECT body FROM audit ORDER BY no")])
        store.execute("DELETE FROM audit")
        store.executemany("INSERT INTO audit (body) VALUES (?)", [(row,) for row in rows])


@pytest.fixture
def desk(tmp_path, incident, world) -> FixDesk:
    def record(id: str, event: IncidentEvent) -> None:
        with (tmp_path / f"{id}.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")

    return FixDesk(
        config=FixesConfig(),
        target=Target(name="demo", base_url="http://127.0.0.1:9"),
        folder=tmp_path,
        audit=recorded(tmp_path),
        rerun=lambda journeys: dict.fromkeys(journeys, "failed" if world.broken else "passed"),
        record=record,
        secret=lambda name: Secret(PASSWORDS[name], name),
        redactor=Redactor(),
        environ={},
        now=lambda: NOW,
    )


@pytest.fixture
def counting():
    """A target that answers 200 to everything, and says what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_DELETE(self):
            server.seen.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen, server.url = [], f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def events(desk: FixDesk) -> list[str]:
    return [entry.event for entry in desk.audit.entries()]


def again(world: World) -> None:
    world.broken = True


def test_01_dry_run_by_default(desk, mend, incident, world):
    done = desk.apply(mend(), incident, ANNA)
    assert (done.changed, world.mended, events(desk)) == (False, 0, ["planned"])
    assert "nothing was changed" in done.text


def test_02_precondition_is_observed_now(desk, mend, incident, world):
    one = mend()
    assert desk.plan(one, incident) is not None
    world.broken = False
    assert not desk.apply(one, incident, ANNA, really=True).changed
    assert world.mended == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"last_seen_at": NOW - timedelta(minutes=16)}, "16 min ago; at most 15"),
        ({"state": "resolved"}, "is resolved"),
        ({"target": "production"}, "is of target 'production'"),
    ],
)
def test_03_stale_evidence_is_refused(desk, mend, incident, world, change, sentence):
    with pytest.raises(FixRefused, match=sentence):
        desk.apply(mend(), msgspec.structs.replace(incident, **change), ANNA, really=True)
    assert (world.mended, events(desk)) == (0, ["refused"])


def test_04_idempotent(desk, mend, incident, world):
    one = mend()
    assert desk.apply(one, incident, ANNA, really=True).changed
    assert not desk.apply(one, incident, ANNA, really=True).changed
    assert world.mended == 1


def test_05_blast_radius(desk, mend, incident, world):
    one = mend()
    one.plan = lambda work: Plan(seen="Much.", steps=("all",), touches=("a", "b"))
    with pytest.raises(FixRefused, match="would change 2 objects; at most 1"):
        desk.apply(one, incident, ANNA, really=True)
    assert world.mended == 0


def test_06_rate_limit_outlives_the_process_and_fails_closed(desk, mend, incident, world, tmp_path):
    one = mend(per_hour=1)
    desk.apply(one, incident, ANNA, really=True)
    again(world)
    fresh = replace(desk, audit=recorded(tmp_path))
    with pytest.raises(FixRefused, match="1 times in the last hour; at most 1"):
        fresh.apply(one, incident, ANNA, really=True)
    rewritten(tmp_path, lambda rows: ["{}", *rows])
    with pytest.raises(AuditError, match="Line 1"):
        fresh.apply(one, incident, ANNA, really=True)
    assert world.mended == 1


def test_06_an_apply_that_failed_counts_as_well(desk, mend, incident, world):
    one, world.helps = mend(per_hour=1), False
    assert not desk.apply(one, incident, ANNA, really=True).ok
    with pytest.raises(FixRefused, match="1 times in the last hour"):
        desk.apply(one, incident, ANNA, really=True)
    assert world.mended == 1


def test_07_an_apply_that_never_ended_counts_as_failed(desk, mend, incident, world):
    for hours in (3, 2):
        desk.audit.append(
            AuditEntry(
                at=NOW - timedelta(hours=hours), event="applying", fix="mend", target="demo", incident="I-1",
                role="first-line", who="killed",
            )
        )  # fmt: skip
    with pytest.raises(FixRefused, match="failed 2 times in a row"):
        desk.apply(mend(), incident, ANNA, really=True)
    assert world.mended == 0


def test_07_circuit_breaker(desk, mend, incident, world):
    one, world.helps = mend(), False
    for _ in range(2):
        assert not desk.apply(one, incident, ANNA, really=True).ok
    with pytest.raises(FixRefused, match="failed 2 times in a row"):
        desk.apply(one, incident, ANNA, really=True)
    assert world.mended == 2


@pytest.mark.parametrize("how", ["variable", "file"])
def test_07_kill_switch(desk, mend, incident, world, tmp_path, how):
    if how == "file":
        (tmp_path / "fixes-off").touch()
    else:
        desk = replace(desk, environ={"SYNTHPROBE_FIXES_OFF": "1"})
    with pytest.raises(FixRefused, match="switched off"):
        desk.apply(mend(), incident, ANNA, really=True)
    assert world.mended == 0


def test_08_one_at_a_time(desk, mend, incident, world, tmp_path):
    with FileLock(tmp_path / "fixes-demo.lock"), pytest.raises(FixRefused, match="Another fix"):
        desk.apply(mend(), incident, ANNA, really=True)
    assert (world.mended, events(desk)) == (0, ["refused"])


def test_09_an_incident_without_journeys_proves_nothing(desk, mend, incident):
    done = desk.apply(mend(), msgspec.structs.replace(incident, journeys=()), ANNA, really=True)
    assert not done.ok
    assert "the incident names none" in done.text


@pytest.mark.parametrize("outcomes", [{"j": "failed"}, {"j": "degraded"}, {"j": "unknown"}, {}])
def test_09_verified_by_running_the_journey_again(desk, mend, incident, outcomes):
    done = replace(desk, rerun=lambda journeys: outcomes).apply(mend(), incident, ANNA, really=True)
    assert not done.ok
    assert "do not all pass" in done.text


def test_09_verified_by_an_independent_read(desk, mend, incident, world):
    world.helps = False
    done = replace(desk, rerun=lambda journeys: {"j": "passed"}).apply(mend(), incident, ANNA, really=True)
    assert not done.ok
    assert "it is still broken" in done.text


def test_10_undone_when_it_did_not_help(desk, mend, incident, world):
    world.helps = False
    assert "It was undone" in desk.apply(mend(), incident, ANNA, really=True).text
    assert world.undone == 1


def test_10_an_undo_that_fails_is_said(desk, mend, incident, world):
    one, world.helps = mend(), False

    def jam(work):
        raise RuntimeError("it is jammed")

    one.undo = jam
    done = desk.apply(one, incident, ANNA, really=True)
    assert not done.ok
    assert "Undoing it failed as well: it is jammed Escalate at once." in done.text


def test_10_irreversible_is_said(desk, mend, incident, world):
    world.helps = False
    done = desk.apply(mend(irreversible="it is gone"), incident, ANNA, really=True)
    assert "cannot be undone: it is gone" in done.text


def test_10_a_fix_whose_plan_is_no_plan_is_refused_and_changes_nothing(desk, mend, incident, world):
    one = mend()
    one.plan = lambda work: "restart it"
    with pytest.raises(ConfigurationError, match=r"gave a str; a Plan was expected"):
        desk.apply(one, incident, ANNA, really=True)
    assert world.mended == 0


def without_a_key(work):
    return {}["state"]


def without_a_word(work):
    raise AssertionError


def without_touches(work):
    return Plan(seen="It is broken.", steps=("mend it",), touches=None)


def leaving(work):
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (without_a_key, "broke with KeyError: 'state'. It was test_fixes.py:"),
        (without_a_word, r"AssertionError without a message. It was test_fixes.py:\d+: raise AssertionError"),
        (without_touches, r"one that cannot be used \(Expected `array`, got `null`"),
        (leaving, r"ended itself with sys.exit\(0\)"),
    ],
)
@pytest.mark.parametrize("how", ["plan", "dry", "really"])
def test_10_a_plan_that_fails_is_a_sentence_and_a_line_of_the_audit(desk, mend, incident, world, plan, sentence, how):
    one = mend()
    one.plan = plan
    with pytest.raises((FixRefused, ConfigurationError), match=sentence):
        desk.plan(one, incident) if how == "plan" else desk.apply(one, incident, ANNA, really=how == "really")
    assert (world.mended, events(desk)) == (0, ["refused"])


@pytest.mark.parametrize("part", ["apply", "check"])
def test_10_a_part_that_ends_the_program_is_a_fix_that_failed(desk, mend, incident, world, part):
    one = mend()
    setattr(one, part, leaving)
    done = desk.apply(one, incident, ANNA, really=True)
    assert not done.ok
    assert "ended itself with sys.exit(0)" in done.text
    assert (world.undone, events(desk)) == (1, ["applying", "failed"])


def test_10_a_check_that_fails_without_a_message_is_known_by_its_line(desk, mend, incident):
    one = mend(irreversible="it is gone")
    one.check = without_a_word
    done = desk.apply(one, incident, ANNA, really=True)
    assert "AssertionError without a message. It was test_fixes.py:" in done.text
    assert ": raise AssertionError." in done.text


@pytest.mark.parametrize("code", [0, 3])
def test_10_a_file_that_ends_the_program_is_refused(tmp_path, code):
    (tmp_path / "odd.py").write_text(f"import sys\nsys.exit({code})\n")
    with pytest.raises(ConfigurationError, match=rf"odd.py cannot be loaded: SystemExit: {code}"):
        load_fixes(tmp_path, FixesConfig().roles)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ('roles=("wizard",)', "names the role 'wizard', which is not known. Known roles: engineer, first-line"),
        ("roles=()", "names no role that may apply it"),
        ('roles="first-line"', "roles: Expected `array`, got `str`"),
        ("within=-1", "within: Expected `float` > 0"),
        ("per_hour=0", "per_hour: Expected `int` >= 1"),
        ('most_touched="many"', "most_touched: Expected `int`, got `str`"),
        ('writes=("/x",)', "writes: Expected `str` matching regex"),
        ('title=""', "title: Expected `str` matching regex"),
    ],
)
def test_11_what_a_fix_declares_is_looked_at_when_it_is_loaded(tmp_path, options, sentence):
    (tmp_path / "odd.py").write_text(
        "from synthprobe import fix\n"
        f"kept = dict(title='t', roles=('first-line',), writes=(), irreversible='x') | dict({options})\n"
        "@fix('odd', **kept)\ndef odd(work):\n    return None\n"
        "@odd.applies\ndef _(work):\n    return ''\n@odd.checks\ndef _(work):\n    return ''\n"
    )
    with pytest.raises(ConfigurationError, match=sentence):
        load_fixes(tmp_path, FixesConfig().roles)


@pytest.mark.parametrize("part", ["apply", "check", "undo", "irreversible"])
def test_10_a_fix_that_misses_a_part_is_refused(desk, mend, incident, part):
    one = mend()
    setattr(one, part, "yes" if part == "irreversible" else None)
    with pytest.raises(ConfigurationError, match="The fix mend"):
        desk.plan(one, incident)


@pytest.mark.parametrize(
    ("actor", "sentence"),
    [
        (Actor("stranger", "x"), "There is no role"),
        (BEN, "may not apply fixes"),
        (Actor("engineer", "x"), "may not apply mend"),
    ],
)
def test_11_roles(desk, mend, incident, world, actor, sentence):
    with pytest.raises(FixRefused, match=sentence):
        desk.apply(mend(), incident, actor, really=True)
    assert world.mended == 0


def test_12_approval_by_somebody_else(desk, mend, incident, world):
    one = mend(approval=True)
    asked = desk.apply(one, incident, ANNA, really=True)
    assert (asked.changed, world.mended) == (False, 0)
    assert "Roles that may: engineer, supervisor." in asked.text
    with pytest.raises(FixRefused, match="may not approve"):
        desk.approve(asked.request, ANNA)
    with pytest.raises(FixRefused, match="Somebody else must"):
        desk.approve(asked.request, Actor("supervisor", ANNA.who))
    assert events(desk) == ["requested", "refused", "refused"], "who tried to approve stands in the audit"
    desk.approve(asked.request, BEN)
    assert desk.apply(one, incident, ANNA, really=True).ok
    again(world)
    assert not desk.apply(one, incident, ANNA, really=True).changed, "an approval is used once"


def test_12_who_approved_does_not_apply(desk, mend, incident, world):
    one = mend(approval=True, roles=("first-line", "engineer"))
    desk.approve(desk.apply(one, incident, ANNA, really=True).request, Actor("engineer", "desk 9"))
    assert not desk.apply(one, incident, Actor("engineer", "desk 9"), really=True).changed
    assert world.mended == 0


@pytest.mark.parametrize("other", ["plan", "input", "target", "incident"])
def test_12_what_is_approved_is_this_very_plan(desk, mend, incident, world, other):
    one = mend(approval=True)
    seen = {"touches": ("it",)}
    one.plan = lambda work, n="": Plan(seen="It is broken.", steps=("mend it",), touches=seen["touches"])
    one.inputs = {"n": (Annotated[str, Meta(pattern="^[a-z]*$", max_length=9)], "")}
    mended = one.apply
    one.apply, one.check, one.undo = (
        lambda work, n="", part=part: part(work) for part in (mended, one.check, one.undo)
    )
    desk.approve(desk.apply(one, incident, ANNA, really=True).request, BEN)
    inputs = {"n": "x"} if other == "input" else {}
    if other == "plan":
        seen["touches"] = ("something else",)
    if other == "target":
        desk = replace(desk, target=msgspec.structs.replace(desk.target, base_url="http://127.0.0.2:9"))
    if other == "incident":
        incident = msgspec.structs.replace(incident, id="I-2")
    asked = desk.apply(one, incident, ANNA, inputs, really=True)
    assert asked.request, "another plan asks anew"
    assert (other == "plan") == ("Refused: what was approved is another plan." in asked.text)
    assert world.mended == 0


def test_12_what_grew_since_it_was_planned_is_not_changed(desk, incident, world, counting):
    """A fix that looks once more, and finds more than was planned and approved, changes as many as were approved."""

    @fix("sweep", title="Sweep", roles=("first-line",), writes=("DELETE /old/*",), approval=True, most_touched=9,
         irreversible="what is old is gone")  # fmt: skip
    def one(work):
        return Plan(seen="Two are old.", steps=("remove both",), touches=("1", "2"))

    @one.applies
    def _(work):
        for number in range(9):
            work.api.delete(f"/old/{number}")
        return "Removed."

    one.checks(lambda work: "Gone.")
    desk = replace(desk, target=msgspec.structs.replace(desk.target, base_url=counting.url))
    desk.approve(desk.apply(one, incident, ANNA, really=True).request, BEN)
    done = desk.apply(one, incident, ANNA, really=True)
    assert not done.ok
    assert "DELETE /old/2, which is more than was planned: what it changes grew since" in done.text
    assert counting.seen == ["DELETE /old/0", "DELETE /old/1"]


def test_12_approval_ends(desk, mend, incident, world):
    one = mend(approval=True)
    desk.approve(desk.apply(one, incident, ANNA, really=True).request, BEN)
    later = NOW + timedelta(minutes=31)
    fresh = msgspec.structs.replace(incident, last_seen_at=later)
    assert not replace(desk, now=lambda: later).apply(one, fresh, ANNA, really=True).changed
    assert world.mended == 0


def test_13_inputs_are_typed_and_bounded(world):
    @fix("aim", title="t", roles=(), writes=())
    def one(
        work, n: Annotated[int, Meta(ge=0, le=9)], who: Annotated[str, Meta(pattern="^[a-z]+$", max_length=5)] = "a"
    ):
        return None

    assert one.read_inputs({"n": "3"}) == {"n": 3, "who": "a"}
    for bad in (
        {"n": "10"},
        {"n": "x"},
        {"n": "1", "who": "a;b"},
        {"n": "1", "who": "toolong"},
        {},
        {"n": "1", "z": "1"},
    ):
        with pytest.raises(FixRefused):
            one.read_inputs(bad)
    with pytest.raises(ConfigurationError, match="has no bounds"):

        @fix("wide", title="t", roles=(), writes=())
        def two(work, anything: str):
            return None


def test_14_time_is_bounded(desk, mend, incident):
    one, end = mend(within=0.2), threading.Event()
    one.apply = lambda work: str(end.wait(20))
    done = desk.apply(one, incident, ANNA, really=True)
    end.set()
    assert not done.ok
    assert "did not end within 0.2 s" in done.text


def test_14_what_was_given_up_or_is_over_sends_nothing_more(desk, mend, incident):
    one, kept = mend(), []
    one.check = lambda work: kept.append(work.api) or "Seen mended."
    desk.apply(one, incident, ANNA, really=True)
    with pytest.raises(FixRefused, match="after its time"):
        kept[0].get("/late")
    late = Guard(kept[0]._api, always=(), writes=(), within_s=0, most=9)
    with pytest.raises(FixRefused, match="after its time"):
        late.get("/late")


def test_14_requests_are_counted(desk, mend, incident):
    one = mend(most_requests=0)
    one.apply = lambda work: str(work.api.get("/one-too-many"))
    assert "its number of requests was used up" in desk.apply(one, incident, ANNA, really=True).text


def test_14_a_redirect_is_not_followed(desk, mend, incident):
    asked = []

    class Redirects(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", "/undeclared")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirects) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        one = mend(writes=("POST /declared",))
        one.apply = lambda work: str(work.api.post("/declared").status)
        target = msgspec.structs.replace(desk.target, base_url=f"http://127.0.0.1:{server.server_port}")
        done = replace(desk, target=target, rerun=lambda journeys: {"j": "failed"}).apply(
            one, incident, ANNA, really=True
        )
        server.shutdown()
    assert asked == ["/declared"], done.text


def test_14_output_is_bounded(desk, mend, incident):
    one = mend()
    one.apply = lambda work: "x" * 100_000
    desk.apply(one, incident, ANNA, really=True)
    assert max(len(entry.text) for entry in desk.audit.entries()) <= 2000


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("/api/x", "did not declare"), ("http://elsewhere/", "a path of the target"), ("/a/../b", "a path of the target")],
)
def test_14_only_declared_requests_are_sent(desk, mend, incident, path, sentence):
    one = mend()
    one.apply = lambda work: work.api.post(path)
    assert sentence in desk.apply(one, incident, ANNA, really=True).text


def test_14_a_plan_only_reads(desk, mend, incident):
    one = mend(writes=("POST /x",))
    one.plan = lambda work: work.api.post("/x")
    with pytest.raises(FixRefused, match="Those only read"):
        desk.plan(one, incident)


def chained(desk, mend, incident, world) -> None:
    one = mend()
    for _ in range(2):
        again(world)
        desk.apply(one, incident, ANNA, really=True)


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
    one = mend()
    one.apply = lambda work: f"used {work.secret('supervisor').reveal()}"
    desk.apply(one, incident, ANNA, really=True)
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
    one = mend()
    with pytest.raises(FixRefused, match="does not let mend"):
        desk.apply(one, incident, ANNA, really=True, automatic=True)
    desk = replace(desk, target=msgspec.structs.replace(desk.target, automatic_fixes=("mend",)))
    for clean in range(5):
        with pytest.raises(FixRefused, match=f"had {clean} clean applies"):
            desk.apply(one, incident, ANNA, really=True, automatic=True)
        desk.apply(one, incident, ANNA, really=True)
        again(world)
    assert desk.apply(one, incident, ANNA, really=True, automatic=True).ok


MENDED_BY = {
    "search_cached": ("restore-setting", {}),
    "recommend_flag_off": ("restore-setting", {}),
    "role_read_only": ("restore-role-grants", {}),
    "avl_feed_stopped": ("restart-avl-feed", {}),
    "stream_silent": ("restart-live-updates", {}),
    "one_node_bad": ("restart-server", {}),
    "hazard_missing": ("reload-hazards", {}),
    "password_expired": ("unlock-account", {}),
    "notify_worker_dead": ("restart-notify-worker", {}),
    "saved_filter_hides": ("show-all-incidents", {}),
    "geocode_wrong_town": ("reload-addresses", {}),
    "role_no_grants": ("restore-role-grants", {}),
}


def test_the_runbook_of_a_fault_names_the_fix_that_ends_it():
    named = {one.drill: one.fix for one in read_runbooks(ROOT / "runbooks", ROOT).runbooks if one.fix}
    assert {fault: named.get(fault) for fault in MENDED_BY} == {fault: fix for fault, (fix, _) in MENDED_BY.items()}


def at(desk: FixDesk, centre) -> FixDesk:
    return replace(
        desk,
        target=Target(name="demo", base_url=centre.url),
        rerun=lambda journeys: dict.fromkeys(journeys, "passed"),
    )


@pytest.mark.parametrize("fault", [name for name in MENDED_BY if name in NAMES])
def test_a_fault_of_the_centre_ends(desk, incident, centre, fault):
    one, inputs = load_fixes(ROOT / "fixes", FixesConfig().roles)[MENDED_BY[fault][0]], MENDED_BY[fault][1]
    desk = at(desk, centre)
    assert desk.plan(one, incident, inputs) is None, "nothing is wrong yet"
    centre.fault(fault)
    asked = desk.apply(one, incident, ANNA, inputs, really=True)
    if asked.request:
        desk.approve(asked.request, BEN)
        asked = desk.apply(one, incident, ANNA, inputs, really=True)
    assert asked.ok, asked.text
    assert desk.plan(one, incident, inputs) is None


def test_orphaned_incidents_are_removed_and_real_ones_stay(desk, incident, centre):
    def board() -> dict[str, int]:
        rows = requests.get(f"{centre.url}/api/incidents", headers=header, timeout=5).json()["incidents"]
        return {row["number"]: row["synthetic"] for row in rows}

    login = {"username": "dispatcher1", "password": PASSWORDS["dispatcher1"]}
    token = requests.post(f"{centre.url}/api/login", json=login, timeout=5).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    real = {number for number, synthetic in board().items() if not synthetic}
    body = {"address": "1 Probe Lane", "client_token": "orphan-1", "synthetic": True}
    requests.post(f"{centre.url}/api/incidents", json=body, headers=header, timeout=5).raise_for_status()
    one = load_fixes(ROOT / "fixes", FixesConfig().roles)["remove-orphaned-incidents"]
    assert at(desk, centre).apply(one, incident, ANNA, {"minutes": "0"}, really=True).ok
    assert set(board()) == real


@pytest.mark.parametrize(
    ("fix", "inputs", "sentence"),
    [
        (
            "unlock-account",
            {"user": "dispatcher"},
            "There is no account 'dispatcher'; perhaps dispatcher. or dispatcher. was meant",
        ),
        ("log-off-stranger", {"unit": "SYN-99"}, "404"),
    ],
)
def test_what_does_not_exist_is_not_as_it_should_be(desk, incident, centre, fix, inputs, sentence):
    one = load_fixes(ROOT / "fixes", FixesConfig().roles)[fix]
    with pytest.raises(FixRefused, match=sentence):
        at(desk, centre).plan(one, incident, inputs)


def test_where_no_import_helps_nothing_is_as_it_should_be(desk, incident, centre):
    centre.fault("geocode_null_island")
    one = load_fixes(ROOT / "fixes", FixesConfig().roles)["reload-addresses"]
    with pytest.raises(FixRefused, match="look-up of addresses is down"):
        at(desk, centre).plan(one, incident)


def test_only_administrators_operate(centre):
    login = {"username": "dispatcher1", "password": PASSWORDS["dispatcher1"]}
    token = requests.post(f"{centre.url}/api/login", json=login, timeout=5).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    assert requests.post(f"{centre.url}/api/admin/settings", json={}, headers=header, timeout=5).status_code == 403
