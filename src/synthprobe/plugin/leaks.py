"""Closes ways that secrets take out of a session: test ids, the browser's log, the browser's environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

import pytest

from synthprobe.config import Config
from synthprobe.evidence.redaction import Redactor
from synthprobe.plugin.inside_pytest import parameters
from synthprobe.targets.secrets import Secret


def refuse_secret_ids(items: Iterable[pytest.Item], redactor: Redactor) -> None:
    """Refuse tests whose id would carry a secret into every report."""
    for item in items:
        if (
            any(isinstance(value, Secret) for value in parameters(item).values())
            or redactor.text(item.nodeid) != item.nodeid
        ):
            raise pytest.UsageError(
                f"{item.nodeid.partition('[')[0]} is parametrised with a secret, whose value would stand in test ids. "
                "Parametrise with the secret's name, and read it in the journey: secrets[name]."
            )


def browser_log_refusal(environment: MutableMapping[str, str], target: str) -> str:
    """Why Playwright's own log, which holds everything that is typed and sent, may not be written."""
    if target == "demo" or "pw:" not in environment.get("DEBUG", ""):
        return ""
    del environment["DEBUG"]
    return (
        f"DEBUG asks for Playwright's own log, which holds every typed password, and the target is {target!r}. "
        "Unset DEBUG, or run against the demo."
    )


def without_secrets(environment: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The environment a browser gets."""
    sources = set(config.secret_sources().values())
    return {name: value for name, value in environment.items() if f"env:{name}" not in sources}
