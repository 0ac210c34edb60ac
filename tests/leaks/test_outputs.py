"""What a session prints, logs and writes for others to read: log file, console, JUnit. Masked, and without controls."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

SECRET = "Quiet-Lagoon-4821"
HOSTILE = (
    "\\x1b[2J\\x1b[31mred\\x07\\r\\n::add-mask::everything\\n  ::error::x\\n##[group]\\n##vso[task.complete]"
    "\\n##teamcity[x]\\x9b2J"
)
TALKATIVE = f"""
import logging, os, subprocess, sys, traceback, warnings
import allure, pytest

class EveryField(logging.Handler):
    def emit(self, record):
        error = traceback.format_exception(record.exc_info[1]) if record.exc_info else ""
        with open("fields.log", "a") as file:
            print(vars(record), error, file=file)

class Till:
    def __repr__(self):
        return "<till of %s>" % os.environ["DESK"]

logging.raiseExceptions = False
log = logging.getLogger("probes")
own = logging.FileHandler("own.log", delay=True)
log.addHandler(own)
log.addHandler(EveryField())

def test_talks(secrets, capsys, record_property, record_testsuite_property, record_xml_attribute):
    word = secrets["desk"].reveal()
    print("signing in with", word)
    print("Quiet-", end=""); print("Lagoon-4821")
    sys.stderr.write("on stderr " + word)
    sys.stdout.buffer.write(word.encode())
    with capsys.disabled():
        print("nobody captures", word)
        print("{HOSTILE}")
    log.warning("signing in with %s", word)
    log.warning("{HOSTILE}")
    try:
        raise ValueError(word)
    except ValueError:
        log.exception("it broke", stack_info=True)
    log.warning("beside it", extra={{"word": word, "deep": {{"words": [word, word.encode()]}}, "till": Till()}})
    try:
        log.warning("not a number: %d", word)
    except TypeError:  # of pytest's own handler
        pass
    allure.attach(b"", "a till", extension=word)
    warnings.warn("signed in with " + word)
    record_property("password", word)
    record_property(word, "password")
    record_testsuite_property("password-of-the-suite", word)
    record_xml_attribute("file", word)
    pytest.fail("{HOSTILE}" + word)

def test_says_what_the_target_says():
    print("{HOSTILE}")
    pytest.fail("{HOSTILE}")

def test_skips(secrets):
    pytest.skip(secrets["desk"].reveal() + "{HOSTILE}")
"""
ARGUMENTS = {
    "captured": [],
    "not captured": ["-s", "-o", "log_cli=true"],
    "shown as well": ["--capture=tee-sys"],
}
CONTROLS = "\x1b\x07\r\x9b"
COMMANDS = ("##[", "##vso[", "##teamcity[")


@pytest.fixture(scope="module", params=ARGUMENTS)
def talked(request, tmp_path_factory, new_project):
    made = new_project(tmp_path_factory.mktemp("talked"))
    made.configure("http://127.0.0.1:9", '[targets.demo.secrets]\ndesk = "env:DESK"\n')
    made.journeys(TALKATIVE)
    options = ["-o", "log_file=probes.log", "-o", "log_file_level=DEBUG", "-o", "junit_logging=all", "-rA"]
    options += ["--junitxml=deep/junit.xml", "-o", "junit_family=xunit1", *ARGUMENTS[request.param]]
    done = made.run(*options, environ={"DESK": SECRET})
    files = {
        name: (made.root / name).read_text("utf-8")
        for name in ("probes.log", "own.log", "fields.log", "deep/junit.xml")
    }
    return {"console": done.output, **files}, made.root


def test_no_secret_leaves_by_console_log_file_a_handler_of_ones_own_or_junit(talked):
    outputs, root = talked
    assert {name: SECRET in text for name, text in outputs.items()} == dict.fromkeys(outputs, False)
    assert "nobody captures [masked]" in outputs["console"]
    assert "signing in with [masked]" in outputs["probes.log"]
    assert "ValueError: [masked]" in outputs["own.log"]
    assert "<till of [masked]>" in outputs["fields.log"]
    suite = ET.fromstring(outputs["deep/junit.xml"])
    assert [element.get("value") for element in suite.findall("./testsuite/properties/property")] == ["[masked]"]
    held = [path for path in root.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert held == []


def test_what_the_target_says_acts_on_no_terminal_and_no_job(talked):
    outputs, _ = talked
    for name, text in outputs.items():
        acting = [line for line in text.splitlines() if line.lstrip().startswith("::")]
        acting += [word for word in (*CONTROLS, *COMMANDS) if word in text.replace("\r\n", "\n")]
        assert acting == [], name
    assert "␛[2J" in outputs["console"]
    assert "| ::add-mask::everything" in outputs["console"]


def test_programs_of_a_journey_may_not_print_past_the_mask_on_production(project):
    project.configure("http://127.0.0.1:9", "production = true\n")
    project.journeys("def test_one(): pass\n")
    done = project.run("-s")
    assert done.code == 4
    assert "past every mask, and target 'demo' is production" in done.output


WORDS = """
import time
import pytest
from synthprobe import step, ConfigurationError

