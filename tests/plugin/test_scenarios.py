"""Scenarios of pytest-bdd: each line is a step, and lines alone prove nothing."""

FEATURE = """Feature: Calls
  Scenario: A call is taken
    Given the centre is up
    When 2 calls are taken
    Then the board shows them

  Scenario: Nothing is looked at
    Given nothing
"""
JOURNEYS = """
from pytest_bdd import given, parsers, scenarios, then, when

scenarios("calls.feature")

@given("the centre is up")
def up(api):
    api.get("/healthz").expect(200)

@when(parsers.parse("{number:d} calls are taken"))
def take(number):
    pass

@then("the board shows them")
def shown(api):
    api.get("/healthz").expect(201)

@given("nothing")
def nothing():
    pass
"""


def test_each_line_of_a_scenario_is_a_step_and_lines_alone_prove_nothing(project, centre):
    project.configure(centre.url)
    (project.root / "journeys" / "calls.feature").write_text(FEATURE)
    project.journeys(JOURNEYS)
    ran = project.run(environ={"PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:anyio"})
    taken, nothing = ran.results["test_a_call_is_taken"], ran.results["test_nothing_is_looked_at"]
    assert [(step.title, step.status) for step in taken.steps] == [
        ("Given the centre is up", "passed"),
        ("When 2 calls are taken", "passed"),
        ("Then the board shows them", "failed"),
    ], ran.output
    assert (taken.outcome, taken.failure.step) == ("failed", "Then the board shows them")
    assert nothing.outcome == "unknown", nothing
