"""Levels: what a step takes for a while is told once, and again as soon as it changes; one bad day teaches nothing."""

import math
import random

import msgspec
import pytest

from synthprobe.detection.degradation import StepDetector

QUIET, DAY = 0.06, 288


def noise(runs: int, level: float, seed: int = 1, sigma: float = QUIET) -> list[float]:
    source = random.Random(seed)
    return [level * math.exp(source.gauss(0, sigma)) for _ in range(runs)]


class Watching:
    """A step that is looked at every five minutes."""

    def __init__(self, durations):
        self.detector, self.runs = StepDetector(), 0
        assert self.see(durations) == []

    def see(self, durations, *lanes):
        alarms = []
        for ms in durations:
            alarms += self.detector.update(self.runs * 300.0, ms)
            self.runs += 1
        return [alarm for alarm in alarms if not lanes or alarm.lane in lanes]


@pytest.mark.parametrize("runs", [4, 60, 400])
@pytest.mark.parametrize(("factor", "worse"), [(1.5, 15.0), (2.0, 4.0)])
def test_what_gets_worse_after_it_was_told_is_told_whenever_it_does(runs, factor, worse):
    step = Watching(noise(400, 200))
    (opened,) = step.see(noise(runs, 200 * factor, 2), "paging")
    (alarm,) = step.see(noise(6, 200 * worse, 3), "paging")
    assert alarm.now_ms == pytest.approx(200 * worse, rel=0.15)
    assert alarm.index < 400 + runs + 3
    if runs < 144:
        assert (alarm.first_since, alarm.first_ratio) == (opened.since, opened.ratio)
        assert f"worse than first told: {opened.ratio:.1f} × since 09:20" in alarm.sentence("search")
    else:
        assert alarm.first_since == 0.0
        assert alarm.ratio == pytest.approx(worse / factor, rel=0.15)


def test_what_eases_is_no_alarm_and_told_again_when_it_is_lost():
    step = Watching(noise(400, 200))
    (opened,) = step.see(noise(10, 2000), "paging")
    (eased,) = step.see(noise(30, 600, 2))
    assert (eased.rule, eased.lane, eased.first_since) == ("eased", "report", opened.since)
    (alarm,) = step.see(noise(4, 2000, 3), "paging")
    assert "takes 10" in alarm.sentence("search")


@pytest.mark.parametrize(("runs", "lane"), [(40, "report"), (200, "report"), (600, "paging")])
def test_an_improvement_that_is_lost_is_told(runs, lane):
    step = Watching(noise(800, 400))
    (better,) = step.see(noise(runs, 200, 2))
    assert better.rule == "faster"
    (lost,) = step.see(noise(10, 400, 3))
    assert lost.lane == lane
    assert lost.index < 800 + runs + 9
    assert lost.ratio == pytest.approx(2, rel=0.15)


def modes(runs: int, source: random.Random) -> list[float]:
    return [(40 if source.random() < 0.8 else 400) * math.exp(source.gauss(0, 0.1)) for _ in range(runs)]


@pytest.mark.parametrize(("level", "within"), [(400, 12), (130, 24)], ids=["the fast mode is lost", "between modes"])
def test_a_mode_that_is_lost_and_a_value_between_two_modes_are_found(level, within):
    found = 0
    for seed in range(10):
        step = Watching(noise(0, 1))
        healthy = step.see(modes(500, random.Random(seed)), "paging")
        found += bool(step.see(noise(within, level, seed, 0.1), "paging")) or bool(healthy)
        assert len(healthy) <= 1
    assert found >= 8


def with_spells(days: int, slow) -> list[tuple[int, int]]:
    """Day and run of the spell in which two slow hours at noon were told, on the days that have them."""
    step, alarms = Watching(noise(0, 1)), []
    for day in range(days):
        for number, ms in enumerate(noise(DAY, 200, day)):
            spell = slow(day) and 144 <= number < 168
            alarms += [(day, number - 143) for _ in step.see([3 * ms if spell else ms], "paging")]
    return alarms


def test_the_same_spell_the_next_day_is_found_as_on_the_first_and_is_usual_when_it_always_comes():
    alarms = with_spells(9, lambda day: day >= 4)
    assert [day for day, _ in alarms] == [4, 5]
    assert all(run <= 3 for _, run in alarms)


def test_what_comes_every_week_is_usual_the_third_time():
    assert [day for day, _ in with_spells(24, lambda day: day % 7 == 2)] == [2, 9]


def test_a_level_is_accepted_at_once_and_what_is_beyond_it_or_as_before_is_told():
    step = Watching(noise(400, 200))
    assert step.detector.accept() is None
    step.see(noise(5, 400, 2))
    before, now = step.detector.accept()
    assert (before, now) == (pytest.approx(200, rel=0.05), pytest.approx(400, rel=0.1))
    assert step.see(noise(200, 400, 3)) == []
    assert [alarm.rule for alarm in step.see(noise(30, 200, 4))] == ["faster"]
    step = Watching(noise(400, 200))
    step.see(noise(5, 400, 2))
    step.detector.accept()
    (beyond,) = step.see(noise(3, 900, 3))
    assert beyond.ratio == pytest.approx(2.25, rel=0.15)


def of_version_2(detector: StepDetector) -> bytes:
    """What the version before stored: one level, and the durations of each hour."""
    _, levels, drift, failing, failures, index = msgspec.msgpack.decode(detector.to_bytes())
    (newest, pending, _), _, level, seen, (again, _) = levels
    flags = (level is not None, 4 if level else 0, 0, index, again)
    baseline = (newest, pending, [(3, 100)] * 12, {3: newest[:100]})
    return msgspec.msgpack.encode((2, baseline, drift, failing[:5], seen, failures, flags))


def test_what_the_version_before_stored_is_read_on():
    step = Watching(noise(400, 200))
    step.detector = StepDetector.from_bytes(of_version_2(step.detector))
    assert step.see(noise(100, 200, 5)) == []
    step.see(noise(10, 400, 2))
    step.detector = StepDetector.from_bytes(of_version_2(step.detector))
    assert step.detector.degraded
    (alarm,) = step.see(noise(4, 2000, 3), "paging")
    assert alarm.first_ratio == pytest.approx(2, rel=0.1)
