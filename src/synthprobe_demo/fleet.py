"""``synthprobe demo --fleet``: three locations watch the dispatch centre, and one of them loses its network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from synthprobe import loopback, pipeline
from synthprobe.cli.fleet import matrix
from synthprobe.cli.terminal import open_console
from synthprobe.errors import ToolError
from synthprobe.fault_proxy import Break, proxy_drill
from synthprobe.fleet.slots import Done
from synthprobe.hooks import DrillSystem, Fault
from synthprobe.project import Project
from synthprobe.records.decoding import from_json
from synthprobe.records.incident import Incident
from synthprobe.records.verdict import Verdict
from synthprobe.report.oncall import headline
from synthprobe_demo.accounts import USERS
from synthprobe_demo.postgres import running_postgres
from synthprobe_demo.process import running_centre
from synthprobe_demo.temporal_server import running_temporal

LOCATIONS = ("fra", "iad", "sin")
CUT_OFF = "sin"
FAULT, FOUND_BY = "geocode_wrong_town", "address-lookup"
INTERVAL_S = 90

_SLOTS_WAITED, _POLL_S = 4, 0.5
_CUT = Fault(name="cut", cause="infra", summary="nothing arrives from this location")
_SETTINGS = """
default_target = "demo"
interval_s = {interval}
second_attempt_delay_s = 0

[history]
url = "{history}"

[publish]
url = "{site}"

[targets.demo]
base_url = "{centre}"
locations = {locations}
secrets = {{ dispatcher1 = "env:DISPATCHER" }}

[[alerts.routes]]
name = "pager"
to = ["env:PAGER"]
"""
JOURNEYS = '''
import pytest

from synthprobe import step


@pytest.fixture
def desk(api, secrets):
    with step("dispatcher 1 logs in"):
        entries = {"username": "dispatcher1", "password": secrets["dispatcher1"].reveal()}
        token = api.post("/api/login", json=entries).expect(200).json["token"]
    api.session.headers["Authorization"] = f"Bearer {token}"
    return api


@pytest.mark.journey(id="address-lookup", owner="records", severity="critical")
def test_address(desk):
    """An address lies in its town"""
    with step("the fixture's address lies in Harborview"):
        place, *_ = desk.get("/api/geocode", params={"q": "1 Probe Lane"}).expect(200).json["results"]
        assert place["town"] == "Harborview", f"its town is {place['town']!r}"
    with step("a street of two towns is offered in both"):
        places = desk.get("/api/geocode", params={"q": "100 Main Street"}).expect(200).json["results"]
        for place in places:
            lies_north = place["lat"] > 47.68
            assert lies_north == (place["town"] == "Millbrook"), f"{place} is not in its town"


@pytest.mark.journey(id="units", owner="fleet-desk", severity="critical")
def test_units(desk):
    """The units are listed"""
    with step("units are listed with their state"):
        units = desk.get("/api/units").expect(200).json["units"]
        assert units
        assert all(unit["primary"] for unit in units)


@pytest.mark.journey(id="lookouts", owner="records", severity="normal")
def test_lookouts(desk):
    """Lookouts can be read"""
    with step("the standing lookout is listed"):
        assert desk.get("/api/bolos").expect(200).json["bolos"]
'''

_console = open_console()


def demonstrate() -> bool:
    """Watch the centre from three places, cut one off, break the centre; whether both were found, and told once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="synthprobe-fleet-")))
        fleet = Fleet(folder, stack)
        _console.print(
            f"PostgreSQL, a Temporal server, the dispatch centre and workers at {', '.join(LOCATIONS)} are up."
        )
        healthy = fleet.next_slot("The centre is healthy")
        with fleet.networks[CUT_OFF].broken(_CUT.name):
            cut_off = fleet.next_slot(f"The network of {CUT_OFF} is broken")
        with fleet.centre.broken(FAULT):
            broken = fleet.next_slot(f"The network is mended, and the centre has a fault: {FAULT}")
        incidents = fleet.incidents()
        for incident in incidents:
            of = f"location {incident.location}" if incident.location else "the target"
            _console.print(f"{incident.id} of {of}, owner {incident.owner}: {incident.title} ({incident.seen_from})")
        for title in fleet.alerts:
            _console.print(f"alert: {title}")
        right = is_right(healthy, cut_off, broken, incidents, fleet.alerts)
    _console.print(
        "One incident of the location, one of the centre, one alert each."
        if right
        else "One incident of the location, one of the centre and one alert each were expected; this is not it.",
        style="bold green" if right else "bold red",
    )
    _console.print(f"Open {(_site() / 'index.html').as_uri()}")
    return right


