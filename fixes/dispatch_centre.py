"""Fixes of the dispatch centre. Each looks first, changes one thing, and looks again."""
# ruff: noqa: D103 - a fix says what it does in its title

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta

from synthprobe import Plan, Work, fix

FIRST_LINE = ("first-line", "engineer")
SENTINEL = "1 Probe Lane"


def sign_in(work: Work, user: str = "supervisor") -> None:
    answer = work.api.post("/api/login", json={"username": user, "password": work.secret(user).reveal()}).expect(200)
    work.api.bearer(answer.json["token"])


def needs_attention(work: Work, part: str, name: str) -> bool:
    sign_in(work)
    return work.api.get(f"/api/admin/{part}/{name}").expect(200).json["state"] != "ok"


def operate(work: Work, part: str, name: str, operation: str) -> str:
    sign_in(work)
    work.api.post(f"/api/admin/{part}/{name}/{operation}").expect(200)
    return f"Done: {operation} of {name}."


def all_well(work: Work, part: str, name: str) -> str:
    assert not needs_attention(work, part, name), f"{name} still needs attention"
    return f"The administrator's page says {name} is well."


@fix(
    "clear-search-cache",
    title="Clear the search cache",
    roles=FIRST_LINE,
    writes=("POST /api/admin/caches/search/clear",),
    irreversible="a cleared cache fills itself again",
)
def search_cache(work: Work) -> Plan | None:
    if not needs_attention(work, "caches", "search"):
        return None
    return Plan(seen="Search answers from an old cache.", steps=("clear the search cache",), touches=("cache search",))


@search_cache.applies
def _(work: Work) -> str:
    return operate(work, "caches", "search", "clear")


@search_cache.checks
def _(work: Work) -> str:
    sign_in(work)
    for _node in range(2):  # the balancer hands requests to the nodes in turn
        age = work.api.get("/api/search", params={"kind": "person", "q": "Proba"}).expect(200).headers.get("age", "0")
        assert age == "0", f"a search still answers from a cache that is {age} s old"
    return all_well(work, "caches", "search")


@fix(
    "restore-role-grants",
    title="Give a role back what it is delivered with",
    roles=FIRST_LINE,
    writes=("POST /api/admin/roles/*/restore",),
    approval=True,
    irreversible="what a role may do is taken away again by an administrator only",
)
def role_grants(work: Work, role: Literal["dispatcher", "unit"] = "dispatcher") -> Plan | None:
    if not needs_attention(work, "roles", role):
        return None
    return Plan(
        seen=f"The role {role} has lost grants.", steps=(f"restore the grants of {role}",), touches=(f"role {role}",)
    )


@role_grants.applies
def _(work: Work, role: str = "dispatcher") -> str:
    return operate(work, "roles", role, "restore")


@role_grants.checks
def _(work: Work, role: str = "dispatcher") -> str:
    if role == "dispatcher":
        sign_in(work, "dispatcher1")
        assert "incident.create" in work.api.get("/api/me").expect(200).json["grants"], (
            "dispatchers still cannot create"
        )
    return all_well(work, "roles", role)


@fix(
    "restart-avl-feed",
    title="Restart the feed of unit positions",
    roles=FIRST_LINE,
    writes=("POST /api/admin/feeds/avl/restart",),
    irreversible="a restart cannot be taken back; positions are measured anew",
)
def avl_feed(work: Work) -> Plan | None:
    if not needs_attention(work, "feeds", "avl"):
        return None
    newest = work.api.get("/readyz").expect(200).json["newest_fix_at"]
    return Plan(seen=f"The newest position is of {newest}.", steps=("restart the AVL feed",), touches=("feed avl",))


@avl_feed.applies
def _(work: Work) -> str:
    return operate(work, "feeds", "avl", "restart")


@avl_feed.checks
def _(work: Work) -> str:
    return all_well(work, "feeds", "avl")


