"""Background jobs: positions, crew messages, housekeeping, the hourly report. Each has a heartbeat."""

from __future__ import annotations

import threading
import time
from typing import Any

from synthprobe_demo import incidents
from synthprobe_demo.faults import Change, Switches
from synthprobe_demo.store import Store, now

NAMES = ("avl-feed", "notify", "housekeeping")
EVERY_S = 0.4
_LOCK_S = 4.0
_PAUSE_S = 0.02


def _stuck(job: str) -> Change:
    sql = "UPDATE job SET state = '{}' WHERE name = '{}'"
    return Change((sql.format("stuck", job),), (sql.format("running", job),))


CHANGES = {"avl_feed_stopped": _stuck("avl-feed"), "notify_worker_dead": _stuck("notify")}


def create(store: Store) -> None:
    """Register the jobs."""
    store.fill("INSERT INTO job VALUES (?, 'running', ?)", [(name, now()) for name in NAMES])


def listed(store: Store) -> list[dict[str, Any]]:
    """Every job: when it last ran, and how much waits for it."""
    waiting = {
        "avl-feed": store.all("SELECT count(*) AS n FROM position_report"),
        "notify": store.all("SELECT count(*) AS n FROM message WHERE sent_at IS NULL"),
    }
    rows = store.all("SELECT name, beat_at FROM job ORDER BY name")
    return [{**row, "waiting": waiting[row["name"]][0]["n"] if row["name"] in waiting else 0} for row in rows]


def restart(store: Store, name: str, author: str) -> bool:
    """Restart a job; whether there is one."""
    done = store.write("UPDATE job SET state = 'running' WHERE name = ?", name)
    if done:
        store.event("job:restart", name, f"{author} restarted {name}")
    return bool(done)


def beats(store: Store, name: str) -> bool:
    """Whether a job may work now; writes its heartbeat when it may."""
    return bool(store.write("UPDATE job SET beat_at = ? WHERE name = ? AND state = 'running'", now(), name))


class Job(threading.Thread):
    """Works in the background until `stop` is called.

    Args:
        store: what it works on.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self._store = store
        self._end = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._end.set()


class Messages(Job):
    """Delivers messages to crews, and keeps house."""

    def run(self) -> None:
        """Work until `stop` is called."""
        while not self._end.wait(EVERY_S):
            if self._store.first_row("SELECT 1 FROM message WHERE sent_at IS NULL") is None:
                beats(self._store, "notify")
            elif beats(self._store, "notify"):
                self._store.write("UPDATE message SET sent_at = ? WHERE sent_at IS NULL", now())
            # An incident with a disposition is done, whoever forgot to close it.
            incidents.close_disposed(self._store)
            beats(self._store, "housekeeping")


class Report(Job):
    """The hourly report; it reads a snapshot, unless it was written to lock the tables.

    Args:
        store: what it reports on.
        faults: may make it lock.
    """

    def __init__(self, store: Store, faults: Switches) -> None:
        super().__init__(store)
        self._faults = faults

    def run(self) -> None:
        """Report until `stop` is called."""
        while not self._end.wait(_PAUSE_S):
            self._faults.switched.clear()
            if fault := self._faults.hits("write_lock_periodic"):
                with self._store.locked():
                    until = time.monotonic() + (fault.delay_ms or _LOCK_S * 1000) / 1000
                    while time.monotonic() < until and not self._end.wait(0.05):
                        if not self._faults.hits("write_lock_periodic"):
                            break
            elif not self._end.is_set():
                self._faults.switched.wait()

    def stop(self) -> None:
        """End the thread."""
        super().stop()
        self._faults.switched.set()
