"""Page, incident, message and metrics of a slot say from where each journey fails and passes."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from machines import Fleet
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from synthprobe.cli.main import app

READ, BUY = "fails from fra, passes from iad and sin", "fails from fra and iad, passes from sin"


@pytest.fixture(scope="module")
def concluded(tmp_path_factory):
    """A slot in which two of three locations find a journey broken, and the first of them two others alone."""
    folder = tmp_path_factory.mktemp("pages")
    more = (
        f'[publish]\nurl = "{(folder / "store").as_uri()}"\n[telemetry]\nmetrics_folder = "{folder}/metrics"\n'
        '[[alerts.routes]]\nname = "pager"\nto = ["env:NO_PAGER"]\n'
    )
    fleet = Fleet(folder, f"sqlite:///{folder}/shared.db", more=more)
    fleet.step_s["sin"] = 0.75
    plan = fleet.plan()
    fleet.look(plan, {"fra": dict.fromkeys(("buy", "read", "search"), "failed"), "iad": {"buy": "failed"}})
    assert fleet.conclude()["exit_code"] == 1
    return fleet


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)).split())


def test_the_page_has_journeys_by_location_and_a_card_for_the_location(concluded):
    html = (concluded.folder / "store" / "index.html").read_text()
    (table,) = re.findall(r'<table class="matrix">.*?</table>', html, flags=re.DOTALL)
    rows = [text_of(row).replace("✗", "").replace("✓", "").split() for row in table.split("</tr>")]
    assert rows[0] == ["Journey", "fra", "iad", "sin"]
    assert ["buy", "failed", "failed", "passed"] in rows
    assert ["read", "failed", "passed", "passed"] in rows
    cards = {re.search(r"<h3>(.*?)</h3>", card)[1]: text_of(card) for card in html.split("<article")[1:]}
    assert cards.keys() == {"buy", "Location fra"}
    assert BUY in cards["buy"]
    assert READ in cards["Location fra"]
    assert "owner network" in cards["Location fra"]
    status = json.loads((concluded.folder / "store" / "status.json").read_text())
    assert BUY in [card["seen_from"] for card in status["targets"][0]["cards"]]


def test_the_page_of_an_incident_and_the_message_say_from_where(concluded):
    of_target, of_location = sorted(concluded.incidents(), key=lambda incident: incident["location"])
    for incident, sentence in ((of_target, BUY), (of_location, READ)):
        assert f"It {sentence}." in text_of(
            (concluded.folder / "store" / "incidents" / f"{incident['id']}.html").read_text()
        )
    with concluded.history() as history:
        letters = [json.loads(letter)["alert"] for letter in history.fleet.letters()]
    alerts = {alert["incidents"][0]: alert for alert in letters}
    assert f"From where: {BUY}" in alerts[of_target["id"]]["body"]
    assert f"From where: {READ}" in alerts[of_location["id"]]["body"]
    assert alerts[of_location["id"]]["title"].startswith(f"Ticket shop: Location fra: read and 1 more: {READ}")


def test_metrics_have_each_location(concluded):
    (file,) = (concluded.folder / "metrics").iterdir()
    samples = [sample for family in text_string_to_metric_families(file.read_text()) for sample in family.samples]
    seen = {
        (sample.labels["journey"], sample.labels["location"]): sample.labels["outcome"]
        for sample in samples
        if sample.name == "synthprobe_journey_seen" and sample.value
    }
    assert len(seen) == 9
    assert (seen["buy", "iad"], seen["buy", "sin"], seen["read", "fra"]) == ("failed", "passed", "failed")


def test_the_board_says_how_long_a_step_takes_from_each_location(concluded, monkeypatch):
    monkeypatch.chdir(concluded.machine("centre"))
    assert CliRunner().invoke(app, ["review", "--pages"]).exit_code == 0
    pages = {path.name: path.read_text() for path in Path(".synthprobe/site/board/shop").glob("journey-search-*.html")}
    (text,) = (text_of(html) for html in pages.values())
    assert re.findall(r"mean from (\w+) ([\d.]+ \w+)", text) == [("sin", "750 ms"), ("iad", "200 ms")]
