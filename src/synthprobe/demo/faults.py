"""The faults that can be switched on. The application's answers never hint at them."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

NAMES = (
    "avl_feed_stopped",
    "status_not_saved",
    "stream_silent",
    "search_no_index",
    "login_slow_auth",
    "search_cached",
    "board_wrong_sort",
    "error_page_200",
    "js_error_dead_button",
    "one_node_bad",
    "role_read_only",
    "hazard_missing",
)


@dataclass(frozen=True)
class Fault:
    """A fault that is on.

    Attributes:
        probability: share of the requests it hits.
        delay_ms: milliseconds, for a fault that delays.
        node: the one node it is on; every node without it.
    """

    probability: float = 1.0
    delay_ms: float | None = None
    node: str | None = None


class Faults:
    """Which faults are on."""

    def __init__(self) -> None:
        self._on: dict[str, Fault] = {}
        self._lock = threading.Lock()

    def switch(self, name: str, fault: Fault | None) -> None:
        """Switch one on or off.

        Raises:
            KeyError: when there is no such fault.
        """
        if name not in NAMES:
            raise KeyError(name)
        with self._lock:
            self._on.pop(name, None)
            if fault is not None:
                self._on[name] = fault

    def reset(self) -> None:
        """Switch all off."""
        with self._lock:
            self._on.clear()

    def hits(self, name: str, node: str = "") -> Fault | None:
        """The fault, when it hits this request."""
        fault = self._on.get(name)
        if fault is None or (fault.node and node and fault.node != node):
            return None
        return fault if fault.probability >= 1 or random.random() < fault.probability else None

    def listed(self) -> dict[str, bool]:
        """Every fault, and whether it is on."""
        return {name: name in self._on for name in NAMES}
