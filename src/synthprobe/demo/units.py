"""Units: who is where, and what they are doing."""

from __future__ import annotations

from math import cos, hypot, radians
from typing import Any

from synthprobe.demo.faults import Faults
from synthprobe.demo.store import Store, now

STATUSES = {
    "Acknowledged": ("NotAvailable", "AcknowledgedTransmission"),
    "EnRoute": ("NotAvailable", "EnRoute"),
    "OnScene": ("NotAvailable", "OnScene"),
    "Cleared": ("Available", "InService"),
}
_STAGE = {"EnRoute": ("ResourcesEnroute", "enroute_at"), "OnScene": ("ResourcesOnscene", "onscene_at")}


def public(row: dict[str, Any]) -> dict[str, Any]:
    """A unit as the API shows it."""
    shown = {**row, "primary": row["primary_status"], "synthetic": bool(row["synthetic"])}
    del shown["primary_status"]
    return shown


def listed(store: Store) -> list[dict[str, Any]]:
    """Every unit."""
    return [public(row) for row in store.all("SELECT * FROM unit ORDER BY id")]


def get(store: Store, id: str) -> dict[str, Any] | None:
    """One unit."""
    row = store.one("SELECT * FROM unit WHERE id = ?", id)
    return public(row) if row else None


def set_status(store: Store, faults: Faults, id: str, status: str, author: str) -> dict[str, Any]:
    """A unit reports what it does; the answer is the unit as it is now.

    Raises:
        ValueError: when there is no such status.
    """
    if status not in STATUSES:
        raise ValueError(f"{status!r} is no status; one of {', '.join(STATUSES)} was expected.")
    primary, secondary = STATUSES[status]
    if faults.hits("status_not_saved"):
        return {**(get(store, id) or {}), "primary": primary, "secondary": secondary}
    unit = get(store, id) or {}
    store.write(
        "UPDATE unit SET primary_status = ?, secondary = ?, version = version + 1 WHERE id = ?", primary, secondary, id
    )
    if status == "Cleared":
        release(store, id)
    elif status in _STAGE and unit.get("incident"):
        incident_status, column = _STAGE[status]
        store.write(
            f"UPDATE incident SET status = ?, {column} = ? WHERE number = ?", incident_status, now(), unit["incident"]
        )
    store.event("responder:status", id, f"{id} is {secondary} ({author})")
    return get(store, id) or {}


def release(store: Store, id: str) -> None:
    """A unit is free again."""
    store.write(
        "UPDATE unit SET primary_status = 'Available', secondary = 'InService', incident = NULL, "
        "version = version + 1 WHERE id = ?",
        id,
    )
    store.event("responder:status", id, f"{id} is available")


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
        store.event("responder:assign", id, f"{author} sent {id} to {number}")
    return bool(done)


def recommend(store: Store, number: str) -> list[dict[str, Any]]:
    """Available units for an incident, nearest first."""
    incident = store.one("SELECT lat, lng, synthetic FROM incident WHERE number = ?", number)
    if incident is None or incident["lat"] is None:
        return []
    rows = store.all("SELECT * FROM unit WHERE primary_status = 'Available' AND synthetic = ?", incident["synthetic"])
    near = [{**public(row), "distance_km": round(_km(incident, row), 3)} for row in rows]
    return sorted(near, key=lambda unit: (unit["distance_km"], unit["id"]))


def _km(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Flat distance, good enough inside a city."""
    return 111.2 * hypot(a["lat"] - b["lat"], (a["lng"] - b["lng"]) * cos(radians(a["lat"])))