def is_right(healthy: Verdict, cut_off: Verdict, broken: Verdict, incidents: list[Incident], alerts: list[str]) -> bool:
    """Whether what was broken was found where it was broken, with one alert each."""
    found = {judged.journey.id: judged.outcome for judged in broken.journeys}
    return (
        {judged.outcome for judged in healthy.journeys} == {"passed"}
        and {(judged.outcome, judged.alone) for judged in cut_off.journeys} == {("degraded", (CUT_OFF,))}
        and found == {id: "failed" if id == FOUND_BY else "passed" for id in found}
        and sorted((incident.location, incident.kind) for incident in incidents)
        == [("", "failing"), (CUT_OFF, "degraded")]
        and len(alerts) == len(incidents)
    )


def settings(history: str, centre: str, site: Path) -> str:
    """What every machine of the fleet has as its synthprobe.toml."""
    return _SETTINGS.format(
        interval=INTERVAL_S, history=history, site=site.as_uri(), centre=centre, locations=json.dumps(LOCATIONS)
    )


def password() -> str:
    """That of the first dispatcher."""
    return next(password for name, _, password, _ in USERS if name == "dispatcher1")


class Fleet:
    """The machines of the demonstration.

    Attributes:
        centre: the dispatch centre.
        networks: the way from each location to it.
        alerts: titles of the messages that the pager took.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        database = stack.enter_context(running_postgres())
        temporal = stack.enter_context(running_temporal(folder))
        self.centre = stack.enter_context(running_centre())
        self.alerts: list[str] = []
        pager = stack.enter_context(_pager(self.alerts))
        history = database.url().replace("postgresql:", "postgresql+psycopg:")
        written = settings(history, self.centre.base_url, _site())
        environ = {**os.environ, "DISPATCHER": password(), "PAGER": pager}
        self.networks: dict[str, DrillSystem] = {}
        self._roots = {location: folder / location for location in LOCATIONS}
        for location, root in self._roots.items():
            (root / "journeys").mkdir(parents=True)
            (root / "journeys" / "test_centre.py").write_text(JOURNEYS)
            (root / "synthprobe.toml").write_text(written)
            way = proxy_drill("demo", self.centre.base_url, {_CUT: Break(path="", drop=True)}).start()
            self.networks[location] = network = stack.enter_context(way)
            words = ("worker", "--location", location, "--address", temporal.address, "--base-url", network.base_url)
            stack.enter_context(_command(root, environ, folder / f"{location}.log", *words))
        done = subprocess.run(
            [*_FLEET, "worker", "--location", LOCATIONS[0], "--capacity", "0", "--parts", "1", "--address",
             temporal.address], cwd=self._roots[LOCATIONS[0]],
            env=environ, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ToolError("The slots could not be scheduled; the message stands above.")
        self._logs = folder

    def next_slot(self, what: str) -> Verdict:
        """The verdict of the first slot that begins from now on; it is shown."""
        project = Project.at(self._roots[LOCATIONS[0]])
        with pipeline.open_history(project) as history:
            now = int(history.fleet.now_s()) // INTERVAL_S
        _console.print(f"\n{what}; the next slot is awaited.")
        until = time.monotonic() + _SLOTS_WAITED * INTERVAL_S
        while time.monotonic() < until:
            for slot in range(now + 1, now + _SLOTS_WAITED):
                with pipeline.open_history(project) as history:
                    concluded = history.fleet.conclusion("demo", slot)
                if concluded is not None:
                    return self._shown(slot, concluded.run_id)
            time.sleep(_POLL_S)
        logs = "".join((self._logs / f"{location}.log").read_text()[-2000:] for location in LOCATIONS)
        raise ToolError(f"No slot was concluded within {_SLOTS_WAITED * INTERVAL_S} s. The workers say:\n{logs}")

    def _shown(self, slot: int, run: str) -> Verdict:
        (folder,) = (
            found for root in self._roots.values() for found in root.glob(f".synthprobe/runs/demo/{slot}-{run}")
        )
        verdict = from_json((folder / "verdict.json").read_bytes(), Verdict)
        _console.print(headline(verdict))
        _console.print(matrix(Done(code=0, verdict=verdict, locations=LOCATIONS)))
        return verdict

    def incidents(self) -> list[Incident]:
        """All incidents that were ever opened."""
        with pipeline.open_history(Project.at(self._roots[LOCATIONS[0]])) as history:
            return history.incidents("demo")


_FLEET = (sys.executable, "-m", "synthprobe")


def _site() -> Path:
    return Path.cwd() / ".synthprobe" / "fleet-demo"


@contextmanager
def _command(root: Path, environ: Mapping[str, str], log: Path, *words: str) -> Iterator[None]:
    with log.open("wb") as file:
        started = subprocess.Popen([*_FLEET, *words], cwd=root, env=environ, stdout=file, stderr=file)
    try:
        yield
    finally:
        started.terminate()
        started.wait()


@contextmanager
def _pager(titles: list[str]) -> Iterator[str]:
    """A channel that keeps the titles of its messages; its address."""

    class Pager(loopback.Handler):
        def do_POST(self) -> None:
            titles.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["title"])
            self.answer()

    with loopback.served(Pager) as url:
        yield url.replace("http:", "json:")
