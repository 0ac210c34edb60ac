"""The dispatch centre: two nodes behind a balancer, a simulator, and fault control on a port of its own."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from synthprobe_demo import accounts, incidents, jobs, lookups, settings, simulator, units
from synthprobe_demo.app import Node
from synthprobe_demo.certificate import Certificate, CertificateSwitches
from synthprobe_demo.faults import DECOYS, NAMES, Fault, Switches
from synthprobe_demo.seed import seed
from synthprobe_demo.store import Store

_START_S = 15.0
CHANGES = {
    name: change
    for module in (accounts, incidents, jobs, lookups, settings, simulator, units)
    for name, change in module.CHANGES.items()
}
"""The faults and decoys that are states of the data, each declared beside what it breaks."""


@dataclass(frozen=True)
class Address:
    """Where a running centre is found.

    Attributes:
        base_url: the application.
        control_url: fault control, on loopback only.
        control_token: goes into the header ``X-Control-Token``.
        pid: the centre's process.
    """

    base_url: str
    control_url: str
    control_token: str
    pid: int


class Balancer:
    """Hands requests to the nodes in turn.

    Args:
        nodes: the nodes' applications.
        cookies_on: the methods whose cookies are passed on.
    """

    def __init__(self, nodes: Sequence[ASGIApp], cookies_on: Callable[[], str]) -> None:
        self._next = itertools.cycle(nodes)
        self._first = nodes[0]
        self._cookies_on = cookies_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        node = next(self._next) if scope["type"] == "http" else self._first
        if scope["type"] == "http" and scope["method"] != "GET" and scope["method"] not in self._cookies_on().split():
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"cookie"]}
        await node(scope, receive, send)


def control(faults: Switches, decoys: Switches, token: str) -> Starlette:
    """The application that switches faults and decoys.

    Args:
        faults: switched below ``/faults``.
        decoys: switched below ``/decoys``.
        token: what callers must know.

    Returns:
        The application.
    """
    groups = {"faults": faults, "decoys": decoys}

    def refused(request: Request) -> Response | None:
        if secrets.compare_digest(request.headers.get("x-control-token", ""), token):
            return None
        return JSONResponse({"error": "The header X-Control-Token is missing or wrong."}, 403)

    def listed(request: Request) -> Response:
        return refused(request) or JSONResponse(groups[request.url.path.split("/")[1]].listed())

    def reset(request: Request) -> Response:
        if denied := refused(request):
            return denied
        switches = groups[request.url.path.split("/")[1]]
        switches.reset()
        return JSONResponse(switches.listed())

    async def switch(request: Request) -> Response:
        if denied := refused(request):
            return denied
        group = request.url.path.split("/")[1]
        try:
            given = json.loads(await request.body())
            fault = Fault(
                probability=float(given.get("probability", 1)),
                delay_ms=given.get("delay_ms"),
                node=given.get("node"),
                role=given.get("role"),
            )
            wanted = fault if given["on"] else None
            await run_in_threadpool(groups[group].switch, request.path_params["name"], wanted)
        except KeyError as error:
            return JSONResponse({"error": f"There is no {group[:-1]} or field {error}. GET /{group} lists them."}, 404)
        except (ValueError, TypeError, AttributeError):
            return JSONResponse({"error": 'A body like {"on": true} was expected.'}, 400)
        return JSONResponse(groups[group].listed())

    routes = []
    for group in groups:
        routes += [
            Route(f"/{group}", listed),
            Route(f"/{group}/reset", reset, methods=["POST"]),
            Route(f"/{group}/{{name}}", switch, methods=["POST"]),
        ]
    own = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=routes, middleware=[own])


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    control_port: int = 0,
    data_dir: Path | None = None,
    ready: Callable[[Address], None] | None = None,
) -> None:
    """Serve a centre until SIGINT or SIGTERM.

    Args:
        host: address to listen at.
        port: port of the application; 0 takes a free one.
        control_port: port of fault control, on loopback; 0 takes a free one.
        data_dir: folder of the database; a temporary one, removed at the end, without it.
        ready: told the address once the centre answers.

    Raises:
        OSError: when a port is in use.
    """
    listener, control_listener = _listen(host, port), _listen("127.0.0.1", control_port)
    folder = data_dir or Path(tempfile.mkdtemp(prefix="dispatch-centre-"))
    store, token = Store(folder / "centre.db"), secrets.token_urlsafe(16)
    faults, decoys = CertificateSwitches(NAMES, CHANGES, store), Switches(tuple(DECOYS), CHANGES, store)
    terminals: dict[str, str | None] = {"secure_url": None}
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    try:
        (folder / "centre.db").unlink(missing_ok=True)
        seed(store)
        nodes = [Node(name, store, faults, decoys, terminals).app() for name in ("a", "b")]
        balancer = Balancer(nodes, lambda: settings.value(store, "proxy.cookies_on"))
        servers = [_Server(balancer, listener), _Server(control(faults, decoys, token), control_listener)]
        if Certificate.possible():
            faults.certificate = Certificate(folder)
            faults.certificate.renew()
            secure_listener = _listen("127.0.0.1", 0)
            servers.append(_Server(balancer, secure_listener, faults.certificate))
            terminals["secure_url"] = f"https://127.0.0.1:{secure_listener.getsockname()[1]}"
        workers: list[jobs.Job] = [simulator.Simulator(store), jobs.Messages(store), jobs.Report(store, faults)]
        for thread in (*workers, *servers):
            thread.start()
        deadline = time.monotonic() + _START_S
        while not all(server.started for server in servers) and time.monotonic() < deadline:
            end.wait(0.01)
        if ready:
            ready(
                Address(
                    base_url=f"http://{host}:{listener.getsockname()[1]}",
                    control_url=f"http://127.0.0.1:{control_listener.getsockname()[1]}",
                    control_token=token,
                    pid=os.getpid(),
                )
            )
        end.wait()
        for worker in workers:
            worker.stop()
        for server in servers:
            server.stop()
        for thread in (*workers, *servers):
            thread.join(timeout=3)
    finally:
        if data_dir is None:
            shutil.rmtree(folder, ignore_errors=True)


class _Server(threading.Thread):
    """uvicorn in a thread, so that signals stay with us."""

    def __init__(self, app: ASGIApp, listener: socket.socket, certificate: Certificate | None = None) -> None:
        super().__init__(daemon=True)
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=1,
            lifespan="off",
            ssl_certfile=certificate.path if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        config.load()
        if certificate is not None:
            certificate.context = config.ssl
        self._server = uvicorn.Server(config)
        self._listener = listener

    @property
    def started(self) -> bool:
        return self._server.started

    def run(self) -> None:
        self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        self._server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # with it asyncio sends what is small without delay
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"port {port} of {host} cannot be used: {error.strerror}") from None
    return listener
