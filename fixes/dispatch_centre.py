"""Fixes of the dispatch centre. Each observes what it does, changes one thing as its administrator, and looks again."""
# ruff: noqa: D103 - a fix says what it does in its title

from collections import Counter
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Literal

from msgspec import Meta

from synthprobe import Plan, Work, eventually, fix

FIRST_LINE = ("first-line", "engineer")
SENTINEL = "1 Probe Lane"
HERE = (47.612, -122.288)


def sign_in(work: Work, user: str = "supervisor") -> None:
    answer = work.api.post("/api/login", json={"username": user, "password": work.secret(user).reveal()}).expect(200)
    work.api.bearer(answer.json["token"])


def read(work: Work, path: str, user: str = "admin", **params: str) -> dict:
    sign_in(work, user)
    return work.api.get(path, params=params).expect(200).json


def administer(work: Work, what: str, *bodies: dict[str, str]) -> None:
    sign_in(work, "admin")
    for body in bodies:
        work.api.post(f"/api/admin/{what}", json=body).expect(200)


# settings


def changed_settings(work: Work) -> dict[str, tuple[str, str]]:
    """Settings that are not as delivered: what they are, and what they should be."""
    now, delivered = (read(work, f"/api/admin/{what}")["settings"] for what in ("settings", "delivered"))
    # the report's cache is meant to be tuned
    return {name: (now[name], want) for name, want in delivered.items() if now[name] != want and "reports" not in name}


@fix(
    "restore-setting",
    title="Set a setting back to what the centre is delivered with",
    roles=FIRST_LINE,
    writes=("POST /api/admin/settings",),
    approval=True,
    irreversible="the former value stands in the plan and in the log; an administrator sets it again",
)
def setting(work: Work) -> Plan | None:
    changed = changed_settings(work)
    if not changed:
        return None
    return Plan(
        seen=" ".join(f"{name} is {now!r}, delivered is {want!r}." for name, (now, want) in changed.items()),
        steps=tuple(f"set {name} to {want!r}" for name, (_, want) in changed.items()),
        touches=tuple(f"setting {name}" for name in changed),
    )


@setting.applies
def _(work: Work) -> str:
    changed = changed_settings(work)
    administer(work, "settings", *({"name": name, "value": want} for name, (_, want) in changed.items()))
    return f"Set back: {', '.join(changed)}."


@setting.checks
def _(work: Work) -> str:
    left = changed_settings(work)
    assert not left, f"{', '.join(left)} is still not as delivered"
    return "Every setting is as delivered."


# roles and accounts


def lost_grants(work: Work, role: str) -> list[str]:
    held, delivered = (
        {grant["action"] for grant in read(work, f"/api/admin/{what}")["grants"] if grant["role"] == role}
        for what in ("grants", "delivered")
    )
    return sorted(delivered - held)


@fix(
    "restore-role-grants",
    title="Give a role back what it is delivered with",
    roles=FIRST_LINE,
    writes=("POST /api/admin/grants",),
    approval=True,
    irreversible="what a role may do is taken away again by an administrator only",
)
def role_grants(work: Work, role: Literal["dispatcher", "unit"] = "dispatcher") -> Plan | None:
    lost = lost_grants(work, role)
    if not lost:
        return None
    return Plan(
        seen=f"The role {role} has lost {', '.join(lost)}.",
        steps=tuple(f"grant {action} to {role}" for action in lost),
        touches=(f"role {role}",),
    )


@role_grants.applies
def _(work: Work, role: str = "dispatcher") -> str:
    lost = lost_grants(work, role)
    administer(work, "grants", *({"role": role, "action": action} for action in lost))
    return f"Granted to {role}: {', '.join(lost)}."


@role_grants.checks
def _(work: Work, role: str = "dispatcher") -> str:
    if role == "dispatcher":
        me = read(work, "/api/me", "dispatcher1")
        assert {"incident.create", "incident.read"} <= set(me["grants"]), f"dispatchers may only {me['grants']}"
    assert not lost_grants(work, role), f"{role} still lacks {lost_grants(work, role)}"
    return f"The role {role} may do what it should."


