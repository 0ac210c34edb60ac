"""What a target says is text only in consoles of any encoding, job pages, runbook drafts and alerts."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
import yaml
from markdown_it import MarkdownIt

from synthprobe.alerts.message import Background, Occasion, write
from synthprobe.records.incident import Incident

HOSTILE = (
    "\x1b[2Jgone\r::stop-commands::x ##[error] ##vso[task.complete result=Succeeded;] ##teamcity[x]\x9b2J \u202etxt "
    "[all is well](https://evil.example/) **bold** `code` _it_ <img src=x onerror=alert(1)> @here @ops-lead # h \ud83d"
)
JOURNEYS = """
# -*- coding: utf-8 -*-
import json
import allure
import pytest
from synthprobe import step

HOSTILE = json.loads({hostile!r})

@pytest.mark.journey(id="orders", title="注文は届く – سفارش می‌رسد", owner="配達", severity="critical")
def test_hostile(record_property):
    record_property(HOSTILE, HOSTILE)
    allure.attach("<script>alert(1)</script>" + HOSTILE, "page", allure.attachment_type.HTML)
    with step("look " + HOSTILE):
        assert HOSTILE == "fine", HOSTILE
"""
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)


@pytest.fixture(scope="module")
def project_of_hostile_words(tmp_path_factory, new_project):
    made = new_project(tmp_path_factory.mktemp("hostile"))
    made.configure("http://127.0.0.1:9")
    (made.root / "pytest.ini").write_text("[pytest]\naddopts = --junitxml=junit.xml\n")
    settings = made.root / "synthprobe.toml"
    settings.write_text(f"second_attempt_delay_s = 0\n{settings.read_text()}")
    (made.root / "journeys" / "test_it.py").write_text(JOURNEYS.format(hostile=json.dumps(HOSTILE)), "utf-8")
    return made


def command(made, encoding, *words):
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "GITHUB_STEP_SUMMARY": str(made.root / "page.md")}
    whole = [sys.executable, "-m", "synthprobe", *words]
    done = subprocess.run(whole, cwd=made.root, capture_output=True, timeout=250, check=False, env=environ)
    return done.returncode, (done.stdout + done.stderr).decode(encoding)


@pytest.fixture(scope="module")
def ran(project_of_hostile_words):
    """Exit code and output of a run, in a console of another encoding, and of what is asked afterwards."""
    made = project_of_hostile_words
    done = {"run": command(made, "latin-1", "run", "--slot", "now")}
    done["list"] = command(made, "ascii", "incident", "list")
    found = re.search(r"\d{6}-\d{4}-\w{4}", done["list"][1])
    assert found, done["list"][1]
    done["show"] = command(made, "utf-8", "incident", "show", found[0])
    done["new"] = command(made, "utf-8", "runbook", "new", found[0])
    return done, made.root


def test_a_console_of_any_encoding_prints_names_of_any_script(ran):
    done, _ = ran
    assert {name: code for name, (code, _) in done.items()} == dict.fromkeys(done, 0) | {"run": 1}
    assert "x failed" in done["run"][1]
    assert "\\u6ce8\\u6587" in done["run"][1]
    assert "owner: 配達" in done["show"][1]


def test_a_junit_file_stays_one_whatever_a_target_says(ran):
    (case,) = ET.parse(ran[1] / "junit.xml").getroot().iter("testcase")
    assert case.find("failure") is not None
    texts = [text for part in case.iter() for text in (part.text or "", *part.attrib.values())]
    assert any("all is well" in text for text in texts)
    assert not [text for text in texts if CONTROLS.search(text) or COMMAND.search(text)]


def test_nothing_a_target_says_acts_on_a_terminal_or_a_ci_job(ran):
    done, root = ran
    texts = {name: output for name, (_, output) in done.items()}
    texts["page"] = (root / "page.md").read_text("utf-8")
    texts["log"] = next(root.rglob("pytest.log")).read_text("utf-8")
    texts["draft"] = next((root / "runbooks").glob("*.md")).read_text("utf-8")
    for name, text in texts.items():
        assert CONTROLS.findall(text) + COMMAND.findall(text) == [], name
        assert "gone" in text or name.startswith("list") or name == "new", name


def test_a_runbook_draft_and_a_job_page_hold_no_markup_of_the_target(ran):
    _, root = ran
    draft = next((root / "runbooks").glob("*.md")).read_text("utf-8")
    yaml.safe_load(draft.split("---")[1])
    shown = [MarkdownIt("commonmark").render(draft.split("---", 2)[2])]
    shown.append(MarkdownIt("commonmark").enable("table").render((root / "page.md").read_text("utf-8")))
    for html in shown:
        assert not re.search(r"<(a|img|strong)\b", html), html


def test_a_page_that_a_journey_attaches_begins_with_a_policy_that_runs_no_script(ran):
    _, root = ran
    pages = list(root.rglob("*.html"))
    assert pages
    for page in pages:
        policy = page.read_text("utf-8").partition("<script>")[0]
        assert policy.startswith('<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src')
        assert "script-src" not in policy


def test_markdown_of_the_target_is_inert_in_alerts():
    now = datetime(2026, 1, 2, tzinfo=UTC)
    seen = {"opened_at": now, "first_seen_at": now, "last_seen_at": now, "occurrences": 1}
    name = {"id": "inc_7", "fingerprint": "f", "signature": "s", "target": "demo", "journeys": ("a_b",)}
    incident = Incident(**name, **seen, title=HOSTILE, kind="failing", state="open")
    why = Occasion(route="all", reason="opened", urgency="page", after="", now=now)
    alert = write(incident, why, Background(changed=HOSTILE, report_url="https://site.example/a_b_c/"), str)
    for text in (alert.title, alert.body):
        html = MarkdownIt("commonmark").enable("strikethrough").render(text.replace("https://site.example", ""))
        assert not re.search(r"<(a|img|strong|em|code|s|h1)\b", html), html
        assert not re.search(r"[<>*`~]|@(here|ops)", text)
        assert CONTROLS.findall(text.replace("\n", "")) + COMMAND.findall(text) == []
    assert "Report: https://site.example/a_b_c/" in alert.body
    assert "ack inc_7" in alert.body
