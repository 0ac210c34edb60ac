"""Moves the units on the street grid, and closes what probes left behind."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta

from synthprobe.demo import incidents
from synthprobe.demo.faults import Faults
from synthprobe.demo.store import Store, now

EVERY_S = 2.0
LEFTOVER_AGE = timedelta(minutes=30)


class Simulator(threading.Thread):
    """Drives until `stop` is called.

    Args:
        store: where the units are.
        faults: may stop the feed.
    """

    def __init__(self, store: Store, faults: Faults) -> None:
        super().__init__(name="simulator", daemon=True)
        self._store = store
        self._faults = faults
        self._end = threading.Event()
        self._chance = random.Random(4)

    def run(self) -> None:
        """Move every unit a little, again and again."""
        while not self._end.wait(EVERY_S):
            if not self._faults.hits("avl_feed_stopped"):
                for unit in self._store.all("SELECT id, lat, lng, secondary FROM unit"):
                    parked = unit["secondary"] == "OnScene"
                    step = 0.0 if parked else self._chance.choice((-0.0006, 0.0006))
                    north = self._chance.random() < 0.5
                    self._store.write(
                        "UPDATE unit SET lat = min(max(lat + ?, 47.585), 47.645), "
                        "lng = min(max(lng + ?, -122.33), -122.25), speed = ?, fix_at = ?, recv_at = ? WHERE id = ?",
                        step if north else 0.0,
                        0.0 if north else step,
                        0.0 if parked else 35.0,
                        now(),
                        now(),
                        unit["id"],
                    )
            incidents.close_leftovers(self._store, (datetime.now(UTC) - LEFTOVER_AGE).isoformat())

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
