"""What an administrator reads and repairs: settings, grants, accounts, jobs, imports, the log."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from synthprobe.demo import accounts, jobs, settings
from synthprobe.demo.store import Store


def read(store: Store, what: str) -> Any:
    """One of the lists an administrator may read, or nothing."""
    if what == "settings":
        return {"settings": settings.listed(store)}
    if what == "grants":
        return {"grants": store.all("SELECT role, action FROM role_grant ORDER BY role, action")}
    if what == "accounts":
        return {"accounts": store.all("SELECT name, role, unit, state FROM account ORDER BY name")}
    if what == "preferences":
        return {"preferences": store.all("SELECT * FROM preference ORDER BY account, name")}
    if what == "log":
        return {
            "log": store.all("SELECT at, subject, text FROM event WHERE kind LIKE 'log:%' ORDER BY id DESC LIMIT 50")
        }
    if what == "counts":
        tables = ("address_point", "premise", "person", "vehicle", "bolo", "incident")
        return {"counts": {name: store.all(f"SELECT count(*) AS n FROM {name}")[0]["n"] for name in tables}}
    return None


def repair(store: Store, request: Request, user: dict[str, Any], body: dict[str, Any]) -> Any:
    """Do what ``POST /api/admin/{what}`` asks for; nothing when there is no such record.

    Raises:
        KeyError: when a field is missing.
    """
    what, author = request.path_params["what"], user["name"]
    if what == "settings":
        done = settings.change(store, str(body["name"]), str(body["value"]), author)
    elif what == "grants":
        done = accounts.grant(store, str(body["role"]), str(body["action"]), author)
    elif what == "unlock":
        done = accounts.unlock(store, str(body["account"]), author)
    elif what == "jobs":
        done = jobs.restart(store, str(body["name"]), author)
    elif what == "preferences":
        done = bool(store.write("DELETE FROM preference WHERE account = ?", str(body["account"])))
    elif what == "logoff":
        unit, account = str(body["unit"]), str(body["account"])
        done = bool(store.write("DELETE FROM unit_logon WHERE unit = ? AND account = ?", unit, account))
    else:
        return None
    return {"done": what} if done else None
