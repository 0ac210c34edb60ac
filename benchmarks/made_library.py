"""A lending library, half broken in 59 ways: which class its failures get, and how often each rule was right.

    python benchmarks/made_library.py [NAME...]     # all of them take about eight minutes

Each situation is one run of five journeys, three of the API and two of a browser. The library was written for this
benchmark, so it says less than the real systems of `judgement.py`, and no rule earns a class by it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from rich.console import Console

from synthprobe.firstline.matching import tell
from synthprobe.pipeline.judging import read_verdict

PASSWORD = "Heron-Reed-31"

API = {
    "gateway_502": "infra",
    "gateway_504_books": "infra",
    "maintenance_200": "code infra config",
    "maintenance_503": "infra config",
    "rate_limit": "config infra",
    "redirect_loop": "config code infra",
    "expired_password": "user",
    "locked_account": "user",
    "secret_rotated": "user config",
    "session_store_down": "code infra",
    "slow_login": "code infra dependency",
    "tokens_invalid": "config code infra",
    "empty_list": "data code config",
    "wrong_tenant": "config code data",
    "pagination_lost": "code data",
    "duplicates": "code data",
    "field_renamed": "code",
    "null_fields": "data code",
    "wrong_type": "code",
    "books_500": "code infra data",
    "books_500_upstream": "dependency code",
    "node_b_500": "infra code",
    "books_slow": "code infra dependency",
    "books_hang": "infra",
    "truncated_json": "code infra",
    "text_plain": "code config",
    "html_for_json": "code config infra",
    "stale_cache": "",
    "forbidden_write": "config",
    "disk_full": "infra code",
    "validation": "code config",
    "timezone": "code",
    "clock_skew": "data infra",
    "not_saved": "code",
    "vanishes": "code",
    "stale_values": "dependency infra data",
    "count_wrong": "code data",
    "partial_deploy": "infra",
    "flag_off_role": "config",
}
"""What is broken for the API, and the classes that are right."""

WEB = {
    "renamed_button": "code",
    "translated": "code config",
    "cookie_overlay": "code config",
    "cdn_old_script": "code infra config",
    "script_404": "infra config code",
    "script_html": "infra config code",
    "csp": "config",
    "inline_error": "code",
    "mixed_content": "config infra code",
    "moved_locator": "code",
    "flag_off_role": "config",
    "expired_password": "user",
    "maintenance_200": "code infra config",
    "redirect_loop": "config code infra",
    "books_500": "code infra data",
    "html_for_json": "code config infra",
    "empty_list": "data code config",
    "forbidden_write": "config",
    "books_hang": "infra",
    "tokens_invalid": "config code infra",
}
"""What is broken for a browser, and the classes that are right."""

BOOKS = [
    {"id": n, "title": f"Title {n}", "branch": "north" if n % 2 else "south", "due": f"2026-12-{n % 28 + 1:02}"}
    for n in range(1, 36)
]
SCRIPT = """
const ask = (path, how) => fetch(path, how).then(r => {
  if (!r.ok) throw new Error('Loading failed: ' + r.status);
  return r.json();
});
let page = 1;
const draw = async () => {
  const found = await ask('/api/books?page=' + page);
  for (const book of found.items) {
    const item = document.createElement('li');
    item.textContent = book.title;
    list.append(item);
  }
};
more.onclick = () => { page++; draw(); };
borrow.onclick = async () => {
  const headers = {'Content-Type': 'application/json'};
  const loan = await ask('/api/loans', {method: 'POST', headers, body: JSON.stringify({book: 1})});
  state.textContent = 'Borrowed as ' + loan.number;
};
draw();
"""
SHELF = """<html lang=en><title>Shelf</title><body><h1>Shelf</h1><ul id=list aria-label="Books"></ul>
<button id=more>Show more</button><button id=borrow>Borrow</button><p id=state role=status></p>
<script src=/static/shelf.js></script></body></html>"""
LOGIN = """<html><body><h1>Lending library</h1>{why}<form method=post action=/login>
<label>User <input name=user></label><label>Password <input type=password name=password></label>
<button>Log in</button></form></body></html>"""
CONSENT = '<div style="position:fixed;inset:0;background:#0008"><p>We use cookies</p><button>Accept all</button></div>'

CONFIGURATION = """
default_target = "library"
second_attempts = 0
[targets.library]
base_url = "{base_url}"
action_timeout_s = 3
timeout_s = 4
login_paths = ["/login", "/api/session"]
[targets.library.secrets]
door = "env:DOOR"
[targets.library.testdata.loan]
find = "/api/loans"
delete = "/api/loans/{{number}}"
"""
API_JOURNEYS = """
import pytest
from playwright.sync_api import expect
from synthprobe import step


