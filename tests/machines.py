"""Machines that look at slots of one project from several locations, without browsers and without journeys run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import to_builtins
from typer.testing import CliRunner

from synthprobe import pipeline
from synthprobe.cli.main import app
from synthprobe.fleet.plan import plan_slot
from synthprobe.pipeline.afterwards import seen_by
from synthprobe.project import Project
from synthprobe.records.fleet import PartState, Place, Plan
from synthprobe.records.journey import Journey
from synthprobe.records.result import Failure, Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict

LOCATIONS = ("fra", "iad", "sin")


def journey(id: str, **more) -> Journey:
    return Journey(id=id, node_id=f"journeys/test_shop.py::test_{id}", title=id, owner="shop", **more)


class Fleet:
    """A project whose history several machines share; each has a folder of its own."""

    def __init__(self, folder: Path, url: str, *, target: str = "shop", more: str = "") -> None:
        self.folder, self.target = folder, target
        self.journeys = [journey("buy", severity="critical"), journey("read"), journey("search")]
        self.settings = (
            f'default_target = "{target}"\n[history]\nurl = "{url}"\n'
            f'[targets.{target}]\nbase_url = "http://127.0.0.1:9"\n{more}'
        )
        self.told = folder / "told.jsonl"
        self.step_s = dict.fromkeys(LOCATIONS, 0.2)
        self.slot = int(datetime.now(UTC).timestamp()) // 300

    def machine(self, name: str) -> Path:
        root = self.folder / name
        (root / "journeys").mkdir(parents=True, exist_ok=True)
        (root / "synthprobe.toml").write_text(self.settings)
        return root

    def history(self, name: str = "centre"):
        root = self.machine(name)
        return pipeline.open_history(Project.at(root))

    def plan(self, parts: int = 1, *, slot: int | None = None, quorum: int = 0, locations=LOCATIONS) -> Plan:
        made = plan_slot(
            self.journeys, {}, parts, target=self.target, slot=slot or self.slot, locations=locations, quorum=quorum
        )
        with self.history() as history:
            return history.fleet.keep_plan(made)

    def lease(self, plan: Plan, location: str, part: int = 1, seconds: float = 60, name: str = "") -> PartState:
        place = Place(target=self.target, slot=plan.slot, location=location, part=part)
        with self.history(name or location) as history:
            state, ours = history.fleet.lease(place, f"machine {name or location}", seconds)
        assert ours, state
        return state

    def finish(self, state: PartState, plan: Plan, bad: Mapping[str, str] | None = None, **how) -> bool:
        """Hand over what a machine saw: passed, but for these; whether it counts."""
        verdict = self.verdict(state, plan, bad or {}, **how)
        with self.history(how.get("name") or state.place.location) as history:
            return history.ingest(verdict, part=seen_by(verdict, state.place, state.token))

    def look(self, plan: Plan, bad: Mapping[str, Mapping[str, str]] | None = None, but: tuple[str, ...] = ()) -> None:
        """Every part from every location, but from some."""
        for location in plan.locations:
            for part in plan.parts if location not in but else ():
                state = self.lease(plan, location, part.number)
                assert self.finish(state, plan, (bad or {}).get(location))

    def verdict(
        self, state: PartState, plan: Plan, bad: Mapping[str, str], *, off: timedelta = timedelta(0), name: str = ""
    ) -> Verdict:
        place, at = state.place, datetime.now(UTC) + off
        run = Run(
            id=f"{self.target}-{plan.slot}-{place.location}{name}-{place.part}-{state.token}", target=self.target,
            base_url="http://127.0.0.1:9", slot=plan.slot, started_at=at, location=place.location, part=place.part,
        )  # fmt: skip
        judged = []
        for journey_record in plan.parts[place.part - 1].journeys:
            outcome = bad.get(journey_record.id, "passed")
            failure = None
            if outcome == "failed":
                failure = Failure(
                    kind="expectation", ours=False, message="expected 200, got 500", detail="", step="open"
                )
            took_s = self.step_s[place.location]
            step = Step(title="open", status="failed" if failure else "passed", started_at=at, duration_s=took_s)
            cause = {"failed": "expected 200, got 500", "unknown": "browser: it died"}.get(outcome, "")
            result = Result(
                run_id=run.id, target=self.target, journey=journey_record, attempt=1, outcome=outcome, cause=cause,
                started_at=at, duration_s=took_s + 0.1, steps=(step,), failure=failure,
            )  # fmt: skip
            judged.append(JourneyVerdict(journey=journey_record, outcome=outcome, cause=cause, results=(result,)))
        return Verdict(run=run, journeys=tuple(judged), finished_at=at + timedelta(seconds=1))

    def conclude(self, slot: int | None = None, name: str = "centre", *words: str) -> dict:
        """What `synthprobe run --conclude` prints."""
        before = Path.cwd()
        os.chdir(self.machine(name))
        try:
            done = CliRunner().invoke(app, ["run", "--conclude", "--slot", str(slot or self.slot), "--json", *words])
        finally:
            os.chdir(before)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout)

    def incidents(self) -> list[dict]:
        with self.history() as history:
            return [to_builtins(incident) for incident in history.incidents(self.target)]


def outcomes(printed: dict) -> dict[str, str]:
    return {judgement["journey"]["id"]: judgement["outcome"] for judgement in printed["journeys"]}


def votes(printed: dict, journey: str) -> dict[str, str]:
    (found,) = (judgement for judgement in printed["journeys"] if judgement["journey"]["id"] == journey)
    return {vote["location"]: vote["outcome"] for vote in found["votes"]}
