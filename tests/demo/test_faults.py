"""Each fault changes what can be seen through the centre's own API or pages, and health stays green."""

from __future__ import annotations

import re
import ssl
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from synthprobe import eventually
from synthprobe_demo.accounts import USERS
from synthprobe_demo.faults import DECOYS, NAMES

PASSWORDS = {name: password for name, _, password, _ in USERS}
LANE = "1 Probe Lane"


class Desk:
    """One user's session."""

    def __init__(self, url: str, user: str) -> None:
        self.url, self.session = url, requests.Session()
        body = {"username": user, "password": PASSWORDS[user]}
        self.log_in = self.session.post(f"{url}/api/login", json=body, timeout=15)
        self.bearer = {"Authorization": f"Bearer {self.log_in.json().get('token')}"}

    def call(self, method, path, body=None, **headers):
        return self.session.request(method, self.url + path, json=body, headers={**self.bearer, **headers}, timeout=15)

    def get(self, path):
        return self.call("GET", path).json()

    def new(self, **fields):
        body = {"address": LANE, "client_token": uuid4().hex, "synthetic": True, **fields}
        return self.call("POST", "/api/incidents", body).json()["number"]


@pytest.fixture
def at(centre):
    """The centre as several users see it."""
    desk = Desk(centre.url, "dispatcher1")
    yield SimpleNamespace(centre=centre, url=centre.url, desk=desk, supervisor=Desk(centre.url, "supervisor"))
    centre.heal()
    for incident in desk.get("/api/incidents")["incidents"]:
        desk.call("DELETE", f"/api/incidents/{incident['number']}")


def status(at, unit, secondary, **headers):
    return at.desk.call("POST", f"/api/units/{unit}/status", {"status": secondary}, **headers)


def unit(at, id):
    return at.desk.get(f"/api/units/{id}")


def ages(at):
    answer = at.desk.get("/api/units")["units"]
    now = datetime.now(UTC)
    return [(responder, (now - datetime.fromisoformat(responder["fix_at"])).total_seconds()) for responder in answer]


def soon(check):
    def holds():
        assert check()

    try:
        eventually(holds, within="2s", every="50ms")
    except Exception:
        return False
    return True


def a_report_arrives(at):
    lat = 47.63 + time.time() % 0.001
    at.desk.call("POST", "/api/units/SYN-04/position", {"lat": lat, "lng": -122.26})
    return soon(lambda: unit(at, "SYN-04")["lat"] == lat)


def status_is_stored(at):
    status(at, "SYN-02", "OnScene")
    stored = unit(at, "SYN-02")["secondary"] == "OnScene"
    status(at, "SYN-02", "Cleared")
    return stored


def the_slower_writer_is_refused(at):
    version = {"If-Match": str(unit(at, "SYN-03")["version"])}
    return [status(at, "SYN-03", "EnRoute", **version).status_code for _ in range(2)] == [200, 412]


def heard(at, desk, act, *, wanted="responder:status", until=1.2):
    """Kinds and ids of the events that follow an act."""
    seen = []
    try:
        with requests.get(f"{at.url}/api/stream", headers=desk.bearer, stream=True, timeout=until) as answer:
            for line in answer.iter_lines(chunk_size=1):
                name, _, value = line.decode().partition(": ")
                if name == "id":
                    seen.append(int(value))
                if name == "event" and value == "system:hello":
                    act()
                    began = time.monotonic()
                if name == "event":
                    seen.append(value)
                if seen.count(wanted) >= 3 or (seen and time.monotonic() - began > until):
                    break
    except requests.RequestException:
        pass
    return seen


def events_are_in_order(at):
    def act():
        status(at, "SYN-02", "EnRoute")
        status(at, "SYN-02", "OnScene")

    ids = [item for item in heard(at, at.desk, act) if isinstance(item, int)]
    status(at, "SYN-02", "Cleared")
    return len(ids) > 1 and ids == sorted(ids)


def a_second_call_changes_nothing(at):
    number = at.desk.new()
    at.desk.call("POST", f"/api/incidents/{number}/assign", {"unit": "SYN-02"})
    status(at, "SYN-02", "OnScene")
    at.desk.new()
    same = unit(at, "SYN-02")["secondary"] == "OnScene"
    status(at, "SYN-02", "Cleared")
    return same


def news_reaches(user):
    def news_is_heard(at):
        return "responder:status" in heard(at, Desk(at.url, user), lambda: status(at, "SYN-02", "Cleared"))

    return news_is_heard


def a_stream_begins(at):
    return "system:hello" in heard(at, at.desk, lambda: status(at, "SYN-02", "Cleared"))


def queries(at, path):
    return int(re.search(r"n=(\d+)", at.desk.call("GET", path).headers["Server-Timing"])[1])


