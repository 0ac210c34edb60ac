"""One node: the JSON API and the pages of the dispatch centre."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synthprobe_demo import accounts, administration, incidents, jobs, lookups, settings, units
from synthprobe_demo.faults import Asking, Switches, asking
from synthprobe_demo.live import STREAM_S, Live
from synthprobe_demo.seed import TYPES
from synthprobe_demo.store import Spent, Store, now, spent

BUILD = "2026.11.3"
_NEXT_BUILD = "2026.11.4"
_HERE = Path(__file__).parent
_FILES = StaticFiles(directory=_HERE / "static")


class Stamp:
    """Puts node, build and ``Server-Timing`` on every answer.

    Args:
        app: the application.
        node: the node.
    """

    def __init__(self, app: ASGIApp, node: Node) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        counter = Spent()
        spent.set(counter)
        asking.set(Asking(self._node.name))
        began = time.perf_counter()

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                total = (time.perf_counter() - began) * 1000
                headers["X-Node"] = self._node.name
                headers["X-Build"] = self._node.build
                headers["Server-Timing"] = (
                    f'db;dur={counter.ms:.1f};desc="n={counter.queries}", app;dur={max(total - counter.ms, 0):.1f}'
                    + _slowest_query(counter)
                )
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, stamped)


def _slowest_query(counter: Spent) -> str:
    words = " ".join(counter.slowest.replace('"', "'").split())[:160].encode("ascii", "ignore").decode()
    return f', query;dur={counter.slowest_ms:.1f};desc="{words}"' if words else ""


class Node:
    """What one node holds, and how it answers.

    Args:
        name: ``a`` or ``b``.
        store: the shared database.
        faults: the shared faults.
        decoys: what looks like a fault and is none.
        terminals: what terminals in cars are told on their first connection.
    """

    def __init__(
        self, name: str, store: Store, faults: Switches, decoys: Switches, terminals: Mapping[str, str | None]
    ) -> None:
        self.name = name
        self.store = store
        self.faults = faults
        self.terminals = terminals
        self.search = lookups.Search(store, faults, decoys)
        self.live = Live(store, faults)
        self._report: tuple[float, list[dict[str, Any]]] = (0.0, [])
        self.templates = Jinja2Templates(_HERE / "templates")

    @property
    def build(self) -> str:
        """The release this node runs."""
        return _NEXT_BUILD if self._alone("version_skew") else BUILD

    def _alone(self, fault: str) -> bool:
        """Whether this is the one node that a fault is on; node b unless it names another."""
        found = self.faults.hits(fault)
        return bool(found and self.name == (found.node or "b"))

    def user(self, request: Request) -> dict[str, Any] | None:
        """Who asks."""
        header = request.headers.get("authorization", "")
        token = header.removeprefix("Bearer ") if header.startswith("Bearer ") else request.cookies.get("session", "")
        user = accounts.who(self.store, token) if token else None
        if user:
            asking.set(Asking(self.name, user["role"]))
        return user

    def app(self) -> ASGIApp:
        """The application of this node."""
        api, page = self._api, self._page
        routes = [
            Route("/healthz", self._healthy),
            Route("/readyz", self._ready),
            Route("/api/time", lambda request: JSONResponse({"now": now()})),
            Route("/api/login", self._log_in, methods=["POST"]),
            Route("/api/me", api(lambda request, user, body: user)),
            Route("/api/stream", self._stream),
            Route("/api/incidents", api(self._incidents, "incident.create"), methods=["GET", "POST"]),
            Route(
                "/api/incidents/{number}", api(self._incident, "incident.change"), methods=["GET", "PATCH", "DELETE"]
            ),
            Route("/api/incidents/{number}/{action}", api(self._act, "incident.change"), methods=["POST"]),
            Route("/api/units", api(self._units)),
            Route("/api/units/{id}", api(self._unit)),
            Route("/api/units/{id}/history", api(self._unit_history)),
            Route("/api/units/{id}/position", api(self._unit_position, "unit.status"), methods=["POST"]),
            Route("/api/units/{id}/logon", api(self._unit_logon, "unit.status"), methods=["POST", "DELETE"]),
            Route("/api/units/{id}/status", api(self._unit_status, "unit.status"), methods=["POST"]),
            Route("/api/recommend", api(self._recommend)),
            Route("/api/geocode", api(self._geocode)),
            Route("/api/search", api(self._search)),
            Route("/api/hazards", api(self._hazards)),
            Route("/api/bolos", api(lambda request, user, body: {"bolos": self.store.all("SELECT * FROM bolo")})),
            Route("/api/activity", api(self._activity)),
            Route("/api/reports/intervals", api(self._intervals)),
            Route("/api/jobs", api(lambda request, user, body: {"jobs": jobs.listed(self.store)})),
            Route("/api/terminals", api(lambda request, user, body: dict(self.terminals))),
            Route("/api/admin/{what}", api(self._admin, "admin"), methods=["GET", "POST"]),
            Route("/", lambda request: RedirectResponse("/board")),
            Route("/login", self._login_page, methods=["GET", "POST"]),
            Route("/logout", self._log_out),
            Route("/board", page("board.html")),
            Route("/incidents/{number}", page("incident.html")),
            Route("/mct/{unit}", page("mct.html")),
            Route("/search", page("search.html")),
            Route("/reports/intervals", page("intervals.html")),
            Route("/admin", page("admin.html")),
            Mount("/static", self._static),
        ]
        return Stamp(Starlette(routes=routes), self)

    async def _healthy(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _static(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Files of this node's own release only."""
        wanted = parse_qs(scope["query_string"].decode()).get("v", [self.build])[0]
        files: ASGIApp = _FILES if wanted == self.build else Response("Not found", 404)
        await files(scope, receive, send)

    def _api(
        self, handler: Callable[[Request, dict[str, Any], dict[str, Any]], Any], grant: str = ""
    ) -> Callable[[Request], Any]:
        """Wrap a handler: session, grant for what changes, JSON in and out, errors as sentences."""

        async def answer(request: Request) -> Response:
            text = (await request.body()).decode("utf-8", "replace") if request.method in {"POST", "PATCH"} else ""
            return await run_in_threadpool(in_thread, request, text)

        def in_thread(request: Request, text: str) -> Response:
            user = self.user(request)
            if user is None:
                return JSONResponse({"error": "Log in first."}, 401)
            if request.method != "GET" and grant and grant not in user["grants"]:
                return JSONResponse({"error": f"Your role {user['role']} may not do that."}, 403)
            try:
                found = handler(request, user, json.loads(text) if text else {})
            except (ValueError, KeyError, AttributeError) as error:
                return JSONResponse({"error": str(error)}, 400)
            if isinstance(found, Response):
                return found
            return JSONResponse({"error": "There is no such record."}, 404) if found is None else JSONResponse(found)

        return answer

    def _page(self, template: str) -> Callable[[Request], Response]:
        def show(request: Request) -> Response:
            user = self.user(request)
            if user is None:
                return RedirectResponse("/login", 303)
            if template == "admin.html" and "admin" not in user["grants"]:
                return HTMLResponse("<h1>Administrators only</h1>", 403)
            known = {
                "user": user,
                "types": TYPES,
                "path": request.path_params,
                "dead_button": bool(self.faults.hits("js_error_dead_button")),
                "build": self.build,
                "filter": settings.board_filter(self.store, user["name"]),
                "rows": self._interval_rows()[0] if template == "intervals.html" else [],
                "grants": self.store.all("SELECT * FROM role_grant ORDER BY role, action")
                if template == "admin.html"
                else [],
            }
            return self.templates.TemplateResponse(request, template, known)

        return show

    async def _login_page(self, request: Request) -> Response:
        wrong = ""
        if request.method == "POST":
            form = parse_qs((await request.body()).decode())
            name, password = form.get("username", [""])[0], form.get("password", [""])[0]
            wrong = "The name or the password is wrong."
            try:
                token = await run_in_threadpool(accounts.log_in, self.store, self.faults, name, password)
            except accounts.Refused as refused:
                token, wrong = None, accounts.REASONS[str(refused)]
            if token:
                answer = RedirectResponse("/board", 303)
                answer.set_cookie("session", token, httponly=True, samesite="lax")
                return answer
        known = {"wrong": wrong, "build": self.build}
        return self.templates.TemplateResponse(request, "login.html", known, 401 if wrong else 200)

    def _log_out(self, request: Request) -> Response:
        self.store.write("DELETE FROM session WHERE token = ?", request.cookies.get("session", ""))
        return RedirectResponse("/login", 303)

    async def _log_in(self, request: Request) -> Response:
        try:
            body = json.loads(await request.body())
            name, password = str(body["username"]), str(body["password"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "A username and a password are expected."}, 400)
        try:
            token = await run_in_threadpool(accounts.log_in, self.store, self.faults, name, password)
        except accounts.Refused as refused:
            return JSONResponse({"error": accounts.REASONS[str(refused)], "reason": f"password_{refused}"}, 401)
        if token is None:
            return JSONResponse({"error": "The name or the password is wrong."}, 401)
        answer = JSONResponse({"token": token, "user": name})
        answer.set_cookie("session", token, httponly=True, samesite="lax")
        return answer

    def _ready(self, request: Request) -> Response:
        newest = self.store.first_row("SELECT max(fix_at) AS at FROM unit")
        return JSONResponse({"status": "ok", "newest_fix_at": (newest or {}).get("at")})

    def _incidents(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        if request.method == "POST":
            return JSONResponse(incidents.create(self.store, self.faults, body), 201)
        if marker := request.query_params.get("marker"):
            return {"incidents": incidents.marked(self.store, marker)}
        return {"incidents": incidents.board(self.store, self.faults) if "incident.read" in user["grants"] else []}

    def _geocode(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        return {"results": lookups.geocode(self.store, self.faults, request.query_params["q"])}

    def _units(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        return {"units": units.listed(self.store, self.faults) if "unit.read" in user["grants"] else []}

    def _admin(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        if "admin" not in user["grants"]:
            return JSONResponse({"error": f"Your role {user['role']} may not do that."}, 403)
        if request.method == "GET":
            return administration.read(self.store, request.path_params["what"])
        return administration.repair(self.store, self.faults, request.path_params["what"], user["name"], body)

    def _interval_rows(self) -> tuple[list[dict[str, Any]], int, int]:
        """The report, its age and how long it may be kept, in seconds."""
        keep_s = int(settings.value(self.store, "reports.cache_s"))
        at, rows = self._report
        if not rows or time.monotonic() - at >= keep_s:
            at, rows = self._report = time.monotonic(), incidents.intervals(self.store)
        return rows, int(time.monotonic() - at), keep_s

    def _intervals(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        rows, age, keep_s = self._interval_rows()
        headers = {"Age": str(age), "Cache-Control": f"max-age={keep_s}"} if keep_s else {}
        return JSONResponse({"rows": rows}, headers=headers)

    def _incident(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        number = request.path_params["number"]
        if request.method == "DELETE":
            return {"deleted": number} if incidents.delete(self.store, number) else None
        if request.method == "PATCH":
            incidents.change(self.store, self.faults, number, body, user["name"])
        elif self.faults.hits("error_page_200"):
            return HTMLResponse("<html><body><h1>Something went wrong</h1></body></html>")
        return incidents.get(self.store, number)

    def _act(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        number, action = request.path_params["number"], request.path_params["action"]
        if incidents.get(self.store, number) is None:
            return None
        if action == "notes":
            incidents.add_note(self.store, number, str(body["text"]), user["name"])
        elif action == "assign":
            if not units.assign(self.store, number, str(body["unit"]), user["name"]):
                raise ValueError("A synthetic incident takes synthetic units only, and a real one real units only.")
        elif action == "close":
            incidents.close(self.store, number, str(body.get("disposition", "Handled")), user["name"])
        elif action == "reopen":
            incidents.reopen(self.store, self.faults, number, user["name"])
        else:
            return None
        return incidents.get(self.store, number)

    def _unit(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        return units.get(self.store, request.path_params["id"])

    def _unit_status(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        if self._alone("one_node_bad"):
            return JSONResponse({"error": "Internal error"}, 500)
        id, match = request.path_params["id"], request.headers.get("if-match")
        if units.get(self.store, id) is None:
            return None
        version = int(match.strip('"')) if match else None
        changed = units.set_status(self.store, self.faults, id, str(body["status"]), user["name"], version=version)
        return changed or JSONResponse({"error": "Somebody else changed this unit; read it again."}, 412)

    def _unit_history(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        return {"history": units.history(self.store, request.path_params["id"])}

    def _unit_position(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        return units.report_position(self.store, request.path_params["id"], body)

    def _unit_logon(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        act = units.log_on if request.method == "POST" else units.log_off
        return act(self.store, request.path_params["id"], user["name"])

    def _recommend(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        asked = request.query_params
        if "lat" in asked:
            return {"units": units.recommend_at(self.store, float(asked["lat"]), float(asked["lng"]))}
        return {"units": units.recommend(self.store, asked["incident"])}

    def _hazards(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        return {"hazards": lookups.hazards(self.store, request.query_params["addr"])}

    def _activity(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        return {"events": self.store.all("SELECT * FROM event WHERE kind NOT LIKE 'log:%' ORDER BY id DESC LIMIT 30")}

    def _search(self, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        if self._alone("one_node_bad"):
            return JSONResponse({"error": "Internal error"}, 500)
        rows, age = self.search.find(request.query_params["kind"], request.query_params.get("q", ""))
        return JSONResponse({"results": rows}, headers={"Age": str(age)})

    async def _stream(self, request: Request) -> Response:
        user = await run_in_threadpool(self.user, request)
        if user is None:
            return JSONResponse({"error": "Log in first."}, 401)
        asking.set(Asking(self.name, user["role"]))
        while self.faults.hits("stream_no_worker") and not await request.is_disconnected():
            await asyncio.sleep(0.1)  # accepted, and nobody is free to answer
        asked, seconds = request.query_params.get("last_id"), request.query_params.get("seconds", "")
        events = self.live.events(
            user["role"], int(asked) if asked else None, int(seconds) if seconds.isdecimal() else STREAM_S
        )
        return EventSourceResponse(events, ping=3600)
