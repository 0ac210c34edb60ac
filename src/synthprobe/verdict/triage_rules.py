"""The rules of triage, in the order they are asked. Each is a sentence when it fires and nothing when it does not.

A rule reads general evidence and never knows a target's own faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from synthprobe.model.evidence import MANY_QUERIES, Answer
from synthprobe.model.incident import CauseClass
from synthprobe.model.result import Check
from synthprobe.verdict.triage_facts import TriageFacts

CERTIFICATE_DAYS = 14
"""Days of a certificate under which it is time to renew."""

_DB_SHARE = 0.6
_NO_WRITE = {"GET", "HEAD", "OPTIONS"}
_LOG_IN = re.compile(  # what is asked for, never a part of another word: /authors is no log-in
    r"/(log[-_]?(in|on)|sign[-_]?in|auth|authenticate|authorize|sessions?|token|sso|oauth2?)(\.\w+)?/?$", re.IGNORECASE
)
_ACCOUNT = re.compile(r"expired|locked|disabled|suspended|must change|change (your|the) password", re.IGNORECASE)
_GRANT = re.compile(r"\brole\b|may not|permission|privilege|not allowed|not authori[sz]ed", re.IGNORECASE)
_UPSTREAM = re.compile(
    r"\b(upstream|bad gateway|gateway time-?out|provider|third[- ]party|"
    r"(geocod\w+|directory|auth\w*|feed|service) (is |was )?(down|unavailable|unreachable|not available|timed out))",
    re.IGNORECASE,
)
_ZERO = r"-?0(?:\.0+)?(?![\d.])"
_NULL_ISLAND = re.compile(rf"(?<![\d.]){_ZERO}\s*[,;]\s*['\"]?(?:lng|lon|longitude)?['\"]?\s*[=:]?\s*{_ZERO}")

Sure = Literal["high", "medium", "low"]


def _own_fault(f: TriageFacts) -> str:
    return (
        f"The probe itself is at fault ({f.kind or 'no result'}), so nothing is known of the target." if f.ours else ""
    )


def _no_network(f: TriageFacts) -> str:
    return "A target that has nothing to do with this one cannot be reached either." if f.canary_down else ""


def _certificate(f: TriageFacts) -> str:
    if f.kind == "tls":
        known = f.finding.refusal.certificate if f.finding.refusal else ""
        return known or "The TLS connection to the target is not made."
    days = f.evidence.certificate_days
    if days is not None and days < CERTIFICATE_DAYS:
        return f"The certificate ends in {days:.0f} days; {CERTIFICATE_DAYS} are needed to renew it in peace."
    return ""


def _unreachable(f: TriageFacts) -> str:
    if f.kind in {"dns", "refused", "no connection", "protocol", "request"}:
        return f"The target cannot be reached ({f.kind})."
    found = next(
        (a for a in f.evidence.answers if a.status in {502, 503, 504} and not _UPSTREAM.search(a.reason)), None
    )
    return (
        f"{found.method} {found.path} was answered {found.status} by what stands before the application."
        if found
        else ""
    )


def _two_builds(f: TriageFacts) -> str:
    builds = f.evidence.builds
    wrong = [a for a in f.evidence.answers if a.status >= 400 or a.status == 0]
    return (
        f"Two builds answer at once, {' and '.join(builds)}: a deployment is half done."
        if len(builds) > 1 and wrong
        else ""
    )


def _node_split(f: TriageFacts) -> str:
    bad = [n for n in f.nodes if n.broken]
    good = [n for n in f.nodes if not n.broken and n.answers >= 2]
    if len(bad) != 1 or not good:
        return ""
    (one,) = bad
    if one.broken < 2:
        return ""  # one error is on one node, whatever its cause
    return (
        f"Every server error comes from node {one.node} ({one.broken} of its {one.answers} answers); "
        f"node {', '.join(n.node for n in good)} had none in {sum(n.answers for n in good)}."
    )


def _account_refused(f: TriageFacts) -> str:
    for a in _unwanted(f):
        if a.status in {401, 403, 423} and _LOG_IN.search(a.path) and _ACCOUNT.search(a.reason):
            return f'The log-in is refused for the state of this one account: "{a.reason}".'
    return ""


def _session_lost(f: TriageFacts) -> str:
    refused = next((a for a in _unwanted(f) if a.status == 401 and not _LOG_IN.search(a.path)), None)
    if refused is None or any(a.status >= 400 and _LOG_IN.search(a.path) for a in _unwanted(f)):
        return ""
    return f"{refused.method} {refused.path} was refused with 401 after the log-in: the session is lost on the way."


def _role_split(f: TriageFacts) -> str:
    if not f.checks or not f.role or f.checks in {"preference", "account"}:
        return ""
    same = [(r, ok) for p in f.peers for c, r, ok in p.steps if c == f.checks] + [
        (r, True) for c, r in f.passed_steps if c == f.checks
    ]
    good = sorted({role for role, ok in same if ok and role and role != f.role})
    own = [ok for role, ok in same if role == f.role]
    return f"It works for {', '.join(good)} and not for {f.role}." if good and not any(own) else ""


def _account_alone(f: TriageFacts) -> str:
    refused = next((a for a in _unwanted(f) if a.status in {401, 403, 423} and _LOG_IN.search(a.path)), None)
    if refused is not None and refused.status == 403 and _GRANT.search(refused.reason):
        return ""  # whoever is told what their role may do is logged in
    if refused is None or not any(peer.outcome in {"passed", "degraded"} for peer in f.peers):
        return ""
    return f"The log-in of one account is refused with {refused.status}, and others get in at the same time."


def _forbidden(f: TriageFacts) -> str:
    found = next((a for a in _unwanted(f) if a.status == 403), None)
    return f"{found.method} {found.path} is refused with 403: {found.reason or 'no grant'}" if found else ""


def _control_missing(f: TriageFacts) -> str:
    refused = next((peer.forbidden for peer in f.peers if peer.forbidden), "")
    if f.kind != "timeout" or f.slow or not refused:
        return ""
    return f"A control is not there, and in the same run another journey is refused with 403 ({refused})"


def _declared(check: Check, sentence: str) -> Callable[[TriageFacts], str]:
    def test(f: TriageFacts) -> str:
        unanswered = 'waiting for event "response"' in f.message  # nothing was said that could be wrong
        contradicted = f.kind == "expectation" or (f.kind == "timeout" and not f.slow and not unanswered)
        return sentence.format(step=f.step or "the step") if f.checks == check and contradicted else ""

    return test


def _null_island(f: TriageFacts) -> str:
    given = f.finding.contradiction.got if f.finding.contradiction else f.authors_words
    return (
        "The position is 0, 0: what an address look-up that is down leaves behind."
        if _NULL_ISLAND.search(given)
        else ""
    )


def _upstream_named(f: TriageFacts) -> str:
    said = next((a.reason for a in f.evidence.answers if a.status and _UPSTREAM.search(a.reason)), "")
    for words in (f.targets_words, f.authors_words):
        said = said or (words.splitlines()[0] if _UPSTREAM.search(words) else "")
    return f'The target names another system: "{said[:160]}".' if said else ""


def _clock_ahead(f: TriageFacts) -> str:
    if f.finding.skew is None:
        return ""
    seconds = round(f.finding.skew.ahead_s)
    return (
        ""
        if _whole_hours(seconds)
        else f"A time that was recorded lies {seconds} s ahead: the source's clock is wrong."
    )


def _zone_error(f: TriageFacts) -> str:
    skew = f.finding.skew
    ages = [a.age_s for a in f.evidence.ages if a.age_s > a.limit_s]
    seconds = round(skew.ahead_s) if skew else min(ages, default=0)
    if not _whole_hours(seconds) or (not skew and (len(ages) < 2 or len(ages) < len(f.evidence.ages))):
        return ""
    return f"Times are off by whole hours ({seconds / 3600:.0f} h): they are computed in the wrong zone."


def _one_source_stale(f: TriageFacts) -> str:
    old = [a for a in f.evidence.ages if a.age_s > a.limit_s]
    new = [a for a in f.evidence.ages if a.age_s <= a.limit_s]
    if not old or not new or len(old) > len(new):
        return ""
    return f"The {old[0].what} is old while {new[0].what} is fresh: one source is dead, the feed is not."


def _feed_stale(f: TriageFacts) -> str:
    old = [a for a in f.evidence.ages if a.age_s > a.limit_s]
    stale = [d for d in f.degradations if d.kind == "stale"]
    broken = [a for a in f.evidence.answers if a.status >= 500 or a.status == 0]
    if broken or f.checks == "live" or not (old or stale or f.checks == "freshness"):
        return ""
    what = old[0].what if old else f.step
    return f"The target answers well, and what it is fed is old ({what}): the feed has stopped."


def _cached(f: TriageFacts) -> str:
    found = max(f.evidence.answers, key=lambda a: a.age_s, default=None)
    if found is None or found.age_s < 1 or f.only_slow:
        return ""
    return f"{found.method} {found.path} is answered from a cache, {found.age_s:.0f} s old: it is kept too long."


def _not_json(f: TriageFacts) -> str:
    contradiction = f.finding.contradiction
    no_json = contradiction is not None and contradiction.about == "json"
    lines = "\n".join((f.authors_words, *f.evidence.page_errors)).casefold()
    found = next(
        (a for a in f.evidence.answers if a.by == "api" and a.status == 200 and a.content_type == "text/html"), None
    )
    if found and (no_json or "json" in lines):
        return f"{found.method} {found.path} answers 200 with an HTML page where JSON was expected."
    return "The page was given HTML where it expected JSON." if "unexpected token '<'" in lines else ""


def _script_error(f: TriageFacts) -> str:
    found = next(
        (e for e in f.evidence.page_errors if not re.search(r"failed to fetch|networkerror|load failed", e, re.I)), ""
    )
    refused = any(a.status >= 400 for a in f.evidence.answers)
    return f"A script of the page broke: {found}" if found and not refused else ""


def _live_elsewhere(f: TriageFacts) -> bool:
    """Whether updates arrived in another step of the run, so that the stream as such is well."""
    return any(check == "live" for check, _ in f.passed_steps) or any(
        check == "live" and ok for peer in f.peers for check, _, ok in peer.steps
    )


def _updates_missing(f: TriageFacts) -> str:
    test = _declared("live", '"{step}": it is stored, and updates do not reach the page.')
    return "" if _live_elsewhere(f) else test(f)


def _stream_silent(f: TriageFacts) -> str:
    stream = next((a for a in f.evidence.answers if a.content_type == "text/event-stream" and a.status == 200), None)
    if stream is None or f.checks != "live":
        return ""
    return f"The stream of updates ({stream.path}) is open, and what is stored does not come through it."


def _slow_log_in(f: TriageFacts) -> str:
    if not f.only_slow or not f.slow:
        return ""
    if not all(_LOG_IN.search(a.path) or _follows_log_in(a, f.slow) for a in f.slow):
        return ""
    one = next((a for a in f.slow if _LOG_IN.search(a.path)), None)
    if one is None or _spent(one, "db") > one.duration_ms / 2:
        return ""
    took = f"Only the log-in is slow ({one.duration_ms / 1000:.1f} s)"
    if not any(part.name == "db" for part in one.server_timing):
        return f"{took}; where its time goes is not known."
    return f"{took}, and not in the database: what checks the password is slow."


def _slow_upstream(f: TriageFacts) -> str:
    for a in f.slow:
        for part in a.server_timing:
            if part.name not in {"db", "query", "app", "total", "cache"} and part.duration_ms > a.duration_ms / 2:
                return f"{a.method} {a.path} spends {part.duration_ms:.0f} of {a.duration_ms:.0f} ms in {part.name}."
    return ""


def _slow_writes(f: TriageFacts) -> str:
    if not f.only_slow or not f.slow or any(a.method in _NO_WRITE for a in f.slow):
        return ""
    slowest = f.slow[0]
    return f"What was slow were writes only ({slowest.method} {slowest.path}, {slowest.duration_ms / 1000:.1f} s)."


def _slow_query(f: TriageFacts) -> str:
    for a in f.slow:
        share = _spent(a, "db") / a.duration_ms
        if share >= _DB_SHARE and a.method in _NO_WRITE:
            return (
                f"{a.method} {a.path} spends {share:.0%} of {a.duration_ms / 1000:.1f} s in the "
                "database: a query is slow."
            )
    return ""


def _many_queries(f: TriageFacts) -> str:
    for a in f.evidence.answers:
        for part in a.server_timing:
            if part.name == "db" and part.calls >= MANY_QUERIES:
                return f"{a.method} {a.path} needs {part.calls} queries: one for every row."
    return ""


def _queueing(f: TriageFacts) -> str:
    waiting = [a for a in f.slow if a.server_timing and sum(p.duration_ms for p in a.server_timing) < a.duration_ms / 4]
    if waiting:
        a = waiting[0]
        return (
            f"{a.method} {a.path} took {a.duration_ms / 1000:.1f} s, of which the server worked "
            "little: it waited for a worker."
        )
    silent = [a for a in f.evidence.answers if a.status == 0]
    if not (f.only_slow and f.kind == "deadline" and silent):
        return ""
    return f"{silent[0].method} {silent[0].path} was never answered."


def _server_error(f: TriageFacts) -> str:
    found = next((a for a in f.evidence.answers if a.status >= 500 and a.status not in {502, 503, 504}), None)
    if found is None:
        return ""
    return f"{found.method} {found.path} is answered {found.status} on every node that was asked."


def _two_releases(f: TriageFacts) -> str:
    builds = f.evidence.builds
    return (
        f"Two builds answer, {' and '.join(builds)}: a deployment is going on, or is half done." if builds[1:] else ""
    )


def _new_build(f: TriageFacts) -> str:
    if not f.build or not f.last_passed_build or f.build == f.last_passed_build:
        return ""
    return f"It passed with build {f.last_passed_build} and fails with {f.build}."


RULES: tuple[tuple[CauseClass, str, Sure, Callable[[TriageFacts], str]], ...] = (
    # may we believe the probe?
    ("probe", "probe-at-fault", "high", _own_fault),
    ("probe", "no-network", "high", _no_network),
    # can the target be reached, and by which way?
    ("config", "certificate", "high", _certificate),
    ("dependency", "upstream-named", "medium", _upstream_named),
    ("infra", "unreachable", "high", _unreachable),
    ("infra", "two-builds", "high", _two_builds),
    ("infra", "node-split", "high", _node_split),
    # who is asking?
    ("user", "account-state", "high", _account_refused),
    (
        "user",
        "account-declared",
        "medium",
        _declared("account", '"{step}" shows what belongs to another user\'s account.'),
    ),
    ("user", "preference", "high", _declared("preference", '"{step}": only what this user set hides it.')),
    ("user", "account-refused", "medium", _account_alone),
    ("config", "session-lost", "high", _session_lost),
    ("config", "role-split", "high", _role_split),
    ("config", "forbidden", "medium", _forbidden),
    ("config", "control-missing", "medium", _control_missing),
    ("config", "grant", "high", _declared("grant", '"{step}": a role may not do what it should.')),
    ("config", "setting", "high", _declared("setting", '"{step}": a setting is not what it should be.')),
    # what it was given
    ("dependency", "null-island", "high", _null_island),
    ("code", "whole-hours", "medium", _zone_error),
    ("data", "clock-ahead", "high", _clock_ahead),
    ("infra", "one-source-stale", "high", _one_source_stale),
    ("dependency", "feed-stale", "medium", _feed_stale),
    ("config", "cached", "high", _cached),
    ("code", "not-json", "high", _not_json),
    ("code", "script-error", "high", _script_error),
    (
        "data",
        "sentinel",
        "high",
        _declared("sentinel", '"{step}": a fixed record that is always there is missing or changed.'),
    ),
    (
        "data",
        "invariant",
        "high",
        _declared("invariant", '"{step}": a stored record breaks a rule that data must keep.'),
    ),
    (
        "infra",
        "delivery",
        "high",
        _declared("delivery", '"{step}": what was handed on was never done; a worker is dead.'),
    ),
    ("infra", "stream-silent", "high", _stream_silent),
    ("infra", "live", "high", _updates_missing),
    # where the time goes
    ("dependency", "slow-upstream", "high", _slow_upstream),
    ("dependency", "slow-log-in", "medium", _slow_log_in),
    ("infra", "slow-writes", "medium", _slow_writes),
    ("code", "many-queries", "high", _many_queries),
    ("code", "slow-query", "medium", _slow_query),
    ("infra", "queueing", "medium", _queueing),
    # the same request, the same data, the wrong answer
    (
        "code",
        "read-after-write",
        "high",
        _declared("read-after-write", '"{step}": what was confirmed as written reads back differently.'),
    ),
    ("code", "rule", "medium", _declared("rule", '"{step}": the target computes or orders it wrongly.')),
    ("infra", "two-releases", "low", _two_releases),
    ("code", "server-error", "low", _server_error),
    ("code", "new-build", "low", _new_build),
)
"""Class, name, how sure, and test of every rule, in the order they are asked."""


def _spent(answer: Answer, name: str) -> float:
    return sum(part.duration_ms for part in answer.server_timing if part.name == name)


def _follows_log_in(answer: Answer, slow: Sequence[Answer]) -> bool:
    """A page that a browser is sent to after its log-in counts the log-in's time."""
    return answer.by == "page" and any(_LOG_IN.search(a.path) and a.duration_ms >= answer.duration_ms for a in slow)


def _unwanted(f: TriageFacts) -> list[Answer]:
    """Answers that may be why it broke: what the journey asked for in a step that passed was as it expected."""
    return [a for a in f.evidence.answers if not a.step or not f.step or f.step.startswith(a.step)]


def _whole_hours(seconds: float) -> bool:
    return seconds >= 3000 and abs(seconds - round(seconds / 3600) * 3600) <= 90
