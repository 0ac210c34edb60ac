"""The password of a door in front of the target: never in an address, sent to the target's own origin only."""

import base64
import re

import pytest
from made_site import publish

from synthprobe import loopback, pipeline
from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError

PASSWORD = "Harbour+Winter-77/é"
PAIR = base64.b64encode(f"probe:{PASSWORD}".encode()).decode()
JOURNEYS = """
import pytest

def test_open(api):
    api.get("/door").expect(200)
    api.get("/sends-you-there-and-back").expect(200)
    api.get(api.target.base_url.replace("127.0.0.1", "localhost") + "/elsewhere").expect(401)
    api.get("/own", headers={"Authorization": "Bearer of-the-journey-itself"}).expect(401)

def test_page(page):
    page.goto("/door")
    assert page.inner_text("h1") == "Welcome"
    there = page.evaluate("fetch(document.URL.replace('127.0.0.1', 'localhost')).then(r => r.status, e => 0)")
    assert there in (0, 401)
    assert page.request.get("/door").status == 200

def test_password_in_the_address(api):
    host = api.target.base_url.removeprefix("http://")
    api.get(f"http://other:Quay-Of-Winter-5@{host}/elsewhere").expect(201)

def test_password_in_the_address_of_a_page(page, target):
    page.goto(target.base_url.replace("//", "//other:Quay-Of-Winter-5@") + "/door")
    assert page.inner_text("h1") == "Closed"

def test_masked_host(api):
    try:
        api.get("/door").expect(204)
    finally:
        api.exchanges[-1] = type(api.exchanges[-1])(**{f: getattr(api.exchanges[-1], f)
            for f in api.exchanges[-1].__struct_fields__ if f != "url"}, url="http://[masked]:8016/door")

def test_the_next(api):
    api.get("/door").expect(200)
"""


class Door(loopback.Handler):
    seen: list[tuple[str, str, str]] = []  # noqa: RUF012

    def do_GET(self):
        host, sent = self.headers["Host"].partition(":")[0], self.headers.get("Authorization", "")
        self.seen.append((host, self.path, sent))
        port = self.server.server_port
        ways = {
            "/sends-you-there-and-back": f"http://localhost:{port}/there",
            "/there": f"http://127.0.0.1:{port}/back",
        }
        status = 302 if self.path in ways else 200 if sent == f"Basic {PAIR}" else 401
        body = b"<h1>Welcome</h1>"
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="staging", charset="UTF-8"')
        if status == 302:
            self.send_header("Location", ways[self.path])
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def ran(tmp_path_factory, new_project):
    """A run against a target behind a door, and what came to each of its two names."""
    with loopback.served(Door) as url:
        made = new_project(tmp_path_factory.mktemp("door"))
        made.configure(
            url,
            'allowed_hosts = ["localhost"]\nhttp_credentials = { user = "probe", secret = "door" }\n'
            '[targets.demo.secrets]\ndoor = "env:DOOR_PASSWORD"\n',
        )
        made.journeys(JOURNEYS)
        yield made.run(environ={"DOOR_PASSWORD": PASSWORD}), Door.seen


def test_a_door_opens_for_sessions_pages_and_requests_of_a_page_at_the_targets_own_origin_only(ran):
    done, seen = ran
    outcomes = {name: result.outcome for name, result in done.results.items()}
    assert outcomes["test_open"] == outcomes["test_page"] == "passed", done.output
    elsewhere = [sent for host, _, sent in seen if host == "localhost"]
    assert len(elsewhere) >= 2
    assert not any("Basic" in sent for sent in elsewhere)
    assert [sent for _, path, sent in seen if path == "/back"] == [f"Basic {PAIR}"]
    assert [sent for _, path, sent in seen if path == "/own"] == ["Bearer of-the-journey-itself"]


def test_an_account_is_whom_a_journey_asks_as_by_basic_and_not_the_doors(ran):
    done, _ = ran
    opened, named = (done.results[f"test_{name}"].facts.answers for name in ("open", "password_in_the_address"))
    assert ({answer.account for answer in opened}, {answer.account for answer in named}) == ({""}, {"other"})


def test_an_address_that_masking_broke_costs_no_outcome(ran):
    done, _ = ran
    assert "INTERNALERROR" not in done.output
    for name in ("password_in_the_address", "password_in_the_address_of_a_page", "masked_host"):
        assert done.results[f"test_{name}"].outcome == "failed"
    assert done.results["test_the_next"].outcome == "passed"


def test_neither_password_stands_in_what_was_written_or_printed(ran):
    done, _ = ran
    written = dict(done.bytes_written()) | {"output": done.output.encode()}
    for value in (PASSWORD.encode(), PAIR.encode(), b"Quay-Of-Winter-5", b"Harbour%2BWinter"):
        assert [name for name, content in written.items() if value in content] == []


def test_a_password_in_the_address_of_an_older_run_is_not_shown(ran, tmp_path):
    done, _ = ran
    verdict = pipeline.judge(done.folder)
    path = done.folder / "verdict.json"
    path.write_text(path.read_text().replace(verdict.run.base_url, "http://probe:Winter-77@127.0.0.1:1"))
    assert "Winter-77" in path.read_text()
    page = publish([done.folder], tmp_path / "site")
    shown = [file for file in (tmp_path / "site").rglob("*") if file.is_file() and b"Winter-77" in file.read_bytes()]
    assert shown == []
    assert "http://****@127.0.0.1:1" in page.read_text()


def test_a_password_in_base_url_ends_a_run_before_anything_is_written(project):
    project.configure("http://probe:Winter-77@127.0.0.1:9")
    done = project.run()
    assert done.code == 4
    assert re.search(r"base_url = .*127\.0\.0\.1:9.*http_credentials = \{ user = ", done.output)
    assert "Winter" not in done.output
    assert not done.folder.exists()


@pytest.mark.parametrize("password", ["Winter-77", "Winter/77#?", "Winter@77"])
@pytest.mark.parametrize("start", ["http://", "", "HTTPS://"])
def test_a_password_in_base_url_is_refused_with_the_way_out(project, password, start):
    with pytest.raises(ConfigurationError, match="holds a user or password") as refused:
        read_config(project.root).target("demo", base_url=f"{start}probe:{password}@127.0.0.1:9")
    assert "77" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("report.site_url", '[report]\nsite_url = "{}/site"'),
        ("report.runbook_url", '[report]\nrunbook_url = "{}/{{id}}"'),
        ("targets.demo.trace_url", 'trace_url = "{}/{{trace_id}}"'),
    ],
)
def test_an_address_that_others_read_holds_no_password(project, key, table):
    project.configure("http://127.0.0.1:9", table.replace("{}", "https://probe:Winter-77@there.example") + "\n")
    with pytest.raises(ConfigurationError, match=f"{key} = .*holds a user or password") as refused:
        read_config(project.root)
    assert "77" not in str(refused.value)


@pytest.mark.parametrize(
    ("credentials", "sentence"),
    [
        ('{ user = "probe", secret = "gate" }', "which the target does not declare"),
        ('{ user = "pro:be", secret = "door" }', "A name without a colon was expected"),
        ('{ user = "", secret = "door" }', "A name without a colon was expected"),
        ('{ user = "probe" }', "secret"),
        ('{ user = "probe", secret = "door", realm = "x" }', "unknown key 'targets.demo.http_credentials.realm'"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused(project, credentials, sentence):
    project.configure("http://127.0.0.1:9", f'http_credentials = {credentials}\nsecrets = {{ door = "env:DOOR" }}\n')
    with pytest.raises(ConfigurationError, match=sentence):
        read_config(project.root).target("demo")
