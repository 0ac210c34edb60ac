"""Every attempt has the deadline, in its set-up, body and clean-up: a journey that hangs costs itself only."""

from __future__ import annotations

import pytest

JOURNEYS = """
import asyncio, socket, threading, urllib.request
import aiohttp, httpx, pytest, requests

def hang():
    threading.Event().wait()

@pytest.fixture
def stuck():
    hang()

@pytest.fixture
def stuck_in_the_end():
    yield
    hang()

def test_body():
    hang()

def test_set_up(stuck):
    assert True

@pytest.mark.flaky(reruns=0)
def test_clean_up(stuck_in_the_end):
    assert 1 == 2

@pytest.mark.timeout(0.5)
def test_marked():
    hang()

@pytest.mark.flaky(reruns=0)
@pytest.mark.timeout(0.4, func_only=True)
def test_marked_body():
    hang()

@pytest.mark.flaky(reruns=0)
def test_swallows():
    try:
        hang()
    except BaseException:
        hang()

@pytest.mark.flaky(reruns=0)
def test_swallows_and_passes():
    try:
        hang()
    except BaseException:
        assert True

@pytest.mark.flaky(reruns=0)
def test_waits_for_an_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urllib.request.urlopen(f"http://127.0.0.1:{silent.getsockname()[1]}/")

@pytest.mark.flaky(reruns=0)
def test_asks():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        requests.get(f"http://127.0.0.1:{silent.getsockname()[1]}/orders")

@pytest.mark.flaky(reruns=0)
@pytest.mark.parametrize("client", [httpx.AsyncClient, aiohttp.ClientSession])
def test_asks_in_a_loop(client):
    async def ask(url):
        async with client() as asking:
            await asking.get(url)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(ask(f"http://127.0.0.1:{silent.getsockname()[1]}/stock"))

def test_sound():
    assert True
"""

REACHED = "The journey reached its deadline of {} s."
EXPECTED = {
    "test_body": (2, "unknown", "deadline: " + REACHED.format(1)),
    "test_set_up": (2, "unknown", "deadline: " + REACHED.format(1)),
    "test_clean_up": (1, "failed", "assert 1 == 2"),
    "test_marked": (2, "unknown", "deadline: " + REACHED.format("0.5")[:-1] + ", set by its timeout marker."),
    "test_marked_body": (1, "unknown", "deadline: " + REACHED.format("0.4")[:-1] + ", set by its timeout marker."),
    "test_swallows": (1, "unknown", "deadline: " + REACHED.format(1)),
    "test_swallows_and_passes": (1, "unknown", "deadline: " + REACHED.format(1)),
    "test_waits_for_an_answer": (1, "unknown", f"deadline: {REACHED.format(1)[:-1]} (urllib waited for an answer)"),
    "test_asks": (1, "unknown", f"deadline: {REACHED.format(1)[:-1]} (requests waited for an answer)"),
    "test_asks_in_a_loop[AsyncClient]": (1, "unknown", "deadline: " + REACHED.format(1)),
    "test_asks_in_a_loop[ClientSession]": (1, "unknown", "deadline: " + REACHED.format(1)),
    "test_sound": (1, "passed", ""),
}


def test_each_attempt_ends_at_its_own_deadline_f87(project):
    settings = project.root / "synthprobe.toml"
    settings.write_text("journey_deadline_s = 1\n" + settings.read_text())
    project.journeys(JOURNEYS)
    ran = project.run("--reruns", "1", "-n", "2")
    assert ran.results.keys() == EXPECTED.keys(), ran.output
    for name, (attempt, outcome, cause) in EXPECTED.items():
        result = ran.results[name]
        assert (result.attempt, result.outcome, result.cause) == (attempt, outcome, cause)
        assert result.duration_s < (16 if name == "test_clean_up" else 8)
    for name, path in (("test_asks", "/orders"), *((name, "/stock") for name in EXPECTED if "loop" in name)):
        (asked,) = ran.results[name].facts.answers
        assert (asked.path, asked.status) == (path, 0), "what was not answered is known"


@pytest.mark.parametrize(("timeout_s", "shorter"), [(0.3, True), (9, False)])
def test_a_timeout_of_all_tests_counts_where_it_is_shorter_f87(project, timeout_s, shorter):
    settings = project.root / "synthprobe.toml"
    settings.write_text("journey_deadline_s = 0.6\n" + settings.read_text())
    (project.root / "pytest.ini").write_text(f"[pytest]\ntimeout = {timeout_s}\n")
    project.journeys("import threading\ndef test_body():\n    threading.Event().wait()\n")
    result = project.run().results["test_body"]
    assert result.outcome == "unknown"
    assert (f"{timeout_s} s" if shorter else "0.6 s") in result.cause
    assert ("pytest" in result.cause) is shorter


GROUP = """
import os, threading, pytest

@pytest.mark.parametrize("number", range(2))
@pytest.mark.xdist_group("one account")
def test_alone(number):
    threading.Event().wait(1.5)
    assert True
"""


def test_waiting_for_a_group_is_not_counted_f88(project):
    settings = project.root / "synthprobe.toml"
    settings.write_text("journey_deadline_s = 2.5\n" + settings.read_text())
    project.journeys(GROUP)
    ran = project.run("-n", "2", "--dist", "load")
    assert [result.outcome for result in ran.results.values()] == ["passed", "passed"], ran.output
    assert {result.worker for result in ran.results.values()} == {"gw0", "gw1"}
