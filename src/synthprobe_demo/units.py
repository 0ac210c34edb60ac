"""Units: who is where, and what they are doing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import cos, hypot, radians
from typing import Any

from synthprobe_demo import settings
from synthprobe_demo.faults import Change, Switches
from synthprobe_demo.store import Store, now

STATUSES = {
    "Acknowledged": ("NotAvailable", "AcknowledgedTransmission"),
    "EnRoute": ("NotAvailable", "EnRoute"),
    "OnScene": ("NotAvailable", "OnScene"),
    "Cleared": ("Available", "InService"),
}
CHANGES = {
    "wrong_unit_logon": Change(
        ("INSERT OR REPLACE INTO unit_logon VALUES ('SYN-01', 'unit-hpd10', '2026-01-01T06:00:00.000+00:00')",),
        ("DELETE FROM unit_logon WHERE account = 'unit-hpd10'",),
    ),
}
_STAGE = {"EnRoute": ("ResourcesEnroute", "enroute_at"), "OnScene": ("ResourcesOnscene", "onscene_at")}


def public(row: dict[str, Any], *, zone_s: int = 0) -> dict[str, Any]:
    """A unit as the API shows it."""
    age = (datetime.now(UTC) - datetime.fromisoformat(row["fix_at"])).total_seconds() + zone_s
    shown = {**row, "primary": row["primary_status"], "synthetic": bool(row["synthetic"]), "age_s": round(age)}
    del shown["primary_status"], shown["device"]
    return shown


def listed(store: Store, faults: Switches) -> list[dict[str, Any]]:
    """Every unit."""
    zone_s = 7200 if faults.hits("age_utc_offset") else 0
    return [public(row, zone_s=zone_s) for row in store.all("SELECT * FROM unit ORDER BY id")]


def get(store: Store, id: str) -> dict[str, Any] | None:
    """One unit, with who is logged on to it."""
    row = store.first_row("SELECT * FROM unit WHERE id = ?", id)
    return {**public(row), "crew": _crew(store, id)} if row else None


def _crew(store: Store, id: str) -> list[str]:
    return [row["account"] for row in store.all("SELECT account FROM unit_logon WHERE unit = ? ORDER BY at", id)]


def log_on(store: Store, id: str, account: str) -> dict[str, Any] | None:
    """A crew takes a unit for its shift."""
    store.write("INSERT OR REPLACE INTO unit_logon VALUES (?, ?, ?)", id, account, now())
    store.event("responder:logon", id, f"{account} logged on to {id}")
    return get(store, id)


def log_off(store: Store, id: str, account: str) -> dict[str, Any] | None:
    """A crew leaves its unit."""
    store.write("DELETE FROM unit_logon WHERE unit = ? AND account = ?", id, account)
    return get(store, id)


def set_status(
    store: Store, faults: Switches, id: str, status: str, author: str, *, version: int | None = None
) -> dict[str, Any] | None:
    """A unit reports what it does; the answer is the unit as it is now, or nothing when its version has moved on.

    Raises:
        ValueError: when there is no such status.
    """
    if status not in STATUSES:
        raise ValueError(f"{status!r} is no status; one of {', '.join(STATUSES)} was expected.")
    primary, secondary = STATUSES[status]
    unit = get(store, id) or {}
    if author.startswith("unit-") and unit["crew"]:
        author = unit["crew"][0]  # a terminal speaks for the crew that logged on first
    if faults.hits("status_not_saved"):
        return {**unit, "primary": primary, "secondary": secondary}
    checked = version is not None and not faults.hits("status_lost_update")
    if not store.write(
        "UPDATE unit SET primary_status = ?, secondary = ?, version = version + 1 WHERE id = ? "
        "AND (? IS NULL OR version = ?)",
        *(primary, secondary, id, version if checked else None, version),
    ):
        return None
    if status == "Cleared":
        release(store, id)
    elif status in _STAGE and unit.get("incident"):
        incident_status, column = _STAGE[status]
        store.write(
            f"UPDATE incident SET status = ?, {column} = ? WHERE number = ?", incident_status, now(), unit["incident"]
        )
    _tell(store, "responder:status", id, f"{id} is {secondary} ({author})")
    return get(store, id)


def _tell(store: Store, kind: str, id: str, text: str) -> None:
    row = store.first_row("SELECT id, secondary, incident, version FROM unit WHERE id = ?", id)
    store.event(kind, id, text, json.dumps(row))


def history(store: Store, id: str) -> list[dict[str, Any]]:
    """What was told of a unit, oldest first."""
    rows = store.all("SELECT * FROM event WHERE subject = ? ORDER BY id DESC LIMIT 30", id)
    return [{"at": row["at"], "kind": row["kind"], "text": row["text"]} for row in reversed(rows)]


def report_position(store: Store, id: str, given: dict[str, Any]) -> dict[str, Any] | None:
    """A device reports where it is; the feed passes it on."""
    if store.first_row("SELECT id FROM unit WHERE id = ?", id) is None:
        return None
    fix_at = datetime.fromisoformat(str(given.get("fix_at") or now())).isoformat(timespec="milliseconds")
    place = (float(given["lat"]), float(given["lng"]), float(given.get("speed", 0)))
    store.write("INSERT INTO position_report VALUES (?, ?, ?, ?, ?)", id, *place, fix_at)
    return {"accepted": id}


def release(store: Store, id: str) -> None:
    """A unit is free again."""
    store.write(
        "UPDATE unit SET primary_status = 'Available', secondary = 'InService', incident = NULL, "
        "version = version + 1 WHERE id = ?",
        id,
    )
    _tell(store, "responder:status", id, f"{id} is available")


def assign(store: Store, number: str, id: str, author: str) -> bool:
    """Send a unit to an incident; a synthetic incident never gets a real unit, nor the other way round."""
    done = store.write(
        "UPDATE unit SET primary_status = 'NotAvailable', secondary = 'Dispatched', incident = ?, "
        "version = version + 1 WHERE id = ? AND synthetic = (SELECT synthetic FROM incident WHERE number = ?)",
        number,
        id,
        number,
    )
    if done:
        store.write(
            "UPDATE incident SET status = 'ResourcesAssigned', dispatched_at = ? WHERE number = ?", now(), number
        )
        store.write("INSERT INTO message (unit, incident, queued_at) VALUES (?, ?, ?)", id, number, now())
        _tell(store, "responder:assign", id, f"{author} sent {id} to {number}")
    return bool(done)


def recommend(store: Store, number: str) -> list[dict[str, Any]]:
    """Available units for an incident, nearest first."""
    incident = store.first_row("SELECT lat, lng, synthetic FROM incident WHERE number = ?", number)
    if incident is None or incident["lat"] is None:
        return []
    return recommend_at(store, incident["lat"], incident["lng"], synthetic=bool(incident["synthetic"]))


def recommend_at(store: Store, lat: float, lng: float, *, synthetic: bool = False) -> list[dict[str, Any]]:
    """Available units for a place, nearest first, of the agencies that are recommended."""
    rows = store.all("SELECT * FROM unit WHERE primary_status = 'Available' AND synthetic = ?", int(synthetic))
    agencies = settings.value(store, "recommend.agencies").split()
    place = {"lat": lat, "lng": lng}
    near = [{**public(row), "distance_km": round(_km(place, row), 3)} for row in rows if row["agency"] in agencies]
    return sorted(near, key=lambda unit: (unit["distance_km"], unit["id"]))


def _km(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Flat distance, good enough inside a city."""
    return 111.2 * hypot(a["lat"] - b["lat"], (a["lng"] - b["lng"]) * cos(radians(a["lat"])))