def locked_accounts(work: Work, user: str) -> list[str]:
    accounts = read(work, "/api/admin/accounts")["accounts"]
    known = {record["name"] for record in accounts}
    near = " or ".join(get_close_matches(user, sorted(known))) or "another one"
    assert user in {"", *known}, f"There is no account {user!r}; perhaps {near} was meant"
    return [record["name"] for record in accounts if record["state"] and user in {"", record["name"]}]


@fix(
    "unlock-account",
    title="Let a locked account log in again",
    roles=FIRST_LINE,
    writes=("POST /api/admin/unlock",),
    approval=True,
    irreversible="the account is locked again by its own rules only",
)
def account(work: Work, user: Annotated[str, Meta(pattern="^[a-z0-9-]*$", max_length=32)] = "") -> Plan | None:
    locked = locked_accounts(work, user)
    if not locked:
        return None
    return Plan(
        seen=f"{', '.join(locked)} cannot log in: locked or expired.",
        steps=tuple(f"unlock {name}" for name in locked),
        touches=tuple(f"account {name}" for name in locked),
    )


@account.applies
def _(work: Work, user: str = "") -> str:
    locked = locked_accounts(work, user)
    administer(work, "unlock", *({"account": name} for name in locked))
    return f"Unlocked: {', '.join(locked)}."


@account.checks
def _(work: Work, user: str = "") -> str:
    left = locked_accounts(work, user)
    assert not left, f"{', '.join(left)} is still locked"
    return "No such account is locked."


def hiding_dispatchers(work: Work) -> list[str]:
    """Dispatchers whose own filter hides incidents; a filter of a wall display is no fault."""
    roles = {record["name"]: record["role"] for record in read(work, "/api/admin/accounts")["accounts"]}
    hiding = read(work, "/api/admin/preferences")["preferences"]
    return sorted({preference["account"] for preference in hiding if roles.get(preference["account"]) == "dispatcher"})


@fix(
    "show-all-incidents",
    title="Let a dispatcher's board show every incident again",
    roles=FIRST_LINE,
    writes=("POST /api/admin/preferences",),
    irreversible="the dispatcher chooses the filter again",
)
def own_filter(work: Work) -> Plan | None:
    hiding = hiding_dispatchers(work)
    if not hiding:
        return None
    return Plan(
        seen=f"The board of {', '.join(hiding)} hides incidents by a filter of its own.",
        steps=tuple(f"remove the filter of {name}" for name in hiding),
        touches=tuple(f"preference {name}" for name in hiding),
    )


@own_filter.applies
def _(work: Work) -> str:
    hiding = hiding_dispatchers(work)
    administer(work, "preferences", *({"account": name} for name in hiding))
    return f"Filter removed: {', '.join(hiding)}."


@own_filter.checks
def _(work: Work) -> str:
    assert not hiding_dispatchers(work), f"{hiding_dispatchers(work)} still filter"
    return "No dispatcher's board hides anything."


def strangers(work: Work, unit: str) -> list[str]:
    """Badges that are logged on to a unit that is not theirs."""
    own = {record["name"] for record in read(work, "/api/admin/accounts")["accounts"] if record["unit"] == unit}
    return [badge for badge in read(work, f"/api/units/{unit}")["crew"] if badge not in own]


@fix(
    "log-off-stranger",
    title="Log a badge off a unit that is not its own",
    roles=FIRST_LINE,
    writes=("POST /api/admin/logoff",),
    irreversible="the crew logs on again, to its own unit",
)
def stranger(work: Work, unit: Annotated[str, Meta(pattern="^SYN-[0-9]{2}$", max_length=6)] = "SYN-01") -> Plan | None:
    found = strangers(work, unit)
    if not found:
        return None
    return Plan(
        seen=f"{', '.join(found)} is logged on to {unit} and does not belong to it.",
        steps=tuple(f"log {badge} off {unit}" for badge in found),
        touches=tuple(f"log-on of {badge}" for badge in found),
    )


@stranger.applies
def _(work: Work, unit: str = "SYN-01") -> str:
    found = strangers(work, unit)
    administer(work, "logoff", *({"unit": unit, "account": badge} for badge in found))
    return f"Logged off {unit}: {', '.join(found)}."


@stranger.checks
def _(work: Work, unit: str = "SYN-01") -> str:
    assert not strangers(work, unit), f"{strangers(work, unit)} is still logged on to {unit}"
    return f"Only its own crew is logged on to {unit}."