def enter(api, secrets, user):
    with step(f"{user} logs in"):
        entries = {"user": user, "password": secrets["door"].reveal()}
        token = api.post("/api/session", json=entries).expect(200).json["token"]
        api.session.headers["Authorization"] = f"Bearer {token}"
    return api


@pytest.mark.journey(id="catalogue")
def test_catalogue(api, secrets):
    enter(api, secrets, "bert")
    with step("the catalogue is complete"):
        first = api.get("/api/books", params={"page": 1}).expect(200).json
        total, items = first["total"], list(first["items"])
        for page in range(2, (total + 9) // 10 + 1):
            items += api.get("/api/books", params={"page": page}).expect(200).json["items"]
        assert total >= 30, f"{total} books, 30 or more were expected"
        assert len(items) == total, f"{len(items)} of {total} books"
    with step("each book is there once and has its fields"):
        ids = [item["id"] for item in items]
        assert len(set(ids)) == len(ids), "a book is there twice"
        assert all(item["title"] and item["due"] for item in items), f"a field is missing: {items[0]}"


@pytest.mark.journey(id="loan")
@pytest.mark.mutates("loan")
def test_loan(api, secrets):
    enter(api, secrets, "clara")
    with step("lend a book"):
        made = api.post("/api/loans", json={"book": 7}).expect(201).json
    with step("the loan is stored", checks="read-after-write"):
        api.get(f"/api/loans/{made['number']}").expect(200).json_has(book=7)
    with step("the loan is dated now"):
        api.freshness("loan", api.get(f"/api/loans/{made['number']}").expect(200).json["at"], limit="60s")


@pytest.mark.journey(id="summary")
def test_summary(api, secrets):
    enter(api, secrets, "bert")
    with step("the summary is fresh"):
        summary = api.get("/api/summary").expect(200).json
        api.freshness("summary", summary["updated_at"], limit="10m")
    with step("the summary counts what the catalogue has", checks="rule"):
        total = api.get("/api/books", params={"page": 1}).expect(200).json["total"]
        assert summary["books"] == total, f"the summary says {summary['books']}, the catalogue has {total}"


@pytest.mark.journey(id="rights")
def test_rights(api, secrets):
    enter(api, secrets, "clara")
    with step("clara may borrow", checks="grant", role="reader"):
        api.get("/api/me").expect(200).json_has(rights=["borrow", "read"])
    with step("clara sees her branch"):
        api.get("/api/me").expect(200).json_has(branch="north")
"""
WEB_JOURNEYS = """

@pytest.mark.journey(id="shelf")
@pytest.mark.mutates("loan")
def test_shelf(page, secrets):
    with step("log in"):
        page.goto("/")
        page.get_by_label("User").fill("clara")
        page.get_by_label("Password").fill(secrets["door"].reveal())
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/shelf")
    with step("the shelf shows books"):
        expect(page.get_by_role("list", name="Books").get_by_role("listitem").first).to_be_visible()
    with step("borrow a book"):
        page.get_by_role("button", name="Borrow").click()
        expect(page.get_by_role("status")).to_contain_text("Borrowed as L-")
"""


class State:
    """What is broken, and what was lent."""

    def __init__(self) -> None:
        self.broken, self.loans, self.turn, self.lent = "", dict[str, dict[str, Any]](), 0, 0


class Library(BaseHTTPRequestHandler):
    """The library; each request asks what is broken now."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: State

    def on(self, *names: str) -> bool:
        """Whether it is broken so."""
        return self.state.broken in names

    def answer(self, status: int, body: Any = "", kind: str = "application/json", **headers: str) -> None:
        """Send it, from one of two nodes in turn."""
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.state.turn += 1
        node = "ab"[self.state.turn % 2]
        build = "13" if self.on("partial_deploy") and node == "b" else "12"
        self.send_response(status)
        named = {"X-Node": node, "X-Build": build, "Content-Type": kind, "Content-Length": str(len(content)), **headers}
        for name, text in named.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(content)

    def page(self, status: int, body: str, **headers: str) -> None:
        """Send a page."""
        self.answer(status, body, "text/html", **headers)

    def do_GET(self) -> None:
        """Any request."""
        path = urlsplit(self.path).path
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.refuses(path):
            return
        if path == "/static/shelf.js":
            self.script()
        elif path in {"/login", "/api/session"} and self.command == "POST":
            self.log_in(path, raw)
        elif path == "/":
            self.front()
        elif (user := self.user()) is None:
            self.answer(401, {"error": "Who are you?"}) if path.startswith("/api") else self.page(303, "", Location="/")
        elif path == "/shelf":
            self.shelf(user)
        elif path == "/api/me":
            branch = "south" if self.on("wrong_tenant") and user == "clara" else "north"
            rights = ["read"] if self.on("flag_off_role") and user == "clara" else ["borrow", "read"]
            self.answer(200, {"user": user, "branch": branch, "rights": rights})
        elif path == "/api/books":
            self.books()
        elif path.startswith("/api/loans"):
            self.loans(path, raw)
        elif path == "/api/summary":
            age = 4000 if self.on("stale_values") else 5
            self.answer(200, {"books": 34 if self.on("count_wrong") else 35, "updated_at": _stamp(-age)})
        else:
            self.answer(404, {"error": "nothing here"})

    do_POST = do_DELETE = do_GET

    def refuses(self, path: str) -> bool:
        """What stands in front of the library breaks it."""
        api = path.startswith("/api/")
        if self.on("gateway_502") and api:
            self.page(502, "<html><h1>502 Bad Gateway</h1><hr>nginx</html>")
        elif self.on("gateway_504_books") and path == "/api/books":
            self.page(504, "<html><h1>504 Gateway Time-out</h1><hr>nginx</html>")
        elif self.on("maintenance_200"):
            self.page(
                200, "<html><h1>We will be back soon</h1><p>The library is under maintenance until 6 pm.</p></html>"
            )
        elif self.on("maintenance_503"):
            self.page(503, "<html><h1>Scheduled maintenance</h1></html>", Retry_After="600")
        elif self.on("rate_limit") and api:
            self.answer(429, {"error": "Too many requests, slow down."}, Retry_After="30")
        elif self.on("redirect_loop") and path in {"/shelf", "/api/books"}:
            self.page(302, "", Location=path)
        else:
            return False
        return True

    def script(self) -> None:
        """The script of the shelf."""
        if self.on("script_404"):
            self.answer(404, "not here", "text/plain")
        elif self.on("script_html"):
            self.page(200, "<html>Welcome</html>")
        else:
            old = SCRIPT.replace("found.items", "found.books") if self.on("cdn_old_script") else SCRIPT
            self.answer(200, old, "text/javascript")

    def log_in(self, path: str, raw: str) -> None:
        """The log-in, by a form or for the API."""
        given = json.loads(raw) if path.startswith("/api") else {key: found[0] for key, found in parse_qs(raw).items()}
        clara = given["user"] == "clara"
        why = "" if given.get("password") == PASSWORD else "User name or password is wrong."
        if self.on("expired_password") and clara:
            why = "Your password has expired. Choose a new one."
        if self.on("locked_account") and clara:
            why = "Account locked after 5 attempts."
        if self.on("secret_rotated"):
            why = "User name or password is wrong."
        if self.on("slow_login"):
            time.sleep(2.6)
        if self.on("session_store_down"):
            self.answer(500, {"error": "connection to redis:6379 refused"})
        elif path == "/login" and why:
            self.page(200, LOGIN.format(why=f"<p role=alert>{why}</p>"))
        elif path == "/login":
            self.page(303, "", Location="/shelf", Set_Cookie=f"s=tok-{given['user']}")
        else:
            self.answer(401 if why else 200, {"error": why} if why else {"token": f"tok-{given['user']}"})

    def front(self) -> None:
        """The page with the log-in."""
        shown = LOGIN.format(why="")
        if self.on("renamed_button"):
            shown = shown.replace("Log in", "Sign in")
        if self.on("translated"):
            shown = shown.replace("Log in", "Anmelden").replace("User ", "Benutzer ").replace("Password ", "Kennwort ")
        if self.on("cookie_overlay"):
            shown = shown.replace("<h1>", f"{CONSENT}<h1>")
        self.page(200, shown)

    def user(self) -> str | None:
        """Who asks."""
        if self.on("tokens_invalid"):
            return None
        found = re.search(r"tok-(\w+)", self.headers.get("Authorization", "") + self.headers.get("Cookie", ""))
        return found and found[1]

    def shelf(self, user: str) -> None:
        """The page with the books."""
        shown = SHELF
        if self.on("moved_locator"):
            shown = shown.replace('"Books"', '"Catalogue"')
        if self.on("flag_off_role") and user == "clara":
            shown = shown.replace("<button id=borrow>Borrow</button>", "<span id=borrow></span>")
        if self.on("inline_error"):
            shown = shown.replace("<script src", "<script>window.settings.theme.name</script><script src")
        if self.on("mixed_content"):
            shown = shown.replace("src=/static", "src=http://cdn.invalid.test/static")
        policy = {"Content_Security_Policy": "script-src 'none'"} if self.on("csp") else {}
        self.page(200, shown, **policy)

    def books(self) -> None:
        """A page of ten books."""
        if self.on("books_500"):
            return self.answer(500, {"error": "could not serialize access due to concurrent update"})
        if self.on("books_500_upstream"):
            return self.answer(500, {"error": "Catalogue service timed out"})
        if self.on("node_b_500") and self.state.turn % 2 == 0:
            return self.answer(500, {"error": "Internal Server Error"})
        if self.on("html_for_json"):
            return self.page(200, "<html>Sign in to continue</html>")
        time.sleep({"books_slow": 2.5, "books_hang": 9}.get(self.state.broken, 0))
        kept = {"empty_list": (), "wrong_tenant": ("south",)}.get(self.state.broken, ("north", "south"))
        items: list[dict[str, Any]] = [dict(book) for book in BOOKS if book["branch"] in kept]
        number = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
        part: Any = items[(number - 1) * 10 : number * 10]
        if self.on("pagination_lost") and number == 3:
            part = part[:-4]
        if self.on("duplicates") and number == 2:
            part = part + part[:1]
        if self.on("field_renamed"):
            part = [{("name" if key == "title" else key): value for key, value in book.items()} for book in part]
        if self.on("null_fields"):
            part = [{**book, "due": None} for book in part]
        if self.on("wrong_type"):
            part = {"0": part}
        body = json.dumps({"total": len(items), "items": part})
        cut = body[:-30] if self.on("truncated_json") else body
        age = {"Age": "840"} if self.on("stale_cache") else {}
        return self.answer(200, cut, "text/plain" if self.on("text_plain") else "application/json", **age)

    def loans(self, path: str, raw: str) -> None:
        """Lend a book, or see what was lent."""
        known = self.state.loans
        if self.command != "POST":
            loan = known.get(path.rpartition("/")[2])
            return self.answer(200, loan) if loan else self.answer(404, {"error": "no such loan"})
        refused = {
            "forbidden_write": (403, "Your plan does not include lending."),
            "disk_full": (507, "Insufficient storage"),
            "validation": (422, "branch is required"),
        }.get(self.state.broken)
        if refused:
            return self.answer(refused[0], {"error": refused[1]})
        self.state.lent += 1
        number, ahead = f"L-{self.state.lent}", {"timezone": 7200, "clock_skew": 95}.get(self.state.broken, 0)
        book = 99 if self.on("not_saved") else json.loads(raw or "{}").get("book")
        loan = {"number": number, "book": book, "at": _stamp(ahead)}
        if not self.on("vanishes"):
            known[number] = loan
        return self.answer(201, loan)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Quiet(ThreadingHTTPServer):
    """Says nothing of those who went away before they were answered."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing."""


def _stamp(ahead_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead_s))


