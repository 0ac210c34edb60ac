"""What a target issues to a browser is in nothing that a run writes: each text of the artefacts is tried as a token."""

import gzip
import io
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest
from token_issuer import CODE, Issuer, issuer

from synthprobe.evidence.redaction import Redactor

JOURNEYS = """
from playwright.sync_api import Page, expect
from synthprobe import step

def test_a_broken_journey(page: Page, api):
    page.goto("/")
    out = page.locator("#out")
    expect(out).to_contain_text("tokens")
    page.get_by_label("Code").press_sequentially("482913")
    page.request.get("/api")
    with page.expect_download() as key:
        page.evaluate("() => Object.assign(document.createElement('a'), {href: '/key', download: ''}).click()")
    print(key.value.path().read_text())
    print(out.inner_text())
    with step("see " + out.inner_text()[:31]):
        assert out.inner_text() == "no tokens", api.get("/api").text

def test_a_journey_that_passes(page: Page):
    page.goto("/")
    out = page.locator("#out")
    expect(out).to_contain_text("tokens")
    print(out.inner_text())
"""
# another plugin that writes what it is told, as those for reports do
CONFTEST = """
import pathlib, pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    with pathlib.Path(".synthprobe", "another.txt").open("a") as file:
        print(report.longrepr, report.sections, item._report_sections, file=file)
    return report
"""
WORDS = re.compile(rb"[\w.~+/=-]{8,}")


@pytest.fixture(scope="module", params=["always", "second-attempt"])
def ran(tmp_path_factory, new_project, request):
    """Everything a scheduled run wrote and printed, by name, and what was issued in it, by where."""
    made = new_project(tmp_path_factory.mktemp("issued"))
    with issuer() as url:
        (made.root / "synthprobe.toml").write_text(
            f'default_target = "watched"\nsecond_attempts = 0\n[targets.watched]\nbase_url = "{url}"\n'
            f'action_timeout_s = 5\n[evidence]\nsnapshots = "{request.param}"\n'
            f"[alerts]\n[[alerts.routes]]\nname = 'all'\nto = ['json://127.0.0.1:9/']\n"
        )
        made.journeys(JOURNEYS)
        made.journeys(CONFTEST, "conftest.py")
        command = [sys.executable, "-m", "synthprobe", "run", "--slot", "now", "--", "--junitxml=.synthprobe/junit.xml"]
        done = subprocess.run(command, cwd=made.root, env=os.environ, capture_output=True, timeout=150, check=False)
    state = made.root / ".synthprobe"
    files = {str(path.relative_to(state)): path.read_bytes() for path in state.rglob("*") if path.is_file()}
    return made.root, {"output": done.stdout + done.stderr, **files}, dict(Issuer.issued)


def texts(content: bytes):
    """Each text of a file, and of the files that are packed in it."""
    yield content
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from texts(archive.read(name))


def trace_of_the_broken(written: dict[str, bytes]) -> bytes:
    """A canary has a trace too, when it is its turn to fail in a page."""
    return next(content for name, content in written.items() if "a_broken_journey" in name and "trace.zip" in name)


def test_the_ways_were_taken(ran):
    _, written, issued = ran
    assert len(issued) == 26, sorted(issued)
    verdict = json.loads(next(content for name, content in written.items() if name.endswith("verdict.json")))
    assert {judgement["journey"]["title"]: judgement["outcome"] for judgement in verdict["journeys"]} == {
        "a broken journey": "failed",
        "a journey that passes": "passed",
    }
    assert [name for name in written if name.endswith("trace.zip")], "there is a trace"
    assert b"no tokens" in written["another.txt"]
    assert b"Captured stdout call" in written["another.txt"]


def test_no_text_of_the_artefacts_is_a_token_that_works(ran):
    _, written, issued = ran
    tokens = {value.encode(): name for name, value in issued.items()}
    works = {(tokens[word], name) for name, content in written.items() for text in texts(content)
             for word in {*WORDS.findall(text), *re.findall(rb"[\w-]{8,}", text)} if word in tokens}  # fmt: skip
    assert works == set()


def test_no_form_of_a_token_is_in_the_artefacts(ran):
    _, written, issued = ran
    redactor = Redactor()
    for name, value in issued.items():
        redactor.add(value, name)
    left = {(rule, name) for name, content in written.items() for rule in redactor.residual(content)}
    assert left == set()


def test_a_one_time_code_is_masked_however_short_it_is(ran):
    trace = trace_of_the_broken(ran[1])
    entries = b"\n".join(list(texts(trace))[1:])
    assert b"one-time-code" in entries
    assert CODE.encode() not in entries


def test_scan_finds_what_the_run_saw_issued(ran):
    root, _, issued = ran

    def scan():
        command = [sys.executable, "-m", "synthprobe", "doctor", "leaks", "--in", ".synthprobe"]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    clean = scan()
    assert clean.returncode == 0, clean.stdout
    assert "issued tokens searched for" in clean.stdout
    planted = root / ".synthprobe" / "planted.bin"
    planted.write_bytes(gzip.compress(f'{{"note": "x\\n{issued["jwt"]}"}}'.encode()))
    found = scan()
    planted.unlink()
    assert (found.returncode, "planted.bin: issued to a run" in found.stdout) == (1, True), found.stdout


def test_a_trace_of_the_locked_playwright_keeps_its_messages_and_bodies_l09(ran):
    """Fails when Playwright writes messages or bodies in another way than is known here."""
    trace = trace_of_the_broken(ran[1])
    with zipfile.ZipFile(io.BytesIO(trace)) as archive:
        entries = [json.loads(line) for line in archive.read("trace.network").splitlines()]
        bodies = [entry["snapshot"]["response"]["content"] for entry in entries]
        named = [body["_file"] for body in bodies if body.get("_file")]
        assert set(named) <= set(archive.namelist()), "references follow the renamed resources"
        (messages,) = [archive.read(name) for name in named if name.endswith(".jsonl")]
    frames = [json.loads(line) for line in messages.splitlines()]
    assert [(frame["type"], frame["opcode"]) for frame in frames] == [
        ("send", 1), ("receive", 1), ("receive", 1), ("receive", 2), ("receive", 1)
    ]  # fmt: skip
    assert json.loads(frames[0]["data"]) == {"auth": "[masked]"}
    assert (frames[1]["data"] + frames[2]["data"]).count("[masked]") == 2, "a value in two messages is masked in both"


def test_what_only_a_later_request_shows_to_be_a_token_costs_no_failure_and_no_answer(project):
    with issuer() as url:
        project.configure(url)
        project.journeys(
            "def test_it(api):\n"
            "    token = api.get('/security').json()['result']\n"
            "    api.get('/api', headers={'X-CSRFToken': token})\n"
            "    assert 'orders' == 'none'\n"
        )
        ran = project.run()
        token = Issuer.issued["csrf"]
    assert ran.results["test_it"].failure.ours is False
    (answers,) = [content.decode() for name, content in ran.bytes_written() if name.endswith("exchanges.json")]
    assert '\\"result\\": \\"[masked]\\"' in answers
    assert not [name for name, content in ran.bytes_written() if token.encode() in content]
