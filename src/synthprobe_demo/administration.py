"""What an administrator reads and repairs: settings, grants, accounts, jobs, servers, imports, the log."""

from __future__ import annotations

from typing import Any

from synthprobe_demo import accounts, jobs, seed, settings
from synthprobe_demo.faults import Switches
from synthprobe_demo.store import Store


def read(store: Store, what: str) -> Any:
    """One of the lists an administrator may read, or nothing."""
    if what == "settings":
        return {"settings": settings.listed(store)}
    if what == "delivered":
        grants = [{"role": role, "action": action} for role, all_ in accounts.GRANTS.items() for action in all_]
        return {"settings": settings.SETTINGS, "grants": grants}
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


def repair(store: Store, faults: Switches, what: str, author: str, body: dict[str, Any]) -> Any:
    """Do what ``POST /api/admin/{what}`` asks for; nothing when there is no such record.

    Raises:
        KeyError: when a field is missing.
    """
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
    elif what == "imports":
        done = _imported(store, str(body["name"]), author)
    elif what in _RESTARTS:
        done = _restarted(store, faults, what, str(body["name"]), author)
    else:
        return None
    return {"done": what} if done else None


_RESTARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "streams": {"board": ("stream_silent", "stream_no_worker")},
    "nodes": {"a": ("one_node_bad",), "b": ("one_node_bad",)},
}
"""What can be restarted, and the states of a running process that do not outlive it."""


def _restarted(store: Store, faults: Switches, what: str, name: str, author: str) -> bool:
    """Start a part of the centre anew."""
    known = _RESTARTS[what]
    if name not in known:
        return False
    for state in known[name]:
        faults.restarted(state, name if what == "nodes" else "")
    store.event(f"log:{what}", name, f"{author} restarted {name}")
    return True


def _imported(store: Store, name: str, author: str) -> bool:
    """Read addresses or hazards again from where they come from."""
    if name not in {"addresses", "hazards"}:
        return False
    table = "address_point" if name == "addresses" else "premise"
    rows: list[tuple[Any, ...]] = seed.address_points() if name == "addresses" else seed.premises()
    store.write(f"DELETE FROM {table}")
    store.fill(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    store.event("log:import", name, f"{author} imported {name}: {len(rows)} rows")
    return True
