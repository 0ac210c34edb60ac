"""The same failure has the same fingerprint, another failure another one; how often that goes wrong is counted."""

import json
from pathlib import Path

import pytest

from synthprobe.verdict.fingerprint import fingerprint, normalise, signature

PAIRS = json.loads((Path(__file__).parent / "fingerprint_pairs.json").read_text("utf-8"))
PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "incidents.md"


def rates(label, same):
    """Pairs that are joined and should not be, and pairs that are split and should not be."""
    apart = [pair for pair in PAIRS if not pair[label]]
    joined = [pair for pair in PAIRS if pair[label]]
    merged = [pair["why"] for pair in apart if same(pair["a"], pair["b"])]
    split = [pair["why"] for pair in joined if not same(pair["a"], pair["b"])]
    return (merged, len(apart)), (split, len(joined))


@pytest.mark.parametrize(
    ("word", "label", "same", "most_merged", "most_split"),
    [
        ("fingerprint", "same_failure", lambda a, b: fingerprint(*a) == fingerprint(*b), 1, 2),
        ("signature", "same_cause", lambda a, b: signature(*a[2:]) == signature(*b[2:]), 1, 2),
    ],
)
def test_over_merge_and_over_split_are_bounded_and_stand_in_the_docs(word, label, same, most_merged, most_split):
    (merged, apart), (split, joined) = rates(label, same)
    sentence = f"{word}: {len(merged)} of {apart} pairs joined wrongly, {len(split)} of {joined} split wrongly"
    print(f"{sentence}\n  joined: {merged}\n  split: {split}")  # noqa: T201
    assert len(merged) <= most_merged, merged
    assert len(split) <= most_split, split
    assert sentence in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("write to a.b+c@mail.example", "write to <email>"),
        ("GET https://host:81/api/units?x=1 → 500", "GET <url>/api/units → 500"),
        ("db.internal and 10.0.0.7:80", "<host> and <ip>"),
        ("7d444840-9dc0-11d1-b245-5ffdce74fad2", "<uuid>"),
        ("a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "<sha1>"),
        ("2026-01-01T10:00:00Z took 1500ms", "<date> took <duration>"),
        ("seed=42 limit=true name='x'", "seed=<int> limit=<bool> name=<value>"),
        ("HV-26-000123 for SYN-01 in UTF-8", "<incident> for <unit> in UTF-8"),
        ("one\n\ntwo\nthree\nfour\nfive", "one two three four"),
        ("what\nCall log:\n - 3 ×", "what"),
        ("", ""),
    ],
)
def test_what_changes_between_runs_is_left_out(message, expected):
    assert normalise(message) == expected


def test_normalising_twice_changes_nothing():
    for pair in PAIRS:
        once = normalise(pair["a"][3])
        assert normalise(once) == once


def test_the_algorithm_has_a_version_and_this_is_what_it_gives():
    """A change of this hash regroups all recorded history: it takes a new version."""
    assert fingerprint("j", "s", "k", "took 3 s") == "v1:040c672015022075"
