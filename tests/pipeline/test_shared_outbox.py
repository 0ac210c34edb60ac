"""Machines that share a history: who told people what is known to all, and one that dies keeps nothing from people."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import msgspec
import pytest
from test_afterwards import SIGN_IN, Heard, Project, Runs, heard, project
from typer.testing import CliRunner

from synthprobe.alerts.channels import AppriseChannel
from synthprobe.cli.main import app
from synthprobe.config import HistoryConfig
from synthprobe.errors import HistoryError

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def machines(tmp_path, project, heard):
    """Two machines that take turns at slots, as one does that judges what the other has not."""
    (tmp_path / "other").mkdir()
    both = project, Runs(tmp_path / "other", heard)
    for machine in both:
        url = f"sqlite:///{tmp_path}/shared.db"
        machine.config = msgspec.structs.replace(machine.config, history=HistoryConfig(url=url))
        with (machine.root / "synthprobe.toml").open("a") as settings:
            settings.write(f'[history]\nurl = "{url}"\n')
    return both


def take_turns(machines, times, **how):
    for number in range(times):
        machine, other = machines[number % 2], machines[1 - number % 2]
        machine.number = max(machine.number, other.number)
        machine.run(**how)


def titles(heard):
    return [message["title"].split(" demo")[0] for message in heard.messages]


def test_what_one_machine_told_no_other_tells_again(machines, heard):
    take_turns(machines, 4, failing=(SIGN_IN,))
    assert titles(heard) == ["PAGE"]
    take_turns(machines, 4)
    assert (titles(heard), set(heard.beats)) == (["PAGE", "Over: PAGE"], {"success"})


def test_a_machine_that_dies_before_it_sent_leaves_the_message_to_the_other_once(machines, heard, monkeypatch):
    first, other = machines

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(AppriseChannel, "__call__", dies)
        with pytest.raises(KeyboardInterrupt):
            first.run(failing=(SIGN_IN,))
    assert titles(heard) == []
    take_turns((other, first), 2, failing=(SIGN_IN,))
    assert titles(heard) == ["PAGE"]
    monkeypatch.chdir(first.root)
    assert CliRunner(env=first.environ).invoke(app, ["alert", "--send"]).output == "0 delivered, 0 waiting.\n"
    assert titles(heard) == ["PAGE"]


def test_which_messages_wait_is_not_known_where_the_history_cannot_be_read(project, monkeypatch):
    project.run()
    with closing(sqlite3.connect(project.root / ".synthprobe" / "history.db")) as history, history:
        history.execute("UPDATE alembic_version SET version_num = 'newer'")
    monkeypatch.chdir(project.root)
    for words in (["alert"], ["alert", "--json"], ["alert", "--send"]):
        refused = CliRunner(env=project.environ).invoke(app, words)
        assert isinstance(refused.exception, HistoryError), refused.output
        assert refused.output == ""
