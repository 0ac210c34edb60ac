"""The JUnit file of pytest, in JUnit's words: a journey is one case, canaries are none, and nothing in it is secret."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from synthprobe.evidence.scratch import private_folder
from synthprobe.model.result import Outcome
from synthprobe.verdict.judge import MUST_FAIL, MUST_PASS

JOURNEY, OUTCOME = "synthprobe.journey", "synthprobe.outcome"
CAUSE, ATTEMPTS = "synthprobe.cause", "synthprobe.attempts"
"""Properties of a case."""

_TAGS: dict[str, str] = {"failed": "failure", "unknown": "error", "skipped": "skipped"}
_VERDICTS = frozenset(_TAGS.values())
_PHASE = re.compile(r'^failed on (?:setup|teardown) with "(.*)"$', re.DOTALL)


class JUnitOfJourneys:
    """Has pytest write its JUnit file into a private folder, and makes the real one of it.

    Args:
        config: pytest's configuration.
        mask: hides secrets.
    """

    def __init__(self, config: pytest.Config, mask: Callable[[str], str]) -> None:
        self._config = config
        self._mask = mask

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        """Write the file."""
        from _pytest.junitxml import xml_key

        writer = self._config.stash.get(xml_key, None)
        if writer is None:
            return (yield)
        folder, place = private_folder("synthprobe-junit-"), Path(writer.logfile)
        raw = folder / "junit.xml"
        try:
            writer.logfile = str(raw)
            done = yield
            if raw.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(in_words_of_junit(raw.read_bytes(), self._mask))
            return done
        finally:
            writer.logfile = str(place)
            shutil.rmtree(folder, ignore_errors=True)


def properties_of(journey: str, outcome: Outcome, cause: str, attempt: int) -> list[tuple[str, object]]:
    """What a case tells of its journey beside JUnit's own words.

    Args:
        journey: the journey's id.
        outcome: of its last attempt.
        cause: why it is not ``passed``.
        attempt: how many there were.

    Returns:
        Names and values.
    """
    return [(JOURNEY, journey), (OUTCOME, outcome), (ATTEMPTS, attempt), (CAUSE, cause)]


def in_words_of_junit(content: bytes, mask: Callable[[str], str]) -> bytes:
    """pytest's JUnit file, put right.

    Args:
        content: as pytest wrote it.
        mask: hides secrets.

    Returns:
        The file: a case for each journey, ``failure`` for failed, ``error`` for unknown, nothing for passed and
        degraded; no canaries; figures that fit; all texts masked.
    """
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
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(sum(case.find(tag) is not None for case in suite.iter("testcase"))))
        suite.set("tests", str(len(suite.findall("testcase"))))
    for element in root.iter():
        element.text = mask(element.text) if element.text else element.text
        for name, value in element.attrib.items():
            element.set(name, mask(value))
    return b'<?xml version="1.0" encoding="utf-8"?>' + ET.tostring(root)


def _key(case: ET.Element) -> tuple[str | None, str | None]:
    return case.get("classname"), case.get("name")


def _property(case: ET.Element, name: str) -> str:
    """The last one counts: it is that of the last attempt."""
    found = [one.get("value", "") for one in case.iter("property") if one.get("name") == name]
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
        last = {one.get("name"): one for one in properties}
        for one in list(properties):
            ours = one.get("name") in {JOURNEY, OUTCOME, CAUSE, ATTEMPTS}
            if ours and (last[one.get("name")] is not one or not one.get("value")):
                properties.remove(one)
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
