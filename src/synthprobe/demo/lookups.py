"""Look-ups: addresses, hazards, people, plates, incidents."""

from __future__ import annotations

import time
from typing import Any

from synthprobe.demo.faults import Faults
from synthprobe.demo.store import Store

CACHE_S = 300.0
_SQL = {
    "person": "SELECT name, born, flags FROM person WHERE name LIKE ? LIMIT 50",
    "vehicle": "SELECT plate, model, owner FROM vehicle WHERE plate LIKE ? LIMIT 50",
    "incident": "SELECT number, type, priority, address, status FROM incident WHERE number LIKE ? "
    "ORDER BY number DESC LIMIT 50",
    "address": "SELECT address, town, lat, lng FROM address_point WHERE address LIKE ? LIMIT 50",
}
_KEY = {"person": "name", "vehicle": "plate", "incident": "number", "address": "address"}
# What is left when the index is gone: every record is compared with every other.
_SLOW = (
    "SELECT count(*) FROM incident a JOIN incident b "
    "ON lower(a.description || a.address || b.number || b.address) LIKE ? WHERE a.rowid < 2600"
)


def geocode(store: Store, text: str) -> list[dict[str, Any]]:
    """Places an address may be, exact ones first."""
    return store.all(
        "SELECT address, town, lat, lng FROM address_point WHERE address LIKE ? ORDER BY address <> ?, address LIMIT 8",
        f"{text.strip()}%",
        text.strip(),
    )


def hazards(store: Store, faults: Faults, address: str) -> list[str]:
    """Known dangers at an address."""
    if faults.hits("hazard_missing"):
        return []
    return [row["hazard"] for row in store.all("SELECT hazard FROM premise WHERE address = ?", address)]


class Search:
    """Search of one node, with the node's own cache.

    Args:
        store: where to search.
        faults: may make it slow, or its cache stale.
    """

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._cache: dict[str, tuple[float, list[dict[str, Any]]]] = {}

    def find(self, kind: str, text: str) -> tuple[list[dict[str, Any]], int]:
        """Rows, and how many seconds old they are.

        Raises:
            ValueError: when there is no such kind.
        """
        if kind not in _SQL:
            raise ValueError(f"{kind!r} cannot be searched; one of {', '.join(_SQL)} was expected.")
        if self._faults.hits("search_no_index"):
            self._store.all(_SLOW, f"%{text}%")
        if not self._faults.hits("search_cached"):
            return self._store.all(_SQL[kind], f"%{text}%"), 0
        at, rows = self._cache.get(kind, (0.0, []))
        if time.monotonic() - at > CACHE_S or not rows:
            at, rows = time.monotonic(), self._store.all(_SQL[kind].replace("LIMIT 50", "LIMIT 5000"), "%")
            self._cache[kind] = (at, rows)
        found = [row for row in rows if text.lower() in str(row[_KEY[kind]]).lower()]
        return found[:50], int(time.monotonic() - at)
