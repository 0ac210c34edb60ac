"""Test data of any system: soft deletes, deletion by a form of a page, objects that no list shows, Python functions."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from removable import ALONE, CSRF, FORMS, FUNCTIONS, SOFT, Systems
from typer.testing import CliRunner

from synthprobe import Api, ConfigurationError, TestData
from synthprobe.cli.main import app
from synthprobe.config import read_config
from synthprobe.evidence.redaction import Redactor
from synthprobe.history.store import History
from synthprobe.hooks import load_plugins, testdata_kind
from synthprobe.journey.kinds import Access
from synthprobe.journey.ledger import Ledger
from synthprobe.journey.sweeping import signed_in, sweep
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Login


@pytest.fixture
def systems():
    made = Systems()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def root(tmp_path, systems, monkeypatch) -> Path:
    monkeypatch.setenv("FORMS_PASSWORD", "a-good-password")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kinds.py").write_text(FUNCTIONS)
    (tmp_path / "synthprobe.toml").write_text(
        f'default_target = "here"\nplugins = ["kinds.py"]\n[targets.here]\nbase_url = "{systems.url}"\n'
        + SOFT + FORMS + ALONE
    )  # fmt: skip
    return tmp_path


@pytest.fixture
def target(root):
    return read_config(root).target()


@pytest.fixture
def kinds(root):
    return load_plugins(read_config(root).plugins, root).kinds


@pytest.fixture
def history(root):
    (root / ".synthprobe").mkdir(exist_ok=True)
    with History.open(root / ".synthprobe" / "history.db") as opened:
        yield opened


@pytest.fixture
def api(target):
    return signed_in(Api(target, Redactor()), target.sweeper, lambda name: Secret("a-good-password", name))


@pytest.fixture
def data(target, history, kinds):
    return TestData(target, lambda: history, kinds=kinds)


def create(api, kind, token):
    if kind == "group":
        api.post("/forms/groups", data={"name": f"Probe {token}", "csrf": CSRF}).expect(200)
        return None
    path, field = {"note": ("/alone/notes", "text")}.get(kind, ("/soft/experiments", "name"))
    return api.post(path, json={field: f"Probe {token}"}).expect(201).json["id"]


def others(api):
    for kind in ("experiment", "group", "note"):
        for token in ("somebody's", "synthprobe-" + "0" * 32):
            create(api, kind, token)


def swept(target, kinds, history, api, root, *, now=None):
    access = Access(api=lambda: api, page=lambda kind: None)
    now = now or datetime.now(UTC) + timedelta(hours=1)
    return sweep(target, kinds, history, lambda: access, now=now, lock=root / "lock", limit=200)


@pytest.mark.parametrize("kind", ["experiment", "trial", "group", "note"])
def test_a_journey_leaves_nothing_whatever_way_objects_are_removed(systems, target, history, api, data, kind):
    others(api)
    before = systems.alive
    for _ in range(2):
        data.create(kind, lambda token: create(api, kind, token), api=api)
    assert len(systems.alive) == len(before) + 2
    data.clear()
    assert (systems.alive, history.entries("here")) == (before, [])


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_testdata_kinds import create
from synthprobe import Api, TestData
from synthprobe.config import read_config
from synthprobe.evidence.redaction import Redactor
from synthprobe.history.store import History
from synthprobe.hooks import load_plugins
from synthprobe.journey.sweeping import signed_in
from synthprobe.targets.secrets import Secret

root, count = Path(sys.argv[1]), int(sys.argv[2])
config = read_config(root)
target, kinds = config.target(), load_plugins(config.plugins, root).kinds


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Api(Api):
    kills = 99

    def request(self, method, path, **options):
        if self.kills == 3 and "delete" in path and method == "POST":
            die()
        answer = super().request(method, path, **options)
        if self.kills == 4 and "delete" in path and method == "POST":
            die()
        return answer


def journey(kind, when):
    api = Api(target, Redactor())
    if kind == "group":
        signed_in(api, target.sweeper, lambda name: Secret("a-good-password", name))
    api.kills = when
    history = History.open(root / ".synthprobe" / "history.db")
    data = TestData(target, lambda: history, kinds=kinds)

    def make(token):
        if when == 0:
            die()  # written down, never created
        create(api, kind, token)
        if when == 1:
            die()  # created, and nobody was told

    data.create(kind, make, api=api, lease="1ms")
    if when == 2:
        die()  # in the middle of the journey
    data.clear()


killed = 0
for number in range(count):
    child = os.fork()
    if not child:
        journey(("experiment", "trial", "group", "group")[number // 5 % 4], number % 5)
        os._exit(0)
    killed += os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
print(killed)
"""


