"""Whatever spells, gaps, clocks and restarts there are: the detector and the incidents judge on, and forget nobody."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthprobe.detection.degradation import StepDetector
from synthprobe.records.incident import Observation
from synthprobe.triage.lifecycle import follow

steadily = settings(max_examples=60)
WEEKS = 1190


def _weeks() -> bytes:
    """A detector that has seen enough healthy runs to look for what is slow or ragged too."""
    source, detector = random.Random(1), StepDetector()
    for number in range(WEEKS):
        detector.update(300.0 * number, 100 + 10 * source.random())
    return detector.to_bytes()


STATE = _weeks()
spell = st.fixed_dictionaries(
    {
        "runs": st.one_of(st.integers(1, 60), st.just(150)),  # after 144 runs a level is usual
        "factor": st.sampled_from([1.0, 1.0, 0.4, 1.2, 3.0, 3.0, 12.0, 1e9, 1e-9]),
        "failing": st.sampled_from([0.0, 0.0, 0.3, 1.0]),
        "gap_s": st.sampled_from([300.0, 300.0, 0.0, 7200.0, -3600.0, 86_400.0 * 400]),
        "restart": st.booleans(),
        "reruns": st.booleans(),
        "accepted": st.sampled_from([False, False, True]),
    }
)


@steadily
@given(spells=st.lists(spell, min_size=2, max_size=6), seed=st.integers(0, 99))
@example(  # an alarm that ends in the run in which runs are found to be ragged
    spells=[
        {
            "runs": runs,
            "factor": factor,
            "failing": 0.0,
            "gap_s": 300.0,
            "restart": False,
            "reruns": False,
            "accepted": False,
        }
        for runs, factor in ((14, 1.0), (26, 3.0), (30, 1.0))
    ],
    seed=1,
)
def test_no_spell_stops_the_detector_and_a_restart_changes_nothing(spells, seed):
    source, at = random.Random(seed), 300.0 * WEEKS
    whole, restarted = StepDetector.from_bytes(STATE), StepDetector.from_bytes(STATE)
    alarm_ms, backwards = 0.0, any(stretch["gap_s"] < 0 for stretch in spells)
    for episode in spells:
        at += episode["gap_s"]
        for number in range(episode["runs"]):
            at += 300.0
            ms, ok = episode["factor"] * (100 + 10 * source.random()), source.random() >= episode["failing"]
            scheduled = not (episode["reruns"] and number % 3 == 2)
            before = whole.degraded
            alarm_ms = alarm_ms if before else 0.0
            alarms = whole.update(at, ms, ok, scheduled=scheduled)
            assert restarted.update(at, ms, ok, scheduled=scheduled) == alarms
            for alarm in alarms:
                assert alarm.sentence("save")
                assert math.isfinite(alarm.ratio)
                assert alarm.since <= alarm.time or backwards
                if alarm.lane == "paging" or alarm.rule == "eased":
                    assert (alarm.first_since != 0) == before
                    assert alarm.now_ms > alarm_ms or alarm.rule == "eased", (
                        "inside an alarm only what is worse is told"
                    )
                    alarm_ms = alarm.now_ms
        if episode["accepted"]:
            assert whole.accept() == restarted.accept()
            assert not whole.degraded
        if episode["restart"]:
            restarted = StepDetector.from_bytes(restarted.to_bytes())
    assert restarted.to_bytes() == whole.to_bytes()
    for _ in range(200):  # afterwards it still sees what is slow
        at += 300.0
        whole.update(at, 100 + 10 * source.random())
    assert whole.ready


START = datetime(2026, 1, 1, tzinfo=UTC)
OUTCOMES = ["passed", "passed", "failed", "degraded", "unknown", "skipped"]
look = st.tuples(
    st.sampled_from(["north", "south"]),
    st.dictionaries(st.sampled_from(["a", "b"]), st.tuples(st.sampled_from(OUTCOMES), st.sampled_from(["x", "y"]))),
    st.integers(-3, 40),  # minutes since the look before, of whichever location
    st.integers(0, 30),  # minutes it took, so that a later one may be judged first
)


@steadily
@given(looks=st.lists(look, max_size=25))
def test_a_failing_journey_always_has_an_open_incident_and_never_two(looks):
    incidents, history, began = {}, {}, START
    for number, (location, outcomes, minutes, took) in enumerate(looks):
        began += timedelta(minutes=minutes)
        seen = [
            Observation(
                run_id=f"r{number}",
                slot=int(began.timestamp()) // 300,
                at=began,
                target="t",
                journey=journey,
                outcome=outcome,
                fingerprint="" if outcome == "passed" else f"v1:{journey}{fault}",
                signature="" if outcome == "passed" else f"v1:{fault}",
                step="save",
                cause=fault,
                location=location,
            )
            for journey, (outcome, fault) in outcomes.items()
        ]
        still_open = [incident for incident in incidents.values() if incident.state != "resolved"]
        now = began + timedelta(minutes=took)
        incidents |= {incident.id: incident for incident in follow(still_open, seen, history, now).incidents}
        still_open = [incident for incident in incidents.values() if incident.state != "resolved"]
        for observation in seen:
            before = history.setdefault(observation.journey, [])
            own_incidents = [
                i for i in still_open if i.kind == "failing" and observation.journey in (*i.journeys, *i.blocked)
            ]
            newest = max((old.at for old in before if old.location == location), default=observation.at)
            if observation.outcome == "failed" and newest <= observation.at:
                assert own_incidents, "somebody must hear of it"
            assert len({i.fingerprint for i in own_incidents}) == len(own_incidents)
            before.append(observation)
            before.sort(key=lambda old: old.at)
