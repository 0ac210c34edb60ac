"""Evidence: what was seen while a step ran. Built only by `synthprobe.evidence`, redacted where it is born."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from typing import Literal

from msgspec import Struct

from synthprobe.records.journey import OwnName

SLOW_MS = 1000.0
"""Milliseconds from which an answer counts as slow."""

MANY_QUERIES = 40
"""Queries of one answer that are too many, whatever it shows."""

Credentials = Literal["", "password", "token", "cookie"]
"""By what a request let itself be known: a password or code that was sent, a token, a cookie, or nothing."""

EvidenceKind = Literal[
    "trace",
    "screenshot",
    "last-good",
    "image-diff",
    "console",
    "network",
    "exchanges",
    "timings",
    "repeat",
    "video",
    "text",
]


class Evidence(Struct, frozen=True, kw_only=True):
    """One kept piece of evidence, a file beside the result.

    Attributes:
        title: what a person reads, for example ``"screenshot of the board"``.
        path: relative to the run's folder; empty when it was withheld.
        size: bytes.
        withheld: why there is no file, as a sentence; empty when there is one.
    """

    kind: EvidenceKind
    title: str
    media_type: OwnName
    path: OwnName = ""
    size: int = 0
    withheld: str = ""


class ServerTiming(Struct, frozen=True, kw_only=True):
    """One metric of a ``Server-Timing`` header (https://www.w3.org/TR/server-timing/).

    Attributes:
        duration_ms: milliseconds, 0 when the server gave none.
        description: the metric's description, for example ``n=14``.
        calls: how often the operation ran, where the description says so; 0 when it does not.
    """

    name: str
    duration_ms: float = 0.0
    description: str = ""
    calls: int = 0


class StatedError(Struct, frozen=True, kw_only=True):
    """What an answer says went wrong, although its status does not.

    Attributes:
        code: how it calls the error: a number or a name; empty when it does not.
        message: what it says of it, shortened.
    """

    code: str = ""
    message: str = ""


class Exchange(Struct, frozen=True, kw_only=True):
    """One HTTP request and its answer, already redacted.

    Attributes:
        step: title of the step it happened in, empty outside any step.
        request_body: as sent, secrets masked, cut at the evidence limit.
        status: the answer's status code; 0 when there was no answer.
        duration_ms: milliseconds from sending to the last byte.
        size: bytes of the answer's body after decoding.
        error: why there was no answer, as a sentence.
        account: the account that it logged in as, where it sent its name.
        operation: which of many an address serves it asks for: the method of JSON-RPC, the operation of GraphQL, what a
            front controller is told to do; of a batch the first that went wrong.
        stated: the error that it states in an answer below 400.
    """

    step: str
    method: str
    url: str
    request_headers: dict[str, str]
    request_body: str
    status: int
    response_headers: dict[str, str]
    response_body: str
    started_at: datetime
    duration_ms: float
    size: int = 0
    server_timing: tuple[ServerTiming, ...] = ()
    traceparent: str = ""
    error: str = ""
    credentials: Credentials = ""
    account: str = ""
    operation: str = ""
    stated: StatedError | None = None

    def curl(self) -> str:
        """The command that repeats this request, with secrets masked."""
        parts = ["curl", "-sS", "-i", "-X", self.method, self.url]
        for name, value in self.request_headers.items():
            if name.lower() not in {"accept-encoding", "connection", "content-length", "traceparent", "user-agent"}:
                parts += ["-H", f"{name}: {value}"]
        if self.request_body:
            parts += ["--data-binary", self.request_body]
        return shlex.join(parts)


DIALOG = "dialog "
"""Begins the kind of a console's message that is a dialog."""


class ConsoleMessage(Struct, frozen=True, kw_only=True):
    """A browser console message or an uncaught page error.

    Attributes:
        kind: ``error``, ``warning``, ``log`` ..., ``page error``, or ``dialog`` and of which kind.
        location: where the script stands.
    """

    kind: str
    text: str
    location: str
    page: str
    at: datetime


class NetworkRequest(Struct, frozen=True, kw_only=True):
    """A browser request that failed or was slow.

    Attributes:
        status: the answer's status code; 0 when there was none.
        node: the target's ``X-Node`` header, when it sends one.
        build: the target's ``X-Build`` header, when it sends one.
        phases: milliseconds of each part of it: ``dns``, ``connect``, ``tls``, ``wait`` and ``body``.
    """

    method: str
    url: str
    status: int
    duration_ms: float
    resource_type: str
    error: str = ""
    server_timing: tuple[ServerTiming, ...] = ()
    node: str = ""
    build: str = ""
    content_type: str = ""
    credentials: Credentials = ""
    account: str = ""
    operation: str = ""
    stated: StatedError | None = None
    phases: dict[str, float] = {}
    at: datetime | None = None

    def says_something(self, slow_ms: float) -> bool:
        """Whether it failed or was slow."""
        return bool(self.error) or self.status >= 400 or self.duration_ms >= slow_ms


class SeenRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request near a failure, as short as a row of a waterfall needs it.

    Attributes:
        path: the address's path, without host and query.
        after_s: seconds from the attempt's begin.
    """

    method: str
    path: str
    status: int
    after_s: float
    duration_s: float
    error: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """One answer of the target, as short as triage needs it.

    Attributes:
        by: ``api`` when the journey asked, ``page`` when the browser did.
        path: the address's path, without host and query.
        age_s: seconds the answer lay in a cache, from its ``Age`` header.
        reason: first words of an answer that refuses, or why there was none, or none that could be read whole.
        stated: the error that an answer below 400 states all the same.
        phases: milliseconds of each part of it, as far as they were measured.
        host: the host and port that were asked, where they are not the target's.
    """

    by: Literal["api", "page"]
    method: str
    path: str
    status: int
    step: str = ""
    node: str = ""
    build: str = ""
    content_type: str = ""
    duration_ms: float = 0.0
    age_s: float = 0.0
    server_timing: tuple[ServerTiming, ...] = ()
    reason: str = ""
    resource: str = ""
    credentials: Credentials = ""
    account: str = ""
    operation: str = ""
    stated: StatedError | None = None
    phases: dict[str, float] = {}
    host: str = ""

    @property
    def place(self) -> str:
        """Its path, and which of many operations that it serves."""
        return f"{self.path or '/'}#{self.operation}" if self.operation else self.path or "/"

    @property
    def is_well(self) -> bool:
        """Whether it came whole, and neither refuses nor states an error."""
        return 0 < self.status < 400 and not self.reason and self.stated is None


_NAMED = re.compile(r'^[a-z]+ "((?:[^"\\]|\\.)+)"')
_TEXT = re.compile(r'^.*?: (?:"(.*)"|(.*))$')


def text_of(line: str) -> str:
    r"""The words of a line of an outline: the name of what stands there, or its text; empty where it has none.

    Example:
        >>> text_of(r'heading "Open \"now\"" [level=2]'), text_of(r'text: "Closed: \"later\""'), text_of("text: Sold")
        ('Open "now"', 'Closed: "later"', 'Sold')
    """
    found = _NAMED.match(line) or _TEXT.match(line)
    return next(filter(None, found.groups()), "").strip().replace('\\"', '"') if found else ""


class PageSeen(Struct, frozen=True, kw_only=True):
    """What a page showed when the journey broke.

    Attributes:
        path: where it was, with the route that an application of one page keeps in the fragment.
        outline: its accessible outline, a line for each element, outermost first: ``button "Sign in" [disabled]``.
        asks_password: whether a field for a password can be seen.
        warnings: texts that the page marks as such: alerts, open dialogs, and what belongs to fields that are invalid.
        unusual: lines of the outline whose words no page of the journey had when its steps were well; nothing where
            that is not known.
        host: host and port, where they are not the target's.
    """

    path: str
    outline: tuple[str, ...] = ()
    asks_password: bool = False
    warnings: tuple[str, ...] = ()
    unusual: tuple[str, ...] | None = None
    host: str = ""

    @property
    def place(self) -> str:
        """Where it was: its path, after the host where that is not the target's."""
        return f"{self.host}{self.path}"


class Dialog(Struct, frozen=True, kw_only=True):
    """A dialog that a page opened in the broken step.

    Attributes:
        kind: ``alert``, ``confirm``, ``prompt`` or ``beforeunload``.
    """

    kind: str
    text: str


class NodeCount(Struct, frozen=True, kw_only=True):
    """How one node of the target answered.

    Attributes:
        broken: answers that were a server error.
    """

    node: str
    answers: int
    broken: int


class Age(Struct, frozen=True, kw_only=True):
    """One measured age of data.

    Attributes:
        age_s: seconds; negative when it comes from the future.
        limit_s: seconds it may be old.
    """

    what: str
    age_s: float
    limit_s: float


class Facts(Struct, frozen=True, kw_only=True):
    """The evidence of one attempt, short enough to judge by and to keep for ever.

    Of an attempt that passed, it is what was refused, broken or thrown all the same, and where credentials were sent.

    Attributes:
        answers: in their order, those that say most: refused, broken or slow ones, and those of the broken step.
        page_errors: first line of each uncaught error of a page.
        dialogs: those that pages opened in the broken step.
    """

    answers: tuple[Answer, ...] = ()
    nodes: tuple[NodeCount, ...] = ()
    builds: tuple[str, ...] = ()
    page_errors: tuple[str, ...] = ()
    ages: tuple[Age, ...] = ()
    pages: tuple[PageSeen, ...] = ()
    dialogs: tuple[Dialog, ...] = ()
