"""Rules of triage about who asks: accounts, sessions, roles and what they may do."""

from __future__ import annotations

import re

from synthprobe.triage.facts import TriageFacts, is_log_in

_ACCOUNT = re.compile(r"expired|locked|disabled|suspended|must change|change (your|the) password", re.IGNORECASE)
_GRANT = re.compile(r"\brole\b|may not|permission|privilege|not allowed|not authori[sz]ed", re.IGNORECASE)


def account_refused(f: TriageFacts) -> str:
    """One account is locked, expired or must change its password."""
    for a in f.unwanted:
        if a.status in {401, 403, 423} and is_log_in(a.path) and _ACCOUNT.search(a.reason):
            return f'The log-in is refused for the state of this one account: "{a.reason}".'
    return ""


def session_lost(f: TriageFacts) -> str:
    """Who logged in is a stranger to the next request."""
    refused = next((a for a in f.unwanted if a.status == 401 and not is_log_in(a.path)), None)
    if refused is None or any(a.status >= 400 and is_log_in(a.path) for a in f.unwanted):
        return ""
    return f"{refused.method} {refused.path} was refused with 401 after the log-in: the session is lost on the way."


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


def account_alone(f: TriageFacts) -> str:
    """One account is refused while others get in."""
    refused = next((a for a in f.unwanted if a.status in {401, 403, 423} and is_log_in(a.path)), None)
    if refused is not None and refused.status == 403 and _GRANT.search(refused.reason):
        return ""  # whoever is told what their role may do is logged in
    if refused is None or not any(peer.outcome in {"passed", "degraded"} for peer in f.peers):
        return ""
    return f"The log-in of one account is refused with {refused.status}, and others get in at the same time."


def forbidden(f: TriageFacts) -> str:
    """A request is refused with 403."""
    found = next((a for a in f.unwanted if a.status == 403), None)
    return f"{found.method} {found.path} is refused with 403: {found.reason or 'no grant'}" if found else ""


def control_missing(f: TriageFacts) -> str:
    """A control is not shown where another journey is refused."""
    refused = next((peer.forbidden for peer in f.peers if peer.forbidden), "")
    if f.kind != "timeout" or f.slow or not refused:
        return ""
    return f"A control is not there, and in the same run another journey is refused with 403 ({refused})"
