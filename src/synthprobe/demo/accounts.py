"""Users, roles and sessions. Passwords are stored hashed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from typing import Any

from synthprobe.demo.faults import Faults
from synthprobe.demo.store import Store, now

USERS = (
    ("dispatcher1", "dispatcher", "dispatch-Harbor-1", ""),
    ("dispatcher2", "dispatcher", "dispatch-Harbor-2", ""),
    ("supervisor", "supervisor", "watch-Harbor-9", ""),
    ("unit-syn01", "unit", "mct-Harbor-01", "SYN-01"),
    ("readonly", "readonly", "look-Harbor-0", ""),
    ("admin", "admin", "admin-Harbor-7", ""),
)
GRANTS = {
    "dispatcher": ("incident.create", "incident.change", "unit.status", "search"),
    "supervisor": ("incident.create", "incident.change", "unit.status", "search", "report"),
    "unit": ("unit.status", "search"),
    "readonly": (),
    "admin": ("incident.create", "incident.change", "unit.status", "search", "report", "admin"),
}
AUTH_DELAY_S = 4.0


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)


def create(store: Store) -> None:
    """Write the users and their grants."""
    rows = []
    for name, role, password, unit in USERS:
        salt = os.urandom(16)
        rows.append((name, role, salt, _hash(password, salt), unit))
    store.fill("INSERT INTO account VALUES (?, ?, ?, ?, ?)", rows)
    store.fill("INSERT INTO role_grant VALUES (?, ?)", [(role, one) for role, all_ in GRANTS.items() for one in all_])


def log_in(store: Store, faults: Faults, name: str, password: str) -> str | None:
    """A new session's token, or nothing when the name or password is wrong."""
    if fault := faults.hits("login_slow_auth"):
        time.sleep((fault.delay_ms or AUTH_DELAY_S * 1000) / 1000)
    account = store.one("SELECT * FROM account WHERE name = ?", name)
    if account is None or not hmac.compare_digest(account["hash"], _hash(password, account["salt"])):
        return None
    token = secrets.token_urlsafe(24)
    store.write("INSERT INTO session VALUES (?, ?, ?)", token, name, now())
    return token


def who(store: Store, faults: Faults, token: str) -> dict[str, Any] | None:
    """The user of a session, with what the role allows."""
    user = store.one(
        "SELECT a.name, a.role, a.unit FROM session s JOIN account a ON a.name = s.account WHERE s.token = ?", token
    )
    if user is None:
        return None
    grants = {row["action"] for row in store.all("SELECT action FROM role_grant WHERE role = ?", user["role"])}
    if user["role"] == "dispatcher" and faults.hits("role_read_only"):
        grants -= {"incident.create", "unit.status"}
    return {**user, "grants": sorted(grants)}
