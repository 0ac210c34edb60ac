"""Coverage, objectives and gaps follow the interval of each journey."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from synthprobe import pipeline
from synthprobe.history.store import History
from synthprobe.pipeline.coverage import missed_slots
from synthprobe.project import Project
from synthprobe.records.intervals import is_due, turn
from synthprobe.records.journey import Journey
from synthprobe.records.result import Run
from synthprobe.records.verdict import JourneyVerdict, Verdict

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)


def run_of(slot_at: datetime) -> Run:
    at = slot_at + timedelta(seconds=20)
    slot = int(slot_at.timestamp()) // 300
    return Run(
        id=f"{at:%d%H%M}", target="demo", base_url="http://t", slot=slot, started_at=at, scheduled=True, interval_s=300
    )


@pytest.fixture
def remember(tmp_path):
    (tmp_path / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://t"\n')
    (tmp_path / ".synthprobe").mkdir()

    def ingest(hours: float, intervals: dict[str, float], *, begin: datetime = BEGAN, but=(), bad=()) -> datetime:
        """Runs of so many hours, one each slot, of journeys with these intervals; when the last slot was over."""
        with History.open(tmp_path / ".synthprobe" / "history.db") as history:
            for number in range(round(hours * 12)):
                run = run_of(begin + number * timedelta(minutes=5))
                ids = [id for id, every_s in intervals.items() if is_due(run.slot, 300, every_s)]
                if number in but or not ids:
                    continue
                history.ingest(
                    Verdict(
                        run=run,
                        finished_at=run.started_at,
                        journeys=tuple(
                            JourneyVerdict(
                                journey=Journey(id=id, node_id=id, title=id, every_s=intervals[id]),
                                outcome="failed" if number in bad else "passed",
                            )
                            for id in ids
                        ),
                    )
                )
        return begin + timedelta(hours=hours, minutes=4)

    ingest.root = tmp_path
    return ingest


def standing(remember, now):
    stands = pipeline.stand(Project.at(remember.root), "demo", now)
    return stands.coverage, {status.objective.journey: status for status in stands.objectives}


def test_a_journey_that_is_looked_at_each_hour_is_wholly_watched(remember):
    now = remember(5, {"often": 0, "hourly": 3600}, bad={24})
    coverage, of = standing(remember, now)
    assert (coverage.elapsed, coverage.judged) == (60, 60)
    assert (of["hourly"].elapsed, of["hourly"].bad, of["hourly"].unknown, of["hourly"].worst_gap_s) == (5, 1, 0, 0)
    assert of["hourly"].used_s == 3600, "a bad look stands for an hour"
    assert (of["often"].elapsed, of["often"].used_s) == (60, 300)


def test_slots_in_which_nothing_is_due_are_no_gap(remember):
    now = remember(6, {"hourly": 3600, "third": 1200}, but={24})
    coverage, of = standing(remember, now)
    assert (coverage.elapsed, coverage.judged, coverage.worst_gap_s) == (18, 17, 1200)
    assert (of["hourly"].elapsed, of["hourly"].unknown) == (6, 1), "a look that nobody took is missed"
    with History.open(remember.root / ".synthprobe" / "history.db") as history:
        gap = missed_slots(history, run_of(BEGAN + timedelta(hours=6)), 300)
        late = missed_slots(history, run_of(BEGAN + timedelta(hours=6, minutes=20)), 300)
    assert (gap, late.split(" before")[0]) == ("", "No run judged the slot")


def test_an_interval_that_is_changed_takes_nothing_from_the_past(remember):
    remember(2, {"a": 3600, "b": 0})
    now = remember(2, {"a": 0, "b": 3600}, begin=BEGAN + timedelta(hours=2))
    _, of = standing(remember, now)
    assert {id: status.unknown for id, status in of.items()} == {"a": 0, "b": 0}
    assert (of["a"].elapsed, of["b"].elapsed) == (2 + 24, 2 + 2)


def test_each_look_has_its_slot_whatever_the_intervals_are():
    for every_s in (300, 420, 900, 1000, 3600, 86_400):
        slots = [slot for slot in range(1, 2000) if is_due(slot, 300, every_s)]
        looks = [turn(slot, 300, every_s) for slot in slots]
        assert len(set(looks)) == len(looks), every_s
        assert looks == list(range(looks[0], looks[-1] + 1)), every_s
    assert is_due(7, 0, 3600), "by hand all is due"
    assert msgspec.json.decode(b'{"id":"a","node_id":"a","title":"a"}', type=Journey).every_s == 0
