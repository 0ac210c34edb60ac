"""Rows of slots that several machines look at: the plan that stands, who has which part, and what it found."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, func, select

from synthprobe.history import incidents, parts
from synthprobe.history.access import Access
from synthprobe.history.database import ATTEMPTS, JOURNEYS, PARTS, PLANS, RUNS, upsert
from synthprobe.records.decoding import from_msgpack
from synthprobe.records.fleet import CONCLUSION, Conclusion, PartState, Place, Plan

T = TypeVar("T")
_LEARNED_SLOTS = 12


class Fleet:
    """What machines that share a history agree on. Each call is a transaction, and its clock is the database's."""

    def __init__(self, store: Access) -> None:
        self._store = store

    @property
    def place(self) -> str:
        """Where it is kept, as a person may see it."""
        return self._store.place

    def now_s(self) -> float:
        """Seconds since 1970 by the database's clock."""
        return self._do(parts.now_ms, write=False) / 1000

    def keep_plan(self, plan: Plan) -> Plan:
        """Write a plan, unless the slot has another: the plan that stands."""

        def act(connection: Connection) -> Plan:
            body = zlib.compress(msgspec.msgpack.encode(plan), 3)
            row = {"target": plan.target, "slot": plan.slot, "at": parts.now_ms(connection), "body": body}
            connection.execute(upsert(connection, PLANS).values(row).on_conflict_do_nothing())
            stands = parts.read_plan(connection, PLANS.c.target == plan.target, PLANS.c.slot == plan.slot)
            assert stands is not None
            return stands

        return self._do(act)

    def plan(self, target: str, slot: int | None = None) -> Plan | None:
        """The plan of a slot, or the newest of all."""
        where = [PLANS.c.target == target, *([PLANS.c.slot == slot] if slot is not None else [])]
        return self._do(lambda connection: parts.read_plan(connection, *where), write=False)

    def durations(self, target: str) -> dict[str, float]:
        """Seconds that each journey took of late, on average over all locations."""

        def act(connection: Connection) -> dict[str, float]:
            here = RUNS.c.target == target
            newest = connection.execute(select(func.max(RUNS.c.slot)).where(here)).scalar() or 0
            learned = select(RUNS.c.no).where(here, RUNS.c.slot > newest - _LEARNED_SLOTS)
            query = (
                select(JOURNEYS.c.journey, func.avg(ATTEMPTS.c.duration_us).label("us"))
                .join(JOURNEYS, JOURNEYS.c.no == ATTEMPTS.c.journey_no)
                .where(ATTEMPTS.c.run_no.in_(learned))
                .group_by(JOURNEYS.c.journey)
            )
            return {row.journey: float(row.us) / 1e6 for row in connection.execute(query)}

        return self._do(act, write=False)

    def lease(self, place: Place, holder: str, seconds: float) -> tuple[PartState, bool]:
        """Take a part, unless somebody has it or did it: how it stands, and whether it is ours now."""

        def act(connection: Connection) -> tuple[PartState, bool]:
            now = parts.now_ms(connection)
            row = parts.locked(connection, place, now)
            if row.done_at is not None or row.leased_until > now:
                return parts.state_of(row), False
            taken = {"holder": holder, "taken_at": now, "leased_until": now + round(seconds * 1000)}
            return parts.changed(connection, place, token=row.token + 1, **taken), True

        return self._do(act)

    def renew(self, state: PartState, seconds: float) -> bool:
        """Hold a part for longer; false when another has it."""

        def act(connection: Connection) -> bool:
            now = parts.now_ms(connection)
            ours: bool = parts.locked(connection, state.place, now).token == state.token
            if ours:
                parts.changed(connection, state.place, leased_until=now + round(seconds * 1000))
            return ours

        return self._do(act)

    def leave_alone(self, place: Place, note: str) -> None:
        """Note why a worker did not look at a part that was given to it."""

        def act(connection: Connection) -> None:
            parts.locked(connection, place, parts.now_ms(connection))
            parts.changed(connection, place, note=note)

        self._do(act)

    def finish(self, state: PartState, body: bytes) -> bool:
        """Write what a holder made of what it leased; false when another has it, or it is done."""
        return self._do(lambda connection: parts.finish(connection, state.place, state.token, body, final=True))

    def parts(self, target: str, slot: int) -> list[PartState]:
        """How far the parts of a slot are, the conclusion among them."""
        query = select(PARTS).where(PARTS.c.target == target, PARTS.c.slot == slot)
        query = query.order_by(PARTS.c.location, PARTS.c.part)
        return self._do(lambda connection: [parts.state_of(row) for row in connection.execute(query)], write=False)

    def conclusion(self, target: str, slot: int) -> Conclusion | None:
        """What was concluded of a slot."""
        here = (PARTS.c.target == target, PARTS.c.slot == slot, PARTS.c.part == CONCLUSION)
        body = self._do(lambda c: c.execute(select(PARTS.c.body).where(*here)).scalar(), write=False)
        return from_msgpack(body, Conclusion) if body else None

    def letters(self, topics: Collection[str] | None = None, *, waiting: bool = False) -> list[str]:
        """All messages of every machine that concluded slots, or those about some topics, and those that wait."""
        return self._do(lambda c: incidents.read_letters(c, topics, waiting=waiting), write=False)

    def put_letter(self, id: str, at: datetime, done: datetime | None, body: str, topics: Collection[str]) -> None:
        """Write a message and what became of it."""
        self._do(lambda connection: incidents.write_letter(connection, id, at, done, body, topics))

    def _do(self, act: Callable[[Connection], T], *, write: bool = True) -> T:
        return self._store.do(act, write=write)
