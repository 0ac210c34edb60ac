"""The position feed: moves the units on the street grid, passes on what devices report, removes what probes left."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from synthprobe_demo import incidents, jobs
from synthprobe_demo.faults import Change
from synthprobe_demo.store import Store, now

EVERY_S = 2.0
LEFTOVER_AGE = timedelta(minutes=30)
_TICK_S = 0.25
_AHEAD = timedelta(minutes=3)


def _device(unit: str, state: str, last_fix: str = "fix_at") -> Change:
    return Change(
        (f"UPDATE unit SET device = '{state}', fix_at = {last_fix}, speed = 35.0 WHERE id = '{unit}'",),
        (f"UPDATE unit SET device = '', fix_at = {_minutes(0)} WHERE id = '{unit}'",),
    )


def _minutes(shift: int) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '{shift:+d} minutes')"


CHANGES = {
    # the device fell silent a quarter of an hour before anybody looks
    "avl_one_frozen": _device("HPD-22", "dead", _minutes(-15)),
    "avl_clock_future": _device("HFD-17", "ahead", _minutes(3)),
    "parked_unit": _device("EMS-18", "parked"),
}


class Simulator(jobs.Job):
    """Drives until `stop` is called.

    Args:
        store: where the units are.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._chance = random.Random(4)

    def run(self) -> None:
        """Move every unit a little, again and again."""
        tick = 0
        while not self._end.wait(_TICK_S):
            tick += 1
            if jobs.beats(self._store, "avl-feed"):
                self._pass_on()
                if tick % (EVERY_S / _TICK_S) == 0:
                    self._drive()
            if tick % 20 == 0:
                incidents.close_leftovers(self._store, (datetime.now(UTC) - LEFTOVER_AGE).isoformat())

    def _pass_on(self) -> None:
        for row in self._store.all("SELECT rowid AS id, * FROM position_report ORDER BY rowid"):
            self._store.write(
                "UPDATE unit SET lat = ?, lng = ?, speed = ?, fix_at = ?, recv_at = ? WHERE id = ?",
                *(row["lat"], row["lng"], row["speed"], row["fix_at"], now(), row["unit"]),
            )
            self._store.write("DELETE FROM position_report WHERE rowid = ?", row["id"])

    def _drive(self) -> None:
        for unit in self._store.all("SELECT id, secondary, synthetic, device FROM unit WHERE device <> 'dead'"):
            parked = unit["secondary"] == "OnScene" or unit["synthetic"] or unit["device"] == "parked"
            step = 0.0 if parked else self._chance.choice((-0.0006, 0.0006))
            north = self._chance.random() < 0.5
            fix_at = now()
            if unit["device"] == "ahead":
                fix_at = (datetime.now(UTC) + _AHEAD).isoformat(timespec="milliseconds")
            self._store.write(
                "UPDATE unit SET lat = min(max(lat + ?, 47.585), 47.645), "
                "lng = min(max(lng + ?, -122.33), -122.25), speed = ?, fix_at = ?, recv_at = ? WHERE id = ?",
                *(step if north else 0.0, 0.0 if north else step, 0.0 if parked else 35.0, fix_at, now(), unit["id"]),
            )
