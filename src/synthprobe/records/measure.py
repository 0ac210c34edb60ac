"""Records of the operating measures: how calm the work is, never who is good at it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

Unit = Literal["share", "minutes", "pages per shift", "pages", "days", "roles"]


class Measure(Struct, frozen=True, kw_only=True):
    """One measure.

    Attributes:
        id: what it is called in JSON.
        unit: unit of the value; a share is 0 to 1.
        n: what it was counted over.
        hits: of a share, how many of ``n``; None for other units.
        value: the figure; None when there is nothing, or too few.
        few: whether ``n`` is too small for a figure.
        known: whether what it counts was recorded at all.
        text: a sentence that says what was counted.
    """

    id: str
    name: str
    unit: Unit
    n: int
    text: str
    hits: int | None = None
    value: float | None = None
    few: bool = False
    known: bool = True

    @property
    def figure(self) -> str:
        """The value as a person reads it.

        Example:
            >>> Measure(id="x", name="X", unit="share", n=3, hits=2, few=True, text="").figure
            'too few (2 of 3)'
        """
        counted = f"{self.hits} of {self.n}" if self.hits is not None else f"n = {self.n}"
        if not self.known:
            return "not known"
        if self.few:
            return f"too few ({counted})"
        if self.value is None:
            return "none"
        if self.unit == "share":
            return f"{100 * self.value:.0f} % ({counted})"
        if self.unit == "minutes":
            return f"{self.value:+.0f} min ({counted})" if self.id == "lead" else f"{self.value:.0f} min ({counted})"
        if self.unit == "pages":
            return f"{self.value:.0f} ({counted})"
        if self.unit == "days":
            return f"{self.value:.0f} days"
        return f"{self.value:.2f} ({counted})"


class RoleShare(Struct, frozen=True, kw_only=True):
    """How much of what was resolved a role resolved.

    Attributes:
        n: incidents it resolved.
        of: incidents that any role resolved.
    """

    role: str
    n: int
    of: int


class OneHead(Struct, frozen=True, kw_only=True):
    """A failure that only one person has ever resolved, and that no runbook tells of.

    Attributes:
        incident: id of the newest incident of it, to begin a runbook from.
    """

    fingerprint: str
    incident: str
    title: str
    role: str
    times: int


class Page(Struct, frozen=True, kw_only=True):
    """A page that reached somebody."""

    at: datetime
    incidents: tuple[str, ...] = ()


class Measures(Struct, frozen=True, kw_only=True):
    """All measures of a window.

    Attributes:
        until: end of the window, UTC, not part of it.
        roles: shares by role, by name and not by rank.
        one_head: what only one head knows, the most frequent first.
    """

    target: str
    since: datetime
    until: datetime
    incidents: int
    measures: tuple[Measure, ...]
    roles: tuple[RoleShare, ...] = ()
    one_head: tuple[OneHead, ...] = ()
