"""Two causes at once are two incidents; page, table, message and commands name the same incident, class and page."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from synthprobe import loopback

JOURNEYS = """
import pytest
from synthprobe import step

@pytest.mark.journey(id="stock", owner="store", severity="critical", runbook="store-in-general")
def test_stock(api):
    with step("what is there is listed"):
        assert api.get("/stock").expect(200).json

@pytest.mark.journey(id="order", owner="counter", severity="blocker", runbook="store-in-general")
def test_order(api):
    with step("an order is taken"):
        api.get("/prices").expect(200)
        api.get("/stock").expect(201)

@pytest.mark.journey(id="desk", owner="accounts", severity="normal", runbook="store-in-general")
def test_desk(api):
    with step("the desk logs in"):
        api.post("/login", json={"name": "desk"}).expect(200)

@pytest.mark.journey(id="broken-probe", owner="store", severity="normal", runbook="store-in-general")
def test_probe(api):
    with step("counts"):
        counts = {}
        counts["none"]

@pytest.mark.journey(id="prices", owner="store")
def test_prices(api):
    api.get("/prices").expect(200)
"""
PAGE = """---
id: {id}
title: {id}
owner: store
audience: first-line
severity: normal
class: {cause}
matches: {matches}
last_exercised: never
---

## Impact

Fallback: {id} by hand.
"""
CONFIG = """default_target = "shop"
second_attempts = 0
[targets.shop]
base_url = "http://127.0.0.1:{port}"
[alerts]
probe_owner = "watchers"
[[alerts.routes]]
name = "everybody"
to = ["env:PAGER"]
"""


class Shop(loopback.Handler):
    """A shop whose ledger is closed and whose one account has expired; and where messages arrive."""

    def do_GET(self) -> None:
        code, body = (500, {"error": "the ledger is closed"}) if self.path == "/stock" else (200, [1])
        self.answer(code, body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/login":
            return self.answer(401, {"error": "Your password has expired."})
        self.server.messages.append(json.loads(body))
        return self.answer(200, {})

    def answer(self, code: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Seen:
    """What one scheduled run was told as, everywhere."""

    def __init__(self, root: Path, port: int, messages: list[dict[str, str]]) -> None:
        self.root, self.messages = root, messages
        self.environ = os.environ | {
            "PAGER": f"json://127.0.0.1:{port}/pager",
            "COLUMNS": "400",
            "SYNTHPROBE_NODE": "none",
        }
        self.table = self.typed("run", "--slot", "now")
        self.typed("report")
        site = root / ".synthprobe" / "site"
        self.page = (site / "index.html").read_text()
        (target,) = json.loads((site / "status.json").read_text())["targets"]
        self.status = {judgement["id"]: judgement for judgement in target["journeys"]}
        self.listed, self.matched = self.typed("incident", "list"), self.typed("runbook", "match")
        self.incidents = {judgement["incident"] for judgement in self.status.values()} - {""}
        self.shown = {id: self.typed("incident", "show", id) for id in self.incidents}

    def typed(self, *words: str) -> str:
        command = [sys.executable, "-m", "synthprobe", *words]
        done = subprocess.run(
            command, cwd=self.root, env=self.environ, capture_output=True, text=True, timeout=250, check=False
        )
        return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    root = tmp_path_factory.mktemp("shop")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.messages = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for folder in ("journeys", "runbooks"):
        (root / folder).mkdir()
    (root / "journeys" / "test_shop.py").write_text(JOURNEYS)
    pages = {
        "ledger-closed": ("infra", '{knows: [{request: "GET /stock answered 500", message: ledger}]}'),
        "store-in-general": ("unknown", "{general_for: [{journey: desk}]}"),
        "server-errors": ("code", "{labels: [{rule: server-error}, {checks: rule}]}"),
    }
    for id, (cause, matches) in pages.items():
        (root / "runbooks" / f"{id}.md").write_text(PAGE.format(id=id, cause=cause, matches=matches))
    (root / "synthprobe.toml").write_text(CONFIG.format(port=server.server_port))
    yield Seen(root, server.server_port, server.messages)
    server.shutdown()
    server.server_close()


def test_two_causes_are_two_incidents_however_many_journeys_show_them(seen):
    by_journey = {id: status["incident"] for id, status in seen.status.items()}
    assert by_journey["stock"] == by_journey["order"] != ""
    assert by_journey["desk"] not in {"", by_journey["stock"]}
    assert by_journey["prices"] == ""
    assert 'known by: /stock answered 500; the words "the ledger is closed"' in seen.shown[by_journey["stock"]]
    assert re.search("(order|stock) shows the same cause: /stock answered 500", seen.shown[by_journey["stock"]])


@pytest.mark.parametrize(
    ("journey", "page", "general"), [("stock", "ledger-closed", ""), ("order", "ledger-closed", ""), ("desk", "", "x")]
)
def test_everything_that_speaks_of_a_run_names_the_same(seen, journey, page, general):
    status = seen.status[journey]
    owner = "accounts" if journey == "desk" else "counter"
    assert status["owner"] == owner, "that of the worst journey of an incident"
    general = "store-in-general" if general else ""
    assert (status["runbook"], status["general"]) == (page, general)
    card = re.findall(
        rf'<article class="card [a-z]+" [^>]*data-incident="{status["incident"]}">.*?</article>', seen.page, re.S
    )
    offered = f"runbook: {page}" if page else f"no runbook knows it; general page: {general}"
    (block,) = re.findall(rf"failed {journey}: .*?Repeat:", seen.table)
    known = f"Runbook: synthprobe runbook show {page}" if page else f"General page: synthprobe runbook show {general}"
    assert f"Likely cause: {status['class']}, confidence" in block
    assert f"{known} (incident {status['incident']})" in block
    (text,) = (" ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split()) for part in card)
    assert f"Likely cause: {status['class']} (" in text
    assert (f" Runbook: {page} " if page else f" General page: {general} ") in text
    assert set(re.findall(r" owner (\w+)", text)) == {owner}
    assert f" owner: {owner} " in seen.shown[status["incident"]]
    assert f"cause: {status['class']} (" in seen.shown[status["incident"]]
    assert f"{offered}. " in seen.shown[status["incident"]]
    (line,) = re.findall(rf"{status['incident']} +shop +open.*?(?=\d{{6}}-\d{{4}}-|$)", seen.listed)
    assert f"{status['class']} (" in line
    assert offered in line
    matched = re.split(rf"{journey}: ", seen.matched)[1]
    assert f"target shop incident {status['incident']} cause {status['class']} (" in matched
    assert (f"runbook {page} why" if page else f"general {general} why") in matched
    (message,) = [message for message in seen.messages if status["incident"] in message["message"]]
    assert f"Who: {owner}; " in message["message"]
    assert f"Likely cause: {status['class']}, confidence " in message["message"]
    assert (f"Runbook: {page}" if page else f"General page: {general}") in message["message"]


def test_a_fault_of_the_probe_leads_to_no_page_and_no_owner_of_the_target(seen):
    status = seen.status["broken-probe"]
    assert (status["class"], status["runbook"], status["general"], status["owner"]) == ("probe", "", "", "watchers")


def test_the_command_in_a_message_takes_its_incident(seen):
    (message,) = [
        message["message"] for message in seen.messages if seen.status["desk"]["incident"] in message["message"]
    ]
    command = message.partition("take it: synthprobe ")[2].partition(")")[0].replace("ROLE", "accounts")
    seen.typed(*command.split())
    assert f"{seen.status['desk']['incident']} shop acknowledged" in seen.typed("incident", "list"), command