def writes_take_no_time(at):
    until = time.monotonic() + 1.5  # the report that holds them up pauses in between
    while time.monotonic() < until:
        if status(at, "SYN-06", "Cleared").elapsed.total_seconds() >= 0.5:
            return False
    return True


def a_new_incident_is_found(at):
    for _ in range(2):
        at.desk.get("/api/search?kind=incident&q=HV")
    number = at.desk.new()
    return all(at.desk.get(f"/api/search?kind=incident&q={number}")["results"] for _ in range(2))


def priorities_rise(at):
    found = [incident["priority"] for incident in at.desk.get("/api/incidents")["incidents"]]
    return found == sorted(found)


def reopened_stays_open(at):
    number = at.desk.new()
    at.desk.call("POST", f"/api/incidents/{number}/close", {"disposition": "Handled"})
    at.desk.call("POST", f"/api/incidents/{number}/reopen", {})
    beat = {job["name"]: job["beat_at"] for job in at.desk.get("/api/jobs")["jobs"]}["housekeeping"]
    soon(lambda: {j["name"]: j["beat_at"] for j in at.desk.get("/api/jobs")["jobs"]}["housekeeping"] > beat)
    return at.desk.get(f"/api/incidents/{number}")["status"] == "Active"


def certificate_holds_two_weeks(at):
    place = urlsplit(at.desk.get("/api/terminals")["secure_url"])
    pem = ssl.get_server_certificate((place.hostname, place.port), timeout=5)
    session = requests.Session()
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        assert session.get(f"https://{place.netloc}/healthz", verify=file.name, timeout=5).ok
        ends = ssl._ssl._test_decode_cert(file.name)["notAfter"]
    return (ssl.cert_time_to_seconds(ends) - time.time()) / 86400 > 14


def both_servers_find(at):
    return all(at.desk.call("GET", "/api/search?kind=person&q=x").ok for _ in range(2))


def one_release(at):
    return len({at.desk.call("GET", "/api/time").headers["X-Build"] for _ in range(4)}) == 1


def grants(at):
    return set(at.desk.get("/api/me")["grants"])


def place(at):
    found = at.desk.get(f"/api/geocode?q={LANE}")["results"][0]
    return found["lat"], found["lng"]


def a_browser_session_may_write(at):
    session = requests.Session()
    form = {"username": "dispatcher1", "password": PASSWORDS["dispatcher1"]}
    session.post(f"{at.url}/login", data=form, timeout=15)
    return session.post(f"{at.url}/api/units/SYN-06/status", json={"status": "Cleared"}, timeout=15).ok


def the_crew_is_told(at):
    number = at.desk.new()
    at.desk.call("POST", f"/api/incidents/{number}/assign", {"unit": "SYN-05"})
    return soon(lambda: at.desk.get(f"/api/incidents/{number}")["messages"][0]["sent_at"])


def same_token_same_number(at):
    return at.desk.new(client_token="twice") == at.desk.new(client_token="twice")


def every_agency(at):
    return {responder["agency"] for responder in at.desk.get("/api/recommend?lat=47.6&lng=-122.3")["units"]} == {
        "HPD",
        "HFD",
        "EMS",
    }


def the_crew_is_alone(at):
    crew = Desk(at.url, "unit-syn01")
    return crew.call("POST", "/api/units/SYN-01/logon").json()["crew"] == ["unit-syn01"]


