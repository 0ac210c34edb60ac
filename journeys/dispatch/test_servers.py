"""What carries all of it: servers alike, jobs that run, answers that cost little, a certificate that holds."""

import re
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from synthprobe import Api, Response, eventually, step


def from_each_server(api: Api, method: str, path: str, **options: object) -> dict[str, Response]:
    """Answers to one request, by the server that gave them."""
    answers: dict[str, Response] = {}
    for _ in range(8):
        answer = api.request(method, path, **options)
        answers[answer.headers.get("x-node", "")] = answer
    return answers


@pytest.mark.journey(id="servers-alike", owner="platform-desk", severity="critical", runbook="servers-alike")
@pytest.mark.mutates("unit")
def test_every_server_answers_alike(desk: Api):
    """Every server answers alike"""
    asked = [
        ("GET", "/api/me", {}),
        ("GET", "/api/search?kind=person&q=Proba", {}),
        ("GET", "/api/geocode?q=1 Probe Lane", {}),
        ("GET", "/api/hazards?addr=1 Probe Lane", {}),
        ("POST", "/api/units/SYN-06/status", {"json": {"status": "Cleared"}}),
    ]
    for method, path, options in asked:
        with step(f"{method} {path.split('?')[0]}"):
            answers = from_each_server(desk, method, path, **options)
            statuses = {server: answer.status for server, answer in answers.items()}
            assert set(statuses.values()) == {200}, f"answers by server: {statuses}"
            if method == "GET":
                assert len({answer.text for answer in answers.values()}) == 1, f"servers {set(answers)} differ"
    with step("all run one release"):
        builds = {server: answer.headers.get("x-build") for server, answer in answers.items()}
        assert len(set(builds.values())) == 1, f"releases by server: {builds}"
    with step("every page finds its scripts and styles, whichever server answers"):
        for page in from_each_server(desk, "GET", "/board").values():
            for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.expect(200).text):
                statuses = {server: answer.status for server, answer in from_each_server(desk, "GET", file).items()}
                assert set(statuses.values()) == {200}, f"{file} by server: {statuses}"


@pytest.mark.journey(id="background-jobs", owner="platform-desk", severity="critical", runbook="background-jobs")
def test_every_background_job_runs(desk: Api):
    """Every background job runs"""

    def beats() -> dict[str, str]:
        answer = desk.get("/api/jobs").expect(200)
        rows = answer.json_rows("jobs", key="name", has=("beat_at",), order=("name",))
        return {job["name"]: job["beat_at"] for job in rows}

    with step("read when each last ran", budget="2s"):
        before = beats()
        missing = {"avl-feed", "notify", "housekeeping"} - before.keys()
        assert not missing, f"{sorted(missing)} are not among the jobs"
    with step("each runs again", runbook="background-jobs"):
        with suppress(AssertionError):  # how old its heartbeat is says what it means
            eventually(lambda: all(at > before[name] for name, at in beats().items()), within="5s")
        stale = [desk.freshness(f"heartbeat of {name}", at, limit="3s").stale for name, at in beats().items()]
        if any(stale):
            return
    with step("what waits for a job is worked off"):

        def worked_off() -> None:
            jobs = desk.get("/api/jobs").expect(200).json_rows("jobs", key="name", has=("waiting",))
            waiting = {job["name"]: job["waiting"] for job in jobs if job["waiting"] != 0}
            assert not waiting, f"these wait: {waiting}"

        eventually(worked_off, within="5s")


@pytest.mark.journey(id="lean-answers", owner="platform-desk", severity="minor", runbook="lean-answers")
def test_lists_cost_little(desk: Api):
    """The lists of the board cost a few queries, however long they are"""
    for path in ("/api/incidents", "/api/units", "/api/activity"):
        with step(f"read {path}", budget="1s"):
            answer = desk.get(path).expect(200)
        with step("the answer was made with few queries", checks="rule"):
            description = {part.name: part.description for part in answer.exchange.server_timing}.get("db", "")
            queries = int(description.removeprefix("n=") or 0)
            assert queries <= 12, f"{path} took {queries} queries, at most 12 were expected"


@pytest.mark.journey(id="secure-terminals", owner="platform-desk", severity="critical", runbook="secure-terminals")
def test_the_terminals_certificate_holds(desk: Api):
    """The certificate the terminals see is for this host, and holds for two more weeks"""
    with step("where do terminals connect"):
        url = desk.get("/api/terminals").expect(200).json["secure_url"]
        if url is None:
            pytest.skip("this centre offers no HTTPS: the openssl command is not installed where it runs")
        place = urlsplit(url)
    with step("the certificate is for this host", checks="setting"):
        pem = ssl.get_server_certificate((place.hostname, place.port), timeout=5)
        names, ends = read_certificate(place.hostname, place.port, pem)
        assert place.hostname in names, f"it is for {names}, {place.hostname} was expected"
    with step("the certificate holds for two more weeks", checks="setting"):
        days = (ends - datetime.now(UTC)).days
        assert days >= 14, f"it ends on {ends:%Y-%m-%d}, in {days} days"


def read_certificate(host: str, port: int, pem: str) -> tuple[list[str], datetime]:
    """Names and end of a certificate, once a handshake has shown that the server holds its key."""
    import socket

    context = ssl.create_default_context(cadata=pem)
    context.check_hostname = False
    with (
        socket.create_connection((host, port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=host) as tls,
    ):
        found = tls.getpeercert()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
    return [name for _, name in found.get("subjectAltName", ())], ends
