"""What an exception says about the target, or about us, in the words of Playwright and of OpenSSL, too."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from synthprobe import words
from synthprobe.errors import (
    ExpectationError,
    JourneyError,
    TargetError,
)
from synthprobe.evidence.arguments import wrong_argument
from synthprobe.evidence.cap import capped
from synthprobe.evidence.html_pages import pages_named
from synthprobe.evidence.locators import locator_in, sought_in, under_way_in
from synthprobe.evidence.reasons import (
    NO_ANSWER,
    cut_off,
    is_assertion,
    is_no_json,
    names_of,
    raised_by_client,
    reason_of,
    status_raised,
    text_of,
    waited_by,
    way_of,
)
from synthprobe.evidence.redaction import masked_record
from synthprobe.evidence.unanswered import unanswered
from synthprobe.records.finding import About, Contradiction, Finding, Refusal
from synthprobe.records.result import Failure

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_ASKED = re.compile(r"(?:net::ERR_\w+ at|- \S ([A-Z]+)) (https?://\S+)")
_ANSWERED = re.compile(r"^\s*- \S (\d{3})\b", re.MULTILINE)
_MESSAGE_LINES, _LAST_LINES = 14, 3
_TOLD = frozenset({"dns", "protocol", "redirects", "refused"})
"""Ways in which no answer came that need no more than the request to be told."""
_SHOWN = re.compile(r"^Actual value:(.*?)(?=^(?:Error|Call log|Aria snapshot):|\Z)", re.DOTALL | re.MULTILINE)
_NO_DOWNLOAD = (
    "A Playwright that a journey starts itself knows its own download only, which is not there. Use the fixtures page, "
    "browser or playwright, which know the others, or get it with: playwright install chromium"
)


def describe_failure(
    error: BaseException,
    *,
    detail: str,
    step: str,
    phase: str,
    is_target: Callable[[str], bool] = lambda _: False,
    status: int = 0,
) -> Failure:
    """Say what an exception means; of several that were raised together, what the target's own says is told first.

    What a journey asks by a library that nothing records is the target's only where ``is_target`` knows the address.
    Whatever names the ``status`` by which the target refused last is what some tool says of that answer.
    """
    known = {"detail": detail, "step": step, "phase": phase}
    found = [_described(part, **known, is_target=is_target, status=status) for part in _parts(error)]
    telling = min(found, key=lambda failure: (failure.ours, failure.finding is None))
    beside = dict.fromkeys(words.cause(failure) for failure in found if failure is not telling)
    return msgspec.structs.replace(telling, beside=tuple(text for text in beside if text != words.cause(telling)))


def _described(
    error: BaseException, *, detail: str, step: str, phase: str, is_target: Callable[[str], bool], status: int
) -> Failure:
    kind, ours = reason_of(error)
    is_unnamed = kind == "journey error" or (kind == "request" and not any(_asked_for(error, "")))
    silent = unanswered(error) if is_unnamed else None
    if silent is not None and is_target(silent.url):
        kind, ours = ("request" if kind == "request" else silent.kind), False
    if kind == "unresponsive" and phase == "setup":
        kind, ours = "deadline", True
    if phase == "teardown" and kind != "browser" and (ours or not is_assertion(error, kind)):
        kind, ours = "browser" if kind == "unresponsive" else "cleanup", True
    text = pages_named(_ANSI.sub("", capped(text_of(error))).strip()) or type(error).__name__
    if kind == "unresponsive":
        text = f"The page did not answer until the journey's deadline. {text}"
    if kind == "expectation" and is_no_json(error):
        text = f"An answer is no JSON, as which the journey reads it: {text}"
    if kind == "probe error":
        text = f"The probe itself broke with {type(error).__name__}: {text}\nSee what is wrong with: synthprobe doctor"
    if kind == "browser" and ("BrowserType.launch" in text or "Cannot launch" in text):
        is_missing = "Executable doesn't exist" in text
        what = _NO_DOWNLOAD if is_missing else "See which one it is, or get one that fits: synthprobe doctor --fix"
        text = f"The browser did not start. {what}\n{text}"
    if kind == "journey error" and not isinstance(error, JourneyError) and _is_named(status, text):
        kind, ours, text = "expectation", False, f"{type(error).__name__}: {text}"
    finding = _finding(error)
    if silent is not None and kind != "journey error":
        finding, text = Finding(refusal=silent), f"{words.refused(silent)}\n{text}"
    elif kind == "deadline" and (client := waited_by(error)):
        finding = Finding(client=client)
    if finding is None and kind in NO_ANSWER:
        certificate = certificate_fault(text) if kind == "tls" else ""
        why = way_of(error) if kind == "request" else ""
        method, asked, status = _asked_for(error, text)
        is_logged = "playwright.Error" in names_of(error)
        under_way = f"asking {asked.partition('?')[0]}" if is_logged and asked not in text.partition("\n")[0] else ""
        refusal = Refusal(kind=why or kind, url=asked, certificate=certificate)
        if method and refusal.kind in _TOLD:
            reason = cut_off(error) or (text.partition("\n")[0] if is_logged else " ".join(text.split()))
            refusal = msgspec.structs.replace(refusal, method=method, status=status, reason=reason.rstrip("."))
            named = msgspec.structs.replace(refusal, url=asked.partition("?")[0])
            text, under_way = f"{words.refused(named)}\n{text}", ""
        finding = Finding(refusal=refusal, under_way=under_way)
        text = f"{certificate}\n{text}" if certificate else text
    if finding is None and (under_way := under_way_in(text.splitlines()[1:])):
        finding = Finding(under_way=under_way)
    if kind == "timeout":
        method, asked, _ = _asked_for(error, "")
        late = Refusal(kind="deadline", method=method, url=asked.partition("?")[0])
        text = f"{words.refused(late)}\n{text}" if asked else text
    if kind == "journey error" and not isinstance(error, JourneyError):
        fixture: str = getattr(error, "argname", "") if type(error).__name__ == "FixtureLookupError" else ""
        raised = f"{type(error).__name__}: {text}"
        text = wrong_argument(error) or f"The journey itself broke with {raised}"
        if client := raised_by_client(error):
            finding, text = Finding(client=client), f"An error of {client} ended the journey: {raised}"
        if silent is not None:
            text = f"{words.refused(silent)} It is no host of the target, or allowed_hosts would name it.\n{text}"
        if fixture:
            text = f"It asks for the fixture {fixture!r}, and nothing here gives it. Those there are: pytest --fixtures"
        if "running event loop" in text:  # Playwright's own, as long as a browser is open
            text += "\nBeside a page, asyncio needs a thread of its own: pool.submit(asyncio.run, main()).result()"
    return Failure(
        kind=kind,
        ours=ours,
        message=_shortened(text, ends=kind == "journey error"),
        detail=_ANSI.sub("", capped(detail)),
        step=step,
        phase=phase,
        finding=masked_record(finding, capped),
    )


def _is_named(status: int, text: str) -> bool:
    """Whether a text names the status of an answer that refused, and not as a part of an address or a number."""
    return status >= 400 and bool(re.search(rf"(?<![\w./:-]){status}(?![\w/])", text))


def _shortened(text: str, *, ends: bool) -> str:
    """Its first lines; of what a journey's own code raised also how it ends, as what broke below stands there."""
    lines = text.splitlines()
    last = lines[-_LAST_LINES:] if ends and len(lines) > _MESSAGE_LINES else []
    return "\n".join([*lines[: _MESSAGE_LINES - len(last)], *last])


