"""Rows of plans and parts, inside of a transaction."""

from __future__ import annotations

import time
import zlib
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, func, select

from synthprobe.history.database import PARTS, PLANS, from_ms, upsert
from synthprobe.records.decoding import from_msgpack
from synthprobe.records.fleet import PartSeen, PartState, Place, Plan


def finish_part(connection: Connection, seen: PartSeen) -> bool:
    """Write what a part found, unless another holder has it or it is done; whether its measurements count."""
    body = msgspec.msgpack.encode(seen)
    return finish(connection, seen.place, seen.token, body, final=seen.final) and seen.final


def finish(connection: Connection, place: Place, token: int, body: bytes, *, final: bool) -> bool:
    """Write what a holder made of a part; false when another has it, or it is done."""
    now = now_ms(connection)
    row = locked(connection, place, now)
    if row.token != token or row.done_at is not None:
        return False
    changed(connection, place, body=body, done_at=now if final else None, leased_until=0)
    return True


def _here(place: Place) -> Any:
    return and_(*(PARTS.c[name] == getattr(place, name) for name in ("target", "slot", "location", "part")))


def locked(connection: Connection, place: Place, now: int) -> Row[Any]:
    """The row of a part, made when there is none, and held until the transaction ends."""
    blank = {"token": 0, "holder": "", "taken_at": now, "leased_until": 0, "note": ""}
    row = {**msgspec.structs.asdict(place), **blank}
    connection.execute(upsert(connection, PARTS).values(row).on_conflict_do_nothing())
    return connection.execute(select(PARTS).where(_here(place)).with_for_update()).one()


def changed(connection: Connection, place: Place, **values: Any) -> PartState:
    """Change the row of a part."""
    connection.execute(PARTS.update().where(_here(place)).values(values))
    return state_of(connection.execute(select(PARTS).where(_here(place))).one())


def state_of(row: Row[Any]) -> PartState:
    """How far a part is."""
    return PartState(
        place=Place(target=row.target, slot=row.slot, location=row.location, part=row.part),
        token=row.token,
        holder=row.holder,
        taken_at=from_ms(row.taken_at),
        leased_until=from_ms(row.leased_until),
        done_at=from_ms(row.done_at) if row.done_at is not None else None,
        note=row.note,
        body=bytes(row.body) if row.body else None,
    )


def read_plan(connection: Connection, *where: Any) -> Plan | None:
    """The newest plan of these."""
    body = connection.execute(select(PLANS.c.body).where(*where).order_by(PLANS.c.slot.desc()).limit(1)).scalar()
    return from_msgpack(zlib.decompress(body), Plan) if body else None


def now_ms(connection: Connection) -> int:
    """Milliseconds since 1970 by the database's clock."""
    if connection.dialect.name != "postgresql":
        return round(time.time() * 1000)
    return round(float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one()) * 1000)
