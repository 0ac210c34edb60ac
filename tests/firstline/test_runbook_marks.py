"""What was said of a page after use is read from records; what an older version recorded still counts."""

import msgspec

from synthprobe.firstline.matching import subject_of
from synthprobe.firstline.score_set import marks
from synthprobe.records.incident import Incident

OLDER = b"""{"id": "261102-0900-ABCD", "target": "shop", "kind": "failing", "state": "resolved", "fingerprint": "v1:00",
"signature": "v1:01", "title": "orders, \\"store it\\": GET /orders: a JSON body was expected, got text/html",
"opened_at": "2026-11-02T09:00:00Z", "first_seen_at": "2026-11-02T09:00:00Z", "last_seen_at": "2026-11-02T09:05:00Z",
"journeys": ["orders"], "runbook": "orders-html", "runbook_outcome": "outdated", "events": [
{"at": "2026-11-02T09:20:00Z", "role": "first-line", "text": "The runbook orders-html: outdated."}]}"""


def test_an_incident_of_an_older_version_keeps_its_mark_and_its_words():
    incident = msgspec.json.decode(OLDER, type=Incident)
    (mark,) = marks([incident])
    assert (mark.runbook, mark.worth, f"{mark.at:%H:%M}") == ("orders-html", "outdated", "09:20")
    assert "a JSON body was expected" in subject_of(incident, {}).message


def test_a_sentence_that_looks_like_a_mark_is_none():
    incident = msgspec.json.decode(OLDER.replace(b'"runbook_outcome": "outdated", ', b""), type=Incident)
    assert marks([incident]) == ()
