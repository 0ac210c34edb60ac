"""What an exception says about the target, or about us, in the words of Playwright and of OpenSSL, too."""

from __future__ import annotations

import errno
import json
import os
import re
import ssl
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec

from synthprobe import words
from synthprobe.errors import (
    ConfigurationError,
    ExpectationError,
    JourneyError,
    SecretError,
    TargetError,
    ToolError,
)
from synthprobe.evidence.cap import capped
from synthprobe.evidence.locators import locator_in, sought_in, under_way_in
from synthprobe.evidence.redaction import masked_record
from synthprobe.records.finding import About, Contradiction, Finding, Refusal
from synthprobe.records.result import Failure

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_ASKED = re.compile(r"(?:net::ERR_\w+ at|- \S ([A-Z]+)) (https?://\S+)")
_ANSWERED = re.compile(r"^\s*- \S (\d{3})\b", re.MULTILINE)
_MESSAGE_LINES = 14
_OF_OURS = ((SecretError, "credentials"), (ConfigurationError, "configuration"), (ToolError, "browser"))
_SHOWN = re.compile(r"^Actual value:(.*?)(?=^(?:Error|Call log|Aria snapshot):|\Z)", re.DOTALL | re.MULTILINE)
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
        "aiohttp.ClientConnectionError",
        "http.HTTPException",
        "httpx.TransportError",
        "niquests.RequestException",
        "requests.RequestException",
        "urllib.URLError",
    )
)
"""What they raise where no answer came."""
_GIVEN = frozenset(("builtins.ValueError", "httpx.UnsupportedProtocol", "requests.InvalidJSONError"))
"""What they are also when it was asked in a way in which they ask nobody."""
_NO_DOWNLOAD = (
    "A Playwright that a journey starts itself knows its own download only, which is not there. Use the fixtures page, "
    "browser or playwright, which know the others, or get it with: playwright install chromium"
)
_NO_ANSWER = frozenset({"refused", "dns", "tls", "no connection", "protocol", "redirects", "request"})

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
    (("ConnectTimeout", "timed out"), "no connection"),
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


def describe_failure(error: BaseException, *, detail: str, step: str, phase: str) -> Failure:
    """Say what an exception means."""
    parts = _parts(error)
    reasons = [(*_reason(part), part) for part in parts]
    kind, ours, error = min(reasons, key=lambda reason: reason[1])  # what is the target's is told first
    if kind == "unresponsive" and phase == "setup":
        kind, ours = "deadline", True
    if phase == "teardown" and kind != "browser" and (ours or not _is_assertion(error, kind)):
        kind, ours = "browser" if kind == "unresponsive" else "cleanup", True
    parts.sort(key=lambda part: part is not error)
    text = "\n".join(_ANSI.sub("", capped(_text(part))).strip() or type(part).__name__ for part in parts)
    if kind == "unresponsive":
        text = f"The page did not answer until the journey's deadline. {text}"
    if kind == "expectation" and _is_no_json(error):
        text = f"An answer is no JSON, as which the journey reads it: {text}"
    if kind == "probe error":
        text = f"The probe itself broke with {type(error).__name__}: {text}\nSee what is wrong with: synthprobe doctor"
    if kind == "browser" and ("BrowserType.launch" in text or "Cannot launch" in text):
        is_missing = "Executable doesn't exist" in text
        what = _NO_DOWNLOAD if is_missing else "See which one it is, or get one that fits: synthprobe doctor --fix"
        text = f"The browser did not start. {what}\n{text}"
    finding = _finding(error)
    if finding is None and kind in _NO_ANSWER:
        certificate = certificate_fault(text) if kind == "tls" else ""
        why = way_of(text) if kind == "request" else ""
        method, asked, status = _asked_for(error, text)
        is_logged = "playwright.Error" in _names(error) and asked not in text.partition("\n")[0]
        under_way = f"asking {asked.partition('?')[0]}" if is_logged else ""
        refusal = Refusal(kind=why or kind, url=asked, certificate=certificate)
        if method and refusal.kind == "protocol":
            reason = cut_off(error) or text.partition("\n")[0]
            refusal = msgspec.structs.replace(refusal, method=method, status=status, reason=reason.rstrip("."))
            named = msgspec.structs.replace(refusal, url=asked.partition("?")[0])
            text, under_way = f"{words.refused(named)}\n{text}", ""
        finding = Finding(refusal=refusal, under_way=under_way)
        text = f"{certificate}\n{text}" if certificate else text
    if kind == "journey error" and not isinstance(error, JourneyError):
        fixture: str = getattr(error, "argname", "") if type(error).__name__ == "FixtureLookupError" else ""
        text = f"The journey itself broke with {type(error).__name__}: {text}"
        if fixture:
            text = f"It asks for the fixture {fixture!r}, and nothing here gives it. Those there are: pytest --fixtures"
        if "running event loop" in text:  # Playwright's own, as long as a browser is open
            text += "\nBeside a page, asyncio needs a thread of its own: pool.submit(asyncio.run, main()).result()"
    return Failure(
        kind=kind,
        ours=ours,
        message="\n".join(text.splitlines()[:_MESSAGE_LINES]),
        detail=_ANSI.sub("", capped(detail)),
        step=step,
        phase=phase,
        finding=masked_record(finding, capped),
    )