@fix(
    "restart-live-updates",
    title="Restart the live updates of the boards",
    roles=FIRST_LINE,
    writes=("POST /api/admin/streams/board/restart",),
    irreversible="a restart cannot be taken back; boards connect again by themselves",
)
def live_updates(work: Work) -> Plan | None:
    if not needs_attention(work, "streams", "board"):
        return None
    return Plan(seen="Boards hear of nothing new.", steps=("restart live updates",), touches=("stream board",))


@live_updates.applies
def _(work: Work) -> str:
    return operate(work, "streams", "board", "restart")


@live_updates.checks
def _(work: Work) -> str:
    return all_well(work, "streams", "board")


@fix(
    "drain-node",
    title="Take a failing server out, and bring it back well",
    roles=("engineer", "first-line"),
    writes=("POST /api/admin/nodes/*/drain",),
    per_hour=1,
    approval=True,
    irreversible="the server's open requests are ended",
)
def node(work: Work, name: Literal["a", "b"] = "b") -> Plan | None:
    if not needs_attention(work, "nodes", name):
        return None
    return Plan(seen=f"Server {name} answers with errors.", steps=(f"drain server {name}",), touches=(f"node {name}",))


@node.applies
def _(work: Work, name: str = "b") -> str:
    return operate(work, "nodes", name, "drain")


@node.checks
def _(work: Work, name: str = "b") -> str:
    sign_in(work)
    for _node in range(2):
        work.api.get("/api/search", params={"kind": "person", "q": "Proba"}).expect(200)
    return all_well(work, "nodes", name)


@fix(
    "reload-hazards",
    title="Import the hazards of addresses again",
    roles=FIRST_LINE,
    writes=("POST /api/admin/imports/hazards/reload",),
    irreversible="the import replaces all hazards",
)
def hazards(work: Work) -> Plan | None:
    sign_in(work)
    if work.api.get("/api/hazards", params={"addr": SENTINEL}).expect(200).json["hazards"]:
        return None
    return Plan(seen=f"{SENTINEL} has no warning.", steps=("import hazards again",), touches=("import hazards",))


@hazards.applies
def _(work: Work) -> str:
    return operate(work, "imports", "hazards", "reload")


@hazards.checks
def _(work: Work) -> str:
    sign_in(work)
    found = work.api.get("/api/hazards", params={"addr": SENTINEL}).expect(200).json["hazards"]
    assert found, f"{SENTINEL} still has no warning"
    return f"{SENTINEL} warns again."


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


def orphaned(work: Work, minutes: int) -> list[str]:
    sign_in(work)
    before = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
    board = work.api.get("/api/incidents").expect(200).json["incidents"]
    return [one["number"] for one in board if one["synthetic"] and one["created_at"] < before]


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


@fix(
    "unlock-account",
    title="Let a locked account log in again",
    roles=FIRST_LINE,
    writes=("POST /api/admin/accounts/*/unlock",),
    approval=True,
    irreversible="the account is locked again by its own rules only",
)
def account(work: Work, user: Annotated[str, Meta(pattern="^[a-z0-9-]+$", max_length=32)]) -> Plan | None:
    if not needs_attention(work, "accounts", user):
        return None
    return Plan(seen=f"{user} cannot log in.", steps=(f"unlock {user}",), touches=(f"account {user}",))


@account.applies
def _(work: Work, user: str) -> str:
    return operate(work, "accounts", user, "unlock")


@account.checks
def _(work: Work, user: str) -> str:
    return all_well(work, "accounts", user)


@fix(
    "restart-notify-worker",
    title="Restart the worker that tells crews",
    roles=FIRST_LINE,
    writes=("POST /api/admin/workers/notify/restart",),
    irreversible="a restart cannot be taken back; what waits is sent",
)
def notify_worker(work: Work) -> Plan | None:
    if not needs_attention(work, "workers", "notify"):
        return None
    return Plan(seen="Messages to crews wait.", steps=("restart the worker",), touches=("worker notify",))


@notify_worker.applies
def _(work: Work) -> str:
    return operate(work, "workers", "notify", "restart")


@notify_worker.checks
def _(work: Work) -> str:
    return all_well(work, "workers", "notify")
