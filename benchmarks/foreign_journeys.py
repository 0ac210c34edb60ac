"""Journeys for real systems, as a newcomer writes them, and the data that they need."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "foreign"))

from foreign_systems import PASSWORD, Datasette, Django, NodeRed, System

FRESH, OLD = (datetime.now(UTC) - timedelta(minutes=age) for age in (5, 5 * 60))
_HEAD = """
import re

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, step
"""

SHOP = (
    _HEAD
    + '''

@pytest.fixture
def member(page: Page, secrets):
    with step("log in", budget="4s", role="member"):
        page.goto("/-/login")
        page.get_by_label("Username").fill("warden")
        page.get_by_label("Password").fill(secrets["door"].reveal())
        page.get_by_role("button", name="Log in").click()
        page.get_by_text("warden").first.wait_for()
    return page


@pytest.mark.journey(id="catalogue", budget="15s")
def test_the_price_of_a_product_is_right(page: Page, api: Api):
    """The price of a product is right"""
    with step("the API knows the price", budget="1s", checks="sentinel"):
        rows = api.get("/shop/products.json?id=42&_shape=array").expect(200).json
        assert rows and rows[0]["price"] == 63.0, f"product 42 is {rows}"
    with step("the page shows the price", budget="3s"):
        page.goto("/shop/products/42")
        expect(page.locator("td.col-price")).to_have_text("63.0")
    with step("the stock feed is fresh"):
        updated = api.get("/shop/feed.json?_shape=array").expect(200).json[0]["updated_at"]
        api.freshness("warehouse feed", updated, limit="1h")


@pytest.mark.journey(id="order", budget="20s")
@pytest.mark.mutates("order")
def test_an_order_is_taken(member: Page, api: Api, testdata):
    """An order is taken and found"""
    token = testdata.token("order", api=api)
    with step("place the order", budget="4s"):
        member.goto("/shop/add_order")
        member.locator("[name=product_id]").fill("42")
        member.locator("[name=qty]").fill("3")
        member.locator("[name=note]").fill(f"probe {token}")
        member.get_by_role("button", name="Run SQL").click()
        expect(member.get_by_text("Order added")).to_be_visible()
    with step("the API has the order", budget="1s", checks="read-after-write"):
        rows = api.get("/shop/orders.json", params={"_shape": "array", "note__contains": token}).expect(200).json
        assert len(rows) == 1 and rows[0]["qty"] == 3, f"{rows}"
    with step("the order stands first in the list", budget="3s"):
        member.goto("/shop/orders?_sort_desc=id")
        expect(member.locator("table.rows-and-columns tbody tr").first).to_contain_text(token)
'''
)

FLOWS = (
    _HEAD
    + '''

@pytest.fixture
def editor(api: Api, secrets):
    with step("log in to the API", budget="2s"):
        body = {"client_id": "node-red-admin", "grant_type": "password", "scope": "*", "username": "warden",
                "password": secrets["door"].reveal()}
        token = api.post("/auth/token", json=body).expect(200).json["access_token"]
    api.session.headers["Authorization"] = f"Bearer {token}"
    return api


@pytest.mark.journey(id="flow", budget="40s")
@pytest.mark.mutates("flow")
def test_a_flow_is_deployed(page: Page, editor: Api, secrets, testdata):
    """A flow is deployed and stands in the editor"""
    token = testdata.token("flow", api=editor)
    with step("deploy a flow", budget="3s"):
        flow = editor.post("/flow", json={"label": token, "nodes": [], "configs": []}).expect(200).json["id"]
    with step("log in", budget="12s"):
        page.goto("/")
        page.get_by_label("Username").fill("warden")
        page.get_by_label("Password").fill(secrets["door"].reveal())
        page.get_by_role("button", name="Login").click()
        expect(page.locator("#red-ui-workspace")).to_be_visible()
    with step("the flow is in the editor", budget="8s", checks="read-after-write"):
        expect(page.locator("#red-ui-workspace-tabs")).to_contain_text(token)
    with step("the API has the flow"):
        editor.get(f"/flow/{flow}").expect(200).json_has(label=token)
'''
)

ADMIN = (
    _HEAD
    + '''

@pytest.fixture
def admin(page: Page, secrets):
    with step("log in", budget="5s"):
        page.goto("/admin/")
        page.get_by_label("Username:").fill("warden")
        page.get_by_label("Password:").fill(secrets["door"].reveal())
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("Site administration")).to_be_visible()
    return page


@pytest.mark.journey(id="groups", budget="30s")
@pytest.mark.mutates("group")
def test_a_group_is_kept(admin: Page, api: Api, testdata):
    """A group is created, found and deleted"""
    token = testdata.token("group", api=api)
    with step("create it", budget="5s"):
        admin.goto("/admin/")
        admin.get_by_role("link", name="Groups").click()
        admin.get_by_role("link", name="Add group").first.click()
        admin.get_by_label("Name:").fill(token)
        admin.get_by_role("button", name="Save", exact=True).click()
        expect(admin.get_by_text("was added successfully")).to_be_visible()
    with step("find it", budget="5s", checks="read-after-write"):
        admin.goto(f"/admin/auth/group/?q={token}")
        expect(admin.locator("#result_list")).to_contain_text(token)
    with step("delete it", budget="5s"):
        admin.get_by_role("link", name=token).click()
        admin.get_by_role("link", name="Delete").click()
        admin.get_by_role("button", name=re.compile("Yes")).click()
        expect(admin.get_by_text("was deleted successfully")).to_be_visible()


@pytest.mark.journey(id="ping")
def test_the_log_in_page_answers(api: Api):
    """The log-in page answers"""
    with step("ping", budget="500ms"):
        assert "Log in" in api.get("/admin/login/").expect(200).text
'''
)

ANSWERS = (
    _HEAD
    + """
