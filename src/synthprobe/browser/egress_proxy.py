"""Our own proxy on loopback, between a browser and the company's: the wall of allowed hosts, in front of that one.

A browser behind a proxy resolves no names, so that resolver rules hold nothing back. It is given this proxy instead,
which hands on what the target allows and nothing else, and alone knows the password for the next one.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64encode
from contextlib import suppress
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from synthprobe.evidence.failure import certificate_fault
from synthprobe.journey.trust import bundle, like_browsers
from synthprobe.targets.addresses import host_of
from synthprobe.targets.guardrails import may_reach
from synthprobe.targets.proxy import Proxy, ProxyFault, broke_off, out_of_reach, refused, silent, unanswered
from synthprobe.targets.secrets import Credentials
from synthprobe.targets.target import Target

WALLED = ("ERR_NAME_NOT_RESOLVED", "ERR_EMPTY_RESPONSE", "ERR_SOCKS_CONNECTION")
"""What a browser says of a host that is held back: by its resolver rules, or here."""

_HANDSHAKE = b"\x16"
_HEAD = 256 * 1024
_PIECE = 64 * 1024
_OF_ONE_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"}
)
_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Held(Exception):
    """A request that goes no further."""


class EgressProxy:
    """A running proxy. What went wrong at the next one is kept until somebody asks."""

    def __init__(self, target: Target, credentials: Credentials) -> None:
        self._target, self._credentials = target, credentials
        self._checked: set[str] = set()
        self._faults: dict[str, ProxyFault] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="egress proxy", daemon=True).start()
        started = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result()
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def faults(self) -> dict[str, ProxyFault]:
        """What went wrong since the last time, by host."""
        found, self._faults = self._faults, {}
        return found

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond = None
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, address, _ = head.split("\r\n", 1)[0].split(" ")
            is_tunnel = method == "CONNECT"
            url = f"http://{address}/" if is_tunnel else address
            if not url.startswith("http://") or not may_reach(self._target, url):
                raise _Held
            if is_tunnel:
                onward, beyond = await self._tunnel(address, url)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                first = await reader.read(_PIECE)
                if first[:1] == _HANDSHAKE:
                    await self._check(address)
                beyond.write(first)
                ways = [asyncio.ensure_future(_pass(*ends)) for ends in ((reader, beyond), (onward, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            else:
                onward, beyond = await self._ask(reader, method, url, head)
                await self._answer(onward, writer, url)
        except (_Held, OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # held back, without an answer of which anybody could make a page; or either side left
        finally:
            for end in filter(None, (writer, beyond)):
                with suppress(OSError, RuntimeError):
                    end.close()

    async def _check(self, where: str) -> None:
        """See that a host's certificate holds: a browser that shows certificates of ours checks none of others."""
        url = f"https://{where}"
        if not self._credentials.identities or not self._target.tls_verify or self._credentials.identity(url):
            return  # Playwright checks those that are shown a certificate itself
        if where in self._checked:
            return
        authorities = self._credentials.authorities
        known = bundle(authorities) if authorities else DEFAULT_CA_BUNDLE_PATH
        context = like_browsers(ssl.create_default_context(cafile=known))
        _, other = await self._tunnel(where, f"http://{where}/")
        try:
            await other.start_tls(context, server_hostname=host_of(url))
        except ssl.SSLError as error:
            fault = certificate_fault(repr(error)) or "The TLS connection was not made."
            raise self._fault(url, ProxyFault("tls", f"{where}: {fault}")) from None
        finally:
            other.close()
        self._checked.add(where)

    async def _tunnel(self, where: str, url: str) -> _Ends:
        proxy = self._next(url)
        if proxy is None:
            return await self._connected(url)
        onward, beyond = await self._connected(url)
        beyond.write(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{self._authorization()}\r\n".encode("latin-1"))
        try:
            head = await asyncio.wait_for(onward.readuntil(b"\r\n\r\n"), self._target.timeout_s)
        except TimeoutError:
            raise self._fault(url, silent(proxy, where)) from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise self._fault(url, broke_off(proxy, where)) from None
        status, reason, headers = _read(head)
        if not 200 <= status < 300:
            raise self._fault(url, refused(proxy, where, status, reason, headers.get("proxy-authenticate", "")))
        return onward, beyond

    async def _ask(self, reader: asyncio.StreamReader, method: str, url: str, head: str) -> _Ends:
        """Send one request, of which neither head nor body leads past what was looked at."""
        lines, left = [], 0
        for line in head.split("\r\n")[1:-2]:
            name = line.partition(":")[0].strip().lower()
            if name == "transfer-encoding":
                raise _Held
            if name == "content-length":
                left = int(line.partition(":")[2])
            if name not in _OF_ONE_CONNECTION:
                lines.append(line)
        proxied = self._next(url) is not None
        parts = urlsplit(url)
        asked = url if proxied else parts._replace(scheme="", netloc="").geturl() or "/"
        onward, beyond = await self._connected(url)
        sent = "\r\n".join([f"{method} {asked} HTTP/1.1", *lines, "Connection: close"]) + "\r\n"
        beyond.write((sent + (self._authorization() if proxied else "") + "\r\n").encode("latin-1"))
        while left > 0 and (piece := await reader.read(min(left, _PIECE))):
            left -= len(piece)
            beyond.write(piece)
            await beyond.drain()
        return onward, beyond

    async def _answer(self, onward: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str) -> None:
        """Hand back the answer; the browser is told to ask anew for its next request, which may be for another host."""
        status = 100
        while 100 <= status < 200:
            head = await onward.readuntil(b"\r\n\r\n")
            status, reason, headers = _read(head)
            if status == 407 and (proxy := self._next(url)):
                raise self._fault(url, refused(proxy, "", status, reason, headers.get("proxy-authenticate", "")))
            first, *lines = head.decode("latin-1").split("\r\n")[:-2]
            kept = [line for line in lines if line.partition(":")[0].strip().lower() not in _OF_ONE_CONNECTION]
            writer.write(("\r\n".join([first, *kept, "Connection: close"]) + "\r\n\r\n").encode("latin-1"))
        await _pass(onward, writer)

    def _next(self, url: str) -> Proxy | None:
        proxy = self._target.proxy
        return proxy if proxy is not None and proxy.serves(url) else None

    async def _connected(self, url: str) -> _Ends:
        """A connection to the next proxy, or to the host itself where it is reached without one."""
        proxy = self._next(url)
        place = urlsplit(proxy.address if proxy else url)
        opened = asyncio.open_connection(place.hostname, place.port or 80, limit=_HEAD, happy_eyeballs_delay=0.25)
        try:
            return await asyncio.wait_for(opened, self._target.timeout_s)
        except (OSError, TimeoutError) as error:
            why = "no connection was made in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise self._fault(url, out_of_reach(proxy, why) if proxy else unanswered(place.netloc, why)) from None

    def _fault(self, url: str, fault: ProxyFault) -> _Held:
        self._faults.setdefault(host_of(url), fault)
        return _Held()

    def _authorization(self) -> str:
        proxy, password = self._target.proxy, self._credentials.proxy
        if proxy is None or password is None:
            return ""
        pair = b64encode(f"{proxy.user}:{password.reveal()}".encode()).decode()
        return f"Proxy-Authorization: Basic {pair}\r\n"


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on bytes until there are no more."""
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()


def _read(head: bytes) -> tuple[int, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    _, status, *reason = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if ":" in line)
    return int(status), reason[0] if reason else "", {name.strip().lower(): value.strip() for name, _, value in pairs}
