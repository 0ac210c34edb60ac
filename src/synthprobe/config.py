"""Reads ``synthprobe.toml`` or ``[tool.synthprobe]`` of ``pyproject.toml``; refuses unknown keys.

What each key means stands in docs/reference/configuration.md, which a test holds to the tables here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from synthprobe.alerts.heartbeat import HeartbeatConfig
from synthprobe.alerts.routes import AlertsConfig
from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError
from synthprobe.firstline.policy import FixesConfig
from synthprobe.history.address import wrong_with
from synthprobe.mistakes import Mistake, mistakes_in, nearest, refuse, shown
from synthprobe.records import history
from synthprobe.records.address import shown_address
from synthprobe.records.decoding import from_values
from synthprobe.report.addresses import wrong_with_url
from synthprobe.report.retention import Retention
from synthprobe.root import read_table
from synthprobe.targets.addresses import host_of
from synthprobe.targets.authorities import check_ca_file
from synthprobe.targets.guardrails import check_guardrails
from synthprobe.targets.reads import wrong_entry
from synthprobe.targets.target import (
    Target,
    check_base_url,
    check_http_credentials,
    check_inbox,
    check_session_key,
    check_testdata,
    check_trace_url,
)


class BrowserConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[browser]``."""

    executable: str = ""


class EvidenceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[evidence]``."""

    snapshots: Literal["always", "second-attempt"] = "always"


class ReportConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[report]``."""

    site_url: str = ""
    runbook_url: str = ""
    keep: Retention = field(default_factory=Retention)
    public: tuple[str, ...] = ()


class PublishConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[publish]``: where each run that is not plain green is published before anybody is told of it."""

    url: str = ""
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 45.0


class KeepConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[keep]``: how much of past runs a machine keeps. The newest three of each target always stay."""

    runs: Annotated[int, Meta(ge=1, le=1_000_000)] = 2_000
    megabytes: Annotated[float, Meta(gt=0, le=1_000_000)] = 2_000.0
    days: Annotated[float, Meta(gt=0, le=3_660)] = 7.0
    failures_days: Annotated[float, Meta(gt=0, le=3_660)] = 30.0


