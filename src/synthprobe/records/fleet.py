"""A slot that several machines look at: its plan, its parts, what each location saw, and what was concluded."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec
from msgspec import Struct

from synthprobe.records.decoding import from_msgpack
from synthprobe.records.journey import Journey
from synthprobe.records.verdict import JourneyVerdict

CONCLUSION = 0
"""Number of the part that is the conclusion itself; parts begin at 1."""


class PlannedPart(Struct, frozen=True, kw_only=True):
    """A part of a slot, which is looked at from every location.

    Attributes:
        number: 1 for the first.
        expected_s: seconds they take one after the other, by what was learned.
    """

    number: int
    journeys: tuple[Journey, ...]
    expected_s: float


class Plan(Struct, frozen=True, kw_only=True):
    """What is looked at in a slot, by whom, and how many must agree.

    Attributes:
        revision: hash of the source that the journeys were read from.
        parts: the parts, the longest first.
        locations: from where each part is looked at; empty when every location that comes may look.
        quorum: how many locations must say that a journey failed; 0 for a majority of those that looked.
        version: of synthprobe, by which it was made; empty when it is not known.
    """

    target: str
    slot: int
    revision: str
    parts: tuple[PlannedPart, ...]
    locations: tuple[str, ...] = ()
    quorum: int = 0
    not_due: tuple[Journey, ...] = ()
    version: str = ""

    @property
    def digest(self) -> str:
        """What tells two plans apart: 12 hexadecimal digits."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]

    @property
    def journeys(self) -> tuple[Journey, ...]:
        """Every journey of the plan."""
        return tuple(journey for part in self.parts for journey in part.journeys)


class Place(Struct, frozen=True, kw_only=True):
    """One part, looked at from one location: what is leased, and judged once.

    Attributes:
        location: from where; empty for the conclusion.
        part: the part's number; 0 is the conclusion.
    """

    target: str
    slot: int
    location: str
    part: int


class PartSeen(Struct, frozen=True, kw_only=True):
    """What a part says: the outcomes in short, and in full what did not simply pass.

    Attributes:
        token: of the lease under which it was looked at.
        final: whether it counts; otherwise nothing could be looked at, and another worker may try.
        passed: ids of the journeys that simply passed.
        files: where published evidence stands, by its path in the records.
    """

    place: Place
    token: int
    final: bool
    passed: tuple[str, ...]
    others: tuple[JourneyVerdict, ...]
    run_id: str
    finished_at: datetime
    build: str = ""
    notes: tuple[str, ...] = ()
    files: dict[str, str] = {}


class PartState(Struct, frozen=True, kw_only=True):
    """How far a part is, as the shared history knows it.

    Attributes:
        token: grows with each holder, so that one that was overtaken is not believed.
        note: why a worker left it alone, as a sentence; empty when none did.
        body: the result, as `PartSeen`; nothing until there is one.
    """

    place: Place
    token: int
    holder: str
    taken_at: datetime
    leased_until: datetime
    done_at: datetime | None = None
    note: str = ""
    body: bytes | None = None

    @property
    def seen(self) -> PartSeen | None:
        """The result, if there is one."""
        return from_msgpack(self.body, PartSeen) if self.body else None


class Conclusion(Struct, frozen=True, kw_only=True):
    """What is remembered of a conclusion.

    Attributes:
        blind: locations from which nothing could be looked at.
    """

    run_id: str
    exit_code: int
    blind: tuple[str, ...] = ()
