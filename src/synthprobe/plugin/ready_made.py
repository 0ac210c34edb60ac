"""Ready-made journeys: one for each name in ``ready_made`` of a target, collected from the configuration's own file."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from urllib.parse import urlsplit

import pytest

from synthprobe.config import Config
from synthprobe.journey import ready_made as looks
from synthprobe.journey.api import Api


@pytest.mark.journey(runbook="certificate-ends")
def certificate_holds(api: Api) -> None:
    """The certificate holds, and will for three weeks."""
    looks.certificate_holds(api)


@pytest.mark.journey(runbook="https-redirect")
def redirects_to_https(api: Api) -> None:
    """Whoever comes by http is sent on to https."""
    looks.redirects_to_https(api)


@pytest.mark.journey(runbook="security-headers")
def has_security_headers(api: Api) -> None:
    """The first page tells browsers to be careful."""
    looks.has_security_headers(api)


@pytest.mark.journey(runbook="name-unknown")
def resolves(api: Api) -> None:
    """The name has addresses."""
    looks.resolves(api)


@pytest.mark.journey(runbook="port-closed")
def accepts_connections(api: Api) -> None:
    """The port takes connections."""
    parts = urlsplit(api.target.base_url)
    looks.accepts_connections(api, parts.port or (443 if parts.scheme == "https" else 80))


class ReadyMadeFile(pytest.Module):
    """The configuration as a file of journeys: each name that a target has is one, for the targets that have it."""

    def _getobj(self) -> ModuleType:
        import synthprobe.plugin.ready_made as journeys

        return journeys

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        from synthprobe.plugin.options import project_of

        wanted = targets_of(project_of(self.config).config)
        for name, targets in wanted.items():
            found = pytest.Function.from_parent(self, name=name)
            found.add_marker(pytest.mark.journey(id=f"ready-made.{name}", targets=targets))
            yield found


def targets_of(config: Config) -> dict[str, list[str]]:
    """Names of targets, by the ready-made journey that they have."""
    found: dict[str, list[str]] = {}
    for target, declared_target in config.targets.items():
        for name in dict.fromkeys(declared_target.ready_made):
            found.setdefault(name, []).append(target)
    return found