def _finding(error: BaseException) -> Finding | None:
    """What an exception knows besides its words; of Playwright's own expectations, what its words say."""
    if isinstance(error, ExpectationError) and error.finding and error.last is not None:
        return msgspec.structs.replace(_finding(error.last) or Finding(), wait=error.finding.wait)
    if isinstance(error, (ExpectationError, TargetError)):
        return error.finding
    if answered := _status_raised(error):
        return Finding(contradiction=answered) if answered.method else None
    first, *rest = _ANSI.sub("", _text(error)).strip().splitlines() or [""]
    found = _SHOWN.search("\n".join(rest))
    shown = " ".join(found[1].split()) if found else ""
    sought = sought_in(first, rest)
    if not shown or not first.startswith(("Locator expected", "Page title expected", "Page URL expected")):
        under_way = "" if sought else under_way_in(rest)
        return Finding(sought=sought, under_way=under_way) if sought or under_way else None
    got = "" if shown == "None" else shown
    about: About = "locator" if first.startswith("Locator") else "page"
    wrong = Contradiction(about=about, expected=first, got=got, locator=locator_in(rest))
    return Finding(contradiction=wrong, sought=sought)


def _parts(error: BaseException) -> list[BaseException]:
    """What several fixtures, tasks or soft expectations raised together, one by one."""
    if isinstance(error, BaseExceptionGroup):
        return [part for exception in error.exceptions for part in _parts(exception)]
    cause = error.__cause__
    while cause is not None and _reason(error)[0] == "journey error":
        if not _reason(cause)[1]:
            return [cause]  # a library that tries again, for example, wraps what it found in an error of its own
        cause = cause.__cause__
    return [error]


def _status_raised(error: BaseException) -> Contradiction | None:
    """The answer for whose status a client of HTTP raises an error."""
    if not _FOR_A_STATUS & _names(error):
        return None
    response = getattr(error, "response", None)
    answer = error if response is None else response
    codes = (getattr(answer, name, None) for name in ("status_code", "status", "code"))
    retried = _RETRIED.search(_text(error))
    status = next((code for code in codes if isinstance(code, int)), int(retried[1]) if retried else 0)
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


def _asked_wrongly(error: BaseException) -> bool:
    """Whether a client refused what the journey gave it, such as a header that is no text; to send it nowhere."""
    functions = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(_GIVEN & _names(error)) and not any("redirect" in name for name in functions)  # an answer's address


def _is_no_json(error: BaseException) -> bool:
    """Whether a client could not read an answer as the JSON that the journey asked it for."""
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, json.JSONDecodeError) and any(name.partition(".")[0] in _CLIENTS for name in modules)


def _asked_for(error: BaseException, text: str) -> tuple[str, str, int]:
    """What gave no whole answer, as a client's error or Playwright's log names it: method, address and status."""
    with suppress(RuntimeError):  # of httpx, where nothing was asked yet
        request, answer = getattr(error, "request", None), getattr(error, "response", None)
        if url := getattr(request, "url", None):
            status = getattr(answer, "status_code", 0)
            return str(getattr(request, "method", None) or ""), str(url), status if isinstance(status, int) else 0
    frames = (frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__))
    if download := next((own for own in frames if type(own).__name__ == "Download"), None):
        return "GET", str(download.url), 0
    asked = _ASKED.search(text)
    return (asked[1] or "", asked[2], status_logged(text)) if asked else ("", "", 0)


def status_logged(text: str) -> int:
    """The status of the last answer in the log of Playwright's client; 0 where none came."""
    answered = _ANSWERED.findall(text)
    return int(answered[-1]) if answered else 0


def _names(error: BaseException) -> set[str]:
    return {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}


