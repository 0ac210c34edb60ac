"""Users, roles and sessions. Passwords are stored hashed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from typing import Any

from synthprobe_demo.faults import Change, Switches
from synthprobe_demo.store import Store, now

USERS = (
    ("dispatcher1", "dispatcher", "dispatch-Harbor-1", ""),
    ("dispatcher2", "dispatcher", "dispatch-Harbor-2", ""),
    ("supervisor", "supervisor", "watch-Harbor-9", ""),
    ("unit-syn01", "unit", "mct-Harbor-01", "SYN-01"),
    ("readonly", "readonly", "look-Harbor-0", ""),
    ("admin", "admin", "admin-Harbor-7", ""),
)
_READ = ("incident.read", "unit.read")
_WORK = ("incident.create", "incident.change", "unit.status", "search", *_READ)
GRANTS = {
    "dispatcher": _WORK,
    "supervisor": (*_WORK, "report"),
    "unit": ("unit.status", "search", *_READ),
    "readonly": _READ,
    "admin": (*_WORK, "report", "admin"),
}
AUTH_DELAY_S = 4.0
REASONS = {"expired": "Your password has expired.", "locked": "Your account is locked."}


def _lost(*actions: str) -> Change:
    return Change(
        tuple(f"DELETE FROM role_grant WHERE role = 'dispatcher' AND action = '{action}'" for action in actions),
        tuple(f"INSERT OR IGNORE INTO role_grant VALUES ('dispatcher', '{action}')" for action in actions),
    )


CHANGES = {
    "role_read_only": _lost("incident.create", "unit.status"),
    "role_no_grants": _lost(*_READ),
    "password_expired": Change(
        ("UPDATE account SET state = 'expired' WHERE name = 'dispatcher2'",),
        ("UPDATE account SET state = '' WHERE name = 'dispatcher2'",),
    ),
    "readonly_role": Change(
        ("INSERT INTO account SELECT 'visitor', role, salt, hash, '', '' FROM account WHERE name = 'readonly'",),
        ("DELETE FROM account WHERE name = 'visitor'",),
    ),
}


class Refused(Exception):
    """The account may not log in now; the reason is one of `REASONS`."""


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)


def create(store: Store) -> None:
    """Write the users and their grants."""
    rows = []
    for name, role, password, unit in USERS:
        salt = os.urandom(16)
        rows.append((name, role, salt, _hash(password, salt), unit))
    store.fill("INSERT INTO account VALUES (?, ?, ?, ?, ?, '')", rows)
    store.fill(
        "INSERT INTO role_grant VALUES (?, ?)", [(role, action) for role, all_ in GRANTS.items() for action in all_]
    )


def log_in(store: Store, faults: Switches, name: str, password: str) -> str | None:
    """A new session's token, or nothing when the name or password is wrong.

    Raises:
        Refused: when both are right, and the account may not log in.
    """
    if fault := faults.hits("login_slow_auth"):
        time.sleep((fault.delay_ms or AUTH_DELAY_S * 1000) / 1000)
    account = store.first_row("SELECT * FROM account WHERE name = ?", name)
    if account is None or not hmac.compare_digest(account["hash"], _hash(password, account["salt"])):
        return None
    if account["state"]:
        raise Refused(account["state"])
    token = secrets.token_urlsafe(24)
    store.write("INSERT INTO session VALUES (?, ?, ?)", token, name, now())
    return token


def grant(store: Store, role: str, action: str, author: str) -> bool:
    """Give a role what it is delivered with; nothing beyond that."""
    if action not in GRANTS.get(role, ()):
        return False
    store.write("INSERT OR IGNORE INTO role_grant VALUES (?, ?)", role, action)
    store.event("role:grant", role, f"{author} granted {action} to {role}")
    return True


def unlock(store: Store, name: str, author: str) -> bool:
    """Let an account log in again; whether there is one."""
    done = store.write("UPDATE account SET state = '' WHERE name = ?", name)
    if done:
        store.event("account:unlock", name, f"{author} unlocked {name}")
    return bool(done)


def who(store: Store, token: str) -> dict[str, Any] | None:
    """The user of a session, with what the role allows."""
    user = store.first_row(
        "SELECT a.name, a.role, a.unit FROM session s JOIN account a ON a.name = s.account WHERE s.token = ?", token
    )
    if user is None:
        return None
    grants = {row["action"] for row in store.all("SELECT action FROM role_grant WHERE role = ?", user["role"])}
    return {**user, "grants": sorted(grants)}
