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

_HOMES = {
    "Api": "synthprobe.journey.api",
    "ConfigurationError": "synthprobe.errors",
    "ExpectationError": "synthprobe.errors",
    "Inbox": "synthprobe.journey.inbox",
    "Journey": "synthprobe.records.journey",
    "LogIn": "synthprobe.browser.logged_in",
    "LoggedIn": "synthprobe.browser.logged_in",
    "Mail": "synthprobe.journey.inbox",
    "Mailbox": "synthprobe.journey.inbox",
    "NewApi": "synthprobe.journey.api",
    "OpenApi": "synthprobe.journey.api",
    "Otp": "synthprobe.journey.otp",
    "Plan": "synthprobe.firstline.fixes",
    "Recorder": "synthprobe.journey.steps",
    "Redactor": "synthprobe.evidence.redaction",
    "Response": "synthprobe.journey.response",
    "Secret": "synthprobe.targets.secrets",
    "Secrets": "synthprobe.plugin.fixtures",
    "SynthprobeError": "synthprobe.errors",
    "Target": "synthprobe.targets.target",
    "TargetError": "synthprobe.errors",
    "TestData": "synthprobe.journey.testdata",
    "Work": "synthprobe.firstline.fixes",
    "accepts_connections": "synthprobe.journey.ready_made",
    "certificate_holds": "synthprobe.journey.ready_made",
    "domain_holds": "synthprobe.journey.ready_made",
    "eventually": "synthprobe.journey.eventually",
    "fix": "synthprobe.firstline.fixes",
    "freshness": "synthprobe.journey.freshness",
    "has_security_headers": "synthprobe.journey.ready_made",
    "recording": "synthprobe.journey.steps",
    "redirects_to_https": "synthprobe.journey.ready_made",
    "resolves": "synthprobe.journey.ready_made",
    "step": "synthprobe.journey.steps",
    "testdata_kind": "synthprobe.hooks",
    "vitals": "synthprobe.browser.vitals",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'synthprobe' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
