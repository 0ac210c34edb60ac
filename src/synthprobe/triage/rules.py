"""The rules of triage, in the order they are asked. Each is a sentence when it fires and nothing when it does not.

A rule reads general evidence and never knows a target's own faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from synthprobe.records.address import path_of
from synthprobe.records.evidence import Answer
from synthprobe.records.incident import CauseClass
from synthprobe.records.result import Check
from synthprobe.triage import access, data, timing
from synthprobe.triage.facts import GATEWAYS, NOT_REACHED, TriageFacts
from synthprobe.triage.page_words import NO_RIGHT, complaints, quoted_complaints
from synthprobe.triage.shown import phrase
from synthprobe.triage.sight import (
    LOOP,
    answered,
    asset,
    is_blocked,
    known,
    missing_assets,
    refusals,
    refused,
    words_of,
)

# a system of another name, and that it does not work
_UPSTREAM = re.compile(
    r"\b(?!\d|(?:the|this|our|your|web|http|temporarily|is|currently) )"
    r"(geocod\w+|directory|ldap|provider|third[- ]party|upstream \w+"
    r"|\w+ (?:service|provider|api|feed|gateway|system))( \w+){0,3}?( (is|was|are))? "
    r"(down|unavailable|unreachable|not available|not reachable|timed out)",
    re.IGNORECASE,
)
# what a server says when something that it needs itself is missing
_LACKS = re.compile(
    r"connection (to \S+ )?(was )?(refused|reset|timed out)|econnrefused|etimedout"
    r"|too many (connections|clients|open files)"
    r"|pool (is |was )?exhausted|no (free|available) connections?|timeout waiting for (idle|a free)"
    r"|establishing (a |the )?(\w+ )?connection|lost connection to|server has gone away|connection slots are reserved"
    r"|closed the connection unexpectedly|database (system )?is (starting up|shutting down|in recovery)"
    r"|no space left|disk (is )?full|out of memory|cannot allocate memory|insufficient storage"
    r"|\bgrpc\b.{0,80}\b(unavailable|deadline.exceeded)|statuscode\.(unavailable|deadline_exceeded)"
    r"|read-?only (file system|transaction|database|replica)",
    re.IGNORECASE,
)
# what a server may also say to a user, of the user's own affairs
_CANNOT = re.compile(
    r"(unable|failed) to (\w+ ){0,4}connect|(can|could)( ?not|n?'t) (connect|contact|reach)|read-?only (option|mode)",
    re.IGNORECASE,
)
# what somebody may use no more: whoever says so was reached
_USED_UP = re.compile(r"quota|over.?limit|limit exceeded|rate.limit|licen[cs]e|subscription|billing", re.IGNORECASE)
_UNCLEAR = {520}  # an edge was answered something that it does not understand
_TO_BE_REFUSED = re.compile(r"status 40[13]\b")


def _own_fault(f: TriageFacts) -> str:
    if not f.ours or f.finding.client:  # what it was answered, or waited for, may be the target's
        return ""
    if f.kind == "journey error":  # of its own making, or of what it met with: no expectation says which
        met = [f"{answered(a)}." for a in refusals(f)] + [asset(a) for a in missing_assets(f)[:1]]
        met += [f"{error}." for error in [data.script_error(f)] if error]
        seen = f". Before it: {' '.join(met)}" if met else ", so nothing is known of the target."
        return f"The journey ended by an error that no expectation raised{seen}"
    if f.kind == "deadline":
        return ""  # what it waited for is not known by that: the target, or something of its own
    if not f.kind:
        return "There is no result, so nothing is known of the target."
    return f"The probe itself is at fault ({f.kind}), so nothing is known of the target."


def _certificate(f: TriageFacts) -> str:
    if f.kind != "tls" or f.is_elsewhere:
        return ""
    if f.finding.refusal:
        return f.finding.refusal.certificate
    return "The TLS connection to the target is not made."


def _unreachable(f: TriageFacts) -> str:
    if f.led_away or any(peer.outcome == "passed" for peer in f.witnesses):
        return ""  # what answers others well is reached, so this one request breaks or hangs in it, or went elsewhere
    refusal = f.finding.refusal
    if f.kind in NOT_REACHED and not f.is_elsewhere and not (refusal and refusal.status):
        message = next(iter(f.message.strip().splitlines()), "").rstrip(".")
        kind = refusal.kind if refusal else f.kind
        what = "An answer did not come whole" if kind == "protocol" else "The target cannot be reached"
        return f"{what} ({kind}){f': {message}' if message else ''}."
    found = next((a for a in f.unwanted if a.status in GATEWAYS), None)
    in_vain = {a.path for a in f.evidence.answers if a.status in GATEWAYS}.union(*(peer.in_vain for peer in f.peers))
    if len(in_vain) == 1 and any(peer.is_answered for peer in f.peers):
        return ""  # the target answers whatever else is asked for
    words = words_of(f, found) if found else ""
    other = found and (_names_another(words, found.status) or _USED_UP.search(words))
    return refused(f, found) if found and not other and found.status not in _UNCLEAR else ""


def _never_answered(f: TriageFacts) -> str:
    refusal = f.finding.refusal
    if refusal is not None and refusal.kind == "deadline" and f.kind == "deadline":
        asked = next((a for a in f.unwanted if not a.status and (a.method, a.path or "/") == f.asked), None)
        return f"{answered(asked)}." if asked else f"{refusal.method} {path_of(refusal.url) or '/'} was not answered."
    if f.kind not in {"timeout", "deadline", "unresponsive", "expectation"}:
        return ""
    waited_for = {"document", "script"} if f.kind != "expectation" or f.finding.sought else set[str]()
    for a in f.unwanted:
        waited = a.resource in waited_for or (a.by == "api" and f.kind == "deadline")
        if a.status == 0 and waited and not is_blocked(a) and a.reason != LOOP:
            return f"{answered(a)}."
    return ""


def _blocked_by_policy(f: TriageFacts) -> str:
    found = next((a for a in f.unwanted if is_blocked(a)), None)
    return f"{answered(found)}." if found and f.kind else ""


def _two_builds(f: TriageFacts) -> str:
    builds = f.evidence.builds
    wrong = [a for a in f.unwanted if not a.is_well] or missing_assets(f)
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
    (node,) = bad
    if node.broken < 2:
        return ""  # one error is on one node, whatever its cause
    if not any(n.node == node.node and n.broken for n in f.evidence.nodes):
        return ""  # what breaks other journeys did not break this one
    return (
        f"Every server error comes from node {node.node} ({node.broken} of its {node.answers} answers); "
        f"node {', '.join(n.node for n in good)} had none in {sum(n.answers for n in good)}."
    )


def _declared(check: Check, sentence: str) -> Callable[[TriageFacts], str]:
    """A rule that repeats what the author declared of a step: the sentence says that, and no more."""

    def test(f: TriageFacts) -> str:
        if f.checks != check or not _answered_in_kind(f) or (check == "rule" and f.is_absent):
            return ""  # what is not there was not computed wrongly
        if f.outlasting:
            return ""  # it may still come, as changes take longer than it was waited for
        return f"{sentence.format(step=f.step or 'the step')}{_got(f)}"

    return test


def _answered_in_kind(f: TriageFacts) -> bool:
    """Whether an answer of the expected kind arrived, so that what the author declared of it can be wrong."""
    if f.kind not in {"expectation", "timeout"} or f.finding.refusal or 'waiting for event "response"' in f.message:
        return False
    if f.kind == "timeout" and f.only_slow:
        return False
    if f.is_absent and any(a.by == "page" and a.status != 404 for a in refusals(f)):
        return False  # what the page would show did not come
    words = " ".join(complaints(f) if f.is_absent else quoted_complaints(f))
    if _LACKS.search(words) or _CANNOT.search(words) or (NO_RIGHT.search(words) and f.checks != "grant"):
        return False  # who is refused it in words knows nothing of it
    found = f.finding.contradiction
    if found is None:
        return True
    if f.checks == "rule" and found.about == "status" and _TO_BE_REFUSED.match(found.expected):
        return False  # who is let in was not computed wrongly
    if found.status >= 400 and (found.about == "status" or any(a.status == found.status for a in refusals(f))):
        # a refusal is none; that a record is not there may be
        return found.status == 404 and found.method == "GET" and f.checks != "rule"
    return found.status < 500 and found.about != "json" and not found.misshapen


def _got(f: TriageFacts) -> str:
    """What was expected and got, as it was seen."""
    seen = known(f)
    return f" {seen}" if seen else ""


def _upstream_named(f: TriageFacts) -> str:
    seen = [(a.reason, a.status) for a in f.unwanted if a.status >= 400]
    seen.append((f.targets_words, f.finding.contradiction.status if f.finding.contradiction else 0))
    quotation = next((words.splitlines()[0] for words, status in seen if _names_another(words, status)), "")
    return f'The target names another system: "{quotation[:160]}".' if quotation else ""


def _names_another(words: str, status: int) -> bool:
    """Whether words name a system that does not work, beside what every server says of the status."""
    return bool(_UPSTREAM.search(words.casefold().replace(phrase(status), " ")))


def _missing_script(f: TriageFacts) -> str:
    found = next((a for a in missing_assets(f) if a.resource == "script" and a.status), None)
    page = next((a for a in f.evidence.answers if a.resource == "script" and a.content_type == "text/html"), None)
    broke = f.finding.sought is not None or (f.finding.contradiction and f.finding.contradiction.about == "locator")
    if not (broke or f.kind == "timeout"):
        return ""
    if found:
        return asset(found)
    if page:
        return f"The page's script is not one: GET {page.path} was answered {page.status} with an HTML page."
    error = next((e for e in f.evidence.page_errors if data.is_page_as_script(e)), "")
    return f'A script of the page begins as an HTML page does ("{error}").' if error else ""


def _live_elsewhere(f: TriageFacts) -> bool:
    """Whether updates arrived in another step of the run, so that the stream as such is well."""
    return any(check == "live" for check, _ in f.passed_steps) or any(
        check == "live" and ok for peer in f.peers for check, _, ok in peer.steps
    )


def _updates_missing(f: TriageFacts) -> str:
    test = _declared("live", '"{step}" waits for an update of the page.')
    return "" if _live_elsewhere(f) else test(f)


def _stream_silent(f: TriageFacts) -> str:
    stream = next((a for a in f.evidence.answers if a.content_type == "text/event-stream" and a.status == 200), None)
    if stream is None or f.checks != "live" or _live_elsewhere(f):
        return ""
    return f"The stream of updates ({stream.path}) is open, and what is stored does not come through it."


def _lacks_resource(f: TriageFacts) -> str:
    found = next((a for a in f.unwanted if a.status == 507 or _says_it_lacks(f, a)), None)
    return f"The server says what it lacks itself: {refused(f, found)}" if found else ""


def _says_it_lacks(f: TriageFacts, a: Answer) -> bool:
    if a.status < 500 and not a.stated:
        return False
    words = words_of(f, a)
    return bool(_LACKS.search(words) or (a.status >= 500 and _CANNOT.search(words)))


def _server_error(f: TriageFacts) -> str:
    if f.breaks_as_most or (len(f.witnesses) > 1 and all(peer.outcome == "failed" for peer in f.witnesses)):
        return ""  # whatever is asked is refused, so it may as well be what all of it needs
    found = next((a for a in f.unwanted if a.status >= 500 and a.status not in GATEWAYS), None)
    return refused(f, found) if found and not f.is_refused_everywhere(found) else ""


def _two_releases(f: TriageFacts) -> str:
    builds = f.evidence.builds
    return (
        f"Two builds answer, {' and '.join(builds)}: a deployment is going on, or is half done." if builds[1:] else ""
    )


def _new_build(f: TriageFacts) -> str:
    if not f.build or not f.last_passed_build or f.build == f.last_passed_build:
        return ""
    return f"It passed with build {f.last_passed_build} and fails with {f.build}."


RULES: tuple[tuple[CauseClass, str, Callable[[TriageFacts], str]], ...] = (
    # may we believe the probe?
    ("probe", "not-believed", lambda f: f.disbelieved),
    ("probe", "probe-at-fault", _own_fault),
    # can the target be reached, and by which way?
    ("config", "certificate", _certificate),
    ("dependency", "upstream-named", _upstream_named),
    ("infra", "unreachable", _unreachable),
    ("infra", "never-answered", _never_answered),
    ("config", "blocked-by-policy", _blocked_by_policy),
    ("infra", "two-builds", _two_builds),
    ("infra", "node-split", _node_split),
    # who is asking?
    ("user", "account-state", access.account_refused),
    ("user", "account-refused", access.account_alone),
    ("config", "token-refused", access.token_refused),
    ("config", "session-lost", access.session_lost),
    ("config", "forbidden", access.forbidden),
    # which kind of answer came?
    ("infra", "lacks-resource", _lacks_resource),
    ("code", "server-error", _server_error),
    ("code", "not-json", data.not_json),
    ("infra", "missing-script", _missing_script),
    ("code", "script-error", data.script_error),
    # what do its author, other roles and journeys say?
    (
        "user",
        "account-declared",
        _declared("account", '"{step}" shows what belongs to one account.'),
    ),
    ("user", "preference", _declared("preference", '"{step}" depends on what this user set.')),
    ("config", "role-split", access.role_split),
    ("config", "control-missing", access.control_missing),
    ("config", "grant", _declared("grant", '"{step}" depends on what the role may do.')),
    ("config", "setting", _declared("setting", '"{step}" depends on a setting.')),
    # what it was given
    ("dependency", "null-island", data.null_island),
    ("code", "whole-hours", data.zone_error),
    ("data", "clock-ahead", data.clock_ahead),
    ("infra", "one-source-stale", data.one_source_stale),
    ("dependency", "feed-stale", data.feed_stale),
    ("config", "cached", data.cached),
    (
        "data",
        "sentinel",
        _declared("sentinel", '"{step}" looks at a record that never changes.'),
    ),
    (
        "data",
        "invariant",
        _declared("invariant", '"{step}" checks a rule that stored data keeps.'),
    ),
    (
        "infra",
        "delivery",
        _declared("delivery", '"{step}" waits for what was handed on.'),
    ),
    ("infra", "stream-silent", _stream_silent),
    ("infra", "live", _updates_missing),
    # where the time goes
    ("dependency", "slow-upstream", timing.slow_upstream),
    ("dependency", "slow-log-in", timing.slow_log_in),
    ("infra", "slow-writes", timing.slow_writes),
    ("code", "many-queries", timing.many_queries),
    ("code", "slow-query", timing.slow_query),
    ("infra", "queueing", timing.queueing),
    # the same request, the same data, the wrong answer
    (
        "code",
        "read-after-write",
        _declared("read-after-write", '"{step}" checks that what was confirmed as written can be read back.'),
    ),
    ("code", "rule", _declared("rule", '"{step}" checks what the target computes or orders.')),
    ("infra", "two-releases", _two_releases),
    ("code", "new-build", _new_build),
)
"""Class, name and test of every rule, in the order they are asked."""
