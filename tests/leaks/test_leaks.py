"""What is planted, by whatever channel it leaves the journey, is in nothing that is written or printed.

Few pytest runs serve many rows; each row asks for its own secret, so that a leak names its channel.
"""

import gzip
import json
import os
import subprocess
import sys

import pytest
from echo import echo
from planted import KINDS, find, plant, variable

from synthprobe.evidence.redaction import Redactor
from synthprobe.evidence.scan import Scanner

API_ROWS = {
    "L05-headers": 'api.get(ECHO, headers={"X-Held": value.encode()}, cookies={"held": quote(value)})',
    "L06-basic": 'api.get("/healthz", auth=("probe", value))',
    "L07-json": 'api.post("/api/login", json={"username": "x", "note": value})',
    "L08-gzip": 'api.post(ECHO + "/gzip", data=value.encode())',
    "L10-query": 'api.get("/healthz", params={"q": value})',
    "L22-assertion": 'assert {"a": value} == {"a": "other"}',
    "L23-locals": "kept = [value]; assert not kept",
    "L24-cause": "fail_with_notes(value)",
    "L25-url": 'api.get("http://127.0.0.1:9/" + value)',
    "L26-output": 'print(value); print(value, file=sys.stderr); logging.getLogger("x").error("said %s", value)',
    "L27-warning": "warnings.warn(value)",
    "L29-step": "allure_step(value)",
    "L30-parameter": 'allure.dynamic.parameter("p", value, mode=allure.parameter_mode.MASKED)',
    "L31-attachment": 'allure.attach(json.dumps({"k": value}), "a", allure.attachment_type.JSON)',
    "L33-property": 'record_property("held", value)',
    "L34-environment": 'assert dict(os.environ) == {"a": value}',
}
BROWSER_ROWS = {
    "L01-fill": 'page.get_by_label("User name").fill(value)',
    "L02-keys": 'page.get_by_label("User name").press_sequentially(value)',
    "L03-password": 'page.get_by_label("Password").fill(value)',
    "L04-text": 'page.evaluate("v => { document.body.append(v) }", value)',
    "L05-trace": "reflect(page, value)",
    "L05-cookie": 'page.context.add_cookies([{"name": "held", "value": quote(value), "url": ECHO}]); page.reload()',
    "L08-plain": 'send(page, "", value)',
    "L08-gzip-body": 'send(page, "gzip", value)',
    "L08-br": 'send(page, "br", value)',
    "L11-console": 'page.evaluate("v => { console.error(v) }", value)',
    "L12-argument": 'page.evaluate("v => v + v", value)',
    "L13-upload": "upload(page, value)",
    "L14-state": "stored(page, value, tmp_path)",
    "L19-traced": "traced(page, value, tmp_path)",
    "L19-request": 'page.request.post(ECHO, data=value, headers={"X-Held": value}); page.reload()',
    "L19-json": 'page.request.post(ECHO, data={"note": value}, params={"q": value})',
    "L19-alone": 'playwright.request.new_context(base_url=ECHO).post("/", form={"note": value}).dispose()',
}
RAISING_ROWS = {
    "L14-result": "stored(page, value, tmp_path); assert page.context.storage_state() == {}",
    "L20-headers": 'refused(page, {"Authorization": "Bearer " + value, "Cookie": "held=" + value})',
    "L20-basic": 'refused(page, {"Authorization": "Basic " + b64encode(("probe:" + value).encode()).decode()})',
    "L21-expect": 'expect(page.get_by_label("User name")).to_have_value(value, timeout=100)',
    "L21-aria": "shown(page, value)",
    "L21-snapshot": 'shown(page, value, snapshot="- heading \\"other\\"")',
}
PLANTED = plant([*API_ROWS, *BROWSER_ROWS, *RAISING_ROWS])


def journey(row, line):
    """One for each secret; what raises nothing in a browser is done with all three in one journey."""
    if row in API_ROWS:
        return "".join(
            one_journey("api, secrets, record_property", f"{row}-{kind}", [kind], row, line) for kind in KINDS
        )
    opened = 'page.goto("/login"); ' if "get_by_label" in line else "page.goto(ECHO); "
    fixtures = "page, playwright, tmp_path, secrets"
    if row in BROWSER_ROWS:
        return one_journey(fixtures, row, KINDS, row, opened + line)
    return "".join(one_journey(fixtures, f"{row}-{kind}", [kind], row, opened + line) for kind in KINDS)


