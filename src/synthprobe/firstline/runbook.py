"""A runbook, as a record: what one Markdown file says of one failure pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from synthprobe.records.incident import CauseClass
from synthprobe.records.journey import Severity

Audience = Literal["first-line", "second-line"]
SECTIONS = ("Symptom", "Impact", "Confirm", "Fix", "Verify", "Escalate", "History")
"""The sections of every runbook, in this order."""

_UNFINISHED = re.compile(r"\b(TODO|TBD|FIXME|XXX)\b|lorem ipsum", re.IGNORECASE)

LABELS = ("journey", "step", "kind", "class", "node", "checks", "rule", "request", "message", "fingerprint")
"""What a runbook may say of a failure; values may hold ``*``, and a message is a regular expression."""


FORMER_KEYS = ("fingerprints", "labels", "messages", "default_for")
"""Keys of ``matches`` that older pages have."""


def identifies(entry: Mapping[str, str]) -> bool:
    """Whether an entry names evidence of one failure: its fingerprint, its words, or a request and what is wrong."""
    if "fingerprint" in entry or "message" in entry:
        return True
    return "request" in entry and (entry.get("rule", "*") != "*" or " answered" in entry["request"])


class Matches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a runbook is for, in the words of its front matter.

    Attributes:
        knows: evidence by which it knows its failure; of each entry all must hold.
        general_for: what it is offered for when no page knows the failure: a journey, a class, or both.
        fingerprints: the same as ``knows`` with a fingerprint each.
        labels: each the same as an entry of ``knows`` when it identifies a failure, otherwise of ``general_for``.
        messages: the same as ``knows`` with a message each.
        default_for: the same as ``general_for`` with a journey each.
    """

    knows: tuple[dict[str, str], ...] = ()
    general_for: tuple[dict[str, str], ...] = ()
    fingerprints: tuple[str, ...] = ()
    labels: tuple[dict[str, str], ...] = ()
    messages: tuple[str, ...] = ()
    default_for: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[dict[str, str], ...]:
        """Every entry that identifies a failure."""
        listed = (
            *({"fingerprint": known_by} for known_by in self.fingerprints),
            *({"message": m} for m in self.messages),
        )
        return tuple(entry for entry in (*self.knows, *listed, *self.labels) if identifies(entry))

    @property
    def general(self) -> tuple[dict[str, str], ...]:
        """Every entry by which it is offered in general; what is too wide to know a failure is one as well."""
        wide = tuple(entry for entry in (*self.knows, *self.labels) if entry and not identifies(entry))
        return (*self.general_for, *({"journey": journey} for journey in self.default_for), *wide)

    @property
    def journeys(self) -> tuple[str, ...]:
        """Journeys whose general page it is."""
        return tuple(entry["journey"] for entry in self.general if set(entry) == {"journey"})


class Exercise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a drill last proved the runbook."""

    at: date
    revision: str


class Command(Struct, frozen=True, kw_only=True):
    """A command a person types.

    Attributes:
        line: where it stands in the file, from 1.
        expected: texts, or ``/regular expressions/``, that its output must hold.
        unexpected: texts its output must not hold.
        says: the whole sentence that says what to expect; empty when there is none.
    """

    shell: str
    line: int
    expected: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    says: str = ""


class Section(Struct, frozen=True, kw_only=True):
    """A section of the body."""

    title: str
    line: int
    text: str
    commands: tuple[Command, ...] = ()
    steps: int = 0


class FrontMatter(Struct, frozen=True, kw_only=True):
    """What stands before the body.

    Attributes:
        id: its name; the file's stem.
        owner: the role or team that keeps it right, never a person.
        cause_class: where the cause lies; ``class`` in the file.
        fix: id of an allowed fix.
        drill: the fault that reproduces it.
        review_after: days after which it must be proved again.
        supersedes: ids of runbooks it replaces.
    """

    id: str
    title: str
    owner: str
    audience: Audience
    severity: Severity
    matches: Matches
    cause_class: CauseClass = field(name="class")
    journeys: tuple[str, ...] = ()
    fix: str = ""
    drill: str = ""
    review_after: Annotated[int, Meta(ge=1, le=366)] = 90
    supersedes: tuple[str, ...] = ()


class Runbook(FrontMatter, frozen=True, kw_only=True):
    """One failure pattern, and what to do about it.

    Attributes:
        path: the file, relative to the project's root.
        last_exercised: when a drill last proved it; nothing when none did.
        shipped: whether it comes with synthprobe; a page of the project's own goes first.
        body_line: where the body begins, from 1.
    """

    path: str
    last_exercised: Exercise | None
    shipped: bool = False
    sections: tuple[Section, ...] = ()
    body: str = ""
    body_line: int = 1

    def section(self, title: str) -> Section | None:
        """The section of that title, if there is one."""
        return next((section for section in self.sections if section.title == title), None)

    @property
    def fallback(self) -> str:
        """How the work goes on without the broken part; empty when the page does not say."""
        impact = self.section("Impact")
        lines = impact.text.splitlines() if impact else []
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("Fallback:")), "")

    @property
    def finished(self) -> bool:
        """Whether nothing in it is left to do; a draft matches no failure and covers nothing."""
        return not any(unfinished(text) for text in (self.title, self.owner, self.body))


def unfinished(text: str) -> bool:
    """Whether a text says itself that it is not done."""
    return bool(_UNFINISHED.search(text))


def as_pattern(expected: str) -> str:
    """The regular expression an expectation stands for: itself between slashes, else its own letters."""
    is_regex = len(expected) > 2 and expected[0] == expected[-1] == "/"
    return expected[1:-1] if is_regex else re.escape(expected)


def holds(command: Command, output: str) -> str:
    """Whether a command printed what its runbook expects."""
    for text in command.expected:
        if not re.search(as_pattern(text), output):
            return f"{text} was expected in the output, and is not there."
    for text in command.unexpected:
        if re.search(as_pattern(text), output):
            return f"{text} stands in the output, and should not."
    return ""
