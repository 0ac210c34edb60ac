"""Who may apply a fix, and what is applied only once somebody else approved of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta
from test_fixes import ANNA, BEN, NOW, again, counting, desk, events, incident, mend, world

from synthprobe.errors import FixRefused
from synthprobe.firstline.fixes import Plan, fix
from synthprobe.firstline.identity import Actor

__all__ = ["counting", "desk", "incident", "mend", "world"]


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
    repair = mend(approval=True)
    asked = desk.apply(repair, incident, ANNA, really=True)
    assert (asked.changed, world.mended) == (False, 0)
    assert "Roles that may: engineer, supervisor." in asked.text
    with pytest.raises(FixRefused, match="may not approve"):
        desk.approve(asked.request, ANNA)
    with pytest.raises(FixRefused, match="Somebody else must"):
        desk.approve(asked.request, Actor("supervisor", ANNA.who))
    assert events(desk) == ["requested", "refused", "refused"], "who tried to approve stands in the audit"
    desk.approve(asked.request, BEN)
    assert desk.apply(repair, incident, ANNA, really=True).ok
    again(world)
    assert not desk.apply(repair, incident, ANNA, really=True).changed, "an approval is used once"


def test_12_who_approved_does_not_apply(desk, mend, incident, world):
    repair = mend(approval=True, roles=("first-line", "engineer"))
    desk.approve(desk.apply(repair, incident, ANNA, really=True).request, Actor("engineer", "desk 9"))
    assert not desk.apply(repair, incident, Actor("engineer", "desk 9"), really=True).changed
    assert world.mended == 0


@pytest.mark.parametrize("other", ["plan", "input", "target", "incident"])
def test_12_what_is_approved_is_this_very_plan(desk, mend, incident, world, other):
    repair = mend(approval=True)
    seen = {"touches": ("it",)}
    repair.plan = lambda work, n="": Plan(seen="It is broken.", steps=("mend it",), touches=seen["touches"])
    repair.inputs = {"n": (Annotated[str, Meta(pattern="^[a-z]*$", max_length=9)], "")}
    mended = repair.apply
    repair.apply, repair.check, repair.undo = (
        lambda work, n="", part=part: part(work) for part in (mended, repair.check, repair.undo)
    )
    desk.approve(desk.apply(repair, incident, ANNA, really=True).request, BEN)
    inputs = {"n": "x"} if other == "input" else {}
    if other == "plan":
        seen["touches"] = ("something else",)
    if other == "target":
        desk = replace(desk, target=msgspec.structs.replace(desk.target, base_url="http://127.0.0.2:9"))
    if other == "incident":
        incident = msgspec.structs.replace(incident, id="I-2")
    asked = desk.apply(repair, incident, ANNA, inputs, really=True)
    assert asked.request, "another plan asks anew"
    assert (other == "plan") == ("Refused: what was approved is another plan." in asked.text)
    assert world.mended == 0


def test_12_what_grew_since_it_was_planned_is_not_changed(desk, incident, world, counting):
    """A fix that looks once more, and finds more than was planned and approved, changes as many as were approved."""

    @fix("sweep", title="Sweep", roles=("first-line",), writes=("DELETE /old/*",), approval=True, most_touched=9,
         irreversible="what is old is gone")  # fmt: skip
    def sweep(work):
        return Plan(seen="Two are old.", steps=("remove both",), touches=("1", "2"))

    @sweep.applies
    def _(work):
        for number in range(9):
            work.api.delete(f"/old/{number}")
        return "Removed."

    sweep.checks(lambda work: "Gone.")
    desk = replace(desk, target=msgspec.structs.replace(desk.target, base_url=counting.url))
    desk.approve(desk.apply(sweep, incident, ANNA, really=True).request, BEN)
    done = desk.apply(sweep, incident, ANNA, really=True)
    assert not done.ok
    assert "DELETE /old/2, which is more than was planned: what it changes grew since" in done.text
    assert counting.seen == ["DELETE /old/0", "DELETE /old/1"]


def test_12_approval_ends(desk, mend, incident, world):
    repair = mend(approval=True)
    desk.approve(desk.apply(repair, incident, ANNA, really=True).request, BEN)
    later = NOW + timedelta(minutes=31)
    fresh = msgspec.structs.replace(incident, last_seen_at=later)
    assert not replace(desk, now=lambda: later).apply(repair, fresh, ANNA, really=True).changed
    assert world.mended == 0
