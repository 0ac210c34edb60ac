"""When an incident opens, what joins it, and when it ends."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from synthprobe.records.incident import Observation, Triage
from synthprobe.records.journey import Journey
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.lifecycle import describe, follow
from synthprobe.triage.shared_evidence import KEPT_OUT

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(minutes=5)


def seen(journey, slot, state, step="save", fault="x", evidence=()):
    """One observation: passed, failed, flaky, degraded, unknown or skipped."""
    bad = state not in {"passed", "skipped"}
    return Observation(
        run_id=f"r{slot}",
        slot=slot,
        at=START + slot * EVERY,
        target="t",
        journey=journey,
        outcome="passed" if state == "flaky" else state,
        intermittent=state == "flaky",
        fingerprint=f"v1:{journey}{step}{fault}" if bad else "",
        signature=f"v1:{fault}" if bad else "",
        step=step if bad else "",
        cause=f"{fault} went wrong" if bad else "",
        evidence=evidence,
    )


class Monitor:
    """Runs one after the other; what is open goes into the next one."""

    def __init__(self):
        self.all = {}
        self.history = {}
        self.slot = 0

    def run(self, *observations, removed=()):
        open_ones = [incident for incident in self.all.values() if incident.state != "resolved"]
        now = START + timedelta(minutes=5 * self.slot, seconds=30)
        changed = follow(open_ones, observations, self.history, now, removed=removed).incidents
        self.all |= {incident.id: incident for incident in changed}
        for observation in observations:
            self.history[observation.journey] = (*self.history.get(observation.journey, ()), observation)
        self.slot += 1
        return changed

    def walk(self, states, journey="a"):
        for state in states:
            self.run(seen(journey, self.slot, state))
        return list(self.all.values())


WORDS = {"p": "passed", "F": "failed", "f": "flaky", "d": "degraded", "u": "unknown", "s": "skipped"}


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ("pppp", []),
        ("F", ["failing open"]),
        ("FF", ["failing open"]),
        ("Fp", ["failing open"]),
        ("Fpp", ["failing resolved"]),
        ("FpFp", ["failing open"]),
        ("Fdd", ["failing resolved", "degraded open"]),
        ("Fuu", ["failing open", "monitor blind open"]),
        ("Fusup", ["failing open"]),
        ("Fpup", ["failing resolved"]),
        ("f", []),
        ("fpppppppppp", []),
        ("fppppppppppf", ["intermittent open"]),
        ("fpppppppppppf", []),
        ("ff", ["intermittent open"]),
        ("ffF", ["failing open"]),
        ("ff" + "p" * 11, ["intermittent open"]),
        ("ff" + "p" * 12, ["intermittent resolved"]),
        ("d", ["degraded open"]),
        ("dpp", ["degraded open"]),
        ("dppp", ["degraded resolved"]),
        ("u", []),
        ("uu", ["monitor blind open"]),
        ("upu", []),
        ("uup", ["monitor blind resolved"]),
        ("uuF", ["monitor blind resolved", "failing open"]),
        ("ssss", []),
    ],
)
def test_what_opens_and_what_closes(runs, expected):
    found = Monitor().walk([WORDS[letter] for letter in runs])
    assert [f"{incident.kind} {incident.state}" for incident in found] == expected


def test_what_comes_and_goes_is_one_incident_that_stays_open():
    monitor = Monitor()
    found = monitor.walk(["failed", "passed"] * 4 + ["passed"] * 4)
    assert [(incident.flapping, incident.state) for incident in found] == [(True, "open")]
    (ended_incident,) = monitor.walk(["passed"])
    assert ended_incident.state == "resolved"
    assert [event.text.split(";")[0] for event in ended_incident.events if "comes and goes" in event.text] == [
        "It comes and goes"
    ]


def test_what_another_cause_did_before_is_no_coming_and_going():
    monitor = Monitor()
    for fault in "xyz":
        monitor.run(seen("a", monitor.slot, "failed", step=fault, fault=fault))
        monitor.walk(["passed", "passed"])
    assert [(incident.flapping, incident.state) for incident in monitor.all.values()] == [(False, "resolved")] * 3


def test_one_cause_over_many_journeys_is_one_incident():
    monitor = Monitor()
    monitor.run(*(seen(name, 0, "failed") for name in "abc"))
    (incident,) = monitor.all.values()
    assert (incident.journeys, incident.occurrences) == (("a", "b", "c"), 1)
    monitor.run(*(seen(name, 1, "passed") for name in "abc"))
    monitor.run(seen("a", 2, "passed"), seen("b", 2, "passed"), seen("c", 2, "failed"))
    assert [incident.state for incident in monitor.all.values()] == ["open"]


def test_two_causes_are_two_incidents():
    monitor = Monitor()
    monitor.run(seen("a", 0, "failed", fault="x"), seen("b", 0, "failed", fault="y"))
    assert len(monitor.all) == 2


def test_other_words_at_the_same_step_are_the_same_incident():
    monitor = Monitor()
    monitor.run(seen("a", 0, "failed", fault="x"))
    monitor.run(seen("a", 1, "failed", fault="y"))
    (incident,) = monitor.all.values()
    assert incident.occurrences == 2
    assert "with other words" in incident.events[-1].text
    assert (incident.title, incident.cause) == ('a, "save": x went wrong', "y went wrong"), "as it opened, as it is now"
    for number, fault in enumerate("yxyy"):
        monitor.run(seen("a", 2 + number, "failed", fault=fault))
    (later,) = monitor.all.values()
    assert later.events == incident.events, "what was written once is not written at each run"
    monitor.run(seen("a", 6, "failed", fault="x"))
    (again,) = monitor.all.values()
    assert again.cause == "x went wrong"


def test_who_cannot_get_past_the_log_in_is_blocked_by_it():
    monitor = Monitor()
    monitor.run(
        seen("board", 0, "failed", step="log in", fault="x", evidence=(KEPT_OUT,)),
        seen("status", 0, "failed", step="Anmeldung", fault="y", evidence=(KEPT_OUT,)),
        seen("search", 0, "failed", step="run a person", fault="z"),
    )
    log_in = next(incident for incident in monitor.all.values() if incident.blocked)
    assert (log_in.journeys, log_in.blocked) == (("board",), ("status",))
    assert len(monitor.all) == 2
    for slot in (1, 2):
        monitor.run(seen("board", slot, "passed"), seen("status", slot, "failed", step="Anmeldung"))
    assert monitor.all[log_in.id].state == "open"  # somebody still cannot log in


def test_who_hangs_at_the_log_in_is_not_of_the_password_that_was_refused_there_before():
    refused, hangs = ("answered 401", KEPT_OUT), ("whatever is asked takes long", KEPT_OUT)
    monitor = Monitor()
    monitor.run(
        seen("log in", 0, "failed", step="log in", evidence=refused),
        seen("release", 0, "failed", step="log in", fault="y", evidence=(KEPT_OUT,)),
        seen("board", 0, "passed"),
    )
    monitor.run(
        *(seen(name, 1, "failed", step="log in", fault="z", evidence=hangs) for name in ("log in", "release", "board"))
    )
    assert next((found.journeys, found.blocked) for found in monitor.all.values()) == (("log in",), ("release",))
    assert len(monitor.all) == 2
    back = (seen("release", 2, "failed", step="log in", fault="y", evidence=(KEPT_OUT,)), seen("board", 2, "passed"))
    for slot in (2, 3):
        monitor.run(
            seen("log in", slot, "failed", step="log in", evidence=refused),
            *(msgspec.structs.replace(seen, slot=slot, run_id=f"r{slot}", at=START + slot * EVERY) for seen in back),
        )
    assert [found.state for found in monitor.all.values()] == ["open", "resolved"]


def test_an_incident_goes_on_without_a_journey_that_is_removed_and_without_all_is_not_seen_to_end():
    monitor = Monitor()
    monitor.run(
        seen("a", 0, "failed"), seen("b", 0, "failed"), seen("c", 0, "failed", fault="z"), seen("d", 0, "passed")
    )
    monitor.run(seen("b", 1, "passed"), seen("d", 1, "passed"), removed=("a", "c"))
    both, alone = monitor.all.values()
    assert (both.state, both.journeys, both.removed) == ("open", ("a", "b"), ("a",))
    assert (alone.state, alone.resolved_how, alone.removed) == ("resolved", None, ("c",))
    monitor.run(seen("b", 2, "passed"), seen("d", 2, "passed"))
    assert (monitor.all[both.id].state, monitor.all[both.id].resolved_how) == ("resolved", "itself")


def test_a_journey_under_another_name_goes_on_with_its_incident_and_one_that_comes_back_counts_again():
    monitor = Monitor()
    monitor.run(seen("a", 0, "failed"))
    monitor.run(seen("renamed", 1, "failed"), removed=("a",))
    (incident,) = monitor.all.values()
    assert (incident.state, incident.journeys) == ("open", ("a", "renamed"))
    monitor.run(seen("renamed", 2, "passed"), seen("a", 2, "failed"))
    monitor.run(seen("renamed", 3, "passed"), seen("a", 3, "failed"))
    assert [found.state for found in monitor.all.values()] == ["open"]
    monitor.run(seen("renamed", 4, "passed"), removed=("a",))
    (incident,) = monitor.all.values()
    assert (incident.state, incident.removed) == ("resolved", ("a",))


def test_a_run_that_comes_twice_or_late_changes_nothing():
    monitor = Monitor()
    monitor.walk(["failed", "failed"])
    (before,) = monitor.all.values()
    twice = follow([before], [seen("a", 1, "passed")], monitor.history, START).incidents
    late = follow([before], [seen("a", 0, "failed")], {"a": monitor.history["a"][1:]}, START).incidents
    assert twice == late == (before,)


def test_the_same_runs_give_the_same_ids_whatever_order_they_are_told_in():
    monitor, other = Monitor(), Monitor()
    monitor.run(seen("a", 0, "failed"), seen("b", 0, "failed", fault="y"))
    other.run(seen("b", 0, "failed", fault="y"), seen("a", 0, "failed"))
    assert list(monitor.all) == list(other.all)
    assert all(len(id) <= 16 for id in monitor.all)


def test_acknowledged_incidents_continue_and_an_unconcerned_run_leaves_them():
    import msgspec

    monitor = Monitor()
    monitor.run(seen("a", 0, "failed"))
    (incident,) = monitor.all.values()
    taken = msgspec.structs.replace(incident, state="acknowledged", acknowledged_by="first line")
    (after,) = follow([taken], [seen("z", 1, "passed")], monitor.history, START).incidents
    assert after == taken
    (after,) = follow([taken], [seen("a", 1, "failed")], monitor.history, START).incidents
    assert (after.state, after.occurrences) == ("acknowledged", 2)


def test_an_incident_is_as_severe_as_its_worst_journey():
    monitor = Monitor()
    monitor.run(seen("a", 0, "failed"), seen("b", 0, "failed"))
    (incident,) = monitor.all.values()
    journeys = {
        "a": Journey(id="a", node_id="a", title="a", owner="desk", severity="minor"),
        "b": Journey(id="b", node_id="b", title="b", owner="fleet", severity="blocker"),
    }
    assert (describe(incident, journeys).severity, describe(incident, journeys).owner) == ("blocker", "fleet")


def judged(journey, cause_class, runbook, elsewhere=""):
    diagnosis = Triage(cause_class=cause_class, rule="r", why="w", elsewhere=elsewhere)
    return JourneyVerdict(
        journey=Journey(id=journey, node_id=journey, title=journey), outcome="failed", triage=diagnosis, runbook=runbook
    )


@pytest.mark.parametrize(
    ("other", "incidents"),
    [
        (("data", "place"), [("a", "z")]),
        (("code", "place"), [("a", "z")]),
        (("data", "another"), [("a",), ("z",)]),
        (("data", ""), [("a",), ("z",)]),
    ],
    ids=["one page", "one page, another class", "another page", "no page"],
)
def test_journeys_whose_failure_one_page_knows_are_one_incident(other, incidents):
    observations = [seen("a", 1, "failed", fault="x"), seen("z", 1, "failed", step="look", fault="y")]
    judgements = {"a": judged("a", "data", "place"), "z": judged("z", *other)}
    made = follow([], observations, {}, START, judgements).incidents
    assert [incident.journeys for incident in made] == incidents
    again = [seen("a", 2, "failed", fault="x"), seen("z", 2, "failed", step="look", fault="y")]
    earlier = {observation.journey: (observation,) for observation in observations}
    later = follow(made, again, earlier, START + timedelta(minutes=5), judgements).incidents
    assert [(incident.id, len(incident.events)) for incident in later] == [
        (incident.id, len(incident.events)) for incident in made
    ]


def test_an_incident_begins_with_the_journey_that_shows_the_cause():
    observations = [seen("a", 1, "failed", fault="x"), seen("z", 1, "failed", fault="y")]
    judgements = {"a": judged("a", "data", "place", elsewhere="z"), "z": judged("z", "data", "place")}
    (made,) = follow([], observations, {}, START, judgements).incidents
    assert made.journeys == ("z", "a")
    assert made.title.startswith("z,")


def test_a_long_title_ends_with_a_whole_word():
    cause = " ".join(["the dispatcher sees nothing of it"] * 8)
    (made,) = follow([], [msgspec.structs.replace(seen("a", 1, "failed"), cause=cause)], {}, START).incidents
    shown = made.title.partition(": ")[2]
    assert len(shown) <= 160
    assert shown.endswith(" …")
    assert cause.startswith(shown.removesuffix("…"))


def test_who_cannot_be_looked_at_for_another_reason_is_not_said_to_show_the_same_cause():
    monitor = Monitor()
    for _ in range(2):
        monitor.run(
            seen("a", monitor.slot, "unknown", fault="deadline"), seen("b", monitor.slot, "unknown", fault="key")
        )
    (incident,) = monitor.all.values()
    (joined,) = [found.text for found in incident.events if found.text.startswith("b ")]
    assert "key went wrong" in joined
    assert "same cause" not in joined