class Scored(Struct):
    """What a run's failures were called.

    Attributes:
        right: rules whose class was a right one.
        wrong: the same of the others.
        unknown: failing journeys without a class.
        passed: situations in which every journey passed.
    """

    right: Counter[str]
    wrong: Counter[str]
    unknown: int = 0
    passed: int = 0


def score(state: State, project: Path, situation: tuple[str, str], classes: set[str], into: Scored) -> str:
    """One situation, run and judged; what was said of it."""
    state.broken = situation[1]
    words = [sys.executable, "-m", "synthprobe", "run", "--json"]
    try:
        done = subprocess.run(words, cwd=project, env=_environ(), capture_output=True, text=True, check=False)
    finally:
        state.broken = ""
    folder = max(project.glob(".synthprobe/runs/library/*"), key=lambda path: path.stat().st_mtime)
    if done.returncode == 2:
        raise SystemExit(done.stderr)
    causes = [judged.triage for judged in tell(read_verdict(folder / "verdict.json"))]
    into.passed += not causes
    for cause in causes:
        if cause.cause_class in {"unknown", "probe"}:
            into.unknown += 1
        else:
            (into.right if cause.cause_class in classes else into.wrong)[cause.rule] += 1
    return ", ".join(f"{cause.cause_class} ({cause.rule})" for cause in causes) or "every journey passed"


