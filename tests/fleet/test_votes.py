"""What locations say together: who could not look has no vote, and too few against many are alone."""

import pytest

from synthprobe.records.journey import Journey
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.verdict.votes import judge_votes

BUY = Journey(id="buy", node_id="t.py::test_buy", title="buy")
WORDS = {"f": "failed", "d": "degraded", "p": "passed", "u": "unknown", "s": "skipped"}


def judged(votes: str, quorum: int = 0) -> JourneyVerdict:
    seen = {
        f"l{number}": JourneyVerdict(journey=BUY, outcome=WORDS[letter], cause="" if letter == "p" else f"why {letter}")
        for number, letter in enumerate(votes)
    }
    return judge_votes(BUY, seen, quorum)


@pytest.mark.parametrize(
    ("votes", "quorum", "outcome", "alone"),
    [
        ("ppp", 0, "passed", ()),
        ("ffp", 0, "failed", ()),
        ("fpp", 0, "degraded", ("l0",)),
        ("fpp", 1, "failed", ()),
        ("fffpp", 4, "degraded", ("l0", "l1", "l2")),
        ("fuu", 0, "failed", ()),  # who could not look does not vote
        ("fuu", 3, "failed", ()),  # never more than looked
        ("puu", 0, "passed", ()),
        ("uuu", 0, "unknown", ()),
        ("usu", 0, "unknown", ()),
        ("sss", 0, "skipped", ()),
        ("fdp", 0, "degraded", ()),  # two of three find it not well: the target's matter
        ("dpp", 0, "degraded", ("l0",)),
        ("fp", 0, "degraded", ("l0",)),
        ("f", 0, "failed", ()),
    ],
)
def test_votes(votes, quorum, outcome, alone):
    found = judged(votes, quorum)
    assert (found.outcome, found.alone) == (outcome, alone)
    assert [vote.outcome for vote in found.votes] == [WORDS[letter] for letter in votes]
    assert found.cause if outcome != "passed" else not found.cause


def test_the_cause_names_the_locations():
    assert judged("fpp").cause == "It fails from l0, passes from l1 and l2: why f"
    assert judged("uuu").cause == "From l0, l1 and l2: why u"
