"""The dispatch centre works, and each fault changes what a dispatcher sees while health stays green."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
import requests

from synthprobe import eventually
from synthprobe_demo.faults import DECOYS, NAMES


@pytest.fixture
def dispatcher(centre):
    session = requests.Session()
    answer = session.post(
        f"{centre.url}/api/login", json={"username": "dispatcher1", "password": "dispatch-Harbor-1"}, timeout=10
    )
    session.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def call(method, path, **options):
        return session.request(method, centre.url + path, timeout=15, **options)

    return call


@pytest.fixture
def number(dispatcher):
    body = {"address": "1 Probe Lane", "client_token": "test", "synthetic": True}
    made = dispatcher("POST", "/api/incidents", json=body)
    again = dispatcher("POST", "/api/incidents", json=body)
    assert made.json()["number"] == again.json()["number"], "one client token is one incident"
    yield made.json()["number"]
    dispatcher("DELETE", f"/api/incidents/{made.json()['number']}").raise_for_status()


def test_a_wrong_password_is_refused(centre):
    body = {"username": "dispatcher1", "password": "guess"}
    assert requests.post(f"{centre.url}/api/login", json=body, timeout=5).status_code == 401
    assert requests.get(f"{centre.url}/api/units", timeout=5).status_code == 401


def test_every_answer_names_node_build_and_time_spent(dispatcher):
    answers = [dispatcher("GET", "/api/units") for _ in range(2)]
    assert {answer.headers["X-Node"] for answer in answers} == {"a", "b"}
    assert 'desc="n=' in answers[0].headers["Server-Timing"]
    assert answers[0].headers["X-Build"]


def test_a_synthetic_incident_gets_synthetic_units_only(dispatcher, number):
    units = dispatcher("GET", f"/api/recommend?incident={number}").json()["units"]
    assert {unit["agency"] for unit in units} == {"SYN"}
    assert dispatcher("POST", f"/api/incidents/{number}/assign", json={"unit": "HPD-10"}).status_code == 400


def test_synthetic_incidents_are_not_in_the_report(dispatcher, number):
    before = dispatcher("GET", "/api/reports/intervals").json()
    dispatcher("POST", f"/api/incidents/{number}/close", json={"disposition": "Handled"})
    assert dispatcher("GET", "/api/reports/intervals").json() == before


def events(centre, dispatcher, seconds):
    seen = []
    with requests.get(f"{centre.url}/api/stream", headers=headers(dispatcher), stream=True, timeout=seconds) as answer:
        try:
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"event:"):
                    seen.append(line.split(b": ")[1].decode())
                    if seen == ["system:hello"]:
                        dispatcher("POST", "/api/units/SYN-02/status", json={"status": "Cleared"})
                    if "responder:status" in seen:
                        break
        except requests.ConnectionError:
            pass
    return seen


def headers(dispatcher):
    return dict(dispatcher("GET", "/api/time").request.headers)


def test_the_stream_tells_news_and_is_silent_when_it_should_be(centre, dispatcher):
    assert "responder:status" in events(centre, dispatcher, 5)
    centre.fault("stream_silent")
    assert events(centre, dispatcher, 1) == ["system:hello"]


def test_stopped_positions_stay_where_they_were(centre, dispatcher):
    centre.fault("avl_feed_stopped")
    from synthprobe import eventually

    def standing():
        before = dispatcher("GET", "/api/units").json()["units"]
        return eventually(lambda: before, within="1s") == dispatcher("GET", "/api/units").json()["units"]

    assert eventually(standing, within="5s")


def test_the_control_needs_its_token_and_knows_its_faults(centre):
    assert requests.get(f"{centre.system.control_url}/faults", timeout=5).status_code == 403
    answer = requests.get(f"{centre.system.control_url}/faults", headers=centre.system.control_headers, timeout=5)
    assert set(answer.json()) == set(NAMES)
    decoys = requests.get(f"{centre.system.control_url}/decoys", headers=centre.system.control_headers, timeout=5)
    assert set(decoys.json()) == set(DECOYS)
    assert (
        requests.post(
            f"{centre.system.control_url}/faults/x", json={"on": True}, headers=centre.system.control_headers, timeout=5
        ).status_code
        == 404
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_run_at_once_and_end_clean_with_an_open_stream(number):
    command = [sys.executable, "-m", "synthprobe_demo"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    addresses = [json.loads(child.stdout.readline()) for child in children]
    assert addresses[0]["base_url"] != addresses[1]["base_url"]
    login = {"username": "dispatcher1", "password": "dispatch-Harbor-1"}
    url = addresses[0]["base_url"]
    token = requests.post(f"{url}/api/login", json=login, timeout=5).json()["token"]
    stream = requests.get(f"{url}/api/stream", headers={"Authorization": f"Bearer {token}"}, stream=True, timeout=5)
    for child in children:
        child.send_signal(number)
    assert [child.wait(timeout=5) for child in children] == [0, 0]
    stream.close()
    for child in children:
        child.stdout.close()


STARTS = """
from synthprobe_demo.process import running_centre
with running_centre():
    print("started", flush=True)
    input()
"""


def test_a_centre_ends_with_who_started_it_and_a_ctrl_c_leaves_it_to_be_healed(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", STARTS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    child.stdout.readline()
    (started,) = psutil.Process(child.pid).children()
    assert os.getpgid(started.pid) != os.getpgid(child.pid), "a terminal would end both at once"
    child.kill()
    child.communicate(timeout=20)
    eventually(lambda: not started.is_running() or started.status() == psutil.STATUS_ZOMBIE, within="10s")
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_a_sentence(centre):
    port = centre.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "synthprobe", "demo", "serve", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr
    assert "--port 0" in done.stderr
    assert "Traceback" not in done.stderr