# what runs


def stands_still(work: Work, job: str) -> bool:
    """Whether a job's heartbeat stays as it is for a second and a half; a job that runs beats twice a second."""

    def beat() -> str:
        return next(record["beat_at"] for record in read(work, "/api/jobs")["jobs"] if record["name"] == job)

    before = beat()

    def moved() -> None:
        assert beat() != before, f"{job} last ran at {before}"

    try:
        eventually(moved, within="1500ms", every="300ms")
    except AssertionError:
        return True
    return False


@fix(
    "restart-avl-feed",
    title="Restart the feed of unit positions",
    roles=FIRST_LINE,
    writes=("POST /api/admin/jobs",),
    irreversible="a restart cannot be taken back; positions are measured anew",
)
def avl_feed(work: Work) -> Plan | None:
    if not stands_still(work, "avl-feed"):
        return None
    newest = work.api.get("/readyz").expect(200).json["newest_fix_at"]
    return Plan(
        seen=f"The feed of positions stands still; the newest is of {newest}.",
        steps=("restart the job avl-feed",),
        touches=("job avl-feed",),
    )


@avl_feed.applies
def _(work: Work) -> str:
    administer(work, "jobs", {"name": "avl-feed"})
    return "Restarted: avl-feed."


@avl_feed.checks
def _(work: Work) -> str:
    assert not stands_still(work, "avl-feed"), "the feed still stands"
    return "The feed runs."


def waiting_messages(work: Work) -> int:
    return next(record["waiting"] for record in read(work, "/api/jobs")["jobs"] if record["name"] == "notify")


@fix(
    "restart-notify-worker",
    title="Restart the worker that tells crews",
    roles=FIRST_LINE,
    writes=("POST /api/admin/jobs",),
    irreversible="a restart cannot be taken back; what waits is sent",
)
def notify_worker(work: Work) -> Plan | None:
    if not stands_still(work, "notify"):
        return None
    return Plan(
        seen=f"The worker that tells crews stands still; {waiting_messages(work)} messages wait.",
        steps=("restart the job notify",),
        touches=("job notify",),
    )


@notify_worker.applies
def _(work: Work) -> str:
    administer(work, "jobs", {"name": "notify"})
    return "Restarted: notify."


@notify_worker.checks
def _(work: Work) -> str:
    assert not stands_still(work, "notify"), "the worker still stands"
    return "The worker runs."


def hears_pings(work: Work) -> bool:
    """Whether a stream of updates begins, and is alive."""
    sign_in(work)
    try:
        return "system:ping" in work.api.get("/api/stream", params={"seconds": "1"}).text
    except AssertionError:  # it was never answered
        return False


@fix(
    "restart-live-updates",
    title="Restart the live updates of the boards",
    roles=FIRST_LINE,
    writes=("POST /api/admin/streams",),
    within=25.0,
    irreversible="a restart cannot be taken back; boards connect again by themselves",
)
def live_updates(work: Work) -> Plan | None:
    if hears_pings(work):
        return None
    return Plan(seen="A board that listens hears nothing.", steps=("restart live updates",), touches=("stream board",))


@live_updates.applies
def _(work: Work) -> str:
    administer(work, "streams", {"name": "board"})
    return "Restarted: live updates."


@live_updates.checks
def _(work: Work) -> str:
    assert hears_pings(work), "a board that listens still hears nothing"
    return "A board that listens hears pings."


def errors_by_server(work: Work) -> Counter[str]:
    """Server errors of eight searches, by the server that answered; the balancer hands them out in turn."""
    sign_in(work)
    found: Counter[str] = Counter()
    for _ in range(8):
        answer = work.api.get("/api/search", params={"kind": "person", "q": "Proba"})
        found[answer.headers.get("x-node", "")] += answer.status >= 500
    return found


@fix(
    "restart-server",
    title="Restart a server that fails while another does not",
    roles=("engineer", "first-line"),
    writes=("POST /api/admin/nodes",),
    per_hour=1,
    approval=True,
    irreversible="the server's open requests are ended",
)
def server(work: Work) -> Plan | None:
    errors = errors_by_server(work)
    bad = sorted(name for name, count in errors.items() if count)
    if not bad:
        return None
    assert len(bad) < len(errors), "Every server fails at a search; a restart of one would not help"
    return Plan(
        seen=f"Server {bad[0]} fails at a search, the other does not.",
        steps=tuple(f"restart server {name}" for name in bad),
        touches=tuple(f"server {name}" for name in bad),
    )


