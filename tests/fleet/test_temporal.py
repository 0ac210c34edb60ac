"""The engine Temporal, with its real server: a slot is planned, looked at and concluded though a worker is killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from relay import Relay
from waiting_shop import WaitingShop

from synthprobe import eventually
from synthprobe_demo.temporal_server import running_temporal

SYNTHPROBE = (sys.executable, "-m", "synthprobe")
JOURNEY = '''
def test_buy(api):
    """A customer buys."""
    api.get("/buy").expect(200)
'''


@contextmanager
def process(*words: str, cwd: Path, errors: Path):
    with errors.open("wb") as log:
        started = subprocess.Popen(words, cwd=cwd, stdout=log, stderr=log, start_new_session=True)
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_temporal(tmp_path_factory.mktemp("temporal")) as started:
        yield started


class Slot:
    """A shop on a target of its own, whose first requests wait, and the slot of it that Temporal has begun."""

    def __init__(self, server, folder: Path, waiting: int, journey: str = JOURNEY) -> None:
        self.folder, self._server = folder, server
        self.shop = WaitingShop(waiting)
        self.target = f"shop{self.shop.port}"
        (folder / "journeys").mkdir()
        (folder / "journeys" / "test_shop.py").write_text(journey)
        (folder / "synthprobe.toml").write_text(
            f"default_target = '{self.target}'\ninterval_s = 86400\n[targets.{self.target}]\n"
            f"base_url = '{self.shop.url}'\nlocations = ['fra']\ntimeout_s = 100\n"
        )
        words = (*SYNTHPROBE, "worker", "--location", "fra", "--capacity", "0", "--parts", "1")
        made = subprocess.run(
            [*words, "--address", server.address], cwd=folder, capture_output=True, text=True, timeout=250
        )
        assert made.returncode == 0, made.stderr
        self.temporal("schedule", "trigger", "--schedule-id", f"synthprobe-{self.target}")

    def temporal(self, *words: str) -> str:
        temporal = (self._server.program, "--address", self._server.address, "--output", "json")
        return subprocess.run([*temporal, *words], check=True, capture_output=True, text=True, timeout=200).stdout

    def worker(self, name: str, address: str = ""):
        words = (*SYNTHPROBE, "worker", "--location", "fra", "--address", address or self._server.address)
        return process(*words, cwd=self.folder, errors=self.folder / f"{name}.log")

    @property
    def flow(self) -> str:
        query = f"WorkflowType='synthprobe-slot' AND WorkflowId STARTS_WITH 'synthprobe-{self.target}'"
        (listed,) = json.loads(self.temporal("workflow", "list", "--query", query))
        return listed["execution"]["workflowId"]

    def attempts(self) -> int:
        """How often Temporal has given the part away."""
        pending = json.loads(self.temporal("workflow", "describe", "--workflow-id", self.flow)).get("pendingActivities")
        return max((activity.get("attempt", 1) for activity in pending or ()), default=0)

    def judged(self) -> dict:
        """What the conclusion says of the only journey, once the workflow is over."""
        assert json.loads(self.temporal("workflow", "result", "--workflow-id", self.flow))["result"] == 0
        runs = self.folder.glob(f".synthprobe/runs/{self.target}/*/verdict.json")
        (verdict,) = (path for path in runs if '"concludes": true' in path.read_text())
        (found,) = json.loads(verdict.read_text())["journeys"]
        assert [vote["location"] for vote in found["votes"]] == ["fra"]
        return found


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_worker_and_then_the_server_are_killed_in_mid_slot_and_the_slot_is_concluded_once(server, tmp_path):
    slot = Slot(server, tmp_path, waiting=2)
    with slot.worker("first") as first:
        assert slot.shop.asked[0].wait(120), (tmp_path / "first.log").read_text()
        os.killpg(first.pid, signal.SIGKILL)  # with the run that it had begun
    slot.shop.may_answer[0].set()
    with slot.worker("second") as second:
        assert slot.shop.asked[1].wait(200), (tmp_path / "second.log").read_text()
        server.kill()
        server.start()
        slot.shop.may_answer[1].set()
        assert slot.judged()["outcome"] == "passed"
        second.terminate()
        assert second.wait(60) == 0


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_worker_that_temporal_cannot_reach_ends_its_part_and_nobody_does_it_again(server, tmp_path):
    slot = Slot(server, tmp_path, waiting=1)
    relay = Relay(int(server.address.rpartition(":")[2]))
    with slot.worker("lonely", f"127.0.0.1:{relay.port}"):
        assert slot.shop.asked[0].wait(120), (tmp_path / "lonely.log").read_text()
        relay.cut()
        with slot.worker("other"):
            eventually(lambda: slot.attempts() > 1, within="100s", every="1s")
            slot.shop.may_answer[0].set()
            assert slot.judged()["outcome"] == "passed"
    assert len(slot.shop.requests) == 1


def test_a_part_of_which_nothing_could_be_seen_is_a_line_of_the_worker(server, tmp_path):
    slot = Slot(server, tmp_path, waiting=0, journey="def test_buy(secrets):\n    secrets['gone']\n")
    log = tmp_path / "worker.log"
    with slot.worker("worker"):
        eventually(lambda: "exit code 3: From fra nothing of" in " ".join(log.read_text().split()), within="90s")
    assert "Traceback" not in log.read_text()


def test_a_server_that_is_not_there_is_a_sentence(tmp_path):
    (tmp_path / "synthprobe.toml").write_text("[targets.demo]\nbase_url = 'http://127.0.0.1:9'\n")
    words = [sys.executable, "-m", "synthprobe", "worker", "--location", "fra", "--address", "127.0.0.1:9"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=250)
    assert done.returncode == 2
    assert "The Temporal server at 127.0.0.1:9 cannot be used" in " ".join(done.stderr.split())
    words += ["--base-url", "here"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=250)
    assert done.returncode == 2
    assert "here" in done.stderr
    words[-2:] = ["--parts", "2"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=250)
    assert done.returncode == 2
    assert "Target demo names no locations" in " ".join(done.stderr.split())