CHECKS = {
    "avl_feed_stopped": a_report_arrives,
    "avl_one_frozen": lambda at: max(age for _, age in ages(at)) < 60,
    "avl_clock_future": lambda at: min(age for _, age in ages(at)) > -2,
    "age_utc_offset": lambda at: all(abs(responder["age_s"] - age) < 5 for responder, age in ages(at)),
    "status_not_saved": status_is_stored,
    "status_lost_update": the_slower_writer_is_refused,
    "event_out_of_order": events_are_in_order,
    "second_call_resets_status": a_second_call_changes_nothing,
    "stream_silent": news_reaches("dispatcher1"),
    "stream_no_worker": a_stream_begins,
    "stream_role_filtered": news_reaches("dispatcher1"),
    "search_no_index": lambda at: queries(at, "/api/search?kind=person&q=x") < 5,
    "board_n_plus_one": lambda at: queries(at, "/api/incidents") < 10,
    "write_lock_periodic": writes_take_no_time,
    "login_slow_auth": lambda at: Desk(at.url, "dispatcher2").log_in.elapsed.total_seconds() < 1,
    "search_cached": a_new_incident_is_found,
    "board_wrong_sort": priorities_rise,
    "duplicate_incident": same_token_same_number,
    "error_page_200": lambda at: "json" in at.desk.call("GET", "/api/incidents/HV-26-000001").headers["Content-Type"],
    "empty_200_schema_drift": lambda at: bool(at.desk.get("/api/search?kind=person&q=Proba")["results"]),
    "reopen_recloses": reopened_stays_open,
    "js_error_dead_button": lambda at: "deadButton = false" in at.desk.call("GET", "/board").text,
    "cert_expiring": certificate_holds_two_weeks,
    "one_node_bad": both_servers_find,
    "version_skew": one_release,
    "role_read_only": lambda at: "incident.create" in grants(at),
    "role_no_grants": lambda at: bool(at.desk.get("/api/incidents")["incidents"]),
    "recommend_flag_off": every_agency,
    "geocode_wrong_town": lambda at: place(at) == (47.612, -122.288),
    "geocode_null_island": lambda at: place(at) == (47.612, -122.288),
    "hazard_missing": lambda at: bool(at.desk.get(f"/api/hazards?addr={LANE}")["hazards"]),
    "saved_filter_hides": lambda at: "leastUrgent = 5" in Desk(at.url, "dispatcher2").call("GET", "/board").text,
    "wrong_unit_logon": the_crew_is_alone,
    "password_expired": lambda at: Desk(at.url, "dispatcher2").log_in.ok,
    "session_dropped": a_browser_session_may_write,
    "notify_worker_dead": the_crew_is_told,
}
SHORTER = {"login_slow_auth": 1200, "write_lock_periodic": 1500}


def test_every_fault_is_tried():
    assert list(CHECKS) == list(NAMES)
    assert len(CHECKS) == 36


@pytest.mark.parametrize("name", CHECKS)
def test_a_fault_changes_what_is_seen_and_health_stays_green(at, name):
    assert CHECKS[name](at), "healthy first"
    at.centre.fault(name, **({"delay_ms": SHORTER[name]} if name in SHORTER else {}))
    assert not CHECKS[name](at)
    health = requests.get(f"{at.url}/healthz", timeout=5)
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    at.centre.heal()
    assert CHECKS[name](at), "healthy again"


@pytest.mark.parametrize("name", DECOYS)
def test_a_decoy_can_be_seen_and_breaks_nothing(at, name):
    quick = [check for fault, check in CHECKS.items() if fault not in {"stream_silent", "stream_no_worker"}]
    if name != "empty_board":
        quick = [priorities_rise, status_is_stored, a_new_incident_is_found, every_agency]
    at.centre.decoy(name)
    try:
        for check in quick[:12] if name == "empty_board" else quick:
            if check is not CHECKS["board_n_plus_one"]:
                assert check(at), check
    finally:
        at.centre.decoy(name, on=False)


def test_a_supervisor_hears_what_dispatchers_are_not_told(at):
    at.centre.fault("stream_role_filtered")
    assert news_reaches("supervisor")(at)


def test_a_fault_can_be_narrowed_to_a_role_or_a_node(at):
    at.centre.fault("board_wrong_sort", role="supervisor")
    assert priorities_rise(at)
    found = [incident["priority"] for incident in at.supervisor.get("/api/incidents")["incidents"]]
    assert found != sorted(found)
    at.centre.fault("version_skew", node="a")
    answers = [at.desk.call("GET", "/api/time") for _ in range(2)]
    builds = {(answer.headers["X-Node"], answer.headers["X-Build"]) for answer in answers}
    assert builds == {("a", "2026.11.4"), ("b", "2026.11.3")}


@pytest.mark.parametrize(
    ("fault", "repair", "body"),
    [
        ("role_read_only", "grants", {"role": "dispatcher", "action": "incident.create"}),
        ("password_expired", "unlock", {"account": "dispatcher2"}),
        ("notify_worker_dead", "jobs", {"name": "notify"}),
        ("avl_feed_stopped", "jobs", {"name": "avl-feed"}),
        ("search_cached", "settings", {"name": "search.cache_s", "value": "0"}),
        ("recommend_flag_off", "settings", {"name": "recommend.agencies", "value": "HPD HFD EMS SYN"}),
        ("saved_filter_hides", "preferences", {"account": "dispatcher2"}),
        ("wrong_unit_logon", "logoff", {"unit": "SYN-01", "account": "unit-hpd10"}),
    ],
)
def test_an_administrator_can_repair_what_is_configuration(at, fault, repair, body):
    at.centre.fault(fault)
    assert not CHECKS[fault](at)
    assert at.desk.call("POST", f"/api/admin/{repair}", body).status_code == 403
    assert Desk(at.url, "admin").call("POST", f"/api/admin/{repair}", body).ok
    assert CHECKS[fault](at)