@server.applies
def _(work: Work) -> str:
    bad = sorted(name for name, count in errors_by_server(work).items() if count)
    administer(work, "nodes", *({"name": name} for name in bad))
    return f"Restarted: server {', '.join(bad)}."


@server.checks
def _(work: Work) -> str:
    errors = errors_by_server(work)
    assert not errors.total(), f"errors by server: {dict(errors)}"
    return "Every server finds."


# what was imported


def hazards_shown(work: Work) -> list[str]:
    return read(work, "/api/hazards", "supervisor", addr=SENTINEL)["hazards"]


@fix(
    "reload-hazards",
    title="Import the hazards of addresses again",
    roles=FIRST_LINE,
    writes=("POST /api/admin/imports",),
    irreversible="the import replaces all hazards",
)
def hazards(work: Work) -> Plan | None:
    if hazards_shown(work):
        return None
    left = read(work, "/api/admin/counts")["counts"]["premise"]
    return Plan(
        seen=f"{SENTINEL} has no warning; {left} warnings are left in all.",
        steps=("import hazards again",),
        touches=("import hazards",),
    )


@hazards.applies
def _(work: Work) -> str:
    administer(work, "imports", {"name": "hazards"})
    return "Imported: hazards."


@hazards.checks
def _(work: Work) -> str:
    assert hazards_shown(work), f"{SENTINEL} still has no warning"
    return f"{SENTINEL} warns again."


def place_of_sentinel(work: Work) -> tuple[float, float]:
    place = read(work, "/api/geocode", "supervisor", q=SENTINEL)["results"][0]
    return place["lat"], place["lng"]


@fix(
    "reload-addresses",
    title="Import the addresses again",
    roles=FIRST_LINE,
    writes=("POST /api/admin/imports",),
    approval=True,
    irreversible="the import replaces all addresses",
)
def addresses(work: Work) -> Plan | None:
    place = place_of_sentinel(work)
    assert place != (0.0, 0.0), "The look-up of addresses is down; no import helps"
    if place == HERE:
        return None
    return Plan(
        seen=f"{SENTINEL} lies at {place}, {HERE} was expected.",
        steps=("import addresses again",),
        touches=("import addresses",),
    )


@addresses.applies
def _(work: Work) -> str:
    administer(work, "imports", {"name": "addresses"})
    return "Imported: addresses."


@addresses.checks
def _(work: Work) -> str:
    assert place_of_sentinel(work) == HERE, f"{SENTINEL} still lies at {place_of_sentinel(work)}"
    return f"{SENTINEL} lies where it was surveyed."


# what probes left


def orphaned(work: Work, minutes: int) -> list[str]:
    before = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
    board = read(work, "/api/incidents", "supervisor")["incidents"]
    return [incident["number"] for incident in board if incident["synthetic"] and incident["created_at"] < before]


@fix(
    "remove-orphaned-incidents",
    title="Remove synthetic incidents that nobody works on any more",
    roles=FIRST_LINE,
    writes=("DELETE /api/incidents/*",),
    most_touched=5,
    irreversible="a removed synthetic incident is gone; real ones are never removed",
)
def orphans(work: Work, minutes: Annotated[int, Meta(ge=0, le=1440)] = 15) -> Plan | None:
    found = orphaned(work, minutes)
    if not found:
        return None
    return Plan(
        seen=f"{len(found)} synthetic incidents are older than {minutes} min.",
        steps=tuple(f"remove {number}" for number in found),
        touches=tuple(found),
    )


@orphans.applies
def _(work: Work, minutes: int = 15) -> str:
    numbers = orphaned(work, minutes)[:5]
    for number in numbers:
        work.api.delete(f"/api/incidents/{number}").expect(200, 204)
    return f"Removed: {', '.join(numbers)}."


@orphans.checks
def _(work: Work, minutes: int = 15) -> str:
    left = orphaned(work, minutes)
    assert not left, f"still there: {', '.join(left)}"
    return "No orphaned synthetic incident is left."
