"""What a journey's author imports. Names load on first use, so that this import stays light."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthprobe.browser.logged_in import LoggedIn, LogIn
    from synthprobe.browser.vitals import vitals
    from synthprobe.errors import ConfigurationError, ExpectationError, SynthprobeError, TargetError
    from synthprobe.evidence.redaction import Redactor
    from synthprobe.firstline.fixes import Plan, Work, fix
    from synthprobe.hooks import testdata_kind
    from synthprobe.journey.api import Api, NewApi, OpenApi
    from synthprobe.journey.eventually import eventually
    from synthprobe.journey.freshness import freshness
    from synthprobe.journey.inbox import Inbox, Mail, Mailbox
    from synthprobe.journey.otp import Otp
    from synthprobe.journey.ready_made import (
        accepts_connections,
        certificate_holds,
        domain_holds,
        has_security_headers,
        redirects_to_https,
        resolves,
    )
    from synthprobe.journey.response import Response
    from synthprobe.journey.steps import Recorder, recording, step
    from synthprobe.journey.testdata import TestData
    from synthprobe.plugin.fixtures import Secrets
    from synthprobe.records.journey import Journey
    from synthprobe.targets.secrets import Secret
    from synthprobe.targets.target import Target

__all__ = [
    "Api",
    "ConfigurationError",
    "ExpectationError",
    "Inbox",
    "Journey",
    "LogIn",
    "LoggedIn",
    "Mail",
    "Mailbox",
    "NewApi",
    "OpenApi",
    "Otp",
    "Plan",
    "Recorder",
    "Redactor",
    "Response",
    "Secret",
    "Secrets",
    "SynthprobeError",
    "Target",
    "TargetError",
    "TestData",
    "Work",
    "accepts_connections",
    "certificate_holds",
    "domain_holds",
    "eventually",
    "fix",
    "freshness",
    "has_security_headers",
    "recording",
    "redirects_to_https",
    "resolves",
    "step",
    "testdata_kind",
    "vitals",
]

_NAMES = {
    "browser.logged_in": "LogIn LoggedIn",
    "browser.vitals": "vitals",
    "errors": "ConfigurationError ExpectationError SynthprobeError TargetError",
    "evidence.redaction": "Redactor",
    "firstline.fixes": "Plan Work fix",
    "hooks": "testdata_kind",
    "journey.api": "Api NewApi OpenApi",
    "journey.eventually": "eventually",
    "journey.freshness": "freshness",
    "journey.inbox": "Inbox Mail Mailbox",
    "journey.otp": "Otp",
    "journey.ready_made": "accepts_connections certificate_holds domain_holds "
    "has_security_headers redirects_to_https resolves",
    "journey.response": "Response",
    "journey.steps": "Recorder recording step",
    "journey.testdata": "TestData",
    "plugin.fixtures": "Secrets",
    "records.journey": "Journey",
    "targets.secrets": "Secret",
    "targets.target": "Target",
}
_HOMES = {name: f"synthprobe.{module}" for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'synthprobe' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
