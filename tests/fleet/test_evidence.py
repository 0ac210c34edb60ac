"""Evidence goes to the store from the part that kept it, and the page of the conclusion leads there."""

from machines import Fleet, outcomes
from msgspec.structs import replace

from synthprobe.config import read_config
from synthprobe.pipeline.afterwards import after_part
from synthprobe.project import Project
from synthprobe.records.evidence import Evidence


def test_pictures_of_two_locations_stand_in_the_store_and_the_page_shows_the_telling_one(tmp_path):
    store = tmp_path / "store"
    fleet = Fleet(tmp_path, f"sqlite:///{tmp_path}/shared.db", more=f'[publish]\nurl = "{store.as_uri()}"\n')
    plan = fleet.plan(locations=("fra", "iad"))
    for location in plan.locations:
        state = fleet.lease(plan, location)
        root = fleet.machine(location)
        verdict = fleet.verdict(state, plan, {"buy": "failed"})
        folder = root / ".synthprobe" / "runs" / "shop" / f"{plan.slot}-{verdict.run.id}"
        (folder / "evidence").mkdir(parents=True)
        (folder / "evidence" / "screen.png").write_bytes(location.encode())
        kept = Evidence(kind="screenshot", title="screen", media_type="image/png", path="evidence/screen.png", size=3)
        journeys = tuple(
            replace(journey, results=(replace(journey.results[0], evidence=(kept,)),))
            if journey.outcome == "failed"
            else journey
            for journey in verdict.journeys
        )
        after_part(
            Project(root, read_config(root), {}), folder, replace(verdict, journeys=journeys), state.place, state.token
        )
        assert not (store / "index.html").exists()  # a part publishes no page
    assert {path.read_bytes() for path in (store / "evidence").iterdir()} == {b"fra", b"iad"}
    printed = fleet.conclude(name="elsewhere")
    assert not printed["notes"], printed["notes"]
    assert outcomes(printed)["buy"] == "failed"
    (shown,) = (path for path in (store / "evidence").iterdir() if path.read_bytes() == b"fra")
    assert f"evidence/{shown.name}" in (store / "index.html").read_text()
