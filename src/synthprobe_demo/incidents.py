"""Incidents: calls for service, from taking to closing."""

from __future__ import annotations

import threading
from typing import Any

from synthprobe_demo import units
from synthprobe_demo.faults import Change, Switches
from synthprobe_demo.lookups import geocode, hazards
from synthprobe_demo.store import Store, now

OPEN = "status NOT IN ('Closed', 'Cancelled')"
SEEDED = 3100
_numbers = threading.Lock()


_FIELDS = "number, type, priority, address, lat, lng, status, created_at, client_token, synthetic, version"


def _extra(number: str, priority: int, age: str) -> str:
    return (
        f"INSERT INTO incident ({_FIELDS}, caller, description) SELECT '{number}', 'Noise complaint', {priority}, "
        "address, lat, lng, 'Active', "
        f"strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '{age}'), '{number}', 0, 1, '', '' "
        "FROM address_point LIMIT 1"
    )


def _gone(*numbers: str) -> tuple[str, ...]:
    return tuple(f"DELETE FROM incident WHERE number = '{number}'" for number in numbers)


_TIES = ("HV-25-900001", "HV-25-900002", "HV-25-900003")
CHANGES = {
    "empty_board": Change(
        (
            f"CREATE TABLE quiet_incident AS SELECT number, status FROM incident WHERE {OPEN} AND synthetic = 0",
            "CREATE TABLE quiet_unit AS SELECT id, incident, primary_status, secondary FROM unit "
            "WHERE incident IN (SELECT number FROM quiet_incident)",
            "UPDATE unit SET incident = NULL, primary_status = 'Available', secondary = 'InService', "
            "version = version + 1 WHERE id IN (SELECT id FROM quiet_unit)",
            "UPDATE incident SET status = 'Closed' WHERE number IN (SELECT number FROM quiet_incident)",
        ),
        (
            "UPDATE incident SET status = (SELECT q.status FROM quiet_incident q WHERE q.number = incident.number) "
            "WHERE number IN (SELECT number FROM quiet_incident)",
            "UPDATE unit SET (incident, primary_status, secondary) = (SELECT q.incident, q.primary_status, q.secondary "
            "FROM quiet_unit q WHERE q.id = unit.id) WHERE id IN (SELECT id FROM quiet_unit)",
            "DROP TABLE quiet_incident",
            "DROP TABLE quiet_unit",
        ),
    ),
    "sort_ties": Change(tuple(_extra(number, 2, "-40 minutes") for number in _TIES), _gone(*_TIES)),
    "old_incident": Change((_extra("HV-25-900013", 4, "-13 hours"),), _gone("HV-25-900013")),
    "legitimate_reopen": Change(
        (
            "UPDATE incident SET status = 'Active', closed_at = NULL, disposition = NULL WHERE number = 'HV-26-002990'",
            "INSERT INTO event (kind, subject, text, at) VALUES ('incident:update', 'HV-26-002990', "
            "'supervisor reopened HV-26-002990', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))",
        ),
        (
            "UPDATE incident SET status = 'Closed', closed_at = created_at, disposition = 'Handled' "
            "WHERE number = 'HV-26-002990'",
        ),
    ),
}


def board(store: Store, faults: Switches) -> list[dict[str, Any]]:
    """Open incidents, most urgent first, then oldest first, each with its units."""
    order = "type, number DESC" if faults.hits("board_wrong_sort") else "priority, created_at, number"
    rows = store.all(f"SELECT * FROM incident WHERE {OPEN} ORDER BY {order}")
    if faults.hits("board_n_plus_one"):
        return [{**row, "units": _units_one_by_one(store, row["number"])} for row in rows]
    assigned: dict[str, list[str]] = {}
    for unit in store.all("SELECT id, incident FROM unit WHERE incident IS NOT NULL ORDER BY id"):
        assigned.setdefault(unit["incident"], []).append(unit["id"])
    return [{**row, "units": assigned.get(row["number"], [])} for row in rows]


def marked(store: Store, marker: str) -> list[dict[str, Any]]:
    """Incidents in any state whose client token is the marker, or whose description holds it."""
    return store.all(
        "SELECT * FROM incident WHERE client_token = ? OR instr(description, ?) > 0 ORDER BY number", marker, marker
    )


def _units_one_by_one(store: Store, number: str) -> list[str]:
    ids = [row["id"] for row in store.all("SELECT id FROM unit ORDER BY id")]
    return [
        id for id in ids if (store.first_row("SELECT incident FROM unit WHERE id = ?", id) or {})["incident"] == number
    ]


