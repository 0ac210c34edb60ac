"""Runbooks: what is read, which one fits and why, what lint refuses, and what a page shows."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from synthprobe.cli.main import command_names
from synthprobe.config import Config
from synthprobe.errors import ConfigurationError
from synthprobe.firstline.matching import Subject, match
from synthprobe.firstline.runbook import Matches, holds
from synthprobe.firstline.runbook_lint import Known, Snooze, covered, lint, read_snoozes
from synthprobe.firstline.runbook_pages import draft, publish_runbooks, render
from synthprobe.firstline.runbooks import read_runbook
from synthprobe.firstline.shelf import read_runbooks, read_shelf
from synthprobe.project import Project
from synthprobe.records.incident import Incident, IncidentEvent, Triage
from synthprobe.runner.inventory import collected_journeys
from synthprobe_demo.faults import NAMES

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 6, 1)
GOOD = """---
id: {id}
title: It is slow
owner: desk
audience: first-line
severity: normal
class: code
matches:
{matches}
last_exercised: {last}
{more}---

## Symptom

Slow.{symptom}

## Impact

Cards.

## Confirm

1. Look.

   ```sh
   curl -sS "$BASE_URL/x"
   ```

   Expected: `"a":1` and no `error`, or so

Otherwise: escalate.

## Fix

1. Wait.

   ```sh
   curl -X POST "$BASE_URL/x"
   ```

   Undo: nothing.

## Verify

```sh
synthprobe run
```

## Escalate

The desk.

## History