def test_f69_killed_at_every_point_one_sweep_leaves_nothing_of_ours_and_touches_nothing_else(
    systems, target, kinds, history, api, root, pytestconfig
):
    others(api)
    before = systems.alive
    turns = pytestconfig.getoption("kill_turns")  # in each, every kind at every point
    arguments = [sys.executable, "-c", KILLED, str(root), str(20 * turns), str(Path(__file__).parent)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=250, env=os.environ)
    assert done.stdout.strip() == str(20 * turns), done.stderr
    assert (len(history.entries("here")), len(systems.alive)) == (20 * turns, len(before) + 12 * turns)
    found = swept(target, kinds, history, api, root)
    assert sorted(leftover.status for leftover in found) == ["gone"] * 8 * turns + ["removed"] * 12 * turns, [
        leftover.detail for leftover in found
    ]
    assert (systems.alive, history.entries("here")) == (before, [])


def test_f69_who_is_not_logged_in_calls_nothing_gone(systems, target, kinds, history, api, data, root):
    data.create("group", lambda token: create(api, "group", token), api=api)
    (leftover,) = swept(target, kinds, history, Api(target, Redactor()), root)
    assert (leftover.status, len(systems.alive)) == ("left", 1)
    assert "does not show 'Select group', so nothing found there says nothing" in leftover.detail
    assert [leftover.status for leftover in swept(target, kinds, history, api, root)] == ["removed"]


def test_f69_what_no_list_shows_is_removed_by_what_was_written_down(systems, target, kinds, history, api, data, root):
    data.create("note", lambda token: create(api, "note", token), api=api)
    unknown = data.token("note", api=api)
    create(api, "note", unknown)  # and the run ended before it could write down the id
    stranger = data.token("note", api=api)
    data.note(stranger, id=next(iter(systems.notes)))  # of another object than ours
    by_token = {leftover.entry.token: leftover for leftover in swept(target, kinds, history, api, root)}
    assert by_token[unknown].detail.startswith("What its 'id' is was never written down, and no list shows it")
    assert "so it is not known as ours" in by_token[stranger].detail
    assert [name.split()[-1] for name in systems.alive].count(unknown) == 1


@pytest.mark.parametrize("by", ["token", "result"])
def test_what_a_journey_removed_itself_is_closed(systems, history, api, data, by):
    tokens = []
    made = data.create("experiment", lambda token: (tokens.append(token), create(api, "experiment", token))[1], api=api)
    api.post("/soft/delete", json={"id": made}).expect(200)
    data.removed(tokens[0] if by == "token" else made)
    assert history.entries("here") == []
    with pytest.raises(ConfigurationError, match="neither the token of an object of this journey nor what create"):
        data.removed(made)


class Odd:
    """Functions that are wrong in one way each."""

    @staticmethod
    def find(api, token):
        return [{"id": "1", "name": "somebody's"}]

    @staticmethod
    def delete(api, found):
        raise AssertionError("nothing may be deleted")

    @staticmethod
    def is_gone(api, found):
        return False


class Endless(Odd):
    @staticmethod
    def find(api, token):
        import threading

        threading.Event().wait()


class Half:
    find = Odd.find


class Mixed(Odd):
    @staticmethod
    def delete(page, found):
        pass


@pytest.mark.parametrize(
    ("functions", "sentence"),
    [
        (Odd, "of which no field holds the token synthprobe-"),
        (Endless, "find of the kind of test data 'odd' did not answer within 0.2 s"),
    ],
)
def test_f70_functions_that_find_what_is_not_ours_or_never_end_are_a_note(target, history, api, functions, sentence):
    kind = testdata_kind("odd", within=0.2)(functions)._synthprobe_testdata_kind
    notes = []
    data = TestData(target, lambda: history, note=notes.append, kinds={"odd": kind})
    data.token("odd", api=api)
    data.clear()
    assert sentence in notes[0]
    assert len(history.entries("here")) == 1


