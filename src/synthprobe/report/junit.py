"""The JUnit file of pytest, in JUnit's words: a journey is one case, canaries are none, and nothing in it is secret."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

from synthprobe.records.plain_text import plain_text
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.verdict.judge import MUST_FAIL, MUST_PASS

JOURNEY, OUTCOME = "synthprobe.journey", "synthprobe.outcome"
CAUSE, ATTEMPTS = "synthprobe.cause", "synthprobe.attempts"
"""Properties of a case."""

_HEAD = b'<?xml version="1.0" encoding="utf-8"?>'
_TAGS: dict[str, str] = {"failed": "failure", "unknown": "error", "skipped": "skipped"}
_VERDICTS = frozenset(_TAGS.values())
_PHASE = re.compile(r'^failed on (?:setup|teardown) with "(.*)"$', re.DOTALL)


def properties_of(journey: str, outcome: Outcome, cause: str, attempt: int) -> list[tuple[str, object]]:
    """What a case tells of its journey beside JUnit's own words."""
    return [(JOURNEY, journey), (OUTCOME, outcome), (ATTEMPTS, attempt), (CAUSE, cause)]


def in_words_of_junit(content: bytes, mask: Callable[[str], str]) -> bytes:
    """pytest's JUnit file, put right."""
    root = ET.fromstring(content)  # noqa: S314 - pytest wrote it a moment ago
    for suite in root.iter("testsuite"):
        journeys = {_key(case) for case in suite.findall("testcase") if _property(case, OUTCOME)}
        cases: dict[tuple[str | None, str | None], ET.Element] = {}
        for case in suite.findall("testcase"):
            first = cases.setdefault(_key(case), case)
            if _key(case) in journeys and first is not case:
                _join(first, case)
                suite.remove(case)
        for key in journeys:
            if _property(cases[key], JOURNEY) in {MUST_FAIL, MUST_PASS}:
                suite.remove(cases[key])
            else:
                _put_right(cases[key])
        _count(suite)
    _mask(root, mask)
    return _HEAD + ET.tostring(root)


def agree_with(verdict: Verdict, place: Path, mask: Callable[[str], str]) -> None:
    """Write the verdict of a run into its JUnit file: what pytest could not know of, and what never came to its end."""
    try:
        root = ET.fromstring(place.read_bytes())  # noqa: S314 - pytest's, and ours
    except (FileNotFoundError, ET.ParseError):
        root = ET.Element("testsuites")
        ET.SubElement(root, "testsuite", name="pytest", timestamp=verdict.run.started_at.isoformat())
    suite = next(root.iter("testsuite"))
    cases = {_property(case, JOURNEY): case for case in suite.findall("testcase")}
    for judgement in verdict.journeys:
        case = cases.get(judgement.journey.id)
        if case is None:
            file, *names = judgement.journey.node_id.split("::")
            classname = ".".join([file.removesuffix(".py").replace("/", "."), *names[:-1]])
            case = ET.SubElement(suite, "testcase", classname=classname, name=(names or [file])[-1], time="0.000")
        if _property(case, OUTCOME) != judgement.outcome:
            _tell(case, judgement)
            _put_right(case)
    _count(suite)
    _mask(root, mask)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(_HEAD + ET.tostring(root))


def _tell(case: ET.Element, judgement: JourneyVerdict) -> None:
    properties = case.find("properties")
    if properties is None:
        properties = ET.Element("properties")
        case.insert(0, properties)
    pairs = properties_of(judgement.journey.id, judgement.outcome, judgement.cause, len(judgement.results))
    properties.extend(ET.Element("property", name=name, value=str(value)) for name, value in pairs)


def _count(suite: ET.Element) -> None:
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))


def _mask(root: ET.Element, mask: Callable[[str], str]) -> None:
    for element in root.iter():
        element.text = plain_text(mask(element.text)) if element.text else element.text
        for name, value in element.attrib.items():
            element.set(name, plain_text(mask(value)))


def _key(case: ET.Element) -> tuple[str | None, str | None]:
    return case.get("classname"), case.get("name")


def _property(case: ET.Element, name: str) -> str:
    """The last one counts: it is that of the last attempt."""
    found = [element.get("value", "") for element in case.iter("property") if element.get("name") == name]
    return found[-1] if found else ""


def _join(first: ET.Element, other: ET.Element) -> None:
    """pytest writes a second case where a journey failed and its clean-up failed, too."""
    properties = first.find("properties")
    for part in other:
        if part.tag == "properties" and properties is not None:
            properties.extend(part)
        else:
            first.insert(0 if part.tag == "properties" else len(first), part)
    first.set("time", f"{float(first.get('time', 0)) + float(other.get('time', 0)):.3f}")


def _put_right(case: ET.Element) -> None:
    outcome, cause = _property(case, OUTCOME), _property(case, CAUSE)
    properties = case.find("properties")
    if properties is not None:
        last = {element.get("name"): element for element in properties}
        for property_element in list(properties):
            ours = property_element.get("name") in {JOURNEY, OUTCOME, CAUSE, ATTEMPTS}
            if ours and (
                last[property_element.get("name")] is not property_element or not property_element.get("value")
            ):
                properties.remove(property_element)
    verdicts = [part for part in case if part.tag in _VERDICTS]
    for part in verdicts:
        case.remove(part)
    if (tag := _TAGS.get(outcome)) is None:
        return
    kept = verdicts[0] if verdicts else ET.Element(tag, message=cause)
    kept.tag = tag
    kept.set("message", _PHASE.sub(r"\1", kept.get("message", "")))
    if outcome == "unknown":
        kept.set("message", cause)
    case.insert(1 if properties is not None else 0, kept)
