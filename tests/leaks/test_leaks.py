"""What is planted, by whatever channel it leaves the journey, is in nothing that is written or printed.

Few pytest runs serve many rows; each row asks for its own secret, so that a leak names its channel.
"""

import gzip
import json
import os
import subprocess
import sys

import pytest

from synthprobe.evidence.redaction import Redactor
from synthprobe.evidence.scan import Scanner

KINDS = {"plain": "Plain-{}-Zq7w", "odd": "p'l\"a\\n {}é+/=x", "number": "48151{}62342"}
API_ROWS = {
    "L06-basic": 'api.get("/healthz", auth=("probe", value))',
    "L07-json": 'api.post("/api/login", json={"username": "x", "note": value})',
    "L10-query": 'api.get("/healthz", params={"q": value})',
    "L22-assertion": 'assert {"a": value} == {"a": "other"}',
    "L23-locals": "kept = [value]; assert not kept",
    "L24-cause": "fail_with_notes(value)",
    "L25-url": 'api.get("http://127.0.0.1:9/" + value.replace("\\\\", ""))',
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
    "L11-console": 'page.evaluate("v => { console.error(v) }", value)',
    "L12-argument": 'page.evaluate("v => v + v", value)',
    "L13-upload": "upload(page, value)",
}
NAMES = {f"{row}-{kind}": form for row in (*API_ROWS, *BROWSER_ROWS) for kind, form in KINDS.items()}
PLANTED = {name: form.format(f"{number:03}") for number, (name, form) in enumerate(NAMES.items())}


def variable(name):
    return "PLANTED_" + name.replace("-", "_").upper()


def journey(row, line, kind):
    name = f"{row}-{kind}"
    fixture = "page, secrets" if row in BROWSER_ROWS else "api, secrets, record_property"
    opened = '    page.goto("/login")\n' if row in BROWSER_ROWS else ""
    return (
        f"def test_{name.replace('-', '_')}({fixture}):\n    value = secrets['{name}'].reveal()\n{opened}    {line}\n"
        "    assert value == 'something else', value\n\n"
    )


HEAD = """
import json, logging, os, sys, warnings
import allure

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

"""


@pytest.fixture(scope="module")
def left(tmp_path_factory, one_centre, new_project):
    """Everything two runs wrote and printed: by plain journeys over xdist, and by a browser."""
    made = new_project(tmp_path_factory.mktemp("leaks"))
    lines = "\n".join(f'"{name}" = "env:{variable(name)}"' for name in PLANTED)
    made.configure(one_centre.url, f"[targets.demo.secrets]\n{lines}\n")
    rows = {**API_ROWS, **BROWSER_ROWS}
    made.journeys(HEAD + "".join(journey(row, line, kind) for row, line in rows.items() for kind in KINDS))
    environ = {variable(name): value for name, value in PLANTED.items()} | {"CI": "true"}  # pytest cuts nothing in CI
    ran = made.run("-n2", "--showlocals", "--junitxml=run/junit.xml", environ=environ)
    written = [(path.relative_to(ran.folder).as_posix(), path.read_bytes()) for path in ran.folder.rglob("*.*")
               if path.is_file()]  # fmt: skip
    return ran, [("output", ran.output.encode()), *written]


@pytest.fixture(scope="module")
def found(left):
    """Which planted secret stands in which file, looked for once."""
    redactor = Redactor()
    for name, value in PLANTED.items():
        redactor.add(value, name)
    hits = {}
    for file, content in left[1]:
        for rule in redactor.residual(content):
            hits.setdefault(rule, []).append(file)
    return hits


@pytest.mark.parametrize("name", PLANTED)
def test_planted(name, left, found):
    outcome = left[0].results["test_" + name.replace("-", "_")]
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


def test_l38_l44_the_browsers_log_is_refused_and_its_environment_scrubbed(tmp_path):
    from synthprobe.config import read_config
    from synthprobe.plugin.leaks import browser_log_refusal, without_secrets

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
    )
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.bin").write_bytes(gzip.compress(json.dumps({"k": "Plain-999-Zq7w"}).encode()))
    (tmp_path / "kept" / "b.txt").write_text("innocent")

    def scan(**more):
        environ = {**os.environ, **more}
        command = [sys.executable, "-m", "synthprobe", "scan", "kept"]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    done = scan(PLANTED="Plain-999-Zq7w")
    assert done.returncode == 1
    assert "a.bin: demo.user" in done.stdout
    assert "b.txt" not in done.stdout
    assert "Plain-999" not in done.stdout + done.stderr
    assert scan(PLANTED="Other-999-Zq7w").returncode == 0
    assert scan(PLANTED="").returncode == 2


def test_the_search_of_these_tests_would_find_a_leak():
    assert Scanner({b"Plain-000-Zq7w": "row"}).content(gzip.compress(b"x Plain-000-Zq7w")) == ["row"]
