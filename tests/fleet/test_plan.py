"""A plan deals every journey out once, the longest first; which part a machine takes, its engine may say."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthprobe.errors import ConfigurationError
from synthprobe.fleet.part import PartIndex, part_index
from synthprobe.fleet.plan import plan_slot, refuse_holes
from synthprobe.records.journey import Journey


def journey(number: int, group: str = "") -> Journey:
    return Journey(id=f"j{number}", node_id=f"t.py::test_{number}", title="t", group=group)


def planned(journeys, durations, parts, **more):
    return plan_slot(journeys, durations, parts, target="shop", slot=7, **more)


@given(
    st.lists(st.tuples(st.sampled_from(["", "", "a", "b"]), st.floats(0.01, 60)), max_size=40),
    st.integers(1, 9),
    st.randoms(),
)
def test_every_journey_once_groups_together_and_the_order_of_the_inventory_is_nothing(given, parts, chance):
    journeys = [journey(number, group) for number, (group, _) in enumerate(given)]
    durations = {f"j{number}": seconds for number, (_, seconds) in enumerate(given)}
    plan = planned(journeys, durations, parts)
    assert sorted(member.id for member in plan.journeys) == sorted(durations)
    assert len(plan.parts) == parts
    for group in ("a", "b"):
        assert len({part.number for part in plan.parts for member in part.journeys if member.group == group}) <= 1
    taken = [part.expected_s for part in plan.parts]
    assert taken == sorted(taken, reverse=True)
    largest = max([sum(durations[member.id] for member in journeys if member.group == g) for g in "ab"], default=0)
    longest = max([largest, *durations.values()])
    assert max(taken) <= sum(durations.values()) / parts + longest + 0.01
    chance.shuffle(journeys)
    assert planned(journeys, durations, parts).digest == plan.digest


def test_what_differs_has_another_digest():
    journeys, durations = [journey(number) for number in range(6)], {"j1": 9.0, "j2": 3.0}
    same = {planned(random.sample(journeys, 6), durations, 2).digest for _ in range(3)}
    others = {
        planned(journeys[1:], durations, 2).digest,
        planned(journeys, durations, 3).digest,
        planned(journeys, durations, 2, locations=("fra",)).digest,
        planned(journeys, durations, 2, revision="other").digest,
        planned(journeys, durations, 2, quorum=1).digest,
    }
    assert len(same) == 1
    assert len(same | others) == 6


def test_a_plan_that_drops_or_doubles_is_refused():
    with pytest.raises(ConfigurationError, match="share an id.*: j1"):
        planned([journey(1), journey(1)], {}, 1)
    plan = planned([journey(1), journey(2)], {}, 1)
    with pytest.raises(ConfigurationError, match="drops or doubles journeys: j2, j3"):
        refuse_holes(plan, [journey(1), journey(3)])


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ("3/8", {}, (3, 8)),
        ("auto/8", {"JOB_COMPLETION_INDEX": "0"}, (1, 8)),
        ("auto", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "8"}, (1, 8)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "8"}, (5, 8)),
        ("auto/4", {"SLURM_ARRAY_TASK_ID": "0"}, (1, 4)),
    ],
)
def test_engines_number_their_machines_in_ways_of_their_own(given, environ, expected):
    assert part_index(given, environ) == PartIndex(number=expected[0], of=expected[1])


@pytest.mark.parametrize("given", ["0/8", "9/8", "3", "a/b", "auto/8", ""])
def test_a_part_that_is_none_is_refused(given):
    with pytest.raises(ConfigurationError, match="--part is"):
        part_index(given, {})
    with pytest.raises(ConfigurationError, match="--part is"):
        part_index("auto", {"JOB_COMPLETION_INDEX": "3"})  # nobody says how many there are
