"""A project: what plugin and commands are handed. `root` finds it, `config` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from synthprobe.config import Config, read_config
from synthprobe.environment import ENVIRONMENT, CiJob
from synthprobe.errors import ConfigurationError
from synthprobe.records.result import Run, new_run_id
from synthprobe.root import NO_PROJECT, project_at
from synthprobe.targets.secrets import Credentials, Secret, proxies_for, read_credentials, read_secret
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from synthprobe.evidence.redaction import Redactor
    from synthprobe.hooks import Plugins


@dataclass(frozen=True)
class Project:
    """A project: its root, what is configured there, and the environment that its secrets are read from."""

    root: Path
    config: Config
    environ: Mapping[str, str] = field(default_factory=lambda: ENVIRONMENT)

    @classmethod
    def at(cls, root: Path) -> Project:
        """The project of a root."""
        return cls(root, read_config(root))

    @classmethod
    def here(cls, *, must_exist: bool = True) -> Project:
        """The project that a command is typed in; all defaults where there need be none."""
        root = project_at(Path.cwd())
        if must_exist and root is None:
            raise ConfigurationError(NO_PROJECT)
        return cls.at(root or Path.cwd())

    @property
    def folder(self) -> Path:
        """Where runs, history and the site are kept."""
        return self.root / self.config.folder

    @property
    def ci(self) -> CiJob:
        """The job of a CI that this is."""
        return CiJob.of(self.environ)

    @property
    def plugins(self) -> Plugins:
        """The project's plugins, loaded once."""
        from synthprobe.hooks import load_plugins

        return load_plugins(self.config.plugins, self.root)

    def credentials(self, target: Target) -> Credentials:
        """What whoever speaks with a target shows on the way."""
        return read_credentials(target, self.environ, root=self.root)

    def proxies(self, target: Target) -> Callable[[str], dict[str, str]]:
        """The proxies through which an address is reached from here."""
        return partial(proxies_for, target, self.environ, self.root)

    def stopped(self, target: Target) -> str:
        """Why a target may be asked nothing: its kill switch."""
        from synthprobe.journey.guard import kill_switch_reason  # most that reads a configuration asks nobody

        return kill_switch_reason(target.kill_switch, self.environ, self.proxies(target))

    def secret(self, target: Target, name: str, *, needed_by: str = "") -> Secret:
        """A secret of a target, read where its configuration says, and masked from now on."""
        if name not in target.secrets:
            whose = f", which the {needed_by} needs" if needed_by else ""
            known = ", ".join(sorted(target.secrets)) or "none"
            raise ConfigurationError(
                f"Target {target.name!r} declares no secret {name!r}{whose}; it declares: {known}. "
                f'Add {name} to [targets.{target.name}.secrets], for example {name} = "env:{name.upper()}".'
            )
        secret = read_secret(name, self.environ, source=target.secrets[name], root=self.root)
        self.redactor.add(secret)
        return secret

    @cached_property
    def redactor(self) -> Redactor:
        """What masks every secret that the configuration declares."""
        from synthprobe.evidence.redaction import Redactor  # most that reads a configuration masks nothing

        made = Redactor()
        made.learn_declared(self.config.secret_sources(), self.environ, self.root)
        return made

    def run(self, target: Target, slot: int | None, **known: Any) -> Run:
        """A run against a target that begins now, of the slot that is now if of none."""
        now = datetime.now(UTC)
        own = int(now.timestamp()) // self.config.interval_s if slot is None else slot
        given = {"id": new_run_id(now), "target": target.name, "base_url": target.base_url, "slot": own}
        return Run(**{**given, "started_at": now, "location": self.config.location, **known})

    def with_config(self, **changes: Any) -> Project:
        """The same project, configured differently."""
        return replace(self, config=structs.replace(self.config, **changes))