- none
"""


def write(
    folder: Path, id="slow", matches="  labels: [{rule: slow-query}]", last="never", more="", symptom="", text=GOOD
):
    folder.mkdir(exist_ok=True)
    path = folder / f"{id}.md"
    path.write_text(text.format(id=id, matches=matches, last=last, more=more, symptom=symptom))
    return read_runbook(path, folder)


def sentences(*runbooks, known=None, today=TODAY, **options):
    return [str(f) for f in lint(runbooks, known or Known(), today, **options) if f.error]


def test_a_runbook_is_read_with_its_commands_and_what_they_must_print(tmp_path):
    runbook = write(tmp_path, last="{at: 2026-05-01, revision: abc}")
    confirm = runbook.section("Confirm")
    (command,) = confirm.commands
    assert (command.shell, command.expected, command.unexpected) == ('curl -sS "$BASE_URL/x"', ('"a":1',), ("error",))
    assert command.line == (tmp_path / "slow.md").read_text().splitlines().index('   curl -sS "$BASE_URL/x"') + 1
    assert (runbook.last_exercised.at, runbook.section("Fix").steps) == (date(2026, 5, 1), 1)
    assert holds(command, '{"a":1}') == ""
    assert "was expected" in holds(command, '{"a":2}')
    assert "should not" in holds(command, '{"a":1, "error": 2}')


def test_of_expectations_joined_by_or_one_is_enough(tmp_path):
    text = GOOD.replace('`"a":1` and no `error`, or so', "`200` or `/4\\d\\d/`")
    (command,) = write(tmp_path, text=text).section("Confirm").commands
    assert [holds(command, out) == "" for out in ("200", "404", "500")] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# no front matter", "x.md:1: a runbook begins with front matter"),
        ("---\n- a\n---\n", "x.md:1: the front matter must be keys and values"),
        ("---\nid: [a\n---\n", "the front matter cannot be read"),
        ("---\nid: x\nrunner: y\n---\n", "x.md:3: the front matter has an unknown key 'runner'"),
        ("---\nid: x\n---\n", "the front matter cannot be used: Object missing required field"),
        (GOOD.format(id="x", matches="  labels: []", last="soon", more="", symptom=""), "x.md:10: "),
        (GOOD.format(id="x", matches="  tags: []", last="never", more="", symptom=""), "unknown field `tags`"),
        (
            GOOD.format(id="x", matches="  labels: []", last="!!python/object:os.system", more="", symptom=""),
            "cannot be read",
        ),
        (
            GOOD.format(id="x", matches="  labels: []", last="{at: 2026-13-45, revision: x}", more="", symptom=""),
            "x.md:10: the front matter cannot be read: month must be in 1..12",
        ),
        (
            GOOD.format(id="x", matches="  labels: []", last="never", more="review_after: 99999999999\n", symptom=""),
            "x.md:11: ",
        ),
        (
            GOOD.format(id="x", matches="  labels: []", last="never", more="title: Another\n", symptom=""),
            "x.md:11: the front matter cannot be read: the key 'title' stands twice",
        ),
    ],
)
def test_broken_front_matter_is_refused_with_file_and_line(tmp_path, text, says):
    (tmp_path / "x.md").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_runbook(tmp_path / "x.md")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("## Impact\n\nCards.\n\n", ""), 'The section "## Impact" is missing.'),
        (("Cards.", ""), 'The section "Impact" is empty.'),
        (("Cards.", "TODO"), "Something here is unfinished, so the page matches no failure and covers nothing."),
        (("It is slow", "TODO a name"), "The title or the owner is unfinished"),
        (('curl -sS "$BASE_URL/x"', "rm -rf x"), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', 'curl -X DELETE "$BASE_URL/x"'), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', "curl -d 1 http://x"), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', "curl --request=POST http://x"), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', "curl -sXPOST --data-raw={{}} http://x"), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', "curl -d'{{}}' http://x"), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', "curl http://x ; rm -rf /tmp/x"), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', 'curl "http://x/$(rm -rf /tmp/x)"'), "A command of Confirm must only read."),
        (('curl -sS "$BASE_URL/x"', "synthprobe runbook match; rm -rf x"), "A command of Confirm must only read."),
        (("Expected:", "You see:"), "The command has no line 'Expected: ...' below it."),
        (("Otherwise: escalate.", ""), "Confirm does not say what to do on another output"),
        (("Undo: nothing.", ""), "Each numbered step of Fix needs its own 'Undo: ...'."),
        (("```sh\nsynthprobe run\n```", "look"), "Verify has no command."),
        (("Cards.", "Ask Jane Doe."), "'Ask Jane Doe' names a person."),
        (("Cards.", "mail x@y.example"), "'x@y.example' names a person."),
        (("owner: desk", "owner: Jane Doe"), "The owner 'Jane Doe' is no role."),
        (("id: {id}", "id: other"), "The id is 'other' and the file is named otherwise."),
        (("{more}", "drill: gone\n"), "There is no fault 'gone' to drill with."),
        (("{more}", "fix: gone\n"), "There is no fix 'gone'."),
        (
            ("synthprobe run\n", "synthprobe run journeys/test_it.py::test_gone\n"),
            "no journey 'journeys/test_it.py::test_gone'",
        ),
        (
            ("synthprobe run\n", "synthprobe run journeys/test_it.py::TestBoard::test_gone\n"),
            "no journey 'journeys/test_it.py::TestBoard::test_gone'",
        ),
        (("{more}", "journeys: [gone]\n"), "There is no journey 'gone'."),
        (
            ("synthprobe run\n", "synthprobe run journeys/dispatch/test_nowhere.py\n"),
            "slow.md:46: There is no journey 'journeys/dispatch/test_nowhere.py'.",
        ),
        (("The desk.", "`synthprobe fix plan no-such-fix`"), "There is no fix 'no-such-fix'."),
        (("{more}", "supersedes: [no-such]\n"), "It supersedes 'no-such', and there is no such runbook."),
        (("{matches}", "  fingerprints: ['v1:zzz']"), "'v1:zzz' is no fingerprint: "),
        (("{matches}", "  labels: [{{rule: delievry}}]"), "The label rule 'delievry' fits no rule of triage."),
        (("last_exercised: {last}", "last_exercised: {{at: 2026-06-02, revision: a}}"), "which is still to come"),
        (("synthprobe run", "synthprobe fly"), "There is no command 'synthprobe fly'."),
        (("{matches}", "  messages: ['(']"), "/(/ is no regular expression"),
        (("{matches}", "  labels: [{{colour: red}}]"), "'colour' is no label."),
        (("{matches}", "  labels: []"), "It matches nothing"),
        (("last_exercised: {last}", "last_exercised: {{at: 2026-01-01, revision: a}}"), "more than 90 days ago"),
    ],
)
def test_lint_says_what_is_wrong_and_where(tmp_path, change, says):
    assert change[0] in GOOD
    runbook = write(tmp_path, text=GOOD.replace(*change))
    tests = ["journeys/test_it.py::test_real", "journeys/test_it.py::TestBoard::test_real"]
    known = Known(journeys={"a": "slow"}, commands=["synthprobe run"], tests=tests, fixes=["real"], drills=["real"])
    found = sentences(runbook, known=known)
    assert any(says in sentence for sentence in found), found
    assert all(re.match(r"[\w.-]+:\d+: ", sentence) for sentence in found)


def test_a_good_runbook_has_nothing_wrong_and_a_bad_one_covers_nothing(tmp_path):
    good = write(tmp_path)
    known = Known(journeys={"a": "slow", "b": ""}, commands=["synthprobe run"])
    assert sentences(good, known=Known(journeys={"a": "slow"}, commands=["synthprobe run"])) == []
    assert sentences(good, known=known) == [
        "b:1: The journey 'b' names no runbook. Write one, or snooze it with a date."
    ]
    assert covered([good], known) == (1, 2)
    empty = write(tmp_path, text=GOOD.replace("Undo: nothing.", ""))
    assert any("The journey 'a'" in sentence for sentence in sentences(empty, known=known))


def test_what_a_page_names_must_not_have_changed_since_its_last_drill(tmp_path):
    runbook = write(tmp_path, last="{at: 2026-05-20, revision: a}")
    assert sentences(runbook, known=Known(changed={"other": ["journeys/test_a.py"]})) == []
    assert sentences(runbook, known=Known(changed={"slow": ["journeys/test_a.py"]})) == [
        "slow.md:1: journeys/test_a.py, which it names, changed since the last drill on 2026-05-20. Drill it again."
    ]


def test_a_snooze_holds_until_its_day_and_not_longer(tmp_path):
    (tmp_path / "snoozes.yaml").write_text(
        "- {what: b, rule: coverage, until: 2026-06-01, why: new journey, owner: desk}\n"
    )
    snoozes = read_snoozes(tmp_path)
    known = Known(journeys={"b": ""})
    assert sentences(known=known, snoozes=snoozes) == []
    late = sentences(known=known, snoozes=snoozes, today=date(2026, 6, 2))
    assert len(late) == 2
    assert "The snooze of b (coverage, desk) ended on 2026-06-01." in late[-1]
    (tmp_path / "snoozes.yaml").write_text("- {what: b}\n")
    with pytest.raises(ConfigurationError, match="Each entry needs what, rule, until, why and owner"):
        read_snoozes(tmp_path)
    (tmp_path / "snoozes.yaml").write_text("- {what: b, rule: coverage, until: 2026-13-45, why: x, owner: desk}\n")
    with pytest.raises(ConfigurationError, match="snoozes.yaml cannot be read: month must be in 1..12"):
        read_snoozes(tmp_path)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"what": "nobody"}, "names no runbook and no journey"),
        ({"until": date(2026, 8, 31)}, "lasts until 2026-08-31; 90 days are the most"),
        ({"why": " "}, "gives no reason"),
        ({"owner": "Jane Doe"}, "has no role as its owner"),
    ],
)
def test_a_snooze_names_what_it_is_of_why_and_a_near_day(changed, says):
    good = Snooze(what="b", rule="coverage", until=date(2026, 8, 30), why="new", owner="desk")
    known = Known(journeys={"b": ""})
    assert sentences(known=known, snoozes=[good]) == []
    assert any(
        says in sentence for sentence in sentences(known=known, snoozes=[msgspec.structs.replace(good, **changed)])
    )


def test_a_page_shows_raw_html_as_text(tmp_path):
    runbook = write(tmp_path, symptom=" <script>alert(1)</script> [x](javascript:alert(1))")
    page = render(runbook)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'href="javascript' not in page
    assert publish_runbooks([runbook], tmp_path / "site") == {"slow": "runbooks/slow.html"}
    assert (tmp_path / "site" / "runbooks" / "slow.html").read_text() == page


def test_a_page_begins_with_where_to_get_a_session_and_offers_the_fix_before_the_steps_by_hand(tmp_path):
    runbook = msgspec.structs.replace(write(tmp_path), fix="restart-it")
    (addresses,) = publish_runbooks([runbook], tmp_path / "site", before="# Before\n\n<b>x</b>").values()
    page = (tmp_path / "site" / addresses).read_text()
    first = page.index("The commands need <code>$BASE_URL</code>")
    assert first < page.index('How to get them: <a href="README.html">') < page.index("<h2>Symptom")
    plan = page.index("synthprobe fix plan restart-it --incident INCIDENT\nsynthprobe fix apply restart-it --incident")
    assert page.index("<h2>Fix") < plan < page.index("<p>Wait.")
    assert "&lt;b&gt;x" in (tmp_path / "site" / "runbooks" / "README.html").read_text()
    assert "ask the desk, and write it into" in render(runbook)
    assert "fix apply" not in render(msgspec.structs.replace(runbook, fix=""))


def test_how_to_begin_a_session_is_the_same_in_the_guide_and_beside_the_runbooks():
    sessions = [
        re.search(r"Before typing a command\n.*?^```sh\n(.*?)^```", path.read_text(), re.M | re.S)[1]
        for path in (ROOT / "runbooks" / "README.md", ROOT / "docs" / "guides" / "runbooks.md")
    ]
    assert sessions[0] == sessions[1]


def test_a_page_says_what_its_cause_means_and_which_fix_ends_it(tmp_path):
    runbook = msgspec.structs.replace(write(tmp_path), fix="restart-it", cause_class="infra")
    page = render(runbook)
    assert "infra: something that should run does not" in page
    assert "synthprobe fix plan restart-it --incident INCIDENT" in page
    assert "fix plan" not in render(msgspec.structs.replace(runbook, fix=""))
    publish_runbooks([runbook], tmp_path / "site")
    assert "Something that should run does not" in (tmp_path / "site" / "runbooks" / "index.html").read_text()


def test_a_draft_holds_what_was_recorded_and_lint_does_not_take_it_for_finished(tmp_path):
    at = datetime(2026, 5, 1, 10, tzinfo=UTC)
    incident = Incident(
        id="260501-1000-K7QF",
        target="demo",
        kind="failing",
        state="resolved",
        fingerprint="v1:abc",
        signature="v1:s",
        title='call-intake, "save": <b>boom</b> `x`\n# not a heading',
        opened_at=at,
        first_seen_at=at,
        last_seen_at=at,
        journeys=("call-intake",),
        owner="desk",
        step='the "save" step',
        triage=Triage(cause_class="code", rule="script-error", why="A script broke."),
        resolved_how="engineer",
        resolved_by="platform team",
        events=(IncidentEvent(at=at, role="first line", text="Reloaded; did not help."),),
    )
    text = draft(incident)
    (tmp_path / "call-intake-260501-1000-k7qf.md").write_text(text)
    runbook = read_runbook(tmp_path / "call-intake-260501-1000-k7qf.md")
    assert (runbook.matches.known, runbook.cause_class) == (({"fingerprint": "v1:abc"},), "code")
    assert "engineer by platform team" in text
    assert "first line: `Reloaded; did not help.`" in text
    assert "<b>" not in render(runbook)
    assert [s.title for s in runbook.sections] == [
        "Symptom",
        "Impact",
        "Confirm",
        "Fix",
        "Verify",
        "Escalate",
        "History",
    ]
    assert any("unfinished" in sentence for sentence in sentences(runbook))


# the runbooks of the dispatch centre


def pages_of_journeys():
    return {
        collected_journey.id: collected_journey.runbook
        for collected_journey in collected_journeys(Project(ROOT, Config()))
    }


def test_the_runbooks_of_the_dispatch_centre_are_well():
    runbooks = read_runbooks(ROOT / "runbooks", ROOT).runbooks
    written_for = {journey: journey for runbook in runbooks for journey in runbook.matches.journeys}
    known = Known(journeys=written_for | pages_of_journeys())
    assert [str(finding) for finding in lint(runbooks, known, date.today()) if finding.error] == []


def test_every_fault_has_one_runbook_that_drills_it():
    drills = [runbook.drill for runbook in read_runbooks(ROOT / "runbooks", ROOT).runbooks if runbook.drill]
    assert set(NAMES) <= set(drills)
    assert len(drills) == len(set(drills))


def test_no_page_knows_what_nobody_has_seen():
    runbooks = read_runbooks(ROOT / "runbooks", ROOT).runbooks
    for journey, page in pages_of_journeys().items():
        found = match(runbooks, Subject(journey=journey, default=page, message="something nobody has seen"))
        assert (found.known, found.offered) == ("", page)


def test_the_pages_that_come_with_synthprobe_are_well_and_give_way_to_the_projects_own(tmp_path):
    shipped = read_shelf(tmp_path, tmp_path).runbooks
    assert len(shipped) == 6
    assert [str(finding) for finding in lint(shipped, Known(commands=command_names()), date.today())] == []
    port = next(page for page in shipped if page.id == "port-closed")
    subject = Subject(journey="mail", message="mail.example:25 takes no connection: Connection refused.")
    own = msgspec.structs.replace(port, id="our-mail", shipped=False, matches=Matches(knows=({"message": "mail"},)))
    assert match([port, own], subject).known == "our-mail"
    assert match([port, own], subject).tied == ()
    assert match([port], subject).known == "port-closed"
