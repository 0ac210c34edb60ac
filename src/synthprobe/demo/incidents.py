"""Incidents: calls for service, from taking to closing."""

from __future__ import annotations

import threading
from typing import Any

from synthprobe.demo import units
from synthprobe.demo.faults import Faults
from synthprobe.demo.lookups import geocode, hazards
from synthprobe.demo.store import Store, now

OPEN = "status NOT IN ('Closed', 'Cancelled')"
_numbers = threading.Lock()


def board(store: Store, faults: Faults) -> list[dict[str, Any]]:
    """Open incidents, most urgent first, then oldest first, each with its units."""
    order = "type, number DESC" if faults.hits("board_wrong_sort") else "priority, created_at"
    rows = store.all(f"SELECT * FROM incident WHERE {OPEN} ORDER BY {order}")
    assigned: dict[str, list[str]] = {}
    for unit in store.all("SELECT id, incident FROM unit WHERE incident IS NOT NULL ORDER BY id"):
        assigned.setdefault(unit["incident"], []).append(unit["id"])
    return [{**row, "units": assigned.get(row["number"], [])} for row in rows]


def marked(store: Store, marker: str) -> list[dict[str, Any]]:
    """Incidents in any state whose client token is the marker, or whose description holds it."""
    return store.all(
        "SELECT * FROM incident WHERE client_token = ? OR instr(description, ?) > 0 ORDER BY number", marker, marker
    )


def get(store: Store, faults: Faults, number: str) -> dict[str, Any] | None:
    """One incident with its units, notes and hazards."""
    row = store.one("SELECT * FROM incident WHERE number = ?", number)
    if row is None:
        return None
    return {
        **row,
        "units": [u["id"] for u in store.all("SELECT id FROM unit WHERE incident = ? ORDER BY id", number)],
        "notes": store.all("SELECT text, author, at FROM note WHERE incident = ? ORDER BY id", number),
        "hazards": hazards(store, faults, row["address"]),
    }


def create(store: Store, faults: Faults, given: dict[str, Any]) -> dict[str, Any]:
    """Take a call; the same client token gives the same incident.

    Raises:
        ValueError: when a field is missing or wrong; the message is a sentence.
    """
    address, token = str(given.get("address", "")).strip(), str(given.get("client_token", "")).strip()
    if not address or not token:
        raise ValueError("An incident needs an address and a client_token.")
    try:
        priority = int(given.get("priority", 3))
    except (TypeError, ValueError):
        priority = 0
    if priority not in range(1, 6):
        raise ValueError("The priority is a number from 1 to 5.")
    with _numbers:
        existing = store.one("SELECT number FROM incident WHERE client_token = ?", token)
        if existing is None:
            places = geocode(store, address)
            lat, lng = (places[0]["lat"], places[0]["lng"]) if places else (None, None)
            last = store.one("SELECT max(number) AS number FROM incident")
            number = f"HV-26-{int((last or {})['number'].rsplit('-', 1)[1]) + 1:06}"
            store.write(
                "INSERT INTO incident (number, type, priority, address, lat, lng, status, caller, description, "
                "created_at, client_token, synthetic, version) VALUES (?, ?, ?, ?, ?, ?, 'Active', ?, ?, ?, ?, ?, 1)",
                number,
                str(given.get("type") or "Welfare check"),
                priority,
                address,
                lat,
                lng,
                str(given.get("caller", "")),
                str(given.get("description", "")),
                now(),
                token,
                int(bool(given.get("synthetic"))),
            )
            store.event("incident:new", number, f"New incident {number} at {address}")
        else:
            number = existing["number"]
    found = get(store, faults, number)
    assert found is not None
    return found


def add_note(store: Store, number: str, text: str, author: str) -> None:
    """Add a note to the timeline."""
    store.write("INSERT INTO note (incident, text, author, at) VALUES (?, ?, ?, ?)", number, text, author, now())
    store.event("incident:note", number, f"{author} noted on {number}")


def close(store: Store, number: str, disposition: str, author: str) -> None:
    """Close an incident and free its units."""
    store.write(
        "UPDATE incident SET status = 'Closed', closed_at = ?, disposition = ?, version = version + 1 WHERE number = ?",
        now(),
        disposition,
        number,
    )
    for unit in store.all("SELECT id FROM unit WHERE incident = ?", number):
        units.release(store, unit["id"])
    store.event("incident:close", number, f"{author} closed {number}: {disposition}")


def reopen(store: Store, number: str, author: str) -> None:
    """Open a closed incident again."""
    store.write("UPDATE incident SET status = 'Active', closed_at = NULL WHERE number = ?", number)
    store.event("incident:update", number, f"{author} reopened {number}")


def delete(store: Store, number: str) -> bool:
    """Remove a synthetic incident; a real one stays."""
    for unit in store.all("SELECT u.id FROM unit u JOIN incident i ON i.number = u.incident "
                          "WHERE i.number = ? AND i.synthetic = 1", number):  # fmt: skip
        units.release(store, unit["id"])
    gone = store.write("DELETE FROM incident WHERE number = ? AND synthetic = 1", number)
    if gone:
        store.write("DELETE FROM note WHERE incident = ?", number)
        store.event("incident:close", number, f"Synthetic incident {number} removed")
    return bool(gone)


def close_leftovers(store: Store, older_than: str) -> None:
    """Remove synthetic incidents that a killed probe left."""
    for row in store.all("SELECT number FROM incident WHERE synthetic = 1 AND created_at < ?", older_than):
        delete(store, row["number"])


def intervals(store: Store) -> list[dict[str, Any]]:
    """Mean seconds between the stages by type, without synthetic incidents."""
    return store.all(
        "SELECT type, count(*) AS incidents, "
        "round(avg((julianday(dispatched_at) - julianday(created_at)) * 86400), 1) AS to_dispatch_s, "
        "round(avg((julianday(onscene_at) - julianday(dispatched_at)) * 86400), 1) AS to_scene_s "
        "FROM incident WHERE synthetic = 0 AND onscene_at IS NOT NULL GROUP BY type ORDER BY type"
    )
