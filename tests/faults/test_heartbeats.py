"""The watcher hears of each run by the convention, and what it was not told is told later."""
# ruff: noqa: N802 - the names carry the rows' ids

from __future__ import annotations

import socket

import pytest
from test_alerts import receiver

from synthprobe.alerts.heartbeat import Heartbeat
from synthprobe.targets.secrets import Secret

__all__ = ["receiver"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def heart(receiver, tmp_path) -> Heartbeat:
    url = Secret(f"http://{receiver.at}/ping/hush-hush-7", "heartbeat")
    return Heartbeat(url, tmp_path / "heartbeat.jsonl", timeout_s=20, pauses_s=(0, 0))


@pytest.mark.parametrize(("signal", "path"), [("start", "/start"), ("success", ""), ("fail", "/fail"), ("log", "/log")])
def test_a_heartbeat_keeps_the_convention(heart, receiver, signal, path):
    assert heart.send(signal, "run-1", "12 journeys judged").accepted
    heart.send("success", "run-1")
    first, second = receiver.requests
    assert first.path.split("?rid=")[0] == f"/ping/hush-hush-7{path}"
    assert first.path.split("?rid=")[1] == second.path.split("?rid=")[1]
    assert first.body == "12 journeys judged"


@pytest.mark.parametrize("how", ["down", "slow", 500, 302])
def test_F65_a_heartbeat_that_is_not_taken_is_recorded_and_told_later(heart, receiver, tmp_path, how):
    receiver.how = 200 if how == "down" else how
    at = receiver.at
    if how == "down":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            at = f"127.0.0.1:{free.getsockname()[1]}"
    limit_s = 0.3 if how == "slow" else 20
    url = Secret(f"http://{at}/ping/hush-hush-7", "heartbeat")
    beat = Heartbeat(url, tmp_path / "heartbeat.jsonl", timeout_s=limit_s, pauses_s=(0, 0)).send("success", "run-1")
    assert (beat.accepted, beat.tries) == (False, 3)
    assert "hush" not in (tmp_path / "heartbeat.jsonl").read_text()
    receiver.how = 200
    receiver.end.set()
    assert heart.send("success", "run-2").accepted
    assert "1 signals before this one did not arrive" in receiver.requests[-1].body


def test_F65_a_full_disk_does_not_end_the_run(receiver, tmp_path):
    (tmp_path / "file").touch()
    heart = Heartbeat(Secret(f"http://{receiver.at}/hush-hush-7"), tmp_path / "file" / "heartbeat.jsonl")
    assert heart.send("success", "run-1").accepted
