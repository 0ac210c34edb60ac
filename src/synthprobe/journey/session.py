"""The requests session of an API journey: whatever is called on it stays within the wall, the pace and a deadline."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter

from synthprobe.errors import ConfigurationError, TargetError
from synthprobe.journey.deadline import BoundedAdapter, current_deadline, deadline, limit_of
from synthprobe.journey.guard import Guard
from synthprobe.journey.trust import bundle, locked_file
from synthprobe.records.finding import Finding, Refusal
from synthprobe.targets.addresses import led_to, resolve
from synthprobe.targets.client_certificates import Identity
from synthprobe.targets.proxy import Proxy, ProxyFault, broke_off, out_of_reach, refused, silent
from synthprobe.targets.secrets import Credentials

_ALERT = re.compile(
    r"ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)"
    r"|alert (bad certificate|unknown ca|certificate \w+|unsupported certificate|access denied)",
    re.IGNORECASE,
)
"""What a server says in TLS of the certificate that it was shown, or was not."""


class GuardedAdapter(BoundedAdapter):
    """Sends each hop only where the guardrails let it, with its certificate checked as the target says."""

    def __init__(self, guard: Guard, credentials: Credentials) -> None:
        self.guard = guard
        self._credentials = credentials
        super().__init__(int(guard.target.max_body_mb * 1_000_000))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Send one request, if it may be sent."""
        led_from = getattr(request, "led_from", "")
        self.guard.check(request.method or "", request.url or "", request.headers, request.body, led_from=led_from)
        if any((kwargs.get("proxies") or {}).values()):
            raise ConfigurationError(
                f"A proxy was given for {request.url}, behind which the hosts it reaches cannot be limited. "
                "Remove proxies, leave session.trust_env as it is, and name a company's proxy by proxy of the target."
            )
        _check_files(kwargs.get("verify"), kwargs.get("cert"))
        if kwargs.get("verify", True) is True and self._credentials.authorities:
            kwargs["verify"] = bundle(self._credentials.authorities)
        if (identity := self._credentials.identity(request.url or "")) and not kwargs.get("cert"):
            kwargs["cert"] = locked_file(identity.chain + identity.key)
        kwargs["proxies"] = self._credentials.proxies(self.guard.target, request.url or "")
        if kwargs.get("verify", True):
            return self._send(request, **kwargs)
        self.guard.check_tls(f"verify = {kwargs['verify']!r}", request.url or "")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            return self._send(request, **{**kwargs, "verify": False})

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """How a connection is made; the key of a certificate of ours is locked."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        given: dict[str, Any] = dict(pool)
        if (identity := self._credentials.identity(request.url or "")) and isinstance(cert, str):
            given["key_password"] = identity.password
        return host, given

    def _send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send, and say when it got no further than the proxy."""
        proxy = self.guard.target.proxy if kwargs["proxies"] else None
        try:
            answer = super().send(request, **kwargs)
        except requests.RequestException as error:
            if proxy and (fault := fault_of_proxy(proxy, error, request.url or "")):
                raise _not_through(fault, request) from None
            if _ALERT.search(repr(error)):
                raise _not_admitted(request, self._credentials.identity(request.url or "")) from None
            raise
        if proxy and answer.status_code == 407:
            takes = answer.headers.get("Proxy-Authenticate", "")
            raise _not_through(refused(proxy, "", 407, answer.reason, takes), request)
        return answer


class GuardedSession(requests.Session):
    """A session of which no method and no attribute leads around the guardrails."""

    _adapter: GuardedAdapter | None = None

    def __init__(self, guard: Guard, credentials: Credentials) -> None:
        super().__init__()
        self.trust_env = False
        self._guard = guard
        for scheme in ("http://", "https://"):
            self.adapters[scheme] = self._adapter = GuardedAdapter(guard, credentials)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request for the address that a browser would ask for."""
        request.url = resolve(str(request.url))
        return super().prepare_request(request)

    def mount(self, prefix: str | bytes, adapter: BaseAdapter) -> None:
        """Refuse another adapter: it would send past the guardrails."""
        if self._adapter is not None:
            raise ConfigurationError(
                f"An adapter was to be mounted for {prefix!r}, and would send past the guardrails of "
                f"target {self._guard.target.name!r}. Remove the call of session.mount."
            )
        super().mount(prefix, adapter)

    def get_adapter(self, url: str) -> BaseAdapter:
        """The guarded adapter, whatever was mounted."""
        return self._adapter or super().get_adapter(url)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer leads, as a browser reads it."""
        found = super().get_redirect_target(resp)
        return None if found is None else led_to(found, resp.url)

    def rebuild_method(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Note on a request which answer led to it; one that the journey makes itself has none."""
        super().rebuild_method(prepared_request, response)
        prepared_request.led_from = response.url  # type: ignore[attr-defined]

    def send(self, request: requests.PreparedRequest, *, paced: bool = False, **kwargs: Any) -> requests.Response:
        """Send a request in its turn and within a deadline."""
        if not paced:
            self._guard.pace_request()
        if current_deadline() is not None:
            return super().send(request, **kwargs)
        with deadline(limit_of(kwargs.get("timeout"), self._guard.target.timeout_s)) as bound:
            bound.is_noted = True
            return super().send(request, **kwargs)


def fault_of_proxy(proxy: Proxy, error: requests.RequestException, url: str) -> ProxyFault | None:
    """Why a request got no further than the proxy; nothing when it did."""
    bound, text = current_deadline(), repr(error)
    where = urlsplit(url).netloc
    if answer := re.search(r"Tunnel connection failed: (\d+) ?([\w -]*)", text):
        return refused(proxy, where, int(answer[1]), answer[2])
    phase = bound.phase if bound is not None else "connecting"
    if phase == "tunnel" and (isinstance(error, requests.Timeout) or (bound is not None and bound.expired)):
        return silent(proxy, where)
    if phase == "connecting":
        return out_of_reach(proxy, _why(text))
    is_its_own = phase == "tunnel" or isinstance(error, requests.exceptions.ProxyError)
    return broke_off(proxy, where) if is_its_own else None


def _not_admitted(request: requests.PreparedRequest, identity: Identity | None) -> TargetError:
    """The server wants a client certificate, or another one."""
    why = (
        f"The server does not accept the client certificate it was shown, which holds until "
        f"{identity.ends:%Y-%m-%d %H:%M} UTC. Is its authority one that the server knows?"
        if identity
        else "The server asks for a client certificate, and none was shown. See client_certificates of the target."
    )
    found = Finding(refusal=Refusal(kind="tls", method=request.method or "", url=request.url or "", reason=why))
    return TargetError("credentials", f"{request.method} {request.url}: {why}", found)


def _why(text: str) -> str:
    if "Connection refused" in text:
        return "nothing listens there"
    return "its name is not known here" if "resol" in text else "no connection was made in time"


def _not_through(fault: ProxyFault, request: requests.PreparedRequest) -> TargetError:
    found = Refusal(kind=fault.kind, method=request.method or "", url=request.url or "", reason=fault.text)
    return TargetError(fault.kind, f"{request.method} {request.url}: {fault.text}", Finding(refusal=found))


def _check_files(verify: object, cert: object) -> None:
    """Say which file of an option is missing: requests says it as if the target were at fault."""
    certificates = cert if isinstance(cert, (tuple, list)) else (cert,)
    for option, path in (("verify", verify), *(("cert", certificate) for certificate in certificates)):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path) and not os.path.exists(path):
            raise ConfigurationError(f"{option} names the file {str(path)!r}, which is not there. Correct the path.")
