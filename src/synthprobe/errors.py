"""Every exception synthprobe raises on purpose.

    SynthprobeError
    ├── ConfigurationError      something typed is wrong: option, marker, config file (exit code 2)
    │   └── SecretError         a secret is missing, unreadable or too short to be masked
    ├── JourneyError            a test cannot have contradicted anything, so that it proves nothing
    ├── ToolError               something that is needed is missing: browser, Node, Allure, library (exit code 2)
    ├── HistoryError            the history cannot take or give what was asked
    ├── ReportError             a report cannot be built from what was recorded
    ├── FixRefused              a fix was not applied, because a rule of safety forbids it (exit code 2)
    ├── AuditError              the audit cannot be believed: a line is corrupt or missing (exit code 2)
    ├── TargetError             the target could not be reached, or broke the protocol (also AssertionError)
    └── ExpectationError        the target contradicted an expectation (also AssertionError)

Each message is a sentence or more: what happened, what was expected, what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthprobe.records.finding import Finding


def refused_by_machine(error: OSError) -> str:
    """What the machine refused, as a sentence."""
    reason = error.strerror or str(error)
    if not error.filename:
        return reason
    return f"{error.filename} cannot be used: {reason}. Make room there, or correct what is in the way."


class SynthprobeError(Exception):
    """Base of all errors raised on purpose."""


class ConfigurationError(SynthprobeError):
    """Something typed is wrong: an option, a marker's argument, a key of the configuration."""


class SecretError(ConfigurationError):
    """A secret is missing, unreadable, or too short to be masked safely."""


class JourneyError(SynthprobeError):
    """A test returned a value, never ran, asserted nothing, or left a step open: that it passed proves nothing."""


class ToolError(SynthprobeError):
    """What a journey or a report needs is missing or broken: a browser, Node, Allure, a library, a mailbox.

    Args:
        message: the sentence a person reads.
        kind: what it is, in one word, for the cause of a journey that is unknown for it.
    """

    def __init__(self, message: str, kind: str = "tool") -> None:
        super().__init__(message)
        self.kind = kind


class HistoryError(SynthprobeError):
    """The history cannot take or give what was asked; what it could not take waits."""


class ReportError(SynthprobeError):
    """A report cannot be built from what was recorded."""


class FixRefused(SynthprobeError):
    """A fix was not applied, because a rule of safety forbids it."""


class AuditError(SynthprobeError):
    """The audit cannot be believed: a line is corrupt or missing."""


class TargetError(SynthprobeError, AssertionError):
    """The target could not be reached, or broke the protocol.

    Args:
        kind: the reason in one word: ``refused``, ``dns``, ``tls``, ``deadline``, ``too large``, ``redirects`` ...
        message: the sentence a person reads.
        finding: the same as a record, for those who judge it.
    """

    def __init__(self, kind: str, message: str, finding: Finding | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.finding = finding


class ExpectationError(SynthprobeError, AssertionError):
    """The target answered, and contradicted what the journey expects.

    Args:
        message: expected, got, and the request to repeat.
        kind: ``throttled`` when the target asked to be left alone for a while.
        finding: the same as a record, for those who judge it.
        last: what was raised at the last attempt, where it was tried several times.
    """

    def __init__(
        self,
        message: str,
        kind: str = "expectation",
        *,
        finding: Finding | None = None,
        last: AssertionError | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.finding = finding
        self.last = last