def _is_assertion(error: BaseException, kind: str) -> bool:
    """Whether it says what must hold, wherever it stands: in a journey's body or at a fixture's end."""
    return isinstance(error, AssertionError) or kind == "expectation"


def _first_of(reasons: Iterable[tuple[tuple[str, ...], str]], text: str) -> str:
    return next((kind for parts, kind in reasons if any(part in text for part in parts)), "")


def way_of(words: str) -> str:
    """By which way no answer came, in the words of a library of Python; empty where they do not say."""
    return _first_of(_LIBRARY_REASONS, words)


def _reason(error: BaseException) -> tuple[str, bool]:
    names = _names(error)
    text = _text(error)
    if isinstance(error, ExpectationError) and isinstance(error.last, TargetError) and error.last.kind in _OURS:
        return error.last.kind, True
    if isinstance(error, (TargetError, ExpectationError)):
        return error.kind, error.kind in _OURS
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
    if _status_raised(error):
        return "expectation", False
    if _is_no_json(error):
        return "expectation", False
    if _OF_A_CLIENT & names and not _asked_wrongly(error):
        if lacking(error):
            return "machine", True
        late = any(name.endswith(("ReadTimeout", "ServerTimeoutError")) for name in names)
        return "timeout" if late else "request", False
    if "synthprobe.DeadlineReached" in names or ("builtins.Failed" in names and text.startswith("Timeout")):
        return ("unresponsive", False) if _waited_for_browser(error) else ("deadline", True)
    if "builtins.Failed" in names:  # pytest.fail; pytest itself says so that a test cannot be called
        raised_in = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
        is_pytest_s = raised_in[-2:-1] == ["_pytest.fixtures"]
        return ("journey error", True) if is_pytest_s else ("expectation", False)
    if isinstance(error, JourneyError):
        return "journey error", True
    return ("probe error" if _raised_by_us(error) else "journey error"), True


def lacking(error: BaseException) -> str:
    """What the probe's own machine lacks, so that it refused a connection; empty when something else broke."""
    for part in _wrapped(error):
        number = part.errno if isinstance(part, OSError) and not isinstance(part, ssl.SSLError) else None
        if number and errno.errorcode.get(number) in _LACKING:
            return os.strerror(number)
    return ""


def cut_off(error: BaseException) -> str:
    """How much of an answer came before it ended, where its length was stated; empty where that is not known."""
    for part in _wrapped(error):
        came, missing = getattr(part, "partial", None), getattr(part, "expected", None)
        came = len(came) if isinstance(came, bytes) else came
        if isinstance(came, int) and isinstance(missing, int):
            return f"{came:,} of {came + missing:,} bytes came"
    return ""


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was made of, wherever clients of HTTP put them."""
    parts = [error]
    for part in parts:
        yield part
        below = (part.__cause__, getattr(part, "reason", None), *part.args)
        parts += [found for found in below if isinstance(found, BaseException) and found not in parts]


def _text(error: BaseException) -> str:
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


def leak_failure(files: Sequence[str], failure: Failure | None, *, step: str = "") -> Failure:
    """The failure of an attempt whose evidence still held a secret after redaction."""
    known = failure or Failure(kind="redaction", ours=True, message="", detail="", step=step, phase="call")
    message = (
        f"A secret was still in {', '.join(files)} after redaction, so it is withheld. "
        "Look for the form it took with synthprobe doctor leaks, and report it."
    )
    before = f"\nThe journey itself: {failure.kind}: {failure.message}" if failure else ""
    return msgspec.structs.replace(known, kind="redaction", ours=True, message=message + before)


_FAULTS = (
    (
        (
            "AUTHORITY_INVALID",
            "self-signed",
            "self signed",
            "unable to get local issuer",
            "unable to verify the first",
            "unable to get issuer certificate",
        ),
        "Its certificate is signed by an authority that is not known here. Name your own "
        "authority by ca_file of the target, or by REQUESTS_CA_BUNDLE or SSL_CERT_FILE.",
    ),
    (("DATE_INVALID", "has expired", "not yet valid"), "Its certificate has expired, or is not valid yet."),
    (
        (
            "COMMON_NAME_INVALID",
            "Hostname mismatch",
            "IP address mismatch",
            "does not match certificate",
            "doesn't match",
        ),
        "Its certificate is for another name.",
    ),
    (("CERT_REVOKED", "certificate revoked"), "Its certificate was revoked."),
)


def certificate_fault(text: str) -> str:
    """Say what is wrong with a certificate."""
    return next((sentence for parts, sentence in _FAULTS if any(part in text for part in parts)), "")
