"""A PostgreSQL that freezes, whenever it does, costs seconds and no verdict; nobody stays untold."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest
import sqlalchemy
from relay import Relay
from test_afterwards import SIGN_IN, Heard, Project, heard, project

from synthprobe import pipeline
from synthprobe.config import HistoryConfig
from synthprobe.pipeline import against_past
from synthprobe_demo.postgres import running_postgres

__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def database() -> Iterator[int]:
    with running_postgres("full_page_writes=off", "synchronous_commit=off") as started:
        yield started.port


def address(port: int, name: str) -> str:
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{name}"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9], ids=["at once", "early", "half way", "late"])
def test_a_database_that_freezes_is_given_up_and_the_verdict_waits(project, heard, database, monkeypatch, share):
    proxy, name = Relay(database), f"frozen{round(share * 10)}"
    engine = sqlalchemy.create_engine(address(database, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    url = address(proxy.port, name)
    project.config = msgspec.structs.replace(project.config, history=HistoryConfig(url=url))
    project.run()
    before = proxy.passed
    project.run()
    monkeypatch.setattr(against_past, "AFTER_S", 1.5)
    proxy.may_pass = proxy.passed + round(share * (proxy.passed - before))
    began = time.monotonic()
    verdict = project.run(failing=(SIGN_IN,))
    took = time.monotonic() - began
    proxy.close()
    assert took < 9, f"{took:.1f} s"
    assert any("did not answer within" in note or "cannot be reached" in note for note in verdict.notes), verdict.notes
    assert [message["title"][:4] for message in heard.messages] == ["PAGE"], (verdict.notes, heard.beats)
    assert heard.beats == ["success"] * 3
    direct = HistoryConfig(url=address(database, name))
    project.config = msgspec.structs.replace(project.config, history=direct)
    with pipeline.open_history(Project(project.root, project.config, {})) as history:
        seen = history.observations("demo", SIGN_IN.id, last=1)
    assert [observation.run_id for observation in seen] == [verdict.run.id], (
        "it waited, or was taken in before the database froze"
    )
