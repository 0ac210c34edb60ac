"""The same failure has the same fingerprint, another failure another one; how often that goes wrong is counted."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from synthprobe.records.incident import Incident, Observation
from synthprobe.triage.fingerprint import fingerprint, former_fingerprint, normalise, signature
from synthprobe.triage.lifecycle import follow
from synthprobe_demo.plugin import synthprobe_normalise

PAIRS = json.loads((Path(__file__).parent / "fingerprint_pairs.json").read_text("utf-8"))
PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "incidents.md"


SETS = {
    "the dispatch centre, with its plugin": [pair for pair in PAIRS if pair["source"] == "the dispatch centre"],
    "other systems": [pair for pair in PAIRS if pair["source"] != "the dispatch centre" and "held_out" not in pair],
    "other systems, written after the rules": [pair for pair in PAIRS if "held_out" in pair],
}
WORDS = {
    "fingerprint": ("same_failure", lambda parts, ids: fingerprint(*parts, ids)),
    "signature": ("same_cause", lambda parts, ids: signature(*parts[2:], ids)),
}


def rates(pairs, label, form):
    """Pairs that are joined and should not be, and pairs that are split and should not be."""
    ids = synthprobe_normalise() if pairs[0]["source"] == "the dispatch centre" else {}
    apart, joined = [pair for pair in pairs if not pair[label]], [pair for pair in pairs if pair[label]]
    merged = [pair["why"] for pair in apart if form(pair["a"], ids) == form(pair["b"], ids)]
    split = [pair["why"] for pair in joined if form(pair["a"], ids) != form(pair["b"], ids)]
    return (merged, len(apart)), (split, len(joined))


@pytest.mark.parametrize("source", SETS)
@pytest.mark.parametrize("word", WORDS)
def test_over_merge_and_over_split_are_bounded_and_stand_in_the_docs(word, source):
    (merged, apart), (split, joined) = rates(SETS[source], *WORDS[word])
    sentence = f"{word}, {source}: {len(merged)} of {apart} joined wrongly, {len(split)} of {joined} split wrongly"
    print(f"{sentence}\n  joined: {merged}\n  split: {split}")  # noqa: T201
    assert len(merged) <= 1, merged
    assert len(split) <= 2, split
    assert sentence in PAGE.read_text("utf-8")


def test_there_are_enough_pairs_and_most_are_of_other_systems():
    assert len(PAIRS) >= 120
    assert len([pair for pair in PAIRS if pair["source"] != "the dispatch centre"]) >= 60


def test_an_error_code_is_part_of_the_failure():
    assert fingerprint("j", "s", "k", "ERR-101") != fingerprint("j", "s", "k", "ERR-202")


def test_an_incident_that_was_opened_with_the_former_version_goes_on():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    message = "ERR-101 after 3 s"
    former = former_fingerprint("shop", "pay", "expectation", message)
    incident = Incident(
        id="I-1",
        target="web",
        kind="failing",
        state="open",
        fingerprint=former,
        signature="",
        title="shop",
        opened_at=now,
        first_seen_at=now,
        last_seen_at=now,
        journeys=("another",),
    )
    seen = Observation(
        run_id="r2",
        slot=2,
        at=now + timedelta(minutes=5),
        target="web",
        journey="shop",
        outcome="failed",
        step="pay",
        fingerprint=fingerprint("shop", "pay", "expectation", message),
        former_fingerprint=former,
    )
    (after,) = follow([incident], [seen], {}, now + timedelta(minutes=6)).incidents
    assert (after.id, after.occurrences) == ("I-1", 2)


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
        ("HV-26-000123 for SYN-01 in UTF-8", "<id> for SYN-01 in UTF-8"),
        ("POST /orders was answered 409 in 3 s", "POST /orders was answered 409 in <duration>"),
        ("ORA-00942: no such table", "ORA-00942: no such table"),
        ("12 rows, error 404", "<int> rows, error 404"),
        ("one\n\ntwo\nthree\nfour\nfive", "one two three four"),
        ("what\nCall log:\n - 3 ×", "what"),
        ("", ""),
    ],
)
def test_what_changes_between_runs_is_left_out(message, expected):
    assert normalise(message) == expected


def test_identifiers_of_a_project_are_left_out_too():
    assert normalise("MEDIC 3 for SYN-01", {r"MEDIC \d+|SYN-\d+": "<unit>"}) == "<unit> for <unit>"


def test_normalising_twice_changes_nothing():
    for pair in PAIRS:
        once = normalise(pair["a"][3])
        assert normalise(once) == once


def test_the_algorithm_has_a_version_and_this_is_what_it_gives():
    """A change of this hash regroups all recorded history: it takes a new version."""
    assert fingerprint("j", "s", "k", "took 3 s") == "v2:040c672015022075"
