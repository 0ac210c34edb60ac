"""An approval that must be signed: the key of a person, over this very plan, or it counts for nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from signing_keys import make_keys

from synthprobe.firstline import fixes
from synthprobe.firstline.applying import Done, FixDesk
from synthprobe.firstline.audit import AuditEntry, RecordedAudit
from synthprobe.firstline.fixes import Plan, fix
from synthprobe.firstline.identity import Actor, IdentityConfig, Signatures
from synthprobe.firstline.policy import FixesConfig
from synthprobe.history.store import History
from synthprobe.records.incident import Incident
from synthprobe.targets.target import Target

NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
ANNA, BEN = Actor("first-line", "account:anna"), Actor("supervisor", "ssh:ben@desk")
BROKEN = Incident(
    id="I-1", target="demo", kind="failing", state="open", fingerprint="v1:a", signature="s", title="t",
    opened_at=NOW, first_seen_at=NOW, last_seen_at=NOW, journeys=("j",),
)  # fmt: skip


@dataclass
class Place:
    """A target with objects that a fix removes, and a desk where approvals are signed."""

    desk: FixDesk
    fix: fixes.Fix
    left: list[str]

    def apply(self) -> Done:
        return self.desk.apply(self.fix, BROKEN, ANNA, really=True)

    def forged(self, **changes: object) -> None:
        """What somebody writes who may add to the audit, but has no key."""
        lines = [entry for entry in self.desk.audit.known() if entry.event in {"approved", "requested"}]
        asked = next((entry for entry in lines if entry.event == "approved"), lines[-1])
        until = datetime(2026, 11, 2, 3, 20, tzinfo=UTC)
        given = {"event": "approved", "who": BEN.mark, "role": "supervisor", "expires": until, **changes}
        self.desk.audit.append(replace(asked, **given))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, ("ben", "cleo"))
    return folder


@pytest.fixture
def place(tmp_path, keys):
    fixes._registered.clear()
    left = ["call 1", "call 2"]

    @fix(
        "sweep",
        title="Sweep",
        roles=("first-line",),
        writes=(),
        approval=True,
        irreversible="they are wrong",
        per_hour=9,
        most_touched=9,
    )
    def sweep(work):
        return Plan(seen="They are there.", steps=("remove them",), touches=tuple(left)) if left else None

    @sweep.applies
    def _(work):
        left.clear()
        return "Removed."

    @sweep.checks
    def _(work):
        assert not left
        return "Gone."

    desk = FixDesk(
        config=FixesConfig(),
        target=Target(base_url="http://127.0.0.1:9", name="demo"),
        folder=tmp_path,
        audit=RecordedAudit(lambda: History.open(tmp_path / "history.db"), tmp_path),
        rerun=lambda journeys: dict.fromkeys(journeys, "passed"),
        record=lambda *_: None,
        secret=lambda _: None,
        environ={},
        signatures=Signatures(IdentityConfig(approval="ssh", key="ben", signers="signers"), keys),
        now=lambda: NOW,
    )
    return Place(desk, sweep, left)


def test_a_signed_approval_counts_once_for_its_plan_and_its_objects(place):
    place.desk.approve(place.apply().request, BEN)
    (approved,) = [entry for entry in place.desk.audit.entries() if entry.event == "approved"]
    assert (approved.objects, len(approved.plan)) == (2, 64)
    assert approved.signature.startswith("-----BEGIN SSH SIGNATURE-----")
    place.left.append("call 3")
    grown = place.apply()
    assert "what was approved is another plan" in grown.text
    assert "Changes 3: call 1, call 2, call 3." in grown.text
    assert place.left == ["call 1", "call 2", "call 3"]
    place.left.pop()
    assert place.apply().changed
    place.left += ["call 1", "call 2"]
    place.forged(signature=approved.signature, at=approved.at, text=approved.text, expires=approved.expires)
    assert place.apply().request, "what is written once more is no second approval"


@pytest.mark.parametrize("how", ["unsigned", "another plan", "longer", "another person", "a stranger", "nonsense"])
def test_an_approval_that_nobody_signed_so_counts_for_nothing(place, keys, how):
    request = place.apply().request
    if how == "unsigned":
        place.forged(signature=UNSET)
    elif how == "nonsense":
        place.forged(signature="-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")
    elif how == "a stranger":
        place.desk.signatures = Signatures(IdentityConfig(key="stranger", signers="signers"), keys)
        place.desk.approve(request, BEN)
    elif how == "another person":
        place.desk.approve(request, Actor("supervisor", "ssh:cleo@desk"))
    else:
        place.desk.approve(request, BEN)
        signed = place.desk.audit.entries()[-1]
        place.desk.audit.append(replace(signed, event="applying", signature=UNSET))  # that one is used
        place.desk.audit.append(replace(signed, event="applied", clean=True, signature=UNSET))
        change = {"plan": "0" * 64} if how == "another plan" else {"expires": NOW.replace(hour=4)}
        place.forged(**{"signature": signed.signature, "text": signed.text, "at": signed.at, **change})
    assert place.apply().request == request
    assert place.left


def test_lines_of_earlier_versions_are_believed_as_they_were_written(tmp_path):
    audit = RecordedAudit(lambda: History.open(tmp_path / "history.db"), tmp_path)
    old = {"at": NOW, "fix": "f", "target": "demo", "incident": "I-1", "role": "first-line", "who": "a"}
    audit.append(AuditEntry(event="planned", **old))
    with closing(sqlite3.connect(tmp_path / "history.db")) as store:
        (body,) = store.execute("SELECT body FROM audit").fetchone()
    assert not {"plan", "objects", "signature"} & json.loads(body)["entry"].keys()
