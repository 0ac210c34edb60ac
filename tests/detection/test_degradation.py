"""The detector: silent on what is usual, quick on what is not, and the same after a break."""

import math
import random
from statistics import median

import msgspec
import pytest

from synthprobe.detection.degradation import StepDetector
from synthprobe.detection.failing import Failing

QUIET, NOISY = 0.06, 0.35


def noise(sigma: float, runs: int, seed: int = 1, level: float = 200.0) -> list[float]:
    source = random.Random(seed)
    return [level * math.exp(source.gauss(0, sigma)) for _ in range(runs)]


def feed(detector: StepDetector, durations, start: int = 0, step_s: float = 300.0):
    return [alarm for n, ms in enumerate(durations, start) for alarm in detector.update(n * step_s, ms)]


@pytest.mark.parametrize("sigma", [QUIET, NOISY])
def test_a_healthy_step_raises_half_a_false_alarm_in_ten_thousand_runs_at_most(sigma):
    weeks = [feed(StepDetector(), noise(sigma, 8000, seed)) for seed in range(1, 6)]
    assert sum(map(len, weeks)) <= 2


def test_nothing_is_said_before_twenty_runs():
    detector = StepDetector()
    assert feed(detector, [*noise(QUIET, 10), *[2000.0] * 9]) == []
    assert not detector.ready
    assert detector.smallest_visible() == math.inf


def test_one_outlier_however_large_never_raises_an_alarm():
    durations = noise(QUIET, 400)
    durations[200] *= 10_000
    durations[300] *= 50
    assert feed(StepDetector(), durations) == []


@pytest.mark.parametrize(("factor", "within"), [(3.0, 2), (2.0, 3), (1.5, 12)])
def test_a_slowdown_of_a_quiet_step_is_found_soon_and_told_right(factor, within):
    detector = StepDetector()
    durations = noise(QUIET, 300)
    assert feed(detector, durations) == []
    (alarm, *_) = feed(detector, [ms * factor for ms in noise(QUIET, 12, seed=2)], start=300)
    assert alarm.index - 299 <= within
    assert alarm.ratio == pytest.approx(factor, rel=0.15)
    assert alarm.since == pytest.approx(300 * 300.0, abs=300)
    assert detector.degraded


def with_cold_starts(runs: int, seed: int) -> list[float]:
    """One run in fourteen takes two to eight times as long."""
    source = random.Random(seed)
    return [ms * (source.uniform(2, 8) if source.random() < 0.07 else 1) for ms in noise(0.1, runs, seed)]


def test_a_level_is_told_from_the_cold_starts_it_hides_among():
    found = 0
    for seed in range(20):
        detector = StepDetector()
        feed(detector, with_cold_starts(300, seed))
        if not detector.degraded:
            found += bool(feed(detector, [3 * ms for ms in noise(0.1, 3, seed + 100)], start=300))
    assert found >= 15


def test_cold_starts_in_a_row_are_no_level():
    detector = StepDetector()
    assert feed(detector, with_cold_starts(300, 3)) == []
    assert feed(detector, [420.0, 1500.0, 700.0, *with_cold_starts(50, 4)], start=300) == []


def test_two_rare_slow_runs_in_a_row_are_no_burst_where_slow_runs_are_of_any_size():
    source, detector = random.Random(5), StepDetector()
    usual = [ms * (math.exp(source.uniform(1, 4)) if n % 60 == 59 else 1) for n, ms in enumerate(noise(0.25, 400))]
    assert feed(detector, usual) == []
    assert feed(detector, [200.0 * 40, 200.0 * 50], start=400) == []


def test_it_is_well_again_after_six_usual_runs():
    detector = StepDetector()
    feed(detector, noise(QUIET, 300))
    feed(detector, [600.0] * 10, start=300)
    assert detector.degraded
    feed(detector, noise(QUIET, 5, seed=4), start=310)
    assert detector.degraded
    feed(detector, noise(QUIET, 4, seed=5), start=315)
    assert not detector.degraded


def test_a_new_level_that_stays_is_accepted():
    detector = StepDetector()
    feed(detector, noise(QUIET, 300))
    alarms = feed(detector, noise(QUIET, 400, seed=2, level=600), start=300)
    assert [alarm.rule for alarm in alarms if alarm.lane == "paging"] == ["burst"]
    assert not detector.degraded
    assert detector.usual_ms == pytest.approx(600, rel=0.05)


def test_what_happens_every_day_at_that_hour_is_usual_after_some_days():
    source = random.Random(3)
    detector, late = StepDetector(), []
    for n in range(288 * 12):
        busy = 8 <= n // 12 % 24 < 10
        ms = (600 if busy else 200) * math.exp(source.gauss(0, QUIET))
        alarms = [alarm for alarm in detector.update(n * 300.0, ms) if alarm.lane == "paging"]
        late += alarms if n > 288 * 6 else []
    assert late == []


