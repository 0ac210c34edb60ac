"""The faults and decoys that can be switched on. The application's answers never hint at them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from synthprobe import hooks
from synthprobe.records.incident import CauseClass


def _fault(name: str, cause: CauseClass, summary: str, *noticed_by: str) -> hooks.Fault:
    return hooks.Fault(name=name, cause=cause, summary=summary, noticed_by=noticed_by)


KINDS = (
    _fault("avl_feed_stopped", "dependency", "units stand still on the map", "unit-positions", "background-jobs"),
    _fault("avl_one_frozen", "infra", "one unit stands still on the map", "unit-positions"),
    _fault("avl_clock_future", "data", "a position was measured in the future", "unit-positions"),
    _fault("age_utc_offset", "code", "every position is two hours old", "unit-positions"),
    _fault("status_not_saved", "code", "a status is confirmed and not stored", "unit-status", "second-call"),
    _fault("status_lost_update", "code", "the slower of two writers wins unseen", "status-conflict"),
    _fault("event_out_of_order", "code", "a board goes back to an older status", "unit-status"),
    _fault("second_call_resets_status", "code", "a second call sends a unit on scene back", "second-call"),
    _fault("stream_silent", "infra", "the board stays as it is", "live-board", "second-board"),
    _fault("stream_no_worker", "infra", "live updates never begin", "live-board", "second-board"),
    _fault("stream_role_filtered", "config", "dispatchers hear of nothing new", "second-board"),
    _fault("search_no_index", "code", "search is slow", "records-search", "search-page"),
    _fault("board_n_plus_one", "code", "the board costs more with every unit", "lean-answers"),
    _fault("write_lock_periodic", "infra", "whatever is saved waits for a report", "incident-record"),
    _fault("login_slow_auth", "dependency", "logging in takes 4 s", "live-board"),
    _fault("search_cached", "config", "a new incident is not found", "records-search"),
    _fault("board_wrong_sort", "code", "the most urgent incident does not stand first", "live-board"),
    _fault("duplicate_incident", "code", "a repeated call is two incidents", "call-repeated"),
    _fault("error_page_200", "code", "an incident's data is an error page", "call-intake", "incident-record"),
    _fault("empty_200_schema_drift", "data", "nobody is found by name", "records-search", "search-page"),
    _fault("reopen_recloses", "code", "a reopened incident closes itself", "incident-reopened"),
    _fault("js_error_dead_button", "code", '"Create" does nothing', "call-intake"),
    _fault("cert_expiring", "config", "the terminals' certificate ends in days", "secure-terminals"),
    _fault("one_node_bad", "infra", "every other status or search fails", "servers-alike"),
    _fault("version_skew", "infra", "pages of one server miss their script", "servers-alike"),
    _fault("role_read_only", "config", "dispatchers cannot create incidents", "shift-start", "call-intake"),
    _fault("role_no_grants", "config", "the board is blank for dispatchers", "shift-start", "live-board"),
    _fault("recommend_flag_off", "config", "one agency is never recommended", "recommend-agencies"),
    _fault("geocode_wrong_town", "data", "an address lies in the other town", "call-intake", "address-lookup"),
    _fault("geocode_null_island", "dependency", "an address lies at 0, 0", "call-intake", "address-lookup"),
    _fault("hazard_missing", "data", "no warning of a known danger", "premise-hazard"),
    _fault("saved_filter_hides", "user", "one dispatcher's board hides incidents", "second-board"),
    _fault("wrong_unit_logon", "user", "another badge is logged on to the unit", "unit-logon"),
    _fault("password_expired", "user", "one dispatcher cannot log in", "second-board", "shift-start"),
    _fault("session_dropped", "config", "dispatchers are logged out as they save", "call-intake"),
    _fault("notify_worker_dead", "infra", "crews are not told, the page says they were", "crew-told"),
)
"""The faults. ``/healthz`` answers 200 in all of them."""

DECOYS = {
    "empty_board": "a quiet night: no incident is open",
    "parked_unit": "a parked unit with fresh positions that does not move",
    "readonly_role": "a visitor whose role may only read",
    "sort_ties": "incidents of one priority taken at the same moment",
    "slow_search": "a search by name takes 1.9 s of its 2 s",
    "cached_page": "the interval report is some seconds old, as its cache allows",
    "legitimate_reopen": "an incident was reopened, with its entry in the log",
    "old_incident": "an incident is still open after 13 hours",
    "wall_filter": "the supervisor filters the wall display",
}
"""States that look odd and are right: name, and what is to be seen. No journey may notice them."""

NAMES = tuple(kind.name for kind in KINDS)


@dataclass(frozen=True)
class Fault:
    """A fault that is on.

    Attributes:
        probability: share of the requests it hits.
        delay_ms: milliseconds, for a fault that delays.
        node: the one node it is on; every node without it.
        role: the one role it is on; every role without it.
    """

    probability: float = 1.0
    delay_ms: float | None = None
    node: str | None = None
    role: str | None = None


@dataclass(frozen=True)
class Change:
    """A state that is data: what is written when it begins, and when it ends.

    Attributes:
        begin: SQL statements.
        end: SQL statements that restore what was.
    """

    begin: tuple[str, ...]
    end: tuple[str, ...]


@dataclass(frozen=True)
class Asking:
    """Whose request is served.

    Attributes:
        node: the node that serves it.
        role: the role of who asks, once it is known.
    """

    node: str = ""
    role: str = ""


asking: ContextVar[Asking] = ContextVar("asking", default=Asking())  # noqa: B039 - it is frozen


class _Writer(Protocol):
    def write(self, sql: str, *values: object) -> int: ...


@dataclass
class Switches:
    """Which of some states are on.

    Args:
        names: the states there are.
        changes: those among them that are data.
        store: where data is changed.
    """

    names: Iterable[str] = NAMES
    changes: Mapping[str, Change] = field(default_factory=dict)
    store: _Writer | None = None

    def __post_init__(self) -> None:
        self._on: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self.switched = threading.Event()
        """Wakes who waits for a state."""

    def switch(self, name: str, fault: Fault | None) -> None:
        """Switch one on or off.

        Raises:
            KeyError: when there is no such state.
        """
        if name not in self.names:
            raise KeyError(name)
        with self._lock:
            if (name in self._on) != (fault is not None):
                self._change(name, begins=fault is not None)
            self._on.pop(name, None)
            if fault is not None:
                self._on[name] = fault
        self.switched.set()

    def reset(self) -> None:
        """Switch all off."""
        for name in tuple(self._on):
            self.switch(name, None)

    def restarted(self, name: str, node: str = "") -> None:
        """End a state of a running process, as its restart does; one of another node stays."""
        fault = self._on.get(name)
        if fault is not None and (not node or node == (fault.node or "b")):
            self.switch(name, None)

    def hits(self, name: str) -> Fault | None:
        """The fault, when it hits the request that is served."""
        fault, here = self._on.get(name), asking.get()
        if fault is None or (fault.node or here.node) != here.node or (fault.role or here.role) != here.role:
            return None
        return fault if fault.probability >= 1 or random.random() < fault.probability else None

    def listed(self) -> dict[str, bool]:
        """Every state, and whether it is on."""
        return {name: name in self._on for name in self.names}

    def _change(self, name: str, *, begins: bool) -> None:
        change = self.changes.get(name)
        if change is not None and self.store is not None:
            for sql in change.begin if begins else change.end:
                self.store.write(sql)