PATHS = [
    *(f"status/{code}" for code in (400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504)),
    "html", "xml", "delay/3", "redirect/40", "gzip", "brotli", "deflate", "drip?duration=3&numbytes=5",
    "redirect-to?url=http%3A%2F%2F127.0.0.3%3A9%2F", "cache", "encoding/utf8", "image/png", "bytes/100",
]


@pytest.mark.parametrize("path", PATHS)
def test_answer(api: Api, path):
    with step(f"ask for {path}"):
        api.get("/" + path).expect(200).json_has(slideshow__title="Sample Slide Show")
"""
)


class Shop(Datasette):
    """A shop on Datasette: products, orders, and a feed that is five minutes old."""

    name, journeys = "datasette", SHOP

    def prepare(self) -> None:
        with sqlite3.connect(self.data / "shop.db") as store:
            store.execute("create table products (id integer primary key, name text, price real)")
            store.execute("create table orders (id integer primary key, product_id, qty integer, note, created_at)")
            store.execute("create table feed (id integer primary key, source, updated_at)")
            store.executemany(
                "insert into products values (?, ?, ?)", [(n, f"item {n}", n * 1.5) for n in range(1, 60)]
            )
            store.execute("insert into feed values (1, 'warehouse', ?)", (FRESH.isoformat(),))
        salt = secrets.token_hex(8)
        digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt.encode(), 480_000)
        hashed = f"pbkdf2_sha256$480000${salt}${base64.b64encode(digest).decode()}"
        plugin = {"warden_password_hash": hashed, "actors": {"warden": {"id": "warden"}}}
        add = {
            "sql": "insert into orders(product_id, qty, note, created_at) values "
            "(:product_id, :qty, :note, datetime('now'))",
            "write": True,
            "on_success_message": "Order added",
            "allow": {"id": "warden"},
        }
        described = {
            "plugins": {"datasette-auth-passwords": plugin},
            "databases": {"shop": {"queries": {"add_order": add}}},
        }
        (self.data / "metadata.json").write_text(json.dumps(described))

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "datasette", "serve", "shop.db", "-m", "metadata.json", "-p", str(port)]


class Flows(NodeRed):
    """Node-RED with one user."""

    journeys = FLOWS


class Admin(Django):
    """Django's admin with one user."""

    journeys = ADMIN


class Answers(System):
    """httpbin: each path answers in a way of its own."""

    name, home, packages, journeys = "httpbin", "/get", ("httpbin>=0.10", "gunicorn>=23"), ANSWERS

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "gunicorn", "httpbin:app", "--threads", "4", "-b", f"127.0.0.1:{port}"]


SYSTEMS: dict[str, type[System]] = {"datasette": Shop, "node-red": Flows, "django": Admin, "httpbin": Answers}
TESTDATA = {
    "datasette": ("order", "/shop/orders.json?_shape=array&note__contains={token}", "/shop/orders/{id}"),
    "node-red": ("flow", "/flows?label={token}", "/flow/{id}"),
    "django": ("group", "/admin/auth/group/?q={token}", "/admin/auth/group/{id}/delete/"),
}
