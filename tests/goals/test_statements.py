"""One statement is one row, whatever its literals."""

from __future__ import annotations

import pytest

from synthprobe.goals.statements import normalise_statement, statement_id


@pytest.mark.parametrize(
    ("statement", "other"),
    [
        ("SELECT * FROM unit WHERE id = 7", "select *\n from unit where id=$1;"),
        ("select a from t where name = 'O''Brien'", "select a from t where name = 'x'"),
        ("select a from t where name = E'it\\'s'", "select a from t where name = %s"),
        ("select a from t where note = $x$ it's -- $x$", "select a from t where note = ''"),
        ("select a from t where id in (1,2,3)", "select a from t where id in ($1)"),
        ("select a from t where id = any(array[1,2,3])", "select a from t where id = any(array[4, 5])"),
        ("insert into t (a,b) values (1,'x'), (2,'y')", "insert into t (a, b) values ($1, $2)"),
        ("select 1 /* controller='board',traceparent='00-ab' */", "select 2 -- live board"),
        ("select a from t where x > -1.5e3", "select a from t where x > 0x1F"),
        ("select a from t where id = :id", "select a from t where id = %(id)s"),
        ("SELECT a FROM t WHERE d = '2026-01-01'::date", "select a from t where d = $1::date"),
        ("select a from t limit 10 offset 20", "select a from t limit ? offset ?"),
    ],
)
def test_literals_lists_and_comments_make_no_difference(statement, other):
    assert normalise_statement(statement) == normalise_statement(other)
    assert statement_id(statement) == statement_id(other)


@pytest.mark.parametrize(
    ("statement", "other"),
    [
        ("select a from t", "select b from t"),
        ('select "A" from t', 'select "a" from t'),
        ("select a from t1", "select a from t2"),
        ("select a - 1 from t", "select a + 1 from t"),
        ("select f(1)", "select f(1, 2)"),
        ("select a from t where b is null", "select a from t where b = 1"),
    ],
)
def test_different_statements_stay_apart(statement, other):
    assert normalise_statement(statement) != normalise_statement(other)


@pytest.mark.parametrize(
    "hostile", ["", "'", '"', "/*", "$$", "select '", "\0", "é" * 10_000, "(" * 5_000, "'" + "\\" * 9_999]
)
def test_a_cut_off_statement_is_still_normalised(hostile):
    once = normalise_statement(hostile)
    assert normalise_statement(once) == once
