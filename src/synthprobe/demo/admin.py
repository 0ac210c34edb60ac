"""Operations of an administrator: look at, and put right, what runs. Each change is in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from synthprobe.demo.faults import Faults
from synthprobe.demo.store import Store

Handler = Callable[[Request, dict[str, Any], dict[str, Any]], Any]
_ROLES = {"supervisor", "admin"}
_ROLE_STATES: dict[str, tuple[str, ...]] = {"dispatcher": ("role_read_only", "role_no_grants")}
_ACCOUNT_STATES: dict[str, tuple[str, ...]] = {"dispatcher2": ("password_expired",)}
_STATES: dict[str, dict[str, tuple[str, ...]]] = {
    "feeds": {"avl": ("avl_feed_stopped",)},
    "workers": {"notify": ("notify_worker_dead",)},
    "caches": {"search": ("search_cached",)},
    "streams": {"board": ("stream_silent",)},
    "nodes": {"b": ("one_node_bad",), "a": ()},
    "imports": {"hazards": ("hazard_missing",)},
    "roles": _ROLE_STATES,
    "accounts": _ACCOUNT_STATES,
}
"""Part and name, and the states that an operation on it ends."""

_OPERATIONS = {
    "feeds": "restart",
    "workers": "restart",
    "caches": "clear",
    "streams": "restart",
    "nodes": "drain",
    "imports": "reload",
    "roles": "restore",
    "accounts": "unlock",
}


def routes(api: Callable[[Handler], Callable[[Request], Any]], store: Store, faults: Faults) -> list[Route]:
    """The routes under ``/api/admin``.

    Args:
        api: wraps a handler with session and JSON.
        store: the centre's data.
        faults: the states the centre can be in.

    Returns:
        The routes.
    """

    def known(request: Request) -> tuple[str, ...] | None:
        part, name = request.path_params["part"], request.path_params["name"]
        states = _STATES.get(part, {}).get(name)
        if states is None and part in {"accounts", "roles"}:
            table, column = ("account", "name") if part == "accounts" else ("role_grant", "role")
            return () if store.one(f"SELECT 1 FROM {table} WHERE {column} = ?", name) else None
        return states

    def look(request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        if user["role"] not in _ROLES:
            return _refused(user)
        states = known(request)
        if states is None:
            return None
        on = faults.listed()
        broken = any(on.get(state, False) for state in states)
        return {"name": request.path_params["name"], "state": "attention" if broken else "ok"}

    def act(request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
        part, name = request.path_params["part"], request.path_params["name"]
        operation = request.path_params["operation"]
        if user["role"] not in _ROLES:
            return _refused(user)
        states = known(request)
        if states is None or _OPERATIONS.get(part) != operation:
            return None
        on = faults.listed()
        for state in states:
            if on.get(state, False):
                faults.switch(state, None)
        store.event(f"admin:{operation}", name, f"{user['name']}: {operation} of {name} ({part})")
        return {"name": name, "done": operation}

    return [
        Route("/api/admin/{part}/{name}", api(look)),
        Route("/api/admin/{part}/{name}/{operation}", api(act), methods=["POST"]),
    ]


def _refused(user: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"error": f"Your role {user['role']} may not do that."}, 403)
