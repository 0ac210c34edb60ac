"""A proxy on loopback that breaks a system from outside, so that any project can drill."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from synthprobe import loopback
from synthprobe.errors import ConfigurationError
from synthprobe.hooks import DrillPlan, Fault
from synthprobe.targets.secrets import Secret

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection", "host"}
_MADE_ANEW = {*_HOP_BY_HOP, "content-length", "content-encoding"}
_UPSTREAM_S = 60.0


class Break(Struct, frozen=True, kw_only=True):
    """What happens to the requests that a rule matches.

    Attributes:
        path: regular expression that is searched in the path and query.
        method: the HTTP method; empty for every method.
        delay_s: seconds to wait before the request is passed on.
        status: status to answer with instead of passing the request on; 0 passes it on.
        body: body of that answer.
        drop: close the connection without an answer.
        substitute: text of the answer's body that is replaced, and what replaces it.
        rewrite: is given the answer's body and gives the one that is sent, so that rows can be lost or doubled.
        headers: headers that the answer gets; an empty value takes the header away.
        cut_bytes: the answer ends after so many bytes of its body; 0 sends all of it.
    """

    path: str
    method: str = ""
    delay_s: float = 0.0
    status: int = 0
    body: str = ""
    drop: bool = False
    substitute: tuple[str, str] = ("", "")
    rewrite: Callable[[bytes], bytes] | None = None
    headers: dict[str, str] = {}
    cut_bytes: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Whether the rule is about a request."""
        return self.method.upper() in {"", method} and re.search(self.path, path) is not None


def proxy_drill(
    target: str, upstream: str | Callable[[], AbstractContextManager[str]], faults: Mapping[Fault, Break]
) -> DrillPlan:
    """A drill that breaks a running system by a proxy in front of it.

    HTTP/1.1 and WebSockets are passed on. Streams that never end are not: drill those with a system of your own.
    """
    rules: dict[str, Break] = {}
    for fault, rule in faults.items():
        if fault.name in rules:
            raise ConfigurationError(f"Two faults are called {fault.name!r}. Give each a name of its own.")
        try:
            re.compile(rule.path)
        except re.error as error:
            raise ConfigurationError(
                f"The path {rule.path!r} of the fault {fault.name!r} is no regular expression: {error}."
            ) from None
        rules[fault.name] = rule
    start = upstream if callable(upstream) else lambda: nullcontext(upstream)
    return DrillPlan(target=target, faults=tuple(faults), start=lambda: _running(start, rules))


class FaultProxy:
    """A running proxy."""

    def __init__(self, base_url: str, rules: Mapping[str, Break], active: list[Break]) -> None:
        self.base_url = base_url
        self._rules, self._active = rules, active

    @contextmanager
    def broken(self, fault: str) -> Iterator[None]:
        """Break the system for as long as the block runs."""
        rule = replace(self._rules[fault])
        self._active.append(rule)
        try:
            yield
        finally:
            self._active[:] = [damage for damage in self._active if damage is not rule]

    def environment(self, secret: Callable[[str], Secret]) -> Mapping[str, Secret]:
        """Commands of runbooks get ``BASE_URL`` and nothing else."""
        return {}


@contextmanager
def _running(start: Callable[[], AbstractContextManager[str]], rules: Mapping[str, Break]) -> Iterator[FaultProxy]:
    active: list[Break] = []
    with start() as upstream:
        handler = type("Handler", (_Handler,), {"upstream": upstream.rstrip("/"), "active": active})
        with loopback.served(handler) as url:
            yield FaultProxy(url, rules, active)


class _Handler(loopback.Handler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream = ""
    active: list[Break] = []  # noqa: RUF012 - each server has a class of its own

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        rules = [rule for rule in self.active if rule.matches(self.command, self.path)]
        if delay := sum(rule.delay_s for rule in rules):
            threading.Event().wait(delay)
        if any(rule.drop for rule in rules):
            self.close_connection = True
            return
        if refused := next((rule for rule in rules if rule.status), None):
            headers = [("Content-Type", "text/plain; charset=utf-8")]
            self._altered(refused.status, headers, refused.body.encode(), rules)
        elif self.headers.get("Upgrade"):
            self._tunnel(body)
        else:
            self._pass_on(body, rules)

    def _tunnel(self, body: bytes) -> None:
        """Hand on bytes both ways until a side ends, as a WebSocket needs it."""
        self.close_connection = True
        listen, address = f"http://{self.headers.get('Host', '')}", urlsplit(self.upstream)
        kept = [(name, value.replace(listen, self.upstream)) for name, value in self.headers.items() if name != "Host"]
        lines = [f"{self.command} {self.path} HTTP/1.1", f"Host: {address.netloc}", *(f"{n}: {v}" for n, v in kept)]
        with suppress(OSError), socket.create_connection((address.hostname, address.port or 80), _UPSTREAM_S) as far:
            far.settimeout(None)
            far.sendall("\r\n".join((*lines, "", "")).encode() + body)
            back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
            back.start()
            _pump(self.connection, far)
            back.join()

    def _pass_on(self, body: bytes, rules: list[Break]) -> None:
        import requests

        listen = f"http://{self.headers.get('Host', '')}"  # the upstream compares who asks with its own name
        headers = {
            name: value.replace(listen, self.upstream) if name.lower() in {"origin", "referer"} else value
            for name, value in self.headers.items()
            if name.lower() not in _HOP_BY_HOP
        }
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    self.command,
                    self.upstream + self.path,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    timeout=_UPSTREAM_S,
                )
        except requests.RequestException as error:
            text = f"The drill's proxy cannot reach {self.upstream}: {type(error).__name__}"
            self._altered(502, [("Content-Type", "text/plain")], text.encode(), rules)
            return
        content = answer.content
        for old, new in (rule.substitute for rule in rules if rule.substitute[0]):
            content = content.replace(old.encode(), new.encode())
        for rule in rules:
            content = rule.rewrite(content) if rule.rewrite else content
        kept = [
            (name, value.replace(self.upstream, listen) if name.lower() == "location" else value)
            for name, value in answer.raw.headers.items()
            if name.lower() not in _MADE_ANEW
        ]
        self._altered(answer.status_code, kept, content, rules)

    def _altered(self, status: int, headers: list[tuple[str, str]], body: bytes, rules: list[Break]) -> None:
        changed = {name: value for rule in rules for name, value in rule.headers.items()}
        replaced = {name.lower() for name in changed}
        cut = min((rule.cut_bytes for rule in rules if rule.cut_bytes), default=len(body))
        self.send_response_only(status)  # server and date are the upstream's own
        for name, value in [*((n, v) for n, v in headers if n.lower() not in replaced), *changed.items()]:
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):  # whoever asked may have gone
                self.wfile.write(body[:cut])
        self.close_connection = self.close_connection or cut < len(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