def _finding(error: BaseException) -> Finding | None:
    """What an exception knows besides its words; of Playwright's own expectations, what its words say."""
    if isinstance(error, ExpectationError) and error.finding and error.last is not None:
        return msgspec.structs.replace(_finding(error.last) or Finding(), wait=error.finding.wait)
    if isinstance(error, (ExpectationError, TargetError)):
        return error.finding
    if answered := status_raised(error):
        return Finding(contradiction=answered) if answered.method else None
    first, *rest = _ANSI.sub("", text_of(error)).strip().splitlines() or [""]
    found = _SHOWN.search("\n".join(rest))
    shown = " ".join(found[1].split()) if found else ""
    sought = sought_in(first, rest)
    if not shown or not first.startswith(("Locator expected", "Page title expected", "Page URL expected")):
        return Finding(sought=sought) if sought else None
    got = "" if shown == "None" else shown
    about: About = "locator" if first.startswith("Locator") else "page"
    wrong = Contradiction(about=about, expected=first, got=got, locator=locator_in(rest))
    return Finding(contradiction=wrong, sought=sought)


def _parts(error: BaseException, within: tuple[BaseException, ...] = ()) -> Sequence[BaseException]:
    """What several fixtures, tasks or soft expectations raised together, one by one."""
    if isinstance(error, BaseExceptionGroup):
        return [part for exception in error.exceptions for part in _parts(exception, within)]
    within = (*within, error)
    cause = error.__context__ if isinstance(error, SystemExit) else error.__cause__
    if cause is not None and cause not in within and reason_of(within[0])[0] == "journey error":
        below = _parts(cause, within)
        if isinstance(error, SystemExit) or not all(reason_of(part)[1] for part in below):
            return below  # a library that tries again, for example, wraps what it found in an error of its own
    return [error]


def _asked_for(error: BaseException, text: str) -> tuple[str, str, int]:
    """What gave no whole answer, as a client's error or Playwright's log names it: method, address and status."""
    with suppress(RuntimeError):  # of httpx, where nothing was asked yet
        request, answer = getattr(error, "request", None), getattr(error, "response", None)
        request = request or getattr(error, "request_info", None)
        if url := getattr(request, "url", None):
            status = getattr(answer, "status_code", getattr(answer, "status", 0))  # the latter is aiohttp's
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
