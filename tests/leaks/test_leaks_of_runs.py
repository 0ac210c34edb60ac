"""What a run leaves besides its evidence holds nothing of what was planted: crashes, history, alerts, job logs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from typing import ClassVar

import psutil
import pytest
from echo import echo
from planted import KINDS, find, plant, variable

from synthprobe import eventually, loopback
from synthprobe.evidence.redaction import Redactor

ROWS = {
    "L36-crash": "def {name}(secrets):\n    {code}\n    os.write(2, ' '.join(values).encode())\n"
    "    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\n    os.kill(os.getpid(), signal.SIGSEGV)\n",
    "L39-history": "def {name}(secrets):\n    {code}\n    with step(values[0]):\n        assert not values, values\n",
    "L40-alert": "def {name}(secrets):\n    {code}\n    assert not values, f'<b>{{values}}</b>'\n",
    "L42-log": "def {name}(secrets):\n    {code}\n    print('::error::', *values)\n    pytest.fail(str(values))\n",
    "L34-environment": "def {name}(secrets):\n    {code}\n    assert dict(os.environ) == {{}}\n",
}
PLANTED = plant([*ROWS, "L36-internal"])
ADDRESSES = {
    "L41-heartbeat": "http://127.0.0.1:9/ping/8f14e45fceea167a5a36",
    "L41-webhook": "json://pager:s3cr3t-Xk4@127.0.0.1:9/services/c9f0f895fb98ab9159f5",
}
HEAD = "import os, resource, signal, time\nimport pytest\nfrom synthprobe import step\n\n"
CONFTEST = """
import os
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    yield
    if not hasattr(session.config, "workerinput"):
        raise RuntimeError([value for name, value in os.environ.items() if "L36_INTERNAL" in name])
