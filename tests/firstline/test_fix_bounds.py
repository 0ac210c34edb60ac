"""A fix is bounded: its inputs, its time, its requests and its output."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta
from test_fixes import ANNA, desk, incident, mend, world

from synthprobe import loopback
from synthprobe.errors import ConfigurationError, FixRefused
from synthprobe.firstline.fixes import Guard, fix

__all__ = ["desk", "incident", "mend", "world"]


def test_13_inputs_are_typed_and_bounded(world):
    @fix("aim", title="t", roles=(), writes=())
    def aim(
        work, n: Annotated[int, Meta(ge=0, le=9)], who: Annotated[str, Meta(pattern="^[a-z]+$", max_length=5)] = "a"
    ):
        return None

    assert aim.read_inputs({"n": "3"}) == {"n": 3, "who": "a"}
    for bad in (
        {"n": "10"},
        {"n": "x"},
        {"n": "1", "who": "a;b"},
        {"n": "1", "who": "toolong"},
        {},
        {"n": "1", "z": "1"},
    ):
        with pytest.raises(FixRefused):
            aim.read_inputs(bad)
    with pytest.raises(ConfigurationError, match="has no bounds"):

        @fix("wide", title="t", roles=(), writes=())
        def two(work, anything: str):
            return None


def test_14_time_is_bounded(desk, mend, incident):
    repair, end = mend(within=0.2), threading.Event()
    repair.apply = lambda work: str(end.wait(20))
    done = desk.apply(repair, incident, ANNA, really=True)
    end.set()
    assert not done.ok
    assert "did not end within 0.2 s" in done.text


def test_14_what_was_given_up_or_is_over_sends_nothing_more(desk, mend, incident):
    repair, kept = mend(), []
    repair.check = lambda work: kept.append(work.api) or "Seen mended."
    desk.apply(repair, incident, ANNA, really=True)
    with pytest.raises(FixRefused, match="after its time"):
        kept[0].get("/late")
    late = Guard(kept[0]._api, always=(), writes=(), within_s=0, most=9)
    with pytest.raises(FixRefused, match="after its time"):
        late.get("/late")


def test_14_requests_are_counted(desk, mend, incident):
    repair = mend(most_requests=0)
    repair.apply = lambda work: str(work.api.get("/one-too-many"))
    assert "its number of requests was used up" in desk.apply(repair, incident, ANNA, really=True).text


def test_14_a_redirect_is_not_followed(desk, mend, incident):
    asked = []

    class Redirects(loopback.Handler):
        def do_POST(self):
            asked.append(self.path)
            self.answer(307, headers={"Location": "/undeclared"})

    with loopback.served(Redirects) as url:
        repair = mend(writes=("POST /declared",))
        repair.apply = lambda work: str(work.api.post("/declared").status)
        target = msgspec.structs.replace(desk.target, base_url=url)
        done = replace(desk, target=target, rerun=lambda journeys: {"j": "failed"}).apply(
            repair, incident, ANNA, really=True
        )
    assert asked == ["/declared"], done.text


def test_14_output_is_bounded(desk, mend, incident):
    repair = mend()
    repair.apply = lambda work: "x" * 100_000
    desk.apply(repair, incident, ANNA, really=True)
    assert max(len(entry.text) for entry in desk.audit.entries()) <= 2000


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("/api/x", "did not declare"), ("http://elsewhere/", "a path of the target"), ("/a/../b", "a path of the target")],
)
def test_14_only_declared_requests_are_sent(desk, mend, incident, path, sentence):
    repair = mend()
    repair.apply = lambda work: work.api.post(path)
    assert sentence in desk.apply(repair, incident, ANNA, really=True).text


def test_14_a_plan_only_reads(desk, mend, incident):
    repair = mend(writes=("POST /x",))
    repair.plan = lambda work: work.api.post("/x")
    with pytest.raises(FixRefused, match="Those only read"):
        desk.plan(repair, incident)
