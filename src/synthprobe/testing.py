"""Test your journeys: run one against a fake target, break the target, and read the verdict."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import Struct

from synthprobe import loopback, pipeline
from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.root import NO_PROJECT, project_at

_RUN_S = 120.0


class Answer(Struct, frozen=True, kw_only=True):
    """What a fake target answers.

    Attributes:
        status: status code.
        body: text, or what is sent as JSON.
        headers: more headers.
    """

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = {}


class FakeTarget:
    """A target on this machine that answers as you say, for as long as the ``with`` lasts.

    Attributes:
        url: its address.
        asked: each request it got, as ``"GET /healthz"``, oldest first.

    Example:
        >>> with FakeTarget() as target:
        ...     target.answers("GET", "/healthz", body={"state": "up"})
        ...     target.asked
        []
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._answers: dict[tuple[str, str], Answer] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answers(
        self, method: str, path: str, *, status: int = 200, body: Any = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Say what it answers from now on; what it was told before of the same request is forgotten.

        Args:
            method: HTTP method.
            path: path without its query.
            status: status code.
            body: text, or what is sent as JSON.
            headers: more headers.
        """
        self._answers[method.upper(), path] = Answer(status=status, body=body, headers=headers or {})

    def answer_to(self, method: str, path: str) -> Answer:
        """What it answers to a request: 404 to what it was not told of."""
        self.asked.append(f"{method} {path}")
        unknown = Answer(status=404, body=f"the fake target was not told what to answer to {method} {path}")
        return self._answers.get((method, path), unknown)

    def __enter__(self) -> FakeTarget:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def run_journey(
    journey: str,
    base_url: str,
    *,
    target: str | None = None,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> JourneyVerdict:
    """Run one journey once, in a pytest of its own, and judge it. Nothing of it is kept or told to anybody.

    Args:
        journey: its node id, for example ``"journeys/test_shop.py::test_a_customer_finds_a_product"``.
        base_url: where it is to look, for example that of a `FakeTarget`, or of a proxy that breaks a real system.
        target: the target whose settings hold; the default one without it.
        environ: more variables, such as made-up secrets.
        root: the project's root; found from the current folder without it.

    Returns:
        Its verdict: ``outcome``, ``cause``, ``results``.

    Raises:
        ConfigurationError: when there is no project, or pytest finds not exactly one such journey.
    """
    root = root or project_at(Path.cwd())
    if root is None:
        raise ConfigurationError(NO_PROJECT)
    with tempfile.TemporaryDirectory(prefix="synthprobe-testing-") as place:
        folder = Path(place) / "run"
        command = [sys.executable, "-m", "pytest", journey, "-q", "-p", "no:cacheprovider", "--base-url", base_url]
        command += ["--synthprobe-run-folder", str(folder), *(("--synthprobe-target", target) if target else ())]
        given = {name: value for name, value in ENVIRONMENT.items() if not name.startswith(("PYTEST_", "COV_"))}
        done = subprocess.run(
            command,
            cwd=root,
            env={**given, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=_RUN_S,
            check=False,
        )
        judged = pipeline.judge(folder, write=False).journeys if (folder / "run.json").exists() else ()
    if len(judged) != 1:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise ConfigurationError(
            f"{len(judged)} journeys were run by {journey!r}, one was expected: give the node id of a test. "
            f"pytest said: {' '.join(lines[-2:])}"
        )
    return judged[0]


def _handler(target: FakeTarget) -> type[BaseHTTPRequestHandler]:
    class Answers(loopback.Handler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = target.answer_to(self.command, self.path.partition("?")[0])
            is_text = isinstance(answer.body, str)
            body = (answer.body if is_text else json.dumps(answer.body)).encode()
            kind = "text/html; charset=utf-8" if is_text else "application/json"
            self.answer(answer.status, body, {"Content-Type": kind, **answer.headers})

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Answers, f"do_{method}", Answers._answer)
    return Answers
