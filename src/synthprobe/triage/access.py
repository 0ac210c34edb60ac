"""Rules of triage about who asks: accounts, sessions, roles and what they may do.

A log-in is where the run sent a password, never a word in a path.
"""

from __future__ import annotations

import re

from synthprobe.records.evidence import Answer
from synthprobe.triage.facts import TriageFacts
from synthprobe.triage.log_in_words import OF_ACCOUNT, OF_LOG_IN
from synthprobe.triage.page_words import shown_words
from synthprobe.triage.sight import answered, refused

_REFUSED = {400, 401, 403, 422, 423}
_DENIED = re.compile(r"403|forbidden|(access|permission)_denied", re.IGNORECASE)
"""What an error that a request may not do something is called beside a good status."""


def _refused_log_in(f: TriageFacts) -> tuple[Answer, str] | None:
    """The log-in that broke the step, and the words in which it was refused."""
    log_in = next((a for a in reversed(f.log_ins) if a in f.unwanted), None)
    if log_in is None:
        return None
    words = log_in.reason or shown_words(f, OF_LOG_IN) or shown_words(f, OF_ACCOUNT)
    if log_in.status in _REFUSED:
        return log_in, words
    words = words or (f.authors_words if log_in.by == "api" else "")
    asked_anew = log_in.by == "api" or any(page.asks_password for page in f.evidence.pages)
    refused_all_the_same = asked_anew and words and (OF_LOG_IN.search(words) or OF_ACCOUNT.search(words))
    return (log_in, words) if 0 < log_in.status < 400 and refused_all_the_same else None


def account_refused(f: TriageFacts) -> str:
    """One account is locked, expired or must change its password."""
    log_in, words = _refused_log_in(f) or (None, "")
    if log_in is None or not OF_ACCOUNT.search(words):
        return ""
    is_told = words != log_in.reason and words in refused(f, log_in)  # with the page that it is
    quotation = "" if is_told else f': "{words}"'
    return f"The log-in is refused for the state of this account{quotation} ({answered(log_in, quote=False)})."


def account_alone(f: TriageFacts) -> str:
    """What was sent to log in is refused."""
    log_in, words = _refused_log_in(f) or (None, "")
    if log_in is None:
        return ""
    others = sum(log_in.path in peer.let_in for peer in f.peers)
    if not OF_LOG_IN.search(words) and (words or not others):
        return ""  # a gate that refuses everybody looks the same, and words may say another reason
    accounts = {log_in.account or "?", *(peer.kept_out for peer in f.peers if peer.kept_out)}
    if not others and len(accounts) > 1 and any(peer.meets_error for peer in f.peers):
        return ""  # who looks for accounts in a store that is lacking finds none of them
    also = f" {others} other journeys of the run logged in there." if others > 1 else ""
    also = " Another journey of the run logged in there." if others == 1 else also
    quotation = f', and the page says "{words}"' if words and words != log_in.reason else ""
    return f"The log-in was refused: {answered(log_in)}{quotation}.{also}"


def token_refused(f: TriageFacts) -> str:
    """What carries a token is asked who it is."""
    if _kept_out(f):
        return ""
    refused = next((a for a in f.unwanted if a.status == 401 and a.credentials == "token"), None)
    return f"{answered(refused)}, although the request carried a token." if refused else ""


def session_lost(f: TriageFacts) -> str:
    """Who logged in is a stranger to the next request."""
    if _kept_out(f):
        return ""
    by_cookie = {"api"} if f.log_ins else {"api", "page"}  # before its log-in a page has cookies, too
    let_in = next(
        (number for number, a in enumerate(f.evidence.answers) if a in f.log_ins and 0 < a.status < 400), None
    )
    for a in f.unwanted:
        if a.status != 401 or a.credentials == "password":
            continue
        if a.credentials == "cookie" and a.by in by_cookie:
            return f"{answered(a)}, although the request carried a cookie."
        if let_in is not None and f.evidence.answers.index(a) > let_in:
            return f"{answered(a)}, after {answered(f.evidence.answers[let_in])}: the session is lost on the way."
    return ""


def _kept_out(f: TriageFacts) -> bool:
    """Whether a log-in is refused: who cannot log in either lost more than a session or a token."""
    return _refused_log_in(f) is not None or any(peer.kept_out for peer in f.peers)


def role_split(f: TriageFacts) -> str:
    """One role may do it, and another may not."""
    if not f.checks or not f.role or f.checks in {"preference", "account"}:
        return ""
    same = [(r, ok) for p in f.peers for c, r, ok in p.steps if c == f.checks] + [
        (r, True) for c, r in f.passed_steps if c == f.checks
    ]
    good = sorted({role for role, ok in same if ok and role and role != f.role})
    own = [ok for role, ok in same if role == f.role]
    return f"It works for {', '.join(good)} and not for {f.role}." if good and not any(own) else ""


def forbidden(f: TriageFacts) -> str:
    """A request is refused with 403, or with an error of that name."""
    found = next((a for a in f.unwanted if a.status == 403 or (a.stated and _DENIED.fullmatch(a.stated.code))), None)
    hidden = found is not None and f.checks == "sentinel" and found.method == "GET" and found.by == "api"
    return refused(f, found) if found and not hidden else ""  # some say so of a record that is not there


def control_missing(f: TriageFacts) -> str:
    """A control is not shown to a role to which another journey's request is refused."""
    request = next((peer.forbidden for peer in f.peers if peer.forbidden and peer.role == f.role), "")
    if f.kind != "timeout" or f.only_slow or not request or not f.role:
        return ""
    return f"A control is not there for {f.role}, to whom a request of another journey is refused with 403 ({request})"
