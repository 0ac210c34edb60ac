"""Why an exception was raised: in one word, and whether the target or the probe is its reason."""

from __future__ import annotations

import errno
import json
import os
import re
import ssl
import traceback
from collections.abc import Iterable, Iterator

from synthprobe.errors import ConfigurationError, ExpectationError, JourneyError, SecretError, TargetError, ToolError
from synthprobe.evidence.arguments import wrong_argument
from synthprobe.records.finding import Contradiction

_OF_OURS = ((SecretError, "credentials"), (ConfigurationError, "configuration"))
_OURS = frozenset({"proxy", "credentials", "machine"})
"""What keeps the probe from asking the target at all."""
_LACKING = frozenset(
    ("EACCES", "EADDRNOTAVAIL", "EDQUOT", "EFBIG", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ENOSPC", "EPERM", "EROFS")
)
"""By which the probe's own machine refuses a connection: its limits, memory, disk, ports, firewall."""
_FOR_A_STATUS = frozenset(
    (
        "aiohttp.ClientResponseError",
        "httpx.HTTPStatusError",
        "niquests.HTTPError",
        "niquests.RetryError",
        "requests.HTTPError",
        "requests.RetryError",
        "urllib.HTTPError",
    )
)
"""What clients of HTTP raise for the status of an answer, as by `raise_for_status` or when retries are used up."""
_CLIENTS = frozenset(("aiohttp", "httpx", "niquests", "playwright", "requests", "urllib3"))
_RETRIED = re.compile(r"too many (\d{3}) error responses")  # urllib3 says it nowhere else
_OF_A_CLIENT = frozenset(
    (
        "aiohttp.ClientError",
        "http.HTTPException",
        "httpx.RequestError",
        "niquests.RequestException",
        "requests.RequestException",
        "urllib.URLError",
    )
)
"""What they raise where no answer came, or none that could be read."""
_BY_NAME = (
    (("TooManyRedirects",), "redirects"),
    (("DecodingError", "EncodingError", "PayloadError", "ProcessingError", "ProtocolError"), "protocol"),
)
"""By which way none came, by how the class of the error, or of one below it, is called."""
WAITING = frozenset(
    (
        *("aiohttp", "ftplib", "grpc", "http", "httpx", "imaplib", "ldap3", "paramiko", "poplib", "psycopg", "pymongo"),
        *("pymysql", "redis", "requests", "smtplib", "socket", "ssl", "urllib", "urllib3", "websocket", "websockets"),
    )
)
"""Modules in which a journey waits for somebody else."""
_GIVEN = frozenset(
    ("builtins.ValueError", "httpx.LocalProtocolError", "httpx.UnsupportedProtocol", "requests.InvalidJSONError")
)
"""What they are also when it was asked in a way in which they ask nobody."""
NO_ANSWER = frozenset({"refused", "dns", "tls", "no connection", "protocol", "redirects", "request"})
# parts of Playwright's message, and what each says; the first that occurs counts
_LAUNCHES = ("BrowserType.", "Cannot launch", "Browser.new_context", "BrowserContext.new_page", "Failed to launch")
_ENDS = ("Executable doesn't exist", "has been closed", "connection closed", "Target crashed", "Page crashed")
_BROWSER_REASONS = (
    ((*_LAUNCHES, *_ENDS), "browser"),
    (
        (
            "ERR_INTERNET_DISCONNECTED",
            "ERR_NETWORK_CHANGED",
            "ERR_NETWORK_IO_SUSPENDED",
            "ERR_NETWORK_ACCESS_DENIED",
            "ERR_OUT_OF_MEMORY",
            "ERR_FILE_NO_SPACE",
        ),
        "machine",
    ),
    (("ERR_CONNECTION_REFUSED",), "refused"),
    (("ERR_CONNECTION_TIMED_OUT", "ERR_ADDRESS_UNREACHABLE"), "no connection"),
    (("ERR_NAME_NOT_RESOLVED",), "dns"),
    (("ERR_CERT", "ERR_SSL"), "tls"),
    (("ERR_TOO_MANY_REDIRECTS",), "redirects"),
    (("net::ERR", "Download.path: canceled", "Download.save_as: canceled"), "protocol"),
    (("Download is starting",), "expectation"),
)
# the same in the words of Playwright's own process, which sends what pages do not: page.request, route.fetch
_CLIENT_REASONS = (
    (("ECONNREFUSED",), "refused"),
    ((*_LACKING,), "machine"),
    (("ENOTFOUND", "EAI_AGAIN"), "dns"),
    (("ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"), "no connection"),
    (("certificate", "altnames", "EPROTO", "SSL", "ERR_TLS"), "tls"),
    (("Max redirect count exceeded",), "redirects"),
    (
        (
            "Proxy connection ended",
            "ECONNRESET",
            "EPIPE",
            "socket hang up",
            "Parse Error",
            "aborted",
            "premature close",
        ),
        "protocol",
    ),
)
# and in the words of libraries of Python that journeys ask by
_LIBRARY_REASONS = (
    (("Connection refused", "ECONNREFUSED", "Connect call failed"), "refused"),
    (
        (
            "Name or service not known",
            "Failed to resolve",
            "name resolution",
            "NameResolution",
            "getaddrinfo",
            "nodename",
        ),
        "dns",
    ),
    (("SSL", "certificate"), "tls"),
    (("ConnectTimeout", "Connection timeout", "timed out"), "no connection"),
    (
        (
            "IncompleteRead",
            "InvalidChunkLength",
            "ended prematurely",
            "without sending complete message",
            "payload is not completed",
            "Connection aborted",
            "reset by peer",
        ),
        "protocol",
    ),
)


def reason_of(error: BaseException) -> tuple[str, bool]:
    names = names_of(error)
    text = text_of(error)
    if isinstance(error, ExpectationError) and isinstance(error.last, TargetError) and error.last.kind in _OURS:
        return error.last.kind, True
    if isinstance(error, (TargetError, ExpectationError)):
        return error.kind, error.kind in _OURS
    if isinstance(error, ToolError):
        return error.kind, True
    if known := next((name for kind, name in _OF_OURS if isinstance(error, kind)), ""):
        return known, True
    if isinstance(error, AssertionError):
        return ("probe error", True) if _raised_by_us(error) else ("expectation", False)
    if "playwright.Error" in names:
        first = text.splitlines()[0] if text else ""  # what follows holds addresses and headers of the target
        is_client = first.startswith(("APIRequestContext.", "Route.fetch:"))
        if is_client and (kind := _first_of(_CLIENT_REASONS, first)):
            return kind, kind in _OURS
        if kind := _first_of(_BROWSER_REASONS, first):
            return kind, kind == "browser" or kind in _OURS
        return ("timeout", False) if "playwright.TimeoutError" in names else ("journey error", True)
    if status_raised(error) or is_no_json(error):
        return "expectation", False
    late = isinstance(error, TimeoutError) and not _CLIENTS.isdisjoint(_modules(error))
    if (late or _OF_A_CLIENT & names) and not _asked_wrongly(error):
        if lacking(error):
            return "machine", True
        late = late or any(name.endswith(("ReadTimeout", "WriteTimeout")) for name in names)
        return "timeout" if late and "aiohttp.ConnectionTimeoutError" not in names else "request", False
    if "synthprobe.DeadlineReached" in names or ("builtins.Failed" in names and text.startswith("Timeout")):
        return ("unresponsive", False) if _waited_for_browser(error) else ("deadline", True)
    if "builtins.Failed" in names:  # pytest.fail; pytest itself says so that a test cannot be called
        raised_in = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
        is_pytest_s = raised_in[-2:-1] == ["_pytest.fixtures"]
        return ("journey error", True) if is_pytest_s else ("expectation", False)
    if isinstance(error, JourneyError):
        return "journey error", True
    is_ours = _raised_by_us(error) and not wrong_argument(error)
    return ("probe error" if is_ours else "journey error"), True


def status_raised(error: BaseException) -> Contradiction | None:
    """The answer for whose status a client of HTTP raises an error, or what is made of one, which then carries it."""
    response = getattr(error, "response", None)
    is_carried = _status_of(response) >= 400
    if not (is_carried or _FOR_A_STATUS & names_of(error)) or is_no_json(error) or _way_by_name(error):
        return None
    answer = error if response is None else response
    retried = _RETRIED.search(text_of(error))
    status = _status_of(answer) or (int(retried[1]) if retried else 0)
    asked = getattr(answer, "request", None) or getattr(answer, "request_info", None)
    return (
        Contradiction(
            about="status",
            expected="a status below 400" if status >= 400 else "another status",
            got=f"status {status}",
            method=str(getattr(asked, "method", None) or ""),
            url=str(getattr(asked, "url", None) or ""),
            status=status,
        )
        if status
        else None
    )


def _status_of(answer: object) -> int:
    codes = (getattr(answer, name, None) for name in ("status_code", "status", "code"))
    return next((code for code in codes if isinstance(code, int)), 0)


def _asked_wrongly(error: BaseException) -> bool:
    """Whether a client refused what the journey gave it, such as a header that is no text; to send it nowhere."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    led = any("redirect" in frame.f_code.co_name and frame.f_locals.get("history", True) for frame in frames)
    return bool(_GIVEN & names_of(error)) and not led  # httpx has a history there, empty where no answer led on


def is_no_json(error: BaseException) -> bool:
    """Whether a client could not read an answer as the JSON that the journey asked it for."""
    if "aiohttp.ContentTypeError" in names_of(error):
        return True
    return isinstance(error, json.JSONDecodeError) and not _CLIENTS.isdisjoint(_modules(error))


def _modules(error: BaseException) -> Iterator[str]:
    """The packages that an error went through."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield str(frame.f_globals.get("__name__", "")).partition(".")[0]


def names_of(error: BaseException) -> set[str]:
    return {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}


def is_assertion(error: BaseException, kind: str) -> bool:
    """Whether it says what must hold, wherever it stands: in a journey's body or at a fixture's end."""
    return isinstance(error, AssertionError) or kind == "expectation"


def _first_of(reasons: Iterable[tuple[tuple[str, ...], str]], text: str) -> str:
    return next((kind for parts, kind in reasons if any(part in text for part in parts)), "")


def way_of(error: BaseException) -> str:
    """By which way no answer came, as a library of Python says it; empty where it does not."""
    return _way_by_name(error) or _first_of(_LIBRARY_REASONS, " ".join(map(text_of, wrapped(error))))


def _way_by_name(error: BaseException) -> str:
    names = [name for part in wrapped(error) for name in names_of(part)]
    return next((way for ends, way in _BY_NAME if any(name.endswith(ends) for name in names)), "")


def lacking(error: BaseException) -> str:
    """What the probe's own machine lacks, so that it refused a connection; empty when something else broke."""
    for part in wrapped(error):
        number = part.errno if isinstance(part, OSError) and not isinstance(part, ssl.SSLError) else None
        if number and errno.errorcode.get(number) in _LACKING:
            return os.strerror(number)
    return ""


def cut_off(error: BaseException) -> str:
    """How much of an answer came before it ended, where that was stated, or else how its connection did."""
    for part in wrapped(error):
        came, missing = getattr(part, "partial", None), getattr(part, "expected", None)
        came = len(came) if isinstance(came, bytes) else came
        if isinstance(came, int) and isinstance(missing, int):
            return f"{came:,} of {came + missing:,} bytes came"
    numbers = (part.errno for part in wrapped(error) if isinstance(part, ConnectionError))
    return next((os.strerror(number) for number in numbers if number), "")


def wrapped(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was made of, wherever clients of HTTP put them."""
    parts = [error]
    for part in parts:
        yield part
        below = (part.__cause__, getattr(part, "reason", None), *part.args, *getattr(part, "exceptions", ()))
        parts += [found for found in below if isinstance(found, BaseException) and found not in parts]


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:  # a foreign class may break where it describes itself
        return f"{type(error).__name__}, whose own text cannot be read ({type(trouble).__name__})"


def _raised_by_us(error: BaseException) -> bool:
    """Whether synthprobe, Playwright or its fixtures broke, and not an expectation of theirs, or who asks wrongly."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name != "__getattr__"]
    modules = [frame.f_globals.get("__name__", "") for frame in frames]
    name = modules[-1] if modules else ""
    if isinstance(error, OSError) and error.filename and name.startswith("playwright."):
        return False  # a file that the journey named
    ours = name.partition(".")[0] in {"synthprobe", "playwright", "pytest_playwright"}
    return ours and not name.endswith(("._assertions", ".canaries"))


def _waited_for_browser(error: BaseException) -> bool:
    """Whether Playwright was waiting for the page when the time was up."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith("playwright.") for frame, _ in frames)


def waited_by(error: BaseException) -> str:
    """By which client of a network the journey was waiting for an answer when the time was up."""
    return next((module for module in _modules(error) if module in WAITING), "")


def raised_by_client(error: BaseException) -> str:
    """The client of a network whose own error it is, such as that of a database, where it may have been answered so."""
    modules = (type(part).__module__.partition(".")[0] for part in wrapped(error) if not _asked_wrongly(part))
    return next((module for module in modules if module in WAITING), "")