def one_journey(fixtures, name, kinds, row, line):
    names = [f"{row}-{kind}" for kind in kinds]
    return (
        f"def test_{name.replace('-', '_')}({fixtures}):\n    for name in {names}:\n"
        f"        value = secrets[name].reveal()\n        {line}\n"
        "    assert value == 'something else', value\n\n"
    )


HEAD = """
import json, logging, os, sys, warnings
from base64 import b64encode
from urllib.parse import quote
import allure
from playwright.sync_api import expect

def fail_with_notes(value):
    try:
        raise KeyError(value)
    except KeyError as error:
        raised = ValueError("second " + value)
        raised.add_note("note " + value)
        raise raised from error

@allure.step("quiet")
def allure_step(value):
    pass

def upload(page, value):
    page.evaluate("() => { document.body.innerHTML += '<input type=file id=up>' }")
    page.locator("#up").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": value.encode()})

def reflect(page, value):
    page.set_extra_http_headers({"X-Held": value})
    page.reload()
    page.reload()

def send(page, packing, value):
    page.evaluate("([way, v]) => fetch('/' + way, {method: 'POST', body: v}).then(a => a.text())", [packing, value])

def stored(page, value, folder):
    page.context.add_cookies([{"name": "held", "value": quote(value), "url": ECHO}])
    page.evaluate("v => localStorage.setItem('held', v)", value)
    page.context.storage_state(path=folder / "state.json")

def traced(page, value, folder):
    tracing = page.request.tracing
    tracing.start(snapshots=True)
    page.request.post(ECHO, data=value, headers={"X-Held": value})
    tracing.stop(path=folder / "requests.zip")
    assert (folder / "requests.zip").exists()

def refused(page, headers):
    page.request.get("http://127.0.0.1:9/", headers=headers)

def shown(page, value, snapshot=""):
    page.evaluate("v => { const h = document.createElement('h1'); h.textContent = v; document.body.append(h) }", value)
    if snapshot:
        expect(page.locator("body")).to_match_aria_snapshot(snapshot, timeout=100)
    expect(page.get_by_role("heading")).to_have_text("other", timeout=100)

"""


@pytest.fixture(scope="module")
def left(tmp_path_factory, one_centre, new_project):
    """Everything two runs wrote and printed: by plain journeys over xdist, and by a browser."""
    made = new_project(tmp_path_factory.mktemp("leaks"))
    lines = "\n".join(f'"{name}" = "env:{variable(name)}"' for name in PLANTED)
    made.configure(one_centre.url, f"[targets.demo.secrets]\n{lines}\n")
    rows = {**API_ROWS, **BROWSER_ROWS, **RAISING_ROWS}
    environ = {variable(name): value for name, value in PLANTED.items()} | {"CI": "true"}  # pytest cuts nothing in CI
    with echo() as host:
        head = f"{HEAD}ECHO = {host!r}\n\n"
        made.journeys(head + "".join(journey(row, line) for row, line in rows.items()))
        ran = made.run("-n2", "--showlocals", "--junitxml=run/junit.xml", environ=environ)
    written = [(path.relative_to(ran.folder).as_posix(), path.read_bytes()) for path in ran.folder.rglob("*.*")
               if path.is_file()]  # fmt: skip
    return ran, [("output", ran.output.encode()), *written]


@pytest.fixture(scope="module")
def found(left):
    """Which planted secret stands in which file, looked for once."""
    return find(PLANTED, left[1])


@pytest.mark.parametrize("name", PLANTED)
def test_planted(name, left, found):
    own = "test_" + name.replace("-", "_")
    outcome = left[0].results.get(own) or left[0].results[own.rpartition("_")[0]]
    assert outcome.failure is not None, "the channel was provoked"
    assert outcome.failure.kind != "redaction", outcome.failure.message
    assert found.get(name, []) == []


def test_l28_a_secret_in_a_test_id_is_refused(project):
    project.configure("http://127.0.0.1:9", '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(
        "import os, pytest\n@pytest.mark.parametrize('p', [os.environ['PLANTED']])\ndef test_it(p):\n    pass\n"
    )
    value = KINDS["odd"].format("L28")
    ran = project.run(environ={"PLANTED": value})
    assert ran.code == 4
    assert "test_it is parametrised with a secret" in ran.output
    scanner = Redactor()
    scanner.add(value)
    assert not scanner.residual(ran.output.encode())
    assert not [name for name, content in ran.bytes_written() if scanner.residual(content)]


