"""Look-ups: addresses, hazards, people, plates, incidents."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from synthprobe_demo import settings
from synthprobe_demo.faults import Change, Switches
from synthprobe_demo.store import Store

CHANGES = {
    # an import that matched streets without their town
    "geocode_wrong_town": Change(
        (
            "UPDATE address_point SET town = 'Millbrook', lat = lat + 0.15, lng = lng + 0.2 "
            "WHERE address = '1 Probe Lane'",
        ),
        ("UPDATE address_point SET town = 'Harborview', lat = 47.612, lng = -122.288 WHERE address = '1 Probe Lane'",),
    ),
    # an import that broke off
    "hazard_missing": Change(
        ("CREATE TABLE premise_before AS SELECT * FROM premise", "DELETE FROM premise WHERE address > '1'"),
        ("DELETE FROM premise", "INSERT INTO premise SELECT * FROM premise_before", "DROP TABLE premise_before"),
    ),
    # a column renamed by somebody else's release
    "empty_200_schema_drift": Change(
        ("ALTER TABLE person RENAME COLUMN flags TO markers",), ("ALTER TABLE person RENAME COLUMN markers TO flags",)
    ),
}
_SEARCH_BY_NAME_S = 1.9
_SQL = {
    "person": "SELECT name, born, flags FROM person WHERE name LIKE ? LIMIT 50",
    "vehicle": "SELECT plate, model, owner FROM vehicle WHERE plate LIKE ? LIMIT 50",
    "incident": "SELECT number, type, priority, address, status FROM incident WHERE number LIKE ? "
    "ORDER BY number DESC LIMIT 50",
    "address": "SELECT address, town, lat, lng FROM address_point WHERE address LIKE ? LIMIT 50",
}
_KEY = {"person": "name", "vehicle": "plate", "incident": "number", "address": "address"}
# What is left when the index is gone: the whole table comes from the disk, page by page.
_SLOW = "SELECT count(*) FROM incident WHERE lower(page_read(rowid) || description || address || number) LIKE ?"


class UpstreamDown(Exception):
    """The geocoder did not answer."""


def _ask_geocoder(store: Store, faults: Switches, text: str) -> list[dict[str, Any]]:
    if faults.hits("geocode_null_island"):
        raise UpstreamDown
    return store.all(
        "SELECT address, town, lat, lng FROM address_point WHERE address LIKE ? ORDER BY address <> ?, address LIMIT 8",
        f"{text.strip()}%",
        text.strip(),
    )


def geocode(store: Store, faults: Switches, text: str) -> list[dict[str, Any]]:
    """Places an address may be, exact ones first."""
    try:
        return _ask_geocoder(store, faults, text)
    except UpstreamDown:
        store.write(
            "INSERT INTO event (kind, subject, text, at) VALUES ('log:error', 'geocoder', "
            "'The geocoder did not answer within 2 s', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))"
        )
        return [{"address": text.strip(), "town": "", "lat": 0.0, "lng": 0.0}]


def hazards(store: Store, address: str) -> list[str]:
    """Known dangers at an address."""
    return [row["hazard"] for row in store.all("SELECT hazard FROM premise WHERE address = ?", address)]


class Search:
    """Search of one node, with the node's own cache.

    Args:
        store: where to search.
        faults: may make it slow.
        decoys: may make it almost slow.
    """

    def __init__(self, store: Store, faults: Switches, decoys: Switches) -> None:
        self._store = store
        self._faults = faults
        self._decoys = decoys
        self._cache: dict[str, tuple[float, list[dict[str, Any]]]] = {}

    def find(self, kind: str, text: str) -> tuple[list[dict[str, Any]], int]:
        """Rows, and how many seconds old they are.

        Raises:
            ValueError: when there is no such kind.
        """
        if kind not in _SQL:
            raise ValueError(f"{kind!r} cannot be searched; one of {', '.join(_SQL)} was expected.")
        began = time.monotonic()
        if self._faults.hits("search_no_index"):
            self._store.all(_SLOW, f"%{text}%")
        try:
            return self._find(kind, text)
        except sqlite3.Error:
            return [], 0  # as somebody once wrote it
        finally:
            if kind == "person" and self._decoys.hits("slow_search"):
                time.sleep(max(0.0, began + _SEARCH_BY_NAME_S - time.monotonic()))

    def _find(self, kind: str, text: str) -> tuple[list[dict[str, Any]], int]:
        cache_s = float(settings.value(self._store, "search.cache_s"))
        if not cache_s:
            self._cache.clear()
            return self._store.all(_SQL[kind], f"%{text}%"), 0
        at, rows = self._cache.get(kind, (0.0, []))
        if time.monotonic() - at > cache_s or not rows:
            at, rows = time.monotonic(), self._store.all(_SQL[kind].replace("LIMIT 50", "LIMIT 5000"), "%")
            self._cache[kind] = (at, rows)
        found = [row for row in rows if text.lower() in str(row[_KEY[kind]]).lower()]
        return found[:50], int(time.monotonic() - at)
