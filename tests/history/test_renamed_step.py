"""A step that was renamed keeps its usual and its series when the configuration says what it was called."""

import random

import pytest
from made_history import START, verdict
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.config import read_config
from synthprobe.history.store import History
from synthprobe.project import Project

TARGET = '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n'
ALIAS = '[aliases."journey-0"]\n"step 0" = "take a call"\n'


def named(made, name):
    """The same verdict with its step called otherwise, and another step inside it."""
    (judged,) = made.journeys
    (result,) = judged.results
    (step,) = result.steps
    inner = replace(step, title="address")
    operations = tuple(replace(operation, step=name) for operation in result.operations)
    result = replace(result, steps=(replace(step, title=name, steps=(inner,)),), operations=operations)
    return replace(made, journeys=(replace(judged, results=(result,)),))


class Runs:
    def __init__(self, root):
        self.root, self.number, self.noise = root, 0, random.Random(5)
        self.configure(TARGET)

    def configure(self, text):
        (self.root / "synthprobe.toml").write_text(text)
        self.config = read_config(self.root, {})

    def run(self, name, ms=400.0):
        self.number += 1
        made = named(verdict(self.number, ms=ms * (1 + self.noise.gauss(0, 0.03))), name)
        folder = self.root / ".synthprobe" / "runs" / "demo" / made.run.id
        folder.mkdir(parents=True)
        (judged,) = pipeline.after_run(Project(self.root, self.config, {}), folder, made).journeys
        return {degradation.step for degradation in judged.degradations} - {judged.journey.title}

    def samples(self, step):
        with pipeline.open_history(Project(self.root, self.config, {})) as history:
            return sum(sample.count for sample in history.step_series("demo", "journey-0", step, START))


@pytest.mark.parametrize("aliased", [True, False])
def test_a_renamed_step_goes_on_only_with_an_alias(tmp_path, aliased):
    project = Runs(tmp_path)
    for _ in range(30):
        project.run("step 0")
    project.configure(TARGET + (ALIAS if aliased else ""))
    slow = [project.run("take a call", 1200) for _ in range(3)][-1]
    assert slow == ({"take a call", "take a call › address"} if aliased else set())
    assert project.samples("take a call") == project.samples("take a call › address") == (33 if aliased else 3)
    assert project.samples("step 0") == project.samples("step 0 › address") == (0 if aliased else 30)


def test_an_alias_of_a_step_that_is_still_there_does_nothing(tmp_path):
    project = Runs(tmp_path)
    project.configure(TARGET + ALIAS)
    for _ in range(3):
        project.run("step 0")
    assert (project.samples("step 0"), project.samples("take a call")) == (3, 0)


def test_what_was_measured_under_both_names_becomes_one_series(history):
    aliases = {"journey-0": {"old": "new"}}
    for number, name in enumerate(["old", "old", "new", "old"]):
        history.ingest(named(verdict(number), name))
    history.put_detector_states("demo", {("journey-0", "old"): b"known"})
    for _ in range(2):
        history.rename_steps("demo", aliases)
    assert history.steps("demo") == {"journey-0": ("new", "new › address")}
    assert [sample.count for sample in history.step_series("demo", "journey-0", "new", START)] == [1] * 4
    assert history.detector_states("demo") == {("journey-0", "new"): b"known"}
    assert {
        (operation.step, operation.calls) for operation in history.operations("demo", START, START.replace(year=2027))
    } == {("new", 8)}


def test_another_target_keeps_its_names(tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.ingest(named(verdict(0, target="staging"), "old"))
        history.rename_steps("demo", {"journey-0": {"old": "new"}})
        assert history.steps("staging") == {"journey-0": ("old", "old › address")}
