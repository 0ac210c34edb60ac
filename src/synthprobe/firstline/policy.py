"""The rules a fix must keep: the table ``[fixes]``, and the pure judgement over the audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from synthprobe.errors import ConfigurationError, FixRefused
from synthprobe.firstline.audit import AuditEntry
from synthprobe.firstline.identity import IdentityConfig
from synthprobe.records.incident import Incident

Power = Literal["apply", "approve"]
LOCK = timedelta(minutes=15)
"""How long a fix that began and said nothing since keeps others away; longer than any takes with its journeys."""


class FixesConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[fixes]``."""

    folder: str = "fixes"
    roles: dict[str, tuple[Power, ...]] = field(
        default_factory=lambda: {"first-line": ("apply",), "supervisor": ("approve",), "engineer": ("apply", "approve")}
    )
    freeze: tuple[str, ...] = ()
    evidence_age_s: Annotated[float, Meta(gt=0, le=86_400)] = 900.0
    approval_s: Annotated[float, Meta(gt=0, le=86_400)] = 1800.0
    breaker_failures: Annotated[int, Meta(ge=1, le=100)] = 2
    automatic_after: Annotated[int, Meta(ge=1, le=10_000)] = 5
    identity: IdentityConfig = field(default_factory=IdentityConfig)


def check_role(config: FixesConfig, role: str, power: Power) -> None:
    """Refuse a role that may not."""
    if role not in config.roles:
        raise FixRefused(
            f"There is no role {role!r}. Known roles: {', '.join(sorted(config.roles))}. See [fixes.roles]."
        )
    if power not in config.roles[role]:
        raise FixRefused(f"The role {role!r} may not {power} fixes. Roles that may: {able(config, power)}.")


def able(config: FixesConfig, power: Power) -> str:
    """The roles that may do something."""
    return ", ".join(name for name, powers in sorted(config.roles.items()) if power in powers) or "none"


def check_freeze(config: FixesConfig, now: datetime) -> None:
    """Refuse to act inside a freeze window."""
    for window in config.freeze:
        try:
            start, end = (datetime.fromisoformat(part) for part in window.split("/"))
            inside = start <= now < end
        except (ValueError, TypeError):
            raise ConfigurationError(
                f"The freeze window {window!r} cannot be read; START/END with time zone was expected, for example "
                '"2026-12-24T00:00+00:00/2026-12-27T00:00+00:00".'
            ) from None
        if inside:
            raise FixRefused(
                f"Nothing is applied until {end:%Y-%m-%d %H:%M} UTC: the freeze window {window}. Escalate."
            )


def check_evidence(config: FixesConfig, incident: Incident, target: str, now: datetime) -> None:
    """Refuse an incident that is over, of another target, or seen too long ago."""
    if incident.target != target:
        raise FixRefused(f"The incident {incident.id} is of target {incident.target!r}, not of {target!r}.")
    if incident.state == "resolved":
        raise FixRefused(f"The incident {incident.id} is resolved; there is nothing to fix.")
    age = (now - incident.last_seen_at).total_seconds()
    limit = config.evidence_age_s / 60
    if age > config.evidence_age_s:
        raise FixRefused(
            f"The incident {incident.id} was last seen {age / 60:.0f} min ago; at most {limit:.0f} "
            "min were expected. Run the journeys again, then plan the fix anew."
        )


def check_rate(entries: Sequence[AuditEntry], fix: str, target: str, per_hour: int, now: datetime) -> None:
    """Refuse a fix that was applied too often in the last hour, started and unfinished ones counted."""
    recent = [
        entry
        for entry in _of(entries, fix, target)
        if entry.event == "applying" and now - entry.at < timedelta(hours=1)
    ]
    if len(recent) >= per_hour:
        raise FixRefused(
            f"The fix {fix} was applied {len(recent)} times in the last hour; at most {per_hour} were expected. "
            "A fix that is needed so often does not fix the cause. Escalate."
        )


