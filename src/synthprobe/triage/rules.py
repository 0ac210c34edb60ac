"""The rules of triage, in the order they are asked. Each is a sentence when it fires and nothing when it does not.

A rule reads general evidence and never knows a target's own faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from synthprobe.records.incident import CauseClass
from synthprobe.records.result import Check
from synthprobe.triage import access, data, timing
from synthprobe.triage.facts import TriageFacts

CERTIFICATE_DAYS = 14
"""Days of a certificate under which it is time to renew."""

_UPSTREAM = re.compile(
    r"\b(upstream|bad gateway|gateway time-?out|provider|third[- ]party|"
    r"(geocod\w+|directory|auth\w*|feed|service) (is |was )?(down|unavailable|unreachable|not available|timed out))",
    re.IGNORECASE,
)

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


def _declared(check: Check, sentence: str) -> Callable[[TriageFacts], str]:
    def test(f: TriageFacts) -> str:
        unanswered = 'waiting for event "response"' in f.message  # nothing was said that could be wrong
        contradicted = f.kind == "expectation" or (f.kind == "timeout" and not f.slow and not unanswered)
        return sentence.format(step=f.step or "the step") if f.checks == check and contradicted else ""

    return test


def _upstream_named(f: TriageFacts) -> str:
    said = next((a.reason for a in f.evidence.answers if a.status and _UPSTREAM.search(a.reason)), "")
    for words in (f.targets_words, f.authors_words):
        said = said or (words.splitlines()[0] if _UPSTREAM.search(words) else "")
    return f'The target names another system: "{said[:160]}".' if said else ""


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
    ("user", "account-state", "high", access.account_refused),
    (
        "user",
        "account-declared",
        "medium",
        _declared("account", '"{step}" shows what belongs to another user\'s account.'),
    ),
    ("user", "preference", "high", _declared("preference", '"{step}": only what this user set hides it.')),
    ("user", "account-refused", "medium", access.account_alone),
    ("config", "session-lost", "high", access.session_lost),
    ("config", "role-split", "high", access.role_split),
    ("config", "forbidden", "medium", access.forbidden),
    ("config", "control-missing", "medium", access.control_missing),
    ("config", "grant", "high", _declared("grant", '"{step}": a role may not do what it should.')),
    ("config", "setting", "high", _declared("setting", '"{step}": a setting is not what it should be.')),
    # what it was given
    ("dependency", "null-island", "high", data.null_island),
    ("code", "whole-hours", "medium", data.zone_error),
    ("data", "clock-ahead", "high", data.clock_ahead),
    ("infra", "one-source-stale", "high", data.one_source_stale),
    ("dependency", "feed-stale", "medium", data.feed_stale),
    ("config", "cached", "high", data.cached),
    ("code", "not-json", "high", data.not_json),
    ("code", "script-error", "high", data.script_error),
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
    ("dependency", "slow-upstream", "high", timing.slow_upstream),
    ("dependency", "slow-log-in", "medium", timing.slow_log_in),
    ("infra", "slow-writes", "medium", timing.slow_writes),
    ("code", "many-queries", "high", timing.many_queries),
    ("code", "slow-query", "medium", timing.slow_query),
    ("infra", "queueing", "medium", timing.queueing),
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
