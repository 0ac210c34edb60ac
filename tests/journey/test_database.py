"""Statement counters, read from a real PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise, starmap
from pathlib import Path

import psycopg
import pytest

from synthprobe.errors import TargetError, ToolError
from synthprobe.goals.impact import rank
from synthprobe.goals.statements import OTHER, count_between, statement_totals
from synthprobe.journey.database import collect

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthprobe_demo.postgres import Postgres, running_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres("shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=100") as started:
        with psycopg.connect(started.url(), autocommit=True) as connection:
            connection.execute("create extension pg_stat_statements")
            connection.execute("create database uncounted")
            connection.execute("create role watcher login")
            connection.execute("create table unit (id int, station int)")
        yield started


@pytest.fixture
def work(server: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("select pg_stat_statements_reset()")
        yield connection


def totals(*snapshots):
    return {
        statement_total.name: statement_total
        for statement_total in statement_totals(starmap(count_between, pairwise(snapshots)))
    }


def test_what_ran_between_two_snapshots_is_counted_in_one_row_for_all_literals(server, work):
    work.execute("select id from unit where station in (1, 2)")
    first = collect(server.url())
    for station in range(5):
        work.execute(f"select id from unit where station in ({station}, 8, 9)")
    work.execute("select /* board */ id from unit where station in (1, 2)")
    work.execute("select pg_sleep(0.12)")
    found = totals(first, collect(server.url()))
    assert found["select id from unit where station in (…)"].calls == 6
    assert (
        rank([operation for name, operation in found.items() if "pg_stat" not in name], ())[0].name
        == "select pg_sleep(?)"
    )


def test_a_reset_between_two_snapshots_begins_a_new_epoch(server, work):
    for _ in range(9):
        work.execute("select id from unit")
    first = collect(server.url())
    work.execute("select pg_stat_statements_reset()")
    for _ in range(11):  # has overtaken the old value already
        work.execute("select id from unit")
    second = collect(server.url())
    assert second.reset_at > first.reset_at
    assert totals(first, second)["select id from unit"].calls == 11


def test_statements_the_database_had_to_forget_become_other(server, work):
    before = collect(server.url())
    for _ in range(3):
        work.execute("select id, 'once' from unit")
    first = collect(server.url())
    for number in range(2, 130):
        for _ in range(4):
            work.execute(f"select {', '.join(['id'] * number)} from unit")
    second = collect(server.url())
    found = totals(before, first, second)
    assert "select id, ? from unit" not in found
    assert found[OTHER].calls >= 3


@pytest.mark.parametrize(
    ("url", "kind", "says"),
    [
        ("{uncounted}", "extension", "CREATE EXTENSION pg_stat_statements"),
        ("{watcher}", "privilege", "pg_read_all_stats"),
        ("postgresql://me:hunter22@127.0.0.1:1/x", "refused", "cannot be reached"),
    ],
)
def test_a_database_that_cannot_tell_says_why_without_the_address(server, work, url, kind, says):
    url = url.format(uncounted=server.url("uncounted"), watcher=server.url(user="watcher"))
    with pytest.raises(TargetError, match=says) as raised:
        collect(url)
    assert raised.value.kind == kind
    assert "hunter22" not in str(raised.value)


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ToolError, match=r"pip install 'synthprobe\[postgres\]'"):
        collect("postgresql://x")