def check_alone(entries: Sequence[AuditEntry], target: str, now: datetime) -> None:
    """Refuse to apply two fixes to a target at once, from whatever machines."""
    begun = [entry for entry in entries if entry.target == target and entry.event in {"applying", "applied", "failed"}]
    if begun and begun[-1].event == "applying" and now - begun[-1].at < LOCK:
        raise FixRefused(
            f"Another fix, {begun[-1].fix}, is being applied to {target!r} since {begun[-1].at:%H:%M:%S} UTC. Wait "
            f"until it ended; one that died keeps others away for {LOCK.total_seconds() / 60:.0f} min."
        )


def check_breaker(config: FixesConfig, entries: Sequence[AuditEntry], fix: str, target: str, now: datetime) -> None:
    """Refuse a fix whose last applications failed; one that never ended counts as failed."""
    ends = outcomes(entries, fix, target)[-config.breaker_failures :]
    if len(ends) == config.breaker_failures and not any(clean for _, clean in ends):
        until = ends[-1][0] + timedelta(days=1)
        if now < until:
            raise FixRefused(
                f"The fix {fix} failed {len(ends)} times in a row and "
                f"is stopped until {until:%Y-%m-%d %H:%M} UTC. Escalate."
            )


def check_earned(
    config: FixesConfig, entries: Sequence[AuditEntry], fix: str, target: str, allowed: Sequence[str]
) -> None:
    """Refuse to act without a person, unless the target allows it and the fix earned it."""
    if fix not in allowed:
        raise FixRefused(
            f"The target {target!r} does not let {fix} be applied without a person. A person may apply it, or "
            "automatic_fixes of the target may name it."
        )
    clean = 0
    for _, good in reversed(outcomes(entries, fix, target)):
        if not good:
            break
        clean += 1
    if clean < config.automatic_after:
        raise FixRefused(
            f"The fix {fix} had {clean} clean applies in a row; {config.automatic_after} were expected before it is "
            "applied without a person."
        )


def approval(
    entries: Sequence[AuditEntry],
    digest: str,
    who: str,
    now: datetime,
    is_signed: Callable[[AuditEntry], bool] = lambda _: True,
) -> AuditEntry | None:
    """An approval of this very plan by somebody else that still holds, is signed as it must be, and was not used."""
    return _approved([entry for entry in entries if entry.digest == digest], who, now, is_signed)


def outgrown(entries: Sequence[AuditEntry], digest: str, who: str, now: datetime) -> AuditEntry | None:
    """An approval of another plan for the very same order: what the fix would change has changed since."""
    order = digest.partition("-")[0]
    return _approved([entry for entry in entries if entry.digest.partition("-")[0] == order], who, now)


def _approved(
    entries: Sequence[AuditEntry], who: str, now: datetime, is_signed: Callable[[AuditEntry], bool] = lambda _: True
) -> AuditEntry | None:
    found: AuditEntry | None = None
    used: set[bytes] = set()  # an approval that is written once more is no second one
    before: set[bytes] = set()
    for entry in entries:
        if entry.event == "approved" and entry.who != who and entry.expires and now < entry.expires:
            before.add(entry.signed())
            if entry.signed() not in used and is_signed(entry):
                found = entry
        elif entry.event == "applying":
            found, used = None, used | before
    return found


def outcomes(entries: Sequence[AuditEntry], fix: str, target: str) -> list[tuple[datetime, bool]]:
    """How each application ended."""
    ends: list[tuple[datetime, bool]] = []
    for entry in _of(entries, fix, target):
        if entry.event == "applying":
            ends.append((entry.at, False))
        elif entry.event in {"applied", "failed"} and ends:
            ends[-1] = (entry.at, entry.event == "applied" and entry.clean)
    return ends


def _of(entries: Sequence[AuditEntry], fix: str, target: str) -> list[AuditEntry]:
    return [entry for entry in entries if entry.fix == fix and entry.target == target]
