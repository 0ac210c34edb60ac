"""Steps nest, are timed on the monotonic clock, and say which of them broke."""

import pytest

from synthprobe import ConfigurationError, Journey, Recorder, recording, step
from synthprobe.words import over_budget

JOURNEY = Journey(id="x", node_id="x", title="x")


def test_steps_nest_and_keep_their_order():
    with recording(Recorder(JOURNEY)) as recorder, step("outer"):
        with step("first"):
            pass
        with step("second"):
            pass
    (outer,) = recorder.steps
    assert [inner.title for inner in outer.steps] == ["first", "second"]
    assert outer.duration_s >= sum(inner.duration_s for inner in outer.steps)


def test_the_innermost_broken_step_is_named_with_its_path():
    with recording(Recorder(JOURNEY)) as recorder, pytest.raises(AssertionError):
        with step("take the call"), step("it is stored"):
            raise AssertionError("no such incident")
    assert recorder.broken == "take the call › it is stored"
    assert recorder.steps[0].status == "failed"
    assert recorder.steps[0].steps[0].error == "no such incident"


def test_a_step_decorates_a_helper_function():
    @step("log in")
    def log_in(user: str) -> str:
        return user

    with recording(Recorder(JOURNEY)) as recorder:
        assert log_in("dispatcher") == "dispatcher"
        assert log_in("again") == "again"
    assert [recorded_step.title for recorded_step in recorder.steps] == ["log in", "log in"]


def test_a_step_over_its_budget_degrades_and_says_by_how_much():
    with recording(Recorder(JOURNEY)) as recorder, step("search", budget="0.000001s"):
        sum(range(1000))
    (degradation,) = recorder.degradations
    assert degradation.kind == "over budget"
    assert degradation.message.startswith('"search" took 0.')


@pytest.mark.parametrize(
    ("took_s", "budget_s", "figures"),
    [(2.04, 2, "took 2.04 s, its budget is 2 s"), (3.21, 2, "took 3.2 s"), (0.03, 0.001, "took 0.03 s")],
)
def test_the_figures_of_a_budget_never_contradict_each_other(took_s, budget_s, figures):
    assert figures in over_budget("search", took_s, budget_s)


def test_a_step_that_failed_is_not_reported_as_slow_as_well():
    with recording(Recorder(JOURNEY)) as recorder, pytest.raises(ValueError, match="broken"):
        with step("search", budget="0.000001s"):
            raise ValueError("broken")
    assert recorder.degradations == []


def test_a_budget_that_is_no_duration_is_refused_with_an_example():
    with pytest.raises(ConfigurationError, match=r"'soon' is not a duration.*\"3s\""):
        step("search", budget="soon")


def test_a_step_outside_a_journey_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"outside a journey.*synthprobe.recording\(\)"), step("search"):
        pass