def _environ() -> dict[str, str]:
    return {**os.environ, "DOOR": PASSWORD}


def main(wanted: set[str]) -> None:
    """Run what is wanted, or all, and print the counts."""
    console, state, found = Console(), State(), Scored(right=Counter(), wrong=Counter())
    server = Quiet(("127.0.0.1", 0), type("Open", (Library,), {"state": state}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for kind, table in (("api", API), ("web", WEB)):
        with tempfile.TemporaryDirectory(prefix="synthprobe-library-") as name:
            project = Path(name)
            (project / "journeys").mkdir()
            written = API_JOURNEYS + (WEB_JOURNEYS if kind == "web" else "")
            (project / "journeys" / "test_library.py").write_text(written)
            base_url = f"http://127.0.0.1:{server.server_port}"
            (project / "synthprobe.toml").write_text(CONFIGURATION.format(base_url=base_url))
            for broken, classes in table.items():
                if not wanted or broken in wanted:
                    named = score(state, project, (kind, broken), set(classes.split()), found)
                    console.print(
                        f"{kind} {broken}: {named}; right: {classes or 'none'}", highlight=False, soft_wrap=True
                    )
    console.print(
        f"named {found.right.total() + found.wrong.total()}, wrong {found.wrong.total()}, unknown {found.unknown}; "
        f"every journey passed in {found.passed}"
    )
    for rule in sorted(found.right | found.wrong):
        console.print(f"  {rule}: {found.right[rule]} of {found.right[rule] + found.wrong[rule]}", highlight=False)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