def get(store: Store, number: str) -> dict[str, Any] | None:
    """One incident with its units, notes and hazards."""
    row = store.first_row("SELECT * FROM incident WHERE number = ?", number)
    if row is None:
        return None
    return {
        **row,
        "units": [u["id"] for u in store.all("SELECT id FROM unit WHERE incident = ? ORDER BY id", number)],
        "notes": store.all("SELECT text, author, at FROM note WHERE incident = ? ORDER BY id", number),
        "history": [
            {"at": event["at"], "kind": event["kind"], "text": event["text"]}
            for event in store.all("SELECT at, kind, text FROM event WHERE subject = ? ORDER BY id", number)
        ],
        "messages": store.all("SELECT unit, queued_at, sent_at FROM message WHERE incident = ? ORDER BY id", number),
        "hazards": hazards(store, row["address"]),
    }


def create(store: Store, faults: Switches, given: dict[str, Any]) -> dict[str, Any]:
    """Take a call; the same client token gives the same incident.

    Raises:
        ValueError: when a field is missing or wrong; the message is a sentence.
    """
    address, token = str(given.get("address", "")).strip(), str(given.get("client_token", "")).strip()
    if not address or not token:
        raise ValueError("An incident needs an address and a client_token.")
    priority = _priority(given.get("priority", 3))
    with _numbers:
        existing = store.first_row("SELECT number FROM incident WHERE client_token = ?", token)
        if existing is None or faults.hits("duplicate_incident"):
            places = geocode(store, faults, address)
            lat, lng = (places[0]["lat"], places[0]["lng"]) if places else (None, None)
            store.write("INSERT INTO issued (at) VALUES (?)", now())
            issued = store.all("SELECT max(id) AS id FROM issued")[0]["id"]
            number = f"HV-26-{SEEDED + issued:06}"
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
            if faults.hits("second_call_resets_status"):
                store.write(
                    "UPDATE unit SET secondary = 'Dispatched', version = version + 1 "
                    "WHERE incident IN (SELECT number FROM incident WHERE address = ?)",
                    address,
                )
        else:
            number = existing["number"]
    found = get(store, number)
    assert found is not None
    return found


def _priority(given: object) -> int:
    try:
        priority = int(str(given))
    except ValueError:
        priority = 0
    if priority not in range(1, 6):
        raise ValueError("The priority is a number from 1 to 5.")
    return priority


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


def reopen(store: Store, faults: Switches, number: str, author: str) -> None:
    """Open a closed incident again."""
    forgets = "" if faults.hits("reopen_recloses") else "disposition = NULL, "
    store.write(
        f"UPDATE incident SET {forgets}status = 'Active', closed_at = NULL, version = version + 1 WHERE number = ?",
        number,
    )
    store.event("incident:update", number, f"{author} reopened {number}")


def close_disposed(store: Store) -> None:
    """Close open incidents that have a disposition already."""
    store.write(f"UPDATE incident SET status = 'Closed', closed_at = ? WHERE {OPEN} AND disposition IS NOT NULL", now())


def change(store: Store, faults: Switches, number: str, given: dict[str, Any], author: str) -> None:
    """Correct a description, a priority, or the address, which moves the incident.

    Raises:
        ValueError: when nothing that can be corrected is given, or the priority or the address is none.
    """
    wanted: dict[str, Any] = {name: given[name] for name in ("description", "priority", "address") if name in given}
    if not wanted:
        raise ValueError("A description, a priority or an address was expected.")
    if "priority" in wanted:
        wanted["priority"] = _priority(wanted["priority"])
    if "address" in wanted and not str(wanted["address"]).strip():
        raise ValueError("An incident needs an address.")
    if "address" in wanted:
        places = geocode(store, faults, str(wanted["address"]))
        wanted["lat"], wanted["lng"] = (places[0]["lat"], places[0]["lng"]) if places else (None, None)
    columns = ", ".join(f"{name} = ?" for name in wanted)
    store.write(f"UPDATE incident SET {columns}, version = version + 1 WHERE number = ?", *wanted.values(), number)
    store.event("incident:update", number, f"{author} changed {', '.join(wanted)} of {number}")


def delete(store: Store, number: str) -> bool:
    """Remove a synthetic incident; a real one stays."""
    for unit in store.all("SELECT u.id FROM unit u JOIN incident i ON i.number = u.incident "
                          "WHERE i.number = ? AND i.synthetic = 1", number):  # fmt: skip
        units.release(store, unit["id"])
    gone = store.write("DELETE FROM incident WHERE number = ? AND synthetic = 1", number)
    if gone:
        store.write("DELETE FROM note WHERE incident = ?", number)
        store.write("DELETE FROM message WHERE incident = ?", number)
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
