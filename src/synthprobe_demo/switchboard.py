"""The faults of a centre that another process serves: where its control is, and how it is asked."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from synthprobe.environment import cache_folder
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe_demo.faults import DECOYS, NAMES

_WITHIN_S = 10


def keep_address(url: str, token: str) -> None:
    """Write down where the control is, for this account alone."""
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"url": url, "token": token, "pid": os.getpid()}, file)


def forget_address() -> None:
    """Remove what this process wrote down."""
    with suppress(OSError, ValueError, KeyError):
        if json.loads(_place().read_text("utf-8"))["pid"] == os.getpid():
            _place().unlink()


def switch(name: str, *, on: bool) -> None:
    """Switch a fault or decoy."""
    if name not in {*NAMES, *DECOYS}:
        raise ConfigurationError(f"There is no fault {name!r}. Which there are: synthprobe demo fault")
    group = "decoys" if name in DECOYS else "faults"
    _ask("POST", f"{group}/{name}", {"on": on})


def switched_on() -> set[str]:
    """The faults and decoys that are on; none where no centre is served."""
    try:
        listed: dict[str, bool] = _ask("GET", "faults") | _ask("GET", "decoys")
    except ToolError:
        return set()
    return {name for name, is_on in listed.items() if is_on}


def _place() -> Path:
    return cache_folder() / "dispatch-centre.json"


def _ask(method: str, path: str, entries: dict[str, Any] | None = None) -> Any:
    try:
        known = json.loads(_place().read_text("utf-8"))
        headers = {"X-Control-Token": known["token"]}
        answer = requests.request(method, f"{known['url']}/{path}", json=entries, headers=headers, timeout=_WITHIN_S)
        answer.raise_for_status()
        return answer.json()
    except (OSError, ValueError, KeyError, requests.RequestException):
        raise ToolError(
            "No dispatch centre is served here, or it does not answer. Serve it first, in another terminal: "
            "synthprobe demo serve"
        ) from None
