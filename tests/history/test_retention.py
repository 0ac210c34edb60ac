import tracemalloc
from datetime import timedelta

from made_history import EVERY, START, opened, verdict
from msgspec.structs import replace

from synthprobe.history.database import STEPS, to_ms
from synthprobe.records.history import Retention

JOURNEY = ("demo", "journey-0", "step 0")


def total(history):
    samples = history.step_series(*JOURNEY, START)
    return sum(s.count for s in samples), round(sum(s.total_ms for s in samples), 3)


def spans(history):
    return [(s.span_s, s.count) for s in history.step_series(*JOURNEY, START - timedelta(days=1))]


def test_measurements_become_part_of_their_hour_then_of_their_day_then_go(history):
    for number in range(24):  # two hours
        history.ingest(verdict(number, ms=100 + 10 * number))
    before = total(history)

    history.prune(START + timedelta(days=13))
    assert spans(history) == [(0, 1)] * 24

    history.prune(START + timedelta(days=15))
    assert spans(history) == [(3600, 12), (3600, 12)]
    assert total(history) == before

    history.prune(START + timedelta(days=92))
    assert spans(history) == [(86400, 24)]
    assert sum(s.total_ms for s in history.step_series(*JOURNEY, START - timedelta(days=1))) == before[1]

    history.prune(START + timedelta(days=400))
    assert spans(history) == []
    assert history.judged_slots("demo", START, START + timedelta(days=1)) == []


def test_pruning_twice_changes_nothing(history):
    for number in range(6):
        history.ingest(verdict(number))
    history.prune(START + timedelta(days=20))
    known = spans(history)
    assert not any(history.prune(START + timedelta(days=20)).values())
    assert spans(history) == known


def test_what_did_not_pass_is_kept_one_by_one_for_longer(history):
    history.ingest(verdict(0))
    history.ingest(verdict(1, outcome="failed"))
    history.prune(START + timedelta(days=60))
    assert spans(history) == [(3600, 1), (0, 1)]
    assert [o.outcome for o in history.observations("demo")] == ["failed"]
    assert history.ingest(verdict(1, outcome="failed")) is False
    history.prune(START + timedelta(days=95))
    assert sum(count for _, count in spans(history)) == 2
    assert history.observations("demo") == []


def test_a_run_merged_late_joins_the_roll_up_it_belongs_to(history):
    history.ingest(verdict(0))
    history.prune(START + timedelta(days=20))
    history.ingest(verdict(1))
    history.prune(START + timedelta(days=20))
    assert spans(history) == [(3600, 2)]


def test_operations_count_the_same_after_they_were_rolled_up(history):
    for number in range(3):
        history.ingest(verdict(number))
    window = (START, START + timedelta(days=1))
    before = history.operations("demo", *window)
    history.prune(START + timedelta(days=20))
    assert history.operations("demo", *window) == [replace(operation, p95_ms=None) for operation in before]


def test_rolling_up_takes_no_more_memory_for_more_rows(history):
    history.ingest(verdict(0))
    peaks = []
    for days, count in ((0, 2_000), (30, 20_000)):  # one each second
        at = to_ms(START + timedelta(days=days))
        row = {"series_no": 2, "attempt": 1, "duration_us": 400_000, "over_us": None, "failed": 0, "kept": 0}
        rows = [{**row, "at": at + n * 1000, "run_no": n} for n in range(count)]
        history._each(lambda connection, rows=rows: connection.execute(STEPS.insert(), rows))
        del rows
        tracemalloc.start()
        assert history.prune(START + timedelta(days=days + 20))["steps"] >= count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000


def test_each_run_prunes_but_only_once_an_hour(place, tmp_path):
    with opened(place, tmp_path, retention=Retention(raw_days=1)) as history:
        history.ingest(verdict(0))
        history.prune_if_due(START)
        history.prune_if_due(START + timedelta(minutes=59))
        history.ingest(verdict(at=START - timedelta(days=30), run_id="late"))
        history.prune_if_due(START + timedelta(minutes=59))
        assert len(spans(history)) == 1  # the late one is out of the window that is read
        assert history.step_series(*JOURNEY, START - timedelta(days=40))[0].span_s == 0
        history.prune_if_due(START + 13 * EVERY)
        assert history.step_series(*JOURNEY, START - timedelta(days=40))[0].span_s == 3600
