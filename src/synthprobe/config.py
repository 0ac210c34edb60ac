"""Reads ``synthprobe.toml`` or ``[tool.synthprobe]`` of ``pyproject.toml``; refuses unknown keys."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect
from msgspec import Struct, field

from synthprobe.errors import ConfigurationError
from synthprobe.respond.heartbeat import HeartbeatConfig
from synthprobe.respond.policy import FixesConfig
from synthprobe.respond.routes import AlertsConfig
from synthprobe.targets.target import Target, check_base_url


class BrowserConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[browser]``.

    Attributes:
        executable: path of the browser to use; empty lets ``synthprobe doctor`` choose.
    """

    executable: str = ""


class ReportConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[report]``.

    Attributes:
        site_url: absolute address the site is published at; makes links from Allure to the trace viewer.
        runbook_url: address of a runbook, with ``{id}`` where its id goes.
    """

    site_url: str = ""
    runbook_url: str = ""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration.

    Attributes:
        journeys: folders whose tests are journeys, relative to the project's root.
        default_target: the target used without ``--target``.
        folder: where runs, history and the site are kept, relative to the project's root.
        interval_s: seconds between two scheduled runs; a slot is ``floor(utc / interval)``.
        location: where this probe stands, for the report.
        browser: the table ``[browser]``.
        report: the table ``[report]``.
        alerts: the table ``[alerts]``.
        heartbeat: the table ``[heartbeat]``.
        fixes: the table ``[fixes]``.
        targets: the tables ``[targets.NAME]``.
    """

    journeys: tuple[str, ...] = ("journeys",)
    default_target: str = "demo"
    folder: str = ".synthprobe"
    interval_s: int = 300
    location: str = ""
    browser: BrowserConfig = field(default_factory=BrowserConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    heartbeat: HeartbeatConfig = field(default_factory=HeartbeatConfig)
    fixes: FixesConfig = field(default_factory=FixesConfig)
    targets: dict[str, Target] = field(default_factory=dict)

    def target(self, name: str | None = None, *, base_url: str | None = None) -> Target:
        """The target of that name.

        Args:
            name: as in the configuration; the default target without it.
            base_url: an address that replaces the configured one.

        Returns:
            The target, its address checked.

        Raises:
            ConfigurationError: when there is no such target, or its address is none.
        """
        name = name or self.default_target
        found = self.targets.get(name)
        if found is None:
            known = ", ".join(sorted(self.targets)) or "none"
            raise ConfigurationError(
                f"There is no target {name!r}.{_nearest(name, self.targets)} Known targets: {known}. "
                f"Add a table [targets.{name}] with a base_url to synthprobe.toml, or choose another with --target."
            )
        return msgspec.structs.replace(found, name=name, base_url=check_base_url(name, base_url or found.base_url))


def read_config(root: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read the project's configuration.

    Args:
        root: the project's root, where ``synthprobe.toml`` or ``pyproject.toml`` stands.
        environ: the environment; ``SYNTHPROBE_BROWSER`` names the browser's executable.

    Returns:
        The configuration; all defaults when neither file says anything.

    Raises:
        ConfigurationError: when a file cannot be read, or holds an unknown key or a value of the wrong kind.

    Example:
        >>> read_config(Path("/nonexistent")).default_target
        'demo'
    """
    environ = os.environ if environ is None else environ
    source, table = _table(root)
    _refuse_unknown_keys(table, Config, source, "")
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{source} cannot be used: {error}. See docs/reference/configuration.md.") from None
    if executable := environ.get("SYNTHPROBE_BROWSER"):
        config = msgspec.structs.replace(config, browser=BrowserConfig(executable=executable))
    return config


def _table(root: Path) -> tuple[str, dict[str, Any]]:
    for name, keys in (("synthprobe.toml", ()), ("pyproject.toml", ("tool", "synthprobe"))):
        try:
            table: Any = tomllib.loads((root / name).read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{name} cannot be read: {error}. Correct it, then start again.") from None
        for key in keys:
            table = table.get(key, {})
        if table:
            return name, table
    return "synthprobe.toml", {}


def _refuse_unknown_keys(table: Any, record: Any, source: str, place: str) -> None:
    if not isinstance(table, dict):
        return  # msgspec says it better
    known = {info.name: info.type for info in msgspec.structs.fields(record)}
    if record is Target:
        del known["name"]
    for key, value in table.items():
        if key not in known:
            raise ConfigurationError(
                f"{source} has an unknown key {place + key!r}.{_nearest(key, known)} "
                f"Known keys here: {', '.join(sorted(known))}."
            )
        kind = msgspec.inspect.type_info(known[key])
        if isinstance(kind, msgspec.inspect.StructType):
            _refuse_unknown_keys(value, kind.cls, source, f"{place}{key}.")
        elif isinstance(kind, msgspec.inspect.DictType) and isinstance(kind.value_type, msgspec.inspect.StructType):
            for name, entry in value.items() if isinstance(value, dict) else ():
                _refuse_unknown_keys(entry, kind.value_type.cls, source, f"{place}{key}.{name}.")


def _nearest(word: str, known: Mapping[str, Any]) -> str:
    match = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {match[0]!r}?" if match else ""