@pytest.mark.parametrize(("sigma", "factor"), [(QUIET, 2), (NOISY, 3)])
def test_busy_hours_are_usual_and_what_is_slower_than_they_are_is_found_in_every_hour(sigma, factor):
    source, detector, late = random.Random(4), StepDetector(), []

    def took(n: int) -> float:
        return (400 if 8 <= n // 12 % 24 < 18 else 200) * math.exp(source.gauss(0, sigma))

    for n in range(288 * 14):
        alarms = detector.update(n * 300.0, took(n))
        late += [alarm for alarm in alarms if alarm.lane == "paging" and n > 288 * 5]
    assert late == []
    ratios = []
    for hour in range(24):
        known, first = StepDetector.from_bytes(detector.to_bytes()), 288 * 14 + 12 * hour
        found = feed(known, [factor * took(n) for n in range(first, first + 12)], start=first)
        assert found, hour
        ratios.append(found[0].ratio)
    assert median(ratios[8:18]) == pytest.approx(factor, rel=0.2)


def test_a_slow_creep_is_reported_and_pages_nobody():
    detector = StepDetector()
    alarms = feed(detector, noise(QUIET, 1200))
    creeping = [ms * (1 + 0.4 * n / 1000) for n, ms in enumerate(noise(QUIET, 1000, seed=2))]
    alarms += feed(detector, creeping, start=1200)
    assert {alarm.lane for alarm in alarms if alarm.rule == "drift"} == {"report"}


def test_two_failures_in_a_row_are_told_and_one_never():
    detector = StepDetector()
    feed(detector, noise(QUIET, 500))
    assert detector.update(500 * 300.0, 200, ok=False) == []
    feed(detector, noise(QUIET, 100), start=501)
    assert detector.update(601 * 300.0, 200, ok=False) == []
    (alarm,) = detector.update(602 * 300.0, 200, ok=False)
    assert (alarm.rule, alarm.lane, alarm.runs) == ("failing", "failures", 2)
    assert "fails in 100% of its runs" in alarm.sentence("sign in")


@pytest.mark.parametrize("usual", [0.005, 0.02, 0.05])
def test_a_step_that_always_failed_now_and_then_is_told_once_in_thousands_of_runs(usual):
    chance, watched = random.Random(11), Failing()
    alarm_runs = [n for n in range(205_000) if watched.add(chance.random() >= usual, 300.0 * n)]
    assert sum(n < 5000 for n in alarm_runs) <= 10  # while it is learned
    assert sum(n >= 5000 for n in alarm_runs) <= 15  # half an alarm in 10,000 is ten
    runs = 1
    while not watched.add(chance.random() >= 0.5, 300.0 * runs):
        runs += 1
    assert runs <= 14


@pytest.mark.parametrize("bad", [0.0, -5.0, math.nan, math.inf])
def test_a_duration_that_is_none_is_passed_over(bad):
    clean, dirty = StepDetector(), StepDetector()
    for n, ms in enumerate(noise(QUIET, 100)):
        clean.update(n * 300.0, ms)
        dirty.update(n * 300.0, ms)
        assert dirty.update(n * 300.0 + 1, bad) == []
    assert clean.usual_ms == dirty.usual_ms
    assert not dirty.degraded


def test_a_clock_that_jumps_raises_nothing():
    detector = StepDetector()
    times = [n * 300.0 for n in range(300)] + [n * 300.0 - 7200 for n in range(300, 600)]
    assert [a for at, ms in zip(times, noise(QUIET, 600), strict=True) for a in detector.update(at, ms)] == []


def test_a_rerun_raises_an_alarm_but_teaches_nothing():
    detector = StepDetector()
    feed(detector, noise(QUIET, 100))
    assert detector.update(100 * 300.0, 600) == []
    usual = detector.usual_ms
    (alarm,) = detector.update(100 * 300.0 + 5, 600, scheduled=False)
    assert alarm.rule == "burst"
    for n in range(50):
        detector.update(100 * 300.0 + 10 + n, 100, scheduled=False)
    assert detector.usual_ms == usual


def test_it_goes_on_bit_for_bit_after_a_break():
    whole, broken = StepDetector(), StepDetector()
    alarms, again = [], []
    durations = [*noise(0.2, 900), *[ms * 1.8 for ms in noise(0.2, 100, seed=2)], *noise(0.2, 900, seed=3)]
    for n, ms in enumerate(durations):
        alarms += whole.update(n * 300.0, ms, n % 97 != 0)
        if n % 7 == 0:
            broken = StepDetector.from_bytes(broken.to_bytes())
        again += broken.update(n * 300.0, ms, n % 97 != 0)
    assert alarms == again
    assert whole.to_bytes() == broken.to_bytes()
    assert len(whole.to_bytes()) < 64_000


def damaged_hour():
    detector = StepDetector()
    for n, ms in enumerate(noise(0.2, 900)):
        detector.update(n * 300.0, ms)
    version, levels, *others = msgspec.msgpack.decode(detector.to_bytes())
    levels[1][2] += b"!"
    return msgspec.msgpack.encode((version, levels, *others))


@pytest.mark.parametrize(
    "state", [b"", b"nonsense", b"\x92\x63\x01", damaged_hour()], ids=["none", "nonsense", "version", "hour"]
)
def test_a_state_that_cannot_be_read_is_refused_with_a_sentence(state):
    with pytest.raises(ValueError, match="A new detector is needed"):
        StepDetector.from_bytes(state)