@pytest.mark.parametrize(
    ("functions", "sentence"), [(Half, "has no delete"), (Mixed, "take api, page first")], ids=["half", "mixed"]
)
def test_functions_that_cannot_be_used_are_refused(functions, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        testdata_kind("odd")(functions)


def test_what_a_kind_needs_must_be_given(data, api):
    with pytest.raises(ConfigurationError, match="Add page=page"):
        data.token("seen group", api=api)
    with pytest.raises(ConfigurationError, match="Add api=api"):
        data.token("trial")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('find = "/soft/experiments"', "", "has neither find nor look"),
        ('shows = "Select group"', "", "needs a named group such as .*find, look and shows"),
        ("(?P<id>", "(?P<id", "which is no regular expression"),
        ('method = "POST"', 'method = "PURGE"', "method"),
        ('sends = "form"\ndelete', 'sends = "post"\ndelete', "sends"),
        ('look = "/alone/notes/{id}"', 'sends = "form"\nfind = "/alone/notes"', "sends a form, and no page shows it"),
    ],
)
def test_a_table_that_cannot_be_used_is_a_sentence_and_exit_code_2(root, old, new, sentence):
    text = (root / "synthprobe.toml").read_text()
    assert old in text
    (root / "synthprobe.toml").write_text(text.replace(old, new, 1))
    done = CliRunner().invoke(app, ["sweep"])
    assert isinstance(done.exception, ConfigurationError)
    with pytest.raises(ConfigurationError, match=sentence):
        raise done.exception


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: it may open a browser, and tests of this one may have theirs open."""
    command = [sys.executable, "-m", "synthprobe", "sweep", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


def test_the_command_tells_a_left_over_once_and_gives_it_up_for_a_reason(root, systems, history, api):
    ledger, made = Ledger(lambda: history, "here", "r-1"), {}
    for kind, lease_s in (("experiment", 0), ("trial", 0), ("seen group", 0), ("note", 600)):
        made[kind] = ledger.intend(kind, lease_s).token
        create(api, "group" if kind == "seen group" else kind, made[kind])
    systems.stuck = True
    first, second = call(), call()
    assert (first.returncode, second.returncode) == (1, 0), first.stdout + second.stdout
    assert "2 left, 1 in use, 1 removed." in first.stdout
    assert "2 left, 1 in use." in second.stdout
    assert "since 20" in second.stdout
    assert "its lease lasts until" in second.stdout
    assert len(systems.groups) == 0
    systems.stuck = False
    assert "1 removed" in call("--limit", "1").stdout
    left = next(entry for entry in history.entries("here") if entry.kind in {"experiment", "trial"}).token
    for words, sentence in (
        (("--give-up", left, "--by", "engineer"), "--reason is empty"),
        (("--give-up", left, "--reason", "x", "--by", "stranger"), "a role that is not known"),
        (("--give-up", "synthprobe-x", "--reason", "x", "--by", "engineer"), "There is no open entry 'synthprobe-x'"),
        (("--reason", "x"), "belong to an entry that is given up"),
    ):
        refused = call(*words)
        assert (refused.returncode, sentence in " ".join(refused.stderr.split())) == (2, True), refused.stderr
    done = call("--give-up", left, "--reason", "the makers keep it", "--by", "engineer")
    assert (done.returncode, "Given up by engineer" in done.stdout) == (0, True)
    assert left not in call().stdout
    (entry,) = [
        entry for entry in history.entries("here", since=datetime.now(UTC) - timedelta(hours=1)) if entry.token == left
    ]
    assert (entry.how, entry.reason, entry.role) == ("given up", "the makers keep it", "engineer")


def test_a_sweeper_that_names_a_wrong_way_to_send_is_refused():
    import msgspec

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"login": "/x", "sends": "carrier pigeon"}, Login)