"""
SETTINGS = """
[targets.demo.secrets]
{secrets}
[heartbeat]
url = "env:HEARTBEAT"
timeout_s = 0.5
[alerts]
timeout_s = 2
storm = 40
[[alerts.routes]]
name = "all"
to = ["env:PAGER", "env:WEBHOOK"]
"""


class Pager(loopback.Handler):
    received: ClassVar[list[bytes]] = []

    def do_POST(self):
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()


def configure(made, url, names):
    lines = "\n".join(f'"{name}" = "env:{variable(name)}"' for name in names)
    made.configure(url, SETTINGS.format(secrets=lines))
    settings = made.root / "synthprobe.toml"
    settings.write_text("second_attempts = 0\njourney_deadline_s = 20\n" + settings.read_text())


@pytest.fixture(scope="module")
def ran(tmp_path_factory, new_project):
    """A scheduled run, as a CI job has it, in which workers and pytest itself break: its output, files and messages."""
    made = new_project(tmp_path_factory.mktemp("leaks-of-runs"))
    pager = ThreadingHTTPServer(("127.0.0.1", 0), Pager)
    threading.Thread(target=lambda: pager.serve_forever(0.01), daemon=True).start()
    environ = {variable(name): value for name, value in PLANTED.items()} | {
        "HEARTBEAT": ADDRESSES["L41-heartbeat"],
        "WEBHOOK": ADDRESSES["L41-webhook"],
        "PAGER": f"json://127.0.0.1:{pager.server_port}/pager",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(made.root / ".synthprobe" / "summary.md"),
    }
    (made.root / "conftest.py").write_text(CONFTEST)
    journeys = ""
    for row, text in ROWS.items():
        code = f"values = [secrets[name].reveal() for name in {[f'{row}-{kind}' for kind in KINDS]}]; print(values)"
        journeys += text.format(name="test_" + row.replace("-", "_"), code=code) + "\n"
    made.journeys(HEAD + journeys)
    with echo() as url:
        configure(made, url, PLANTED)
        command = [sys.executable, "-m", "synthprobe", "run", "--slot", "now", "--workers", "2"]
        done = subprocess.run(
            command, cwd=made.root, env={**os.environ, **environ}, capture_output=True, timeout=250, check=False
        )
    pager.shutdown()
    pager.server_close()
    state = made.root / ".synthprobe"
    files = {path.relative_to(state).as_posix(): path.read_bytes() for path in state.rglob("*") if path.is_file()}
    return {"output": done.stdout + done.stderr, "alert": b"\n".join(Pager.received), **files}


@pytest.fixture(scope="module")
def found(ran):
    redactor = Redactor()
    for name, value in ADDRESSES.items():
        redactor.add(value, name)
    residuals = {rule: [file] for file, content in ran.items() for rule in redactor.residual(content)}
    return find(PLANTED, ran.items()) | residuals


@pytest.mark.parametrize("name", [*PLANTED, *ADDRESSES])
def test_planted_in_a_run(name, found):
    assert found.get(name, []) == []


def test_each_of_these_channels_was_provoked(ran):
    log = next(content for name, content in ran.items() if name.endswith("pytest.log")).decode()
    assert "Fatal Python error: Segmentation fault" in log, "L36: faulthandler spoke"
    assert "INTERNALERROR" in log, "L36: pytest broke"
    assert b"test_L39_history" in ran["history.db"]
    titles = [json.loads(line)["title"] for line in ran["alert"].splitlines()]
    assert any("L40 alert: ‹b›['[masked]'" in title for title in titles), "L40: told, masked, and without HTML"
    assert b"could not be reached" in ran["heartbeat.jsonl"], "L41"
    assert b"The channel env:WEBHOOK did not take it" in ran["output"], "L41"
    assert "\n::" not in ran["output"].decode().replace("| ::", "")


def test_l36_the_stacks_that_a_timeout_dumps_hold_no_secret(project):
    project.configure("http://127.0.0.1:9", '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(
        "import sys, time\nimport pytest\n\n@pytest.mark.timeout(0.5, method='thread')\n"
        "def test_it(secrets):\n    value = secrets['user'].reveal()\n"
        "    print(value)\n    print(value, file=sys.stderr)\n    time.sleep(50)\n"
    )
    planted = plant(["L36"])
    environ = {**os.environ, "PLANTED": planted["L36-odd"]}
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=project.root, env=environ, capture_output=True, timeout=250, check=False)
    assert b"deadline" in done.stdout, "the journey's own deadline ended it, whatever method it asked for"
    state = project.root / ".synthprobe"
    assert b"Captured stdout" in next(state.rglob("pytest.log")).read_bytes()
    written = [(path.name, path.read_bytes()) for path in state.rglob("*") if path.is_file()]
    assert find(planted, [("output", done.stdout + done.stderr), *written]) == {}


def test_l32_the_ids_of_the_report_say_nothing_of_a_secret(project):
    project.configure("http://127.0.0.1:9", '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(
        "import os\nimport allure, pytest\n\n"
        "class Login:\n    def __repr__(self):\n        return 'Login ' + os.environ['PLANTED']\n\n"
        "@pytest.mark.parametrize('login', [Login()], ids=['one'])\n"
        "def test_it(login, secrets):\n    allure.dynamic.parameter('p', secrets['user'].reveal())\n"
    )
    ids = []
    for form in KINDS.values():
        ran = project.run(environ={"PLANTED": form.format("320")})
        (result,) = ran.allure()
        assert {parameter["name"]: parameter["value"] for parameter in result["parameters"]}["p"] == "'[masked]'"
        ids.append((result["historyId"], result["testCaseId"]))
        shutil.rmtree(ran.folder)
    assert len(set(ids)) == 1, ids


def test_l30_what_a_journey_is_parametrised_with_under_a_secret_s_name_is_masked(project):
    project.configure("http://127.0.0.1:9")
    project.journeys(
        "from dataclasses import dataclass\nimport pytest\n\n"
        "@dataclass\nclass User:\n    name: str\n    passphrase: str\n\n"
        "CASES = [(User('robin', 'tulip-Garden9'), {'user': 'kim', 'password': 'amber-Orchard7'}, 'Password123')]\n\n"
        "@pytest.mark.parametrize(('user', 'form', 'password'), CASES, ids=['both'])\n"
        "def test_it(user, form, password):\n    print(form)\n    assert user == form, password\n"
    )
    ran = project.run()
    (result,) = ran.allure()
    parameters = str([parameter["value"] for parameter in result["parameters"]])
    assert "robin" in parameters
    assert "Password123" not in parameters, "too common to be masked wherever it stands"
    for value in (b"tulip-Garden9", b"amber-Orchard7"):
        assert [name for name, content in ran.bytes_written() if value in content] == []
        assert value.decode() not in ran.output


@pytest.mark.parametrize("how", [["synthprobe", "run"], ["pytest", "journeys", "-p", "no:cacheprovider"]], ids=" ".join)
def test_l37_what_a_killed_run_left_in_temporary_folders_is_private_and_wiped_by_the_next(how, project, tmp_path):
    project.configure("http://127.0.0.1:9", '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(
        "from pathlib import Path\nfrom synthprobe import eventually\n"
        "from synthprobe.plugin.session import JourneySession\n\n"
        "def test_it(secrets, pytestconfig):\n"
        "    scratch = JourneySession.current(pytestconfig).scratch\n"
        "    (scratch / 'state.json').write_text(secrets['user'].reveal())\n"
        "    Path('began').touch()\n"
        "    eventually(lambda: Path('go').exists(), within='60s')\n"
    )
    (tmp_path / "tmp").mkdir()
    environ = {**os.environ, "PLANTED": KINDS["odd"].format("370"), "TMPDIR": str(tmp_path / "tmp")}
    command = [sys.executable, "-m", *how]
    killed = subprocess.Popen(command, cwd=project.root, env=environ, stdout=subprocess.DEVNULL)
    eventually(lambda: (project.root / "began").exists() or killed.poll() is not None, within="30s")
    assert killed.poll() is None
    children = psutil.Process(killed.pid).children(recursive=True)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    psutil.wait_procs(children, timeout=20)
    left = list((tmp_path / "tmp").iterdir())
    assert {folder.stat().st_mode & 0o777 for folder in left} == {0o700}
    assert list((tmp_path / "tmp").rglob("state.json")), "what was there before the kill is there still"
    (project.root / "go").touch()
    done = subprocess.run(command, cwd=project.root, env=environ, capture_output=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