REPORTS = """
import json

def pytest_report_from_serializable(config, data):
    with open("reports.jsonl", "a") as file:
        file.write(json.dumps(data, default=str) + "\\n")
"""


def test_l35_a_worker_masks_before_it_reports(project):
    planted = plant(["L35"])
    lines = "\n".join(f'"{name}" = "env:{variable(name)}"' for name in planted)
    project.configure("http://127.0.0.1:9", f"[targets.demo.secrets]\n{lines}\n")
    (project.root / "conftest.py").write_text(REPORTS)
    project.journeys(
        "".join(
            f"def test_{kind}(secrets, record_property):\n    value = secrets['L35-{kind}'].reveal()\n"
            "    print(value)\n    record_property('held', value)\n    assert value == 'something else', value\n"
            for kind in KINDS
        )
    )
    ran = project.run("-n1", environ={variable(name): value for name, value in planted.items()})
    assert len(ran.results) == len(KINDS)
    reports = (project.root / "reports.jsonl").read_bytes()
    assert reports.count(b"assert '[masked]' == 'something else'") >= len(KINDS), reports
    assert find(planted, [("reports", reports)]) == {}


def test_l38_l44_the_browsers_log_is_refused_and_its_environment_scrubbed(tmp_path):
    from synthprobe.config import read_config
    from synthprobe.plugin.admission import browser_log_refusal
    from synthprobe.plugin.browsers import without_secrets

    environment = {"DEBUG": "pw:api", "PLANTED": "Plain-044-Zq7w", "PATH": "/bin"}
    assert "holds every typed password" in browser_log_refusal(environment, "production")
    assert "DEBUG" not in environment
    assert browser_log_refusal({"DEBUG": "pw:api"}, "demo") == ""
    (tmp_path / "synthprobe.toml").write_text(
        '[targets.a]\nbase_url = "http://x"\n[targets.a.secrets]\nu = "env:PLANTED"\n'
    )
    assert without_secrets(environment, read_config(tmp_path)) == {"PATH": "/bin"}


def test_f66_l49_what_still_holds_a_secret_is_withheld_and_the_run_goes_on(project, centre):
    project.configure(centre.url, '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(
        "from synthprobe.evidence.redaction import Redactor\n"
        "def test_it(secrets, monkeypatch):\n"
        "    monkeypatch.setattr(Redactor, 'residual', lambda self, content: ['user'])\n"
        "    assert False, 'broken as well'\n"
    )
    ran = project.run(environ={"PLANTED": "Plain-066-Zq7w"})
    result = ran.results["test_it"]
    assert (result.outcome, result.failure.kind) == ("unknown", "redaction")
    assert "broken as well" in result.failure.message
    stubs = [piece.withheld for piece in result.evidence]
    assert stubs
    assert all("is withheld: after redaction it still held user" in stub for stub in stubs)
    assert not [piece for piece in result.evidence if piece.path]


def test_scan_names_file_and_rule_and_never_the_value(tmp_path):
    (tmp_path / "synthprobe.toml").write_text(
        '[targets.demo]\nbase_url = "http://x"\n[targets.demo.secrets]\nuser = "env:PLANTED"\n'
        '[targets.bare]\nbase_url = "http://y"\n'
    )
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.bin").write_bytes(gzip.compress(json.dumps({"k": "Plain-999-Zq7w"}).encode()))
    (tmp_path / "kept" / "b.txt").write_text("innocent")

    def scan(*options, **more):
        environ = {**os.environ, **more}
        command = [sys.executable, "-m", "synthprobe", "doctor", "leaks", "--in", "kept", *options]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    done = scan(PLANTED="Plain-999-Zq7w")
    assert done.returncode == 1
    assert "a.bin: demo.user" in done.stdout
    assert "b.txt" not in done.stdout
    assert "Plain-999" not in done.stdout + done.stderr
    assert scan(PLANTED="Other-999-Zq7w").returncode == 0
    without = scan(PLANTED="")
    assert (without.returncode, "demo.user" in without.stdout) == (1, True), "what was not looked for is not well"
    assert scan("--target", "bare", PLANTED="").returncode == 2, "there is nothing to look for"


def test_the_search_of_these_tests_would_find_a_leak():
    assert Scanner({b"Plain-000-Zq7w": "row"}).content(gzip.compress(b"x Plain-000-Zq7w")) == ["row"]
