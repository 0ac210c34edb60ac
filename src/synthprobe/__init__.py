"""What a journey's author imports. Names load on first use, so that this import stays light."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthprobe.browser.logged_in import LoggedIn as LoggedIn
    from synthprobe.browser.logged_in import LogIn as LogIn
    from synthprobe.browser.vitals import vitals as vitals
    from synthprobe.errors import ConfigurationError as ConfigurationError
    from synthprobe.errors import ExpectationError as ExpectationError
    from synthprobe.errors import SynthprobeError as SynthprobeError
    from synthprobe.errors import TargetError as TargetError
    from synthprobe.evidence.redaction import Redactor as Redactor
    from synthprobe.firstline.fixes import Plan as Plan
    from synthprobe.firstline.fixes import Work as Work
    from synthprobe.firstline.fixes import fix as fix
    from synthprobe.hooks import testdata_kind as testdata_kind
    from synthprobe.journey.api import Api as Api
    from synthprobe.journey.api import NewApi as NewApi
    from synthprobe.journey.api import OpenApi as OpenApi
    from synthprobe.journey.eventually import eventually as eventually
    from synthprobe.journey.freshness import freshness as freshness
    from synthprobe.journey.inbox import Inbox as Inbox
    from synthprobe.journey.inbox import Mail as Mail
    from synthprobe.journey.inbox import Mailbox as Mailbox
    from synthprobe.journey.otp import Otp as Otp
    from synthprobe.journey.ready_made import accepts_connections as accepts_connections
    from synthprobe.journey.ready_made import certificate_holds as certificate_holds
    from synthprobe.journey.ready_made import domain_holds as domain_holds
    from synthprobe.journey.ready_made import has_security_headers as has_security_headers
    from synthprobe.journey.ready_made import redirects_to_https as redirects_to_https
    from synthprobe.journey.ready_made import resolves as resolves
    from synthprobe.journey.response import Response as Response
    from synthprobe.journey.steps import Recorder as Recorder
    from synthprobe.journey.steps import recording as recording
    from synthprobe.journey.steps import step as step
    from synthprobe.journey.testdata import TestData as TestData
    from synthprobe.plugin.fixtures import Secrets as Secrets
    from synthprobe.records.journey import Journey as Journey
    from synthprobe.targets.secrets import Secret as Secret
    from synthprobe.targets.target import Target as Target

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
__all__ = sorted(_HOMES)  # for `import *`; who checks types sees the names above


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'synthprobe' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
