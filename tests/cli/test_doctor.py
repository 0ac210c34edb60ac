"""`synthprobe doctor` names what is wrong with a project before a run does."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from synthprobe import loopback

PROXIES = {name: "" for name in os.environ if name.lower().endswith("_proxy")}


class Answers(loopback.Handler):
    def do_GET(self):
        self.answer(503 if self.path == "/broken" else 200)


@pytest.fixture(scope="module")
def url():
    with loopback.served(Answers) as url:
        yield url


def doctor(made, *options, **environ):
    command = [sys.executable, "-m", "synthprobe", "doctor", *options]
    whole = {**os.environ, **PROXIES, **environ}
    done = subprocess.run(command, cwd=made.root, capture_output=True, text=True, timeout=250, check=False, env=whole)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def sick(tmp_path_factory, new_project):
    """A project in which nearly everything is wrong."""
    made = new_project(tmp_path_factory.mktemp("sick"))
    made.configure(
        "http://probe:Winter-Harbour-77@no-such-host.invalid",
        'secrets = { door = "env:NO_SUCH_DOOR" }\n[targets.other]\nbase_url = "http://127.0.0.1:9"\n'
        '[targets.other.secrets]\nplain = "Winter-Harbour-78"\nkey = "env:NO_SUCH_KEY"\n'
        f'[publish]\nurl = "{(made.root / "synthprobe.toml").as_uri()}/site"\n'
        '[history]\nurl = "env:HISTORY"\n[heartbeat]\nurl = "env:HEARTBEAT"\n'
        '[[alerts.routes]]\nname = "all"\nto = []\n',
    )
    config = made.root / "synthprobe.toml"
    config.write_text(f'default_target = "demo"\n{config.read_text()}')
    made.journeys("import nothing_of_that_name\n")
    (made.root / "pytest.ini").write_text('[pytest]\naddopts = -qx --maxfail=3 -k "not slow" --browser firefox\n')
    workflows = made.root / ".github" / "workflows"
    workflows.mkdir(parents=True)
    install = "pip install --require-hashes -r requirements.lock"
    (workflows / "watch.yml").write_text(f"a: [{install}, synthprobe run; echo]\n")
    environ = {"HEARTBEAT": "ftp://beats.example/x", "HISTORY": "postgresql://127.0.0.1:9/none"}
    return doctor(made, "--json", HTTPS_PROXY="http://proxy.example:3128", **environ), made


def test_everything_that_is_wrong_has_a_name_and_a_way_out(sick):
    done, _ = sick
    report = json.loads(done.stdout)
    assert [tool["name"] for tool in report["tools"]] == ["browser", "node", "allure", "versions"]
    assert version("synthprobe") in report["tools"][-1]["text"]
    found = {(finding["check"], finding["level"]): finding["text"] for finding in report["findings"]}
    texts = [finding["text"] for finding in report["findings"]]
    assert {check for check, level in found if level == "wrong"} == {
        "options", "journeys", "secrets", "addresses", "target", "history", "publish", "routes", "heartbeat",
        "workflows",
    }  # fmt: skip
    assert {check for check, level in found if level == "warning"} == {"secrets", "proxies", "workflows"}
    for option in ("-x", "--maxfail", "-k", "firefox"):
        assert any(f"{option}," in text or f"{option};" in text for text in texts), option
    assert "NO_SUCH_DOOR" in found["secrets", "wrong"]
    assert "NO_SUCH_KEY" in found["secrets", "warning"]
    assert any("'other.plain' has no source that is known" in text for text in texts)
    assert "Winter-Harbour-78" not in done.stdout
    assert "targets.demo.base_url holds a password" in found["addresses", "wrong"]
    assert "HTTPS_PROXY" in found["proxies", "warning"]
    assert "requirements.lock, which is not there" in found["workflows", "wrong"]
    assert done.returncode == 1


def test_no_password_is_told(sick):
    done, _ = sick
    assert "Winter-Harbour-77" not in done.stdout + done.stderr


def test_a_sound_project_gets_warnings_only_and_a_broken_target_is_named(project, url):
    (project.root / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["journeys"]\n')  # no addopts
    project.configure(url)
    project.journeys("def test_one(api): api.get('/').expect(200)\n")
    done = doctor(project)
    assert done.returncode == 0, done.stdout
    assert [line.split()[:2] for line in done.stdout.splitlines()[4:]] == [
        ["warning", "routes:"],
        ["warning", "heartbeat:"],
    ]
    assert not (project.root / ".synthprobe" / "runs").exists()
    project.configure(f"{url}/broken")
    (project.root / "journeys" / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.journey(id='same')\ndef test_one(api): api.get('/').expect(200)\n"
        "@pytest.mark.journey(id='same')\ndef test_two(api): api.get('/').expect(200)\n"
    )
    done = doctor(project)
    assert done.returncode == 1
    assert "with status 503" in done.stdout
    assert "wrong    journeys: " in done.stdout
    assert "same" in done.stdout


def test_a_target_there_is_none_of_is_usage(project):
    done = doctor(project, "--target", "staging")
    assert done.returncode == 2
    assert "There is no target 'staging'" in done.stderr


def test_what_is_wrong_with_a_target_keeps_no_job_from_installing_its_tools(sick):
    _, made = sick
    done = doctor(made, "--fix")
    assert done.returncode == 0, done.stdout
    assert "watch.yml starts synthprobe run without exec" in done.stdout
    assert "Target" not in done.stdout


def test_a_browser_that_is_there_and_shows_nothing_is_missing(project, tmp_path):
    project.configure("http://127.0.0.1:9")
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\nexit 127\n")
    browser.chmod(0o755)
    config = project.root / "synthprobe.toml"
    config.write_text(f'[browser]\nexecutable = "{browser}"\n{config.read_text()}')
    done = doctor(project, "--json")
    tool = json.loads(done.stdout)["tools"][0]
    assert (done.returncode, tool["name"], tool["found"]) == (2, "browser", False)
    assert "launch" in tool["text"]


def test_a_folder_that_takes_no_file_is_named_before_a_run_needs_it(project):
    assert doctor(project, "folders").returncode == 0
    kept = project.root / ".synthprobe"
    kept.symlink_to("/proc")  # it takes no file of anybody, root included
    done = doctor(project, "folders")
    assert (done.returncode, f"{kept} cannot be written" in " ".join(done.stdout.split())) == (1, True), done.stdout
    kept.unlink()
    kept.mkdir()
    (kept / "runs").write_text("a file in the way")
    done = doctor(project, "folders")
    assert (done.returncode, f"{kept}/runs cannot be written" in " ".join(done.stdout.split())) == (1, True), (
        done.stdout
    )
