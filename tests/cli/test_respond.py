"""What first-line support types: alert, fix, audit."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from issuer import running_issuer
from typer.testing import CliRunner

from synthprobe.cli.lookup import RecordedIncidents
from synthprobe.cli.main import app
from synthprobe.errors import AuditError, ConfigurationError, FixRefused
from synthprobe.firstline.applying import Done, FixDesk
from synthprobe.project import Project
from synthprobe.records.incident import Incident

ROOT = Path(__file__).parents[2]


@pytest.fixture
def issuer():
    with running_issuer() as running:
        yield running


@pytest.fixture
def here(project, monkeypatch) -> Path:
    monkeypatch.chdir(project.root)
    return project.root


def call(*arguments: str):
    return CliRunner().invoke(app, arguments)


def test_alert_lint_and_test(here, project):
    assert "There is no [[alerts.routes]]" in call("doctor", "routes").output
    with pytest.raises(ConfigurationError, match="There is no route, so nobody is told"):
        raise call("alert", "--test").exception
    project.configure("http://127.0.0.1:9", '[[alerts.routes]]\nname = "all"\nto = ["env:MISSING_PAGER"]\n'
                      'second = ["env:X"]\nclass = []\n')  # fmt: skip
    done = call("doctor", "routes")
    assert (done.exit_code, done.output) == (0, "well     routes: nothing is wrong\n")
    (here / "mutes.toml").write_text(
        '[[mute]]\njourney = "sign-on"\nowner = "records"\nreason = "known"\n'
        f"until = {datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}\n"
    )
    project.journeys("import pytest\n\n\n@pytest.mark.journey(id='sign-in')\ndef test_it():\n    assert True\n")
    done = call("doctor", "routes")
    assert done.exit_code == 1
    assert "wrong    routes: The mute of 'sign-on' names a journey there is none of" in done.output
    assert "Did you mean 'sign-in'?" in done.output
    (here / "mutes.toml").unlink()
    done = call("alert", "--test")
    assert done.exit_code == 1
    assert "✗ all env:MISSING_PAGER" in done.output
    assert call("alert", "--send").output == "0 delivered, 0 waiting.\n"
    with pytest.raises(ConfigurationError, match="There is no route 'night'. Known routes: all."):
        raise call("alert", "--test", "--route", "night").exception


def test_a_fix_is_planned_refused_approved_and_logged(here, project, centre, monkeypatch, issuer):
    shutil.copytree(ROOT / "fixes", here / "fixes", ignore=shutil.ignore_patterns("__pycache__"))
    (here / "password").write_text("watch-Harbor-9")
    (here / "admin").write_text((ROOT / "journeys" / "dispatch" / "accounts" / "admin").read_text())
    signed = f'[fixes.identity]\nkind = "oidc"\nissuer = "{issuer.url}"\nsource = "env:CI_TOKEN"\n'
    secrets = '[targets.demo.secrets]\nsupervisor = "file:password"\nadmin = "file:admin"\n'
    project.configure(centre.url, secrets + signed)
    monkeypatch.setenv("CI_TOKEN", issuer.token())
    now = datetime.now(UTC)
    RecordedIncidents(Project.at(here)).put(
        Incident(id="I-1", target="demo", kind="failing", state="open", fingerprint="v1:a", signature="s", title="t",
                 opened_at=now, first_seen_at=now, last_seen_at=now, journeys=("gone",))
    )  # fmt: skip
    assert "restore-setting" in call("fix", "plan").output
    assert call("audit").output == "Nothing was planned or applied yet.\n"
    for words in (("fix", "plan", "restore-settings", "--incident", "I-1"), ("audit", "--fix", "restore-settings")):
        with pytest.raises(ConfigurationError, match="Did you mean 'restore-setting'"):
            raise call(*words).exception
    assert "not needed" in call("fix", "plan", "restore-setting", "--incident", "I-1").output
    unlock = ("fix", "plan", "unlock-account", "--incident", "I-1", "--input", "user=dispatcher1")
    with pytest.raises(ConfigurationError, match="The input 'user' is given twice, 'dispatcher1' and 'admin'"):
        raise call(*unlock, "--input", "user=admin").exception
    centre.fault("search_cached")
    asking = ("fix", "apply", "restore-setting", "--incident", "I-1", "--by")
    assert "nothing was changed" in call(*asking, "first-line").output
    with pytest.raises(FixRefused, match="There is no role 'stranger'"):
        raise call(*asking, "stranger", "--really").exception
    done = call(*asking, "first-line", "--really")
    assert done.exit_code == 1
    request = done.output.split("fix approve ")[1].split()[0]
    with pytest.raises(FixRefused, match="You asked for this fix yourself"):
        raise call("fix", "approve", request, "--by", "supervisor").exception
    for name in ("SYNTHPROBE_WHO", "LOGNAME", "USER", "GITHUB_ACTOR"):
        monkeypatch.setenv(name, "another desk")
    with pytest.raises(FixRefused, match="You asked for this fix yourself"):
        raise call("fix", "approve", request, "--by", "supervisor").exception
    monkeypatch.setenv("CI_TOKEN", "another-desk-says-so")
    with pytest.raises(FixRefused, match="It is not known who acts"):
        raise call("fix", "approve", request, "--by", "supervisor").exception
    monkeypatch.setenv("CI_TOKEN", issuer.token(actor_id="8"))
    assert "Approved until" in call("fix", "approve", request, "--by", "supervisor").output
    monkeypatch.setenv("CI_TOKEN", issuer.token())
    done = call(*asking, "first-line", "--really")
    assert done.exit_code == 1, "its journey could not be run again, so nothing is proven"
    assert "gone: not run" in done.output
    *log, whole = call("audit").output.splitlines()
    assert [line.split()[3] for line in log] == [
        "planned", "refused", "requested", "refused", "refused", "approved", "applying", "failed",
    ]  # fmt: skip
    assert whole == "The audit is whole: 8 entries."
    rewritten(here / ".synthprobe", lambda rows: [row.replace("supervisor approved", "supervisor x") for row in rows])
    with pytest.raises(AuditError, match="Line 6"):
        raise call("audit").exception


@pytest.fixture
def audited(here, project, monkeypatch) -> Path:
    """A project in which three fixes were planned, so that its audit has three lines."""
    (here / "fixes").mkdir()
    (here / "fixes" / "odd.py").write_text(
        "from synthprobe import Plan, fix\n"
        "@fix('odd', title='t', roles=('first-line',), writes=(), irreversible='x')\n"
        "def odd(work):\n    return Plan(seen='It is odd.', steps=('even it',), touches=('it',))\n"
        "@odd.applies\ndef _(work):\n    return ''\n@odd.checks\ndef _(work):\n    return ''\n"
    )
    now = datetime.now(UTC)
    RecordedIncidents(Project.at(here)).put(
        Incident(id="I-3", target="demo", kind="failing", state="open", fingerprint="v1:a", signature="s", title="t",
                 opened_at=now, first_seen_at=now, last_seen_at=now, journeys=("gone",))
    )  # fmt: skip
    for _ in range(3):
        assert call(*ODD).exit_code == 0
    assert "The audit is whole: 3 entries.\n" in call("audit").output
    return here / ".synthprobe"


ODD = ("fix", "apply", "odd", "--incident", "I-3", "--by", "first-line")


def rewritten(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    with closing(sqlite3.connect(folder / "history.db", isolation_level=None)) as store:
        for act in ("update", "delete"):
            store.execute(f"DROP TRIGGER IF EXISTS audit_refuses_{act}")
        rows = change([body for (body,) in store.execute("SELECT body FROM audit ORDER BY no")])
        store.execute("DELETE FROM audit")
        store.executemany("INSERT INTO audit (body) VALUES (?)", [(row,) for row in rows])


def shortened(folder: Path) -> None:
    rewritten(folder, lambda rows: rows[:-1])


def removed(folder: Path) -> None:
    rewritten(folder, lambda rows: [])


@pytest.mark.parametrize("damage", [shortened, removed])
def test_an_audit_that_was_shortened_is_noticed(audited, damage):
    damage(audited)
    for words in (("audit",), ODD, (*ODD, "--really")):
        with pytest.raises(AuditError, match="beside the history knows 3 lines and the hash of the last"):
            raise call(*words).exception
    with pytest.raises(FixRefused, match="may not approve"):
        raise call("audit", "--begin-anew", "--by", "first-line", "--reason", "it was shortened").exception
    assert "A new audit was begun" in call("audit", "--begin-anew", "--by", "engineer", "--reason", "it was cut").output
    renewed = call("audit").output
    assert "begun anew by engineer: it was cut" in renewed
    assert "The audit is whole: 1 entry.\n" in renewed
    with pytest.raises(ConfigurationError, match="The audit is whole"):
        raise call("audit", "--begin-anew", "--by", "engineer", "--reason", "again").exception


def test_without_the_shared_history_the_audit_says_that_it_was_not_compared(audited):
    with (audited.parent / "synthprobe.toml").open("a") as file:
        file.write('[history]\nurl = "postgresql+psycopg://nobody@127.0.0.1:1/x"\n')
    done = call("audit")
    assert done.exit_code == 1
    assert "The audit is whole: 3 entries." in done.output
    assert "Not compared with the shared history" in done.output


def test_without_fixes_the_list_says_how_one_is_written(here, project):
    done = call("fix", "plan")
    assert done.exit_code == 0
    assert "There are no fixes in fixes/." in done.output
    assert '@fix("clear-cache"' in done.output


@pytest.mark.parametrize(("helped", "how"), [(True, "fix"), (False, None)])
def test_only_a_fix_that_helped_is_noted_as_what_ended_the_incident(here, project, monkeypatch, helped, how):
    shutil.copytree(ROOT / "fixes", here / "fixes", ignore=shutil.ignore_patterns("__pycache__"))
    now = datetime.now(UTC)
    incident = Incident(id="I-2", target="demo", kind="failing", state="open", fingerprint="v1:a", signature="s",
                   title="t", opened_at=now, first_seen_at=now, last_seen_at=now, journeys=("gone",))  # fmt: skip
    incidents = RecordedIncidents(Project.at(here))
    incidents.put(incident)
    monkeypatch.setattr(FixDesk, "apply", lambda *_, **__: Done(ok=helped, changed=True, text="done"))
    call("fix", "apply", "restore-setting", "--incident", "I-2", "--by", "first-line", "--really")
    noted = incidents.get("I-2")
    assert (noted.resolved_how, noted.resolved_by, noted.state) == (how, "first-line" if how else "", "open")
