"""What was found out where an expectation broke: figures and texts as observed. `synthprobe.words` makes sentences."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from synthprobe.records.journey import OwnName

About = Literal["status", "json", "fields", "schema", "header", "time", "locator", "page"]
"""What of an answer or a page was looked at."""


class Contradiction(Struct, frozen=True, kw_only=True):
    """The target answered, and otherwise than the journey expects.

    Attributes:
        about: what was looked at: the status code, whether the body is JSON, its fields, its schema, what stands
            around it (a header, the certificate), the time the answer took, an element of a page, or its title or
            address.
        expected: in a few words, for example ``status 200``.
        got: what was there instead; one line for each field or place that differs.
        locator: how the element was looked for, as Playwright writes it; empty elsewhere.
        asked_url: the address that the journey asked for, where it led to another; empty where it did not.
        misshapen: whether a field is missing or holds another kind of value, so that nothing is said of its value.
    """

    about: About
    expected: str
    got: str
    method: str = ""
    url: str = ""
    status: int = 0
    locator: str = ""
    asked_url: str = ""
    misshapen: bool = False


class Refusal(Struct, frozen=True, kw_only=True):
    """The target gave no answer that can be judged.

    Attributes:
        kind: ``refused``, ``dns``, ``tls``, ``no connection``, ``protocol``, ``request`` or ``deadline``.
        phase: what was under way when the time was up: ``connecting``, ``handshake`` or ``answer``.
        within_s: seconds there were; 0 when time was not the reason.
        certificate: what is wrong with the target's certificate, as a sentence; empty when it is not that.
        status: the status code of an answer that could not be read whole; 0 when there was none.
    """

    kind: OwnName
    method: str = ""
    url: str = ""
    phase: OwnName = ""
    within_s: float = 0.0
    tried: tuple[str, ...] = ()
    certificate: str = ""
    reason: str = ""
    status: int = 0


class Throttled(Struct, frozen=True, kw_only=True):
    """The target asked to be left alone for a while.

    Attributes:
        after: its ``Retry-After`` header: seconds, or a date.
    """

    status: int
    after: str


class Skew(Struct, frozen=True, kw_only=True):
    """A time that lies in the future.

    Attributes:
        ahead_s: seconds from now, by the target's clock where it is known.
        clock_s: seconds the target's clock is ahead of the probe's, as far as known.
    """

    what: str
    ahead_s: float
    clock_s: float = 0.0


class Wait(Struct, frozen=True, kw_only=True):
    """Something was waited for, and did not come.

    Attributes:
        reason: why it did not hold at the last one.
        seen: each reason, and how often it was seen.
    """

    within_s: float
    attempts: int
    reason: str
    seen: tuple[tuple[str, int], ...] = ()


Sight = Literal["absent", "hidden", "disabled", "covered", "moving", "outside", "replaced"]
"""How an element was that a journey looked for."""


class Sought(Struct, frozen=True, kw_only=True):
    """An element of a page that a journey looked for and could not use.

    Attributes:
        locator: how it was looked for, as Playwright writes it.
        by: the element that covers it, as HTML; empty when none does.
    """

    locator: str
    sight: Sight
    within_s: float = 0.0
    by: str = ""


class Finding(Struct, frozen=True, kw_only=True):
    """What is known of why an expectation broke, where more than a sentence is known.

    Attributes:
        under_way: what Playwright's log says was asked or waited for, where its message does not.
        client: the library by which the journey asked somebody, where that raised what ended it, or was waiting.

    Example:
        >>> Finding(skew=Skew(what="position", ahead_s=731.0)).skew.ahead_s
        731.0
    """

    contradiction: Contradiction | None = None
    refusal: Refusal | None = None
    throttled: Throttled | None = None
    skew: Skew | None = None
    wait: Wait | None = None
    sought: Sought | None = None
    under_way: str = ""
    client: str = ""
