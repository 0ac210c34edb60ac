"""A dispatch centre in a process of its own, whose faults are switched from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import requests

from synthprobe.errors import ToolError
from synthprobe.targets.secrets import Secret
from synthprobe.tools import die_with_parent

SESSIONS = {"TOKEN": "dispatcher1", "TOKEN_SUPERVISOR": "supervisor", "TOKEN_ADMIN": "admin"}
"""The variables that commands of runbooks use, and whose session each holds."""

_GONE = (
    "The dispatch centre was expected to run until the drill ends. Look whether something stopped it, and drill again."
)


class DispatchCentre:
    """A running centre.

    Args:
        base_url: where journeys reach it.
        control_url: where faults are switched.
        control_token: allows that.
        decoys: the names that are switched as decoys.
    """

    def __init__(self, base_url: str, control_url: str, control_token: str, decoys: frozenset[str]) -> None:
        self.base_url, self.control_url, self._decoys = base_url, control_url, decoys
        self.control_headers = {"X-Control-Token": control_token}

    @contextmanager
    def broken(self, fault: str) -> Iterator[None]:
        """Switch a fault or decoy on for as long as the block runs."""
        self.switch(fault, on=True)
        try:
            yield
        finally:
            self.switch(fault, on=False)

    def switch(self, name: str, **state: object) -> None:
        """Switch a fault or decoy."""
        group = "decoys" if name in self._decoys else "faults"
        self._post(f"{group}/{name}", f"the switch of {name}", state)

    def heal(self) -> None:
        """Switch everything off."""
        for group in ("faults", "decoys"):
            self._post(f"{group}/reset", "a reset", {})

    def environment(self, secret: Callable[[str], Secret]) -> Mapping[str, Secret]:
        """Sessions for the commands of runbooks, begun while nothing is wrong."""
        return {variable: self._log_in(account, secret(account)) for variable, account in SESSIONS.items()}

    def _log_in(self, account: str, password: Secret) -> Secret:
        entries = {"username": account, "password": password.reveal()}
        try:
            answer = requests.post(f"{self.base_url}/api/login", json=entries, timeout=15)
        except requests.RequestException as error:
            raise ToolError(
                f"{self.base_url} cannot be reached ({type(error).__name__}), so no runbook can be followed. {_GONE}"
            ) from None
        if answer.status_code != 200:
            raise ToolError(
                f"The account {account} cannot log in (status {answer.status_code}), so no runbook can be followed. "
                "Correct its secret, then drill again."
            )
        return Secret(answer.json()["token"], account)

    def _post(self, path: str, what: str, state: Mapping[str, object]) -> None:
        try:
            answer = requests.post(f"{self.control_url}/{path}", json=state, headers=self.control_headers, timeout=30)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise ToolError(
                f"The dispatch centre does not take {what} ({type(error).__name__}), so nothing more can "
                f"be drilled. {_GONE}"
            ) from None


@contextmanager
def running_centre() -> Iterator[DispatchCentre]:
    """A dispatch centre for as long as the block runs.

    Raises:
        ToolError: when it does not come up.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "synthprobe_demo", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C must find it well: whoever started it heals it first
        preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGTERM) if os.name == "posix" else None,
    )
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        if not line:
            raise ToolError(
                "The dispatch centre did not start; its message stands above. "
                "Is the extra installed? pip install 'synthprobe[demo]'"
            )
        from synthprobe_demo.faults import DECOYS

        address = json.loads(line)
        yield DispatchCentre(address["base_url"], address["control_url"], address["control_token"], frozenset(DECOYS))
    finally:
        child.terminate()
        child.wait(timeout=10)