def test_passed(): assert 1 + 1 == 2

@pytest.mark.journey(budget="10ms")
def test_degraded():
    with step("wait"): time.sleep(0.02)

def test_failed(broken_clean_up): assert 1 == 2

def test_unknown(): raise ConfigurationError("no such user")

def test_failed_in_setup(broken_setup): assert 1 + 1 == 2

def test_clean_up_only(broken_clean_up): assert 1 + 1 == 2

@pytest.mark.skip(reason="by policy")
def test_skipped(): pass

def test_intermittent(tmp_path_factory):
    mark = tmp_path_factory.getbasetemp().parent / "seen-once"
    if not mark.exists():
        mark.touch()
        assert False, "only once"

@pytest.fixture
def broken_clean_up():
    yield
    raise RuntimeError("clean-up broke")

@pytest.fixture
def broken_setup():
    assert "dead" == "alive", "the door is shut"
"""


@pytest.fixture(scope="module", params=["", "-n2"])
def junit(request, tmp_path_factory, new_project):
    """The JUnit file of a scheduled run, by name of the case."""
    made = new_project(tmp_path_factory.mktemp("junit"))
    made.configure("http://127.0.0.1:9")
    made.journeys(WORDS)
    settings = made.root / "synthprobe.toml"
    settings.write_text(f"second_attempt_delay_s = 0\n{settings.read_text()}")
    (made.root / "pytest.ini").write_text("[pytest]\naddopts = --junitxml=junit.xml\n")
    command = [sys.executable, "-m", "synthprobe", "run", *([request.param] if request.param else [])]
    environ = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("temporary"))}
    done = subprocess.run(command, cwd=made.root, capture_output=True, text=True, timeout=250, check=False, env=environ)
    assert done.returncode == 1, done.stdout + done.stderr
    return ET.parse(made.root / "junit.xml").getroot().find("testsuite")


def test_outcomes_are_called_by_junits_words_and_each_journey_is_one_case(junit):
    tags = {
        case.get("name"): [part.tag for part in case if part.tag in {"failure", "error", "skipped"}]
        for case in junit.iter("testcase")
    }
    assert tags == {
        "test_passed": [],
        "test_degraded": [],
        "test_failed": ["failure"],
        "test_unknown": ["error"],
        "test_failed_in_setup": ["failure"],
        "test_clean_up_only": ["error"],
        "test_skipped": ["skipped"],
        "test_intermittent": [],
    }
    assert len(list(junit.iter("testcase"))) == 8
    counted = {name: junit.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "8", "failures": "2", "errors": "2", "skipped": "1"}


def test_a_case_says_what_junit_has_no_word_for(junit):
    properties = {
        case.get("name"): {element.get("name"): element.get("value") for element in case.iter("property")}
        for case in junit.iter("testcase")
    }
    assert properties["test_degraded"]["synthprobe.outcome"] == "degraded"
    properties["test_intermittent"].pop("synthprobe.journey")
    assert properties["test_intermittent"] == {"synthprobe.outcome": "passed", "synthprobe.attempts": "2"}
    error = junit.find("testcase[@name='test_unknown']/error")
    assert error.get("message").startswith("configuration: no such user")


def test_a_run_that_died_leaves_no_green_file_of_an_earlier_one(project):
    project.configure("http://127.0.0.1:9")
    project.journeys("import os\n\ndef test_sound(): assert 1 + 1 == 2\n\ndef test_dies(): os._exit(3)\n")
    settings = project.root / "synthprobe.toml"
    settings.write_text(f"second_attempts = 0\n{settings.read_text()}")
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = --junitxml=junit.xml\n")
    (project.root / "junit.xml").write_text(
        '<testsuites><testsuite tests="1"><testcase name="old"/></testsuite></testsuites>'
    )
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 3, done.stdout
    suite = ET.parse(project.root / "junit.xml").getroot().find("testsuite")
    tags = {case.get("name"): [part.tag for part in case if part.tag != "properties"] for case in suite}
    assert tags["test_dies"] == ["error"]
    assert set(tags) == {"test_sound", "test_dies"}
    assert suite.get("tests") == "2"
    assert suite.find("testcase[@name='test_dies']").get("classname") == "journeys.test_it"
