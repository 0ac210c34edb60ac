"""The heartbeat: tells an outside watcher that this slot was judged, never that the target is up."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Meta, Struct

from synthprobe.deadlines import OverdueError, left_s, within
from synthprobe.files import read_lines
from synthprobe.targets.secrets import Secret

Signal = Literal["start", "success", "fail", "log"]
BODY_CHARACTERS = 2_000
_PAUSES_S = (0.5, 1.5)
_TOTAL = 4.0  # times the seconds of one try, for all of them together
_PATHS = {"start": "/start", "success": "", "fail": "/fail", "log": "/log"}


class HeartbeatConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[heartbeat]``."""

    url: str = ""
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 5.0


class Beat(Struct, frozen=True, kw_only=True):
    """One signal, as recorded here."""

    at: datetime
    signal: Signal
    run: str
    accepted: bool
    tries: int
    why: str = ""


class Heartbeat:
    """Signals in the convention of healthchecks.io: ``/start``, success, ``/fail``, ``/log``, with ``rid``.

    Whatever the watcher answers, the run goes on: a signal that was not taken is recorded, and told with the next one.
    """

    def __init__(
        self, url: Secret, record: Path, *, timeout_s: float = 5.0, pauses_s: Sequence[float] = _PAUSES_S
    ) -> None:
        self._url = url
        self._record = record
        self._timeout_s = timeout_s
        self._pauses_s = pauses_s

    def send(self, signal: Signal, run: str, text: str = "") -> Beat:
        """Send a signal."""
        missed = self._missed()
        body = f"{text}\n{missed} signals before this one did not arrive." if missed else text
        why, tries = "", 0
        ends = time.monotonic() + self._timeout_s * _TOTAL
        for pause in (0.0, *self._pauses_s):
            if (tries and ends - time.monotonic() <= pause) or left_s(pause) < pause:
                break
            time.sleep(pause)
            tries += 1
            post = partial(self._post, signal, run, body[:BODY_CHARACTERS])
            try:
                why = within(min(self._timeout_s, ends - time.monotonic()), "The heartbeat's watcher", post)
            except OverdueError as error:
                why = str(error)
            if not why:
                break
        beat = Beat(at=datetime.now(UTC), signal=signal, run=run, accepted=not why, tries=tries, why=why)
        self._keep(beat)
        return beat

    def beats(self) -> list[Beat]:
        """Every recorded signal, oldest first."""
        return list(read_lines(self._record, Beat))

    def _missed(self) -> int:
        count = 0
        for beat in reversed(self.beats()):
            if beat.accepted:
                break
            count += 1
        return count

    def _post(self, signal: Signal, run: str, body: str) -> str:
        import requests

        base, _, query = self._url.reveal().partition("?")
        address = f"{base.rstrip('/')}{_PATHS[signal]}" + (f"?{query}" if query else "")
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    address,
                    params={"rid": str(uuid5(NAMESPACE_URL, run))},
                    data=body.encode(),
                    timeout=self._timeout_s,
                    allow_redirects=False,  # the address is a secret, and stays with whom it was given to
                    stream=True,
                )
                answer.close()
        except (requests.RequestException, OSError, ValueError) as error:
            return f"The heartbeat's watcher could not be reached: {type(error).__name__}."
        if not 200 <= answer.status_code < 300:
            return f"The heartbeat's watcher answered {answer.status_code}; 200 was expected."
        return ""

    def _keep(self, beat: Beat) -> None:
        try:
            self._record.parent.mkdir(parents=True, exist_ok=True)
            with self._record.open("ab") as file:
                file.write(msgspec.json.encode(beat) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return  # a full disk must not end the run
