"""Systems that remove what they hold in ways of their own: marked as deleted, by a form of a page, without any list."""

from __future__ import annotations

import json
import threading
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from synthprobe import loopback

SIGNED_IN, CSRF = "session=letmein", "c0ffee"


class Systems:
    """Three small systems at one address: ``/soft``, ``/forms`` and ``/alone``."""

    def __init__(self) -> None:
        self.experiments: dict[str, dict[str, str]] = {}
        self.groups: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.stuck = False
        self._number = 0
        self._lock = threading.Lock()
        systems = self

        class Handler(loopback.Handler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                system = self.path.split("/")[1].partition("?")[0]
                with systems._lock:
                    status, content, more = getattr(systems, f"_{system}")(self, urlsplit(self.path), body)
                data = (content if isinstance(content, str) else json.dumps(content)).encode()
                self.send_response(status)
                kind = "text/html" if isinstance(content, str) else "application/json"
                for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None  # a child that was killed does not read its answer
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def alive(self) -> list[str]:
        """The names of all that is there and was not deleted."""
        active = [experiment["name"] for experiment in self.experiments.values() if experiment["stage"] == "active"]
        return sorted([*active, *self.groups.values(), *self.notes.values()])

    def add(self, name: str) -> str:
        self._number += 1
        return f"{self._number}{name}"

    def _soft(self, request: Any, parts: Any, body: str) -> tuple[int, object, dict[str, str]]:
        """What was deleted stays listed; to delete it again is an error."""
        if request.command == "GET":
            return 200, {"experiments": list(self.experiments.values())}, {}
        given = json.loads(body)
        if parts.path == "/soft/experiments":
            id = self.add("e")
            self.experiments[id] = {"id": id, "name": given["name"], "stage": "active"}
            return 201, {"id": id}, {}
        found = self.experiments.get(given["id"])
        if self.stuck or found is None or found["stage"] != "active":
            return 409, {"error": "cannot be deleted"}, {}
        found["stage"] = "deleted"
        return 200, {}, {}

    def _forms(self, request: Any, parts: Any, body: str) -> tuple[int, object, dict[str, str]]:
        """Pages only, for who is logged in; every POST needs what the page's form hides."""
        given = {name: values[0] for name, values in parse_qs(body).items()}
        hidden = f'<input type="hidden" name="csrf" value="{CSRF}">'
        if request.command == "POST" and given.get("csrf") != CSRF:
            return 403, "<p>Forbidden</p>", {}
        if parts.path == "/forms/login":
            if request.command == "POST" and given["password"] == "a-good-password":
                return 302, "", {"Set-Cookie": SIGNED_IN, "Location": "/forms/groups"}
            return 200, f"<form method=post>{hidden}<input name=password></form>", {}
        if SIGNED_IN not in (request.headers.get("Cookie") or ""):
            return 302, "", {"Location": "/forms/login"}
        if parts.path == "/forms/groups" and request.command == "GET":  # all of them, whatever is searched for
            rows = "".join(f'<li><a href="/forms/groups/{id}/">{name}</a>' for id, name in self.groups.items())
            return 200, f"<h1>Select group</h1><form>{hidden}</form><ul>{rows}</ul>", {}
        if parts.path == "/forms/groups":
            self.groups[self.add("")] = given["name"]
            return 302, "", {"Location": "/forms/groups"}
        id = parts.path.split("/")[3]
        if id not in self.groups:
            return 404, "<p>Not found</p>", {}
        if request.command == "GET":
            return 200, f"<p>Delete {self.groups[id]}?</p><form method=post>{hidden}</form>", {}
        if given.get("sure") != "yes":
            return 400, "<p>Say that you are sure</p>", {}
        del self.groups[id]
        return 302, "", {"Location": "/forms/groups"}

    def _alone(self, request: Any, parts: Any, body: str) -> tuple[int, object, dict[str, str]]:
        """Nothing lists them."""
        if request.command == "POST":
            id = self.add("n")
            self.notes[id] = json.loads(body)["text"]
            return 201, {"id": id}, {}
        id = parts.path.split("/")[-1]
        if id not in self.notes:
            return 404, {}, {}
        if request.command == "GET":
            return 200, {"id": id, "text": self.notes[id]}, {}
        del self.notes[id]
        return 204, "", {}


SOFT = """
[targets.here.testdata.experiment]
find = "/soft/experiments"
method = "POST"
delete = "/soft/delete"
body = { id = "{id}" }
gone_when = { stage = "deleted" }
"""
FORMS = """
[targets.here.testdata.group]
find = "/forms/groups"
fields = '/forms/groups/(?P<id>\\d+)/'
shows = "Select group"
look = "/forms/groups/{id}/delete"
method = "POST"
sends = "form"
delete = "/forms/groups/{id}/delete"
body = { sure = "yes" }
[targets.here.secrets]
password = "env:FORMS_PASSWORD"
[targets.here.sweeper]
login = "/forms/login"
sends = "form"
json = { password = "secret:password" }
"""
ALONE = """
[targets.here.testdata.note]
look = "/alone/notes/{id}"
delete = "/alone/notes/{id}"
"""
FUNCTIONS = '''
from synthprobe import testdata_kind

@testdata_kind("trial", within=5)
class Trial:
    """An experiment, by functions."""

    @staticmethod
    def find(api, token):
        found = api.get("/soft/experiments").expect(200).json["experiments"]
        return [one for one in found if token in one["name"]]

    @staticmethod
    def delete(api, found):
        api.post("/soft/delete", json={"id": found["id"]}).expect(200)

    @staticmethod
    def is_gone(api, found):
        (now,) = [one for one in Trial.find(api, found["name"]) if one["id"] == found["id"]]
        return now["stage"] == "deleted"

@testdata_kind("seen group")
class SeenGroup:
    """A group, by its pages."""

    @staticmethod
    def log_in(page, secret):
        page.goto("/forms/login")
        page.locator("[name=password]").fill(secret("password").reveal())
        page.locator("[name=password]").press("Enter")
        page.get_by_role("heading", name="Select group").wait_for()

    @staticmethod
    def find(page, token):
        page.goto("/forms/groups")
        links = page.get_by_role("link", name=token).all()
        return [{"name": one.inner_text(), "at": one.get_attribute("href")} for one in links]

    @staticmethod
    def delete(page, found):
        page.goto(found["at"] + "delete")
        page.evaluate("""() => {
            const sure = Object.assign(document.createElement("input"), {name: "sure", value: "yes"});
            document.forms[0].append(sure); document.forms[0].submit();
        }""")
        page.get_by_role("heading", name="Select group").wait_for()

    @staticmethod
    def is_gone(page, found):
        return page.request.get(found["at"] + "delete").status == 404
'''
