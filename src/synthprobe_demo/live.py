"""Live updates: what every board is told as it happens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool

from synthprobe_demo import settings
from synthprobe_demo.faults import Switches
from synthprobe_demo.store import Store, now

PING_S = 5.0
STREAM_S = 300.0


class Live:
    """The stream of one node.

    Args:
        store: where events are.
        faults: may silence it, or confuse its order.
    """

    def __init__(self, store: Store, faults: Switches) -> None:
        self._store = store
        self._faults = faults

    async def events(self, role: str, last: int | None, seconds: float = STREAM_S) -> AsyncIterator[dict[str, str]]:
        """Hello, then news and pings until the time is over; the client connects again.

        Args:
            role: who listens.
            last: the id of the last event that was heard; from now on without it.
            seconds: how long, at most five minutes.

        Yields:
            Events as Server-Sent Events want them.
        """
        if last is None:
            newest = await run_in_threadpool(self._store.all, "SELECT coalesce(max(id), 0) AS id FROM event")
            last = newest[0]["id"]
        began = time.monotonic()
        pinged = began - PING_S
        yield {"event": "system:hello", "data": json.dumps({"at": now()})}
        while time.monotonic() - began < min(seconds, STREAM_S):
            if not self._faults.hits("stream_silent"):
                for event in await run_in_threadpool(self._news, last, role):
                    last = max(last, event["id"])
                    yield {"event": event["kind"], "id": str(event["id"]), "data": json.dumps(event)}
                if time.monotonic() - pinged >= PING_S:
                    pinged = time.monotonic()
                    yield {"event": "system:ping", "data": json.dumps({"at": now()})}
            await asyncio.sleep(0.15)

    def _news(self, last: int, role: str) -> list[dict[str, Any]]:
        """Events after one, oldest first, for roles that are told."""
        news = self._store.all("SELECT * FROM event WHERE id > ? AND kind NOT LIKE 'log:%' ORDER BY id", last)
        if not news or role not in settings.value(self._store, "stream.roles").split():
            return [{"id": event["id"], "kind": "system:ping"} for event in news[-1:]]
        if self._faults.hits("event_out_of_order"):
            for event in [event for event in news if event["state"]]:
                news += self._store.all(
                    "SELECT * FROM event WHERE subject = ? AND id < ? AND state NOT IN ('', ?) "
                    "ORDER BY id DESC LIMIT 1",
                    *(event["subject"], event["id"], event["state"]),
                )
        return news
