"""Rules of triage about what the target was given and gives: times, positions, old data, the wrong kind of answer."""

from __future__ import annotations

import re

from synthprobe.triage.facts import TriageFacts

_ZERO = r"-?0(?:\.0+)?(?![\d.])"
_PLACE = re.compile(
    r"\b(lat|lon|lng|long|latitude|longitude|position|location|coord\w*|geo\w*|lies at)\b", re.IGNORECASE
)
_NULL_ISLAND = re.compile(rf"(?<![\d.]){_ZERO}\s*[,;]\s*['\"]?(?:lng|lon|longitude)?['\"]?\s*[=:]?\s*{_ZERO}")
_NO_NETWORK = re.compile(r"failed to fetch|networkerror|load failed", re.IGNORECASE)


def null_island(f: TriageFacts) -> str:
    """A position is 0, 0."""
    given = f.finding.contradiction.got if f.finding.contradiction else f.authors_words
    return (
        "The position is 0, 0: what an address look-up that is down leaves behind."
        if _NULL_ISLAND.search(given) and _PLACE.search(given)
        else ""
    )


def clock_ahead(f: TriageFacts) -> str:
    """A time lies in the future."""
    if f.finding.skew is None:
        return ""
    seconds = round(f.finding.skew.ahead_s)
    return (
        ""
        if _whole_hours(seconds)
        else f"A time that was recorded lies {seconds} s ahead, which no time zone explains."
    )


def zone_error(f: TriageFacts) -> str:
    """Times are off by whole hours."""
    skew = f.finding.skew
    ages = [a.age_s for a in f.evidence.ages if a.age_s > a.limit_s]
    seconds = round(skew.ahead_s) if skew else min(ages, default=0)
    if not _whole_hours(seconds) or (not skew and (len(ages) < 2 or len(ages) < len(f.evidence.ages))):
        return ""
    return f"Times are off by whole hours ({seconds / 3600:.0f} h), as in another time zone."


def one_source_stale(f: TriageFacts) -> str:
    """One source is old while others are fresh."""
    old = [a for a in f.evidence.ages if a.age_s > a.limit_s]
    new = [a for a in f.evidence.ages if a.age_s <= a.limit_s and old and _kind(a.what) == _kind(old[0].what)]
    if not old or not new or len(old) > len(new):
        return ""
    return (
        f"The {old[0].what} is {old[0].age_s:.0f} s old, and the {new[0].what} {new[0].age_s:.0f} s: one source has "
        "stopped, not the feed."
    )


def feed_stale(f: TriageFacts) -> str:
    """Everything that is fed in is old."""
    old = [a for a in f.evidence.ages if a.age_s > a.limit_s]
    stale = [d for d in f.degradations if d.kind == "stale"]
    broken = [a for a in f.unwanted if a.status >= 500 or a.status == 0]
    if broken or f.checks == "live" or not (old or stale or f.checks == "freshness"):
        return ""
    what = f"{old[0].what}: {old[0].age_s:.0f} s, the limit is {old[0].limit_s:g} s" if old else f.step
    return f"No answer was refused, and what the target is fed is old ({what})."


def cached(f: TriageFacts) -> str:
    """An answer comes from a cache."""
    found = max(f.unwanted, key=lambda a: a.age_s, default=None)
    if found is None or found.age_s < 1 or f.only_slow:
        return ""
    return f"{found.method} {found.path} is answered from a cache, {found.age_s:.0f} s old: it is kept too long."


def not_json(f: TriageFacts) -> str:
    """HTML stands where JSON was expected."""
    contradiction = f.finding.contradiction
    no_json = contradiction is not None and contradiction.about == "json"
    lines = "\n".join((f.authors_words, *f.evidence.page_errors)).casefold()
    found = next(
        (a for a in f.evidence.answers if a.by == "api" and a.status == 200 and a.content_type == "text/html"), None
    )
    if found and (no_json or "json" in lines):
        return f"{found.method} {found.path} answers 200 with an HTML page where JSON was expected."
    given = any("unexpected token '<'" in line and "json" in line for line in lines.splitlines())
    return "The page was given HTML where it expected JSON." if given else ""


def is_page_as_script(error: str) -> bool:
    """Whether an HTML page came in the place of a script; of JSON that cannot be read the browser says so."""
    return "unexpected token '<'" in error.casefold() and "json" not in error.casefold()


def script_error(f: TriageFacts) -> str:
    """A script of the page broke."""
    errors = [e for e in f.evidence.page_errors if not _NO_NETWORK.search(e) and not is_page_as_script(e)]
    found = next(iter(errors), "")
    refused = any(a.status >= 400 and a.by == "page" and a.resource in {"fetch", "xhr"} for a in f.evidence.answers)
    refused = refused or any(a.status >= 400 for a in f.unwanted)
    return f"A script of the page broke: {found}" if found and not refused else ""


def _kind(what: str) -> str:
    """What something is called without what tells it from others of its kind."""
    return " ".join(word for word in what.split() if not re.search(r"\d", word))


def _whole_hours(seconds: float) -> bool:
    return seconds >= 3000 and abs(seconds - round(seconds / 3600) * 3600) <= 90