class HistoryConfig(history.Retention, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[history]``."""

    url: str = ""


class TelemetryConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[telemetry]``: where a scheduled run is told to tools that exist already."""

    otlp_url: str = ""
    metrics_folder: str = ""
    push_url: str = ""


class BurnRuleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table ``[[objectives.NAME.rules]]``."""

    factor: Annotated[float, Meta(gt=0, le=100_000)]
    long: str
    short: str


class ObjectiveConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[objectives.NAME]``; ``NAME`` is a journey's id, or ``default`` for all others."""

    percent: Annotated[float, Meta(ge=0, le=100)] = 99.0
    window_days: Annotated[float, Meta(ge=1, le=366)] = 30.0
    count_degraded: bool = False
    rules: tuple[BurnRuleConfig, ...] = ()


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration."""

    journeys: tuple[str, ...] = ("journeys",)
    runbooks: str = "runbooks"
    default_target: str = ""
    folder: str = ".synthprobe"
    interval_s: Annotated[int, Meta(ge=10, le=86_400)] = 300
    journey_deadline_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    second_attempts: Annotated[int, Meta(ge=0, le=10)] = 1
    second_attempt_delay_s: Annotated[float, Meta(ge=0, le=3_600)] = 2.0
    stall_margin_s: Annotated[float, Meta(gt=0, le=86_400)] = 15.0
    least_slowdown_ms: Annotated[float, Meta(ge=0, le=3_600_000)] = 50.0
    suspicion_reruns: Annotated[int, Meta(ge=0, le=100)] = 8
    suspicion_budget: Annotated[int, Meta(ge=0, le=10_000)] = 24
    control_url: str = ""
    location: str = ""
    windows: str = "windows.toml"
    plugins: tuple[str, ...] = ()
    browser: BrowserConfig = field(default_factory=BrowserConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    keep: KeepConfig = field(default_factory=KeepConfig)
    publish: PublishConfig = field(default_factory=PublishConfig)
    history: HistoryConfig = field(default_factory=HistoryConfig)
    objectives: dict[str, ObjectiveConfig] = field(default_factory=dict)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    heartbeat: HeartbeatConfig = field(default_factory=HeartbeatConfig)
    fixes: FixesConfig = field(default_factory=FixesConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)

    def target(self, name: str | None = None, *, base_url: str | None = None) -> Target:
        """The target of that name."""
        name = name or self.default_target
        found = self.targets.get(name)
        if found is None:
            known = ", ".join(sorted(self.targets)) or "none"
            if not name:
                way = "Choose one with --target or default_target" if self.targets else "Add a table [targets.NAME]"
                raise ConfigurationError(f"No target was chosen. Known targets: {known}. {way} in synthprobe.toml.")
            raise ConfigurationError(
                f"There is no target {name!r}.{nearest(name, self.targets)} Known targets: {known}. "
                f"Add a table [targets.{name}] with a base_url to synthprobe.toml, or choose another with --target."
            )
        address = check_base_url(name, base_url or found.base_url)
        found = msgspec.structs.replace(found, name=name, base_url=address)
        check_ca_file(found)
        for check in _CHECKS.values():
            check(found)
        self.check_place(found)
        return found

    def check_place(self, target: Target) -> None:
        """Refuse a target that stands where a production target does, without its guardrails."""
        for other, declared in self.targets.items():
            if declared.production and not target.production and host_of(declared.base_url) == host_of(target.base_url):
                raise ConfigurationError(
                    f"Target {target.name!r} was to run at {target.base_url}, which is the host of {other!r}, a "
                    f"production target. Its guardrails hold there: choose it by its name, --target {other} for a run "
                    f"and open_api({other!r}) for a session beside it."
                )

    def secret_sources(self) -> dict[str, str]:
        """Where every secret comes from that this configuration declares; addresses of channels are secrets too.

        Example:
            >>> Config(heartbeat=HeartbeatConfig(url="env:HEARTBEAT")).secret_sources()
            {'heartbeat.url': 'env:HEARTBEAT'}
        """
        secrets = {
            f"{of}.{name}": source for of, target in self.targets.items() for name, source in target.secrets.items()
        }
        declared = {"heartbeat.url": self.heartbeat.url, "history.url": self.history.url}
        declared |= {"telemetry.otlp_url": self.telemetry.otlp_url, "telemetry.push_url": self.telemetry.push_url}
        for route in self.alerts.routes:
            for number, source in enumerate((*route.to, *route.second, route.read_back), 1):
                declared[f"alerts.{route.name}.{number}"] = source
        return secrets | {name: at for name, at in declared.items() if at.startswith(("env:", "file:"))}


def read_config(root: Path, environ: Mapping[str, str] = ENVIRONMENT) -> Config:
    """Read the project's configuration.

    Example:
        >>> read_config(Path("/nonexistent")).interval_s
        300
    """
    written = read_table(root)
    found = list(mistakes_in(written.table, Config, {Target: "name"}))
    config = None if found else from_values(written.table, Config)
    found += _wrong_addresses(written.table)
    found += _wrong_routes(config)
    found += _wrong_ways(config)
    found += _wrong_targets(config)
    refuse(found, written.name, written.text, written.above)
    assert config is not None
    placed = {name: _placed(target, root) for name, target in config.targets.items()}
    default = config.default_target or (next(iter(placed)) if len(placed) == 1 else "")
    config = msgspec.structs.replace(config, targets=placed, default_target=default)
    if executable := environ.get("SYNTHPROBE_BROWSER"):
        config = msgspec.structs.replace(config, browser=BrowserConfig(executable=executable))
    return config


def _wrong_addresses(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """A history's URL that cannot be used, and passwords in addresses that stand in links and reports."""

    def text_at(*place: str) -> str:
        value: Any = table
        for part in place:
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""

    address = text_at("history", "url")
    if address and not address.startswith(("env:", "file:")) and (wrong := wrong_with(address)):
        yield Mistake(("history", "url"), f"has a history.url that cannot be used. {wrong}")
    place_to_publish = text_at("publish", "url")
    if place_to_publish and (wrong := wrong_with_url(place_to_publish)):
        yield Mistake(("publish", "url"), f"has publish.url = {place_to_publish!r}, which cannot be used. {wrong}")
    targets = table.get("targets")
    for place in (
        ("report", "site_url"),
        ("report", "runbook_url"),
        ("control_url",),
        *(("targets", name, "trace_url") for name in (targets if isinstance(targets, dict) else ())),
    ):
        address = text_at(*place)
        if (visible := shown_address(address)) != address:  # base_url says more when it is used
            yield Mistake(
                place,
                f"has {shown(place)} = {visible!r}, which holds a user or password; it would stand in links and "
                "reports that others read. Take it out: whoever follows the link signs in there.",
            )


def _wrong_routes(config: Config | None) -> Iterator[Mistake]:
    """Durations, hours and time zones of routes that cannot be used."""
    for number, route in enumerate(config.alerts.routes if config else ()):
        for key, sentence in route.wrong():
            place = ("alerts", "routes", number, key)
            yield Mistake(place, f"has {shown(place)}, which cannot be used: {sentence}")


def _wrong_ways(config: Config | None) -> Iterator[Mistake]:
    """Proxies, client certificates and entries of ``reads`` that cannot be used."""
    for name, target in (config.targets if config else {}).items():
        if target.proxy is not None:
            place = ("targets", name, "proxy")
            for key, sentence in target.proxy.wrong(shown(place), target.secrets):
                yield Mistake((*place, key), sentence)
        for text in target.reads:
            if why := wrong_entry(text):
                yield Mistake(("targets", name, "reads"), f"has {text!r} in targets.{name}.reads. {why}")
        for host, certificate in target.client_certificates.items():
            where = ("targets", name, "client_certificates", host)
            for key, sentence in certificate.wrong(host, shown(where), target.secrets):
                yield Mistake((*where, key) if key else where, sentence)


def _wrong_targets(config: Config | None) -> Iterator[Mistake]:
    """What is wrong with targets beside their address, which may be replaced by a typed one."""
    for name, target in (config.targets if config else {}).items():
        for key, check in _CHECKS.items():
            try:
                check(msgspec.structs.replace(target, name=name))
            except ConfigurationError as error:
                place = ("targets", name, key) if getattr(target, key, None) else ("targets", name)
                yield Mistake(place, f"cannot be used. {error}")


_CHECKS: dict[str, Callable[[Target], object]] = {
    "guardrails": check_guardrails,
    "trace_url": check_trace_url,
    "http_credentials": check_http_credentials,
    "session_key": check_session_key,
    "inbox": check_inbox,
    "testdata": lambda target: check_testdata(target.name, target.testdata),
}


def _placed(target: Target, root: Path) -> Target:
    """The target with its files where they are, wherever it is read."""

    def found(file: str) -> str:
        return str(root / Path(file).expanduser()) if file else ""

    certificates = {
        host: msgspec.structs.replace(certificate, file=found(certificate.file), key=found(certificate.key))
        for host, certificate in target.client_certificates.items()
    }
    return msgspec.structs.replace(target, ca_file=found(target.ca_file), client_certificates=certificates)
