"""Settings an administrator changes, and preferences of each user."""

from __future__ import annotations

from synthprobe_demo.faults import Change
from synthprobe_demo.store import Store

SETTINGS = {
    "search.cache_s": "0",
    "stream.roles": "dispatcher supervisor unit readonly admin",
    "recommend.agencies": "HPD HFD EMS SYN",
    "proxy.cookies_on": "GET POST PATCH DELETE",
    "reports.cache_s": "0",
}


def _set(name: str, value: str) -> Change:
    sql = "UPDATE setting SET value = '{}' WHERE name = '{}'"
    return Change((sql.format(value, name),), (sql.format(SETTINGS[name], name),))


def _prefer(account: str, value: str) -> Change:
    return Change(
        (f"INSERT OR REPLACE INTO preference VALUES ('{account}', 'board.most_urgent', '{value}')",),
        (f"DELETE FROM preference WHERE account = '{account}'",),
    )


CHANGES = {
    "search_cached": _set("search.cache_s", "300"),
    "stream_role_filtered": _set("stream.roles", "supervisor admin"),
    "recommend_flag_off": _set("recommend.agencies", "HPD HFD SYN"),
    "session_dropped": _set("proxy.cookies_on", "GET"),
    "saved_filter_hides": _prefer("dispatcher2", "1"),
    "cached_page": _set("reports.cache_s", "60"),
    "wall_filter": _prefer("supervisor", "2"),
}


def create(store: Store) -> None:
    """Write the settings as they are delivered."""
    store.fill("INSERT INTO setting VALUES (?, ?)", list(SETTINGS.items()))


def value(store: Store, name: str) -> str:
    """A setting as it is now."""
    row = store.first_row("SELECT value FROM setting WHERE name = ?", name)
    return str(row["value"]) if row else SETTINGS[name]


def listed(store: Store) -> dict[str, str]:
    """Every setting."""
    return {row["name"]: row["value"] for row in store.all("SELECT * FROM setting ORDER BY name")}


def change(store: Store, name: str, to: str, author: str) -> bool:
    """Change a setting; whether there is one."""
    done = store.write("UPDATE setting SET value = ? WHERE name = ?", to, name)
    if done:
        store.event("setting:change", name, f"{author} set {name} to {to}")
    return bool(done)


def board_filter(store: Store, account: str) -> int:
    """The least urgent priority this user's board shows; 5 shows all."""
    row = store.first_row("SELECT value FROM preference WHERE account = ? AND name = 'board.most_urgent'", account)
    return int(row["value"]) if row else 5
