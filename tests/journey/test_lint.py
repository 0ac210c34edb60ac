"""`synthprobe doctor source` names what will hurt at night, and leaves the rest alone."""

import json

import pytest
from typer.testing import CliRunner

from synthprobe import ConfigurationError
from synthprobe.cli.main import app

WRONG = """
import time, pytest
from synthprobe import step

@pytest.mark.journey(owner="shop")
def test_sleeps(api, page):
    time.sleep(2)
    page.wait_for_timeout(500)
    answer = api.get("/x")
    assert answer.status == 200
    assert answer.ok
    with step("it is stored"):
        first = answer.json[0]["id"]
    with step("step 2"):
        last = api.get("/y").json["items"][-1]

    for row in api.get("/z").json["rows"]:
        assert row["status"] == "open"
    assert all(row["id"] for row in api.get("/z").json()["rows"])

def test_of_nobody(api):
    with step("check"):
        api.get("/x").expect(200)
"""
RIGHT = """
import pytest
from synthprobe import eventually, step

pytestmark = pytest.mark.journey(owner="shop")

def find(rows, id):
    return next(row for row in rows if row["id"] == id)

class TestOrders:
    def test_an_order_is_stored(self, api):
        names = ["a", "b"]
        with step("the order is stored as entered"):
            api.get("/orders/7").expect(200).json_has(name=names[0])
            assert find(api.get("/orders").json["items"], 7)["status"] == "open"
        for row in api.get("/orders").json_rows("items", key="id"):
            assert row["status"]
        with step("the board shows the order"):
            eventually(lambda: api.get("/board").expect(200), within="2s")
"""


@pytest.fixture
def check(tmp_path, monkeypatch):
    (tmp_path / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:9"\n')
    (tmp_path / "journeys").mkdir()
    monkeypatch.chdir(tmp_path)

    def run(text: str, *options: str):
        (tmp_path / "journeys" / "test_it.py").write_text(text)
        return CliRunner().invoke(app, ["doctor", "source", *options])

    return run


def test_each_thing_that_hurts_is_named_with_its_line(check):
    done = check(WRONG, "--json")
    found = [
        (int(line), rule.strip())
        for finding in json.loads(done.output)["findings"]
        for _, line, rule, _ in [finding["text"].split(":", 3)]
    ]
    assert found == [
        (7, "sleep"),
        (8, "sleep"),
        (10, "status"),
        (11, "status"),
        (12, "step"),
        (13, "index"),
        (14, "step"),
        (15, "index"),
        (17, "loop"),
        (19, "loop"),
        (21, "owner"),
        (22, "step"),
    ]
    assert done.exit_code == 1


def test_what_is_well_has_no_remark(check):
    done = check(RIGHT)
    assert (done.exit_code, done.output.strip()) == (0, "well     source: nothing is wrong")


def test_a_file_that_cannot_be_read_is_said(check):
    assert isinstance(check("def test_x(:").exception, ConfigurationError)
    assert "There is no absent.py" in str(check(RIGHT, "--in", "absent.py").exception)
