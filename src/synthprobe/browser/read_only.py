"""Holds what a browser asks of a read-only target: every request that may be a change waits here, whoever sends it.

A route belongs to a page: it knows no shared worker, ends when the page does, and a journey can take it away. The
browser's own session (CDP) holds until the browser ends, behind all routes, and for HTTPS as well; a journey's own
commands may not open what it closes.

It shows messages over sockets but stops none, so each document and worker gets a `send` that keeps to the declared
paths before its own first line runs: a worker has it in front of its script, wherever that comes from. WebTransport and
WebSocketStream are taken away, which pages take for an older browser; data channels only hear.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from playwright.sync_api import BrowserContext, CDPSession, Error

from synthprobe.errors import ConfigurationError
from synthprobe.journey.guard import Guard
from synthprobe.targets.addresses import read_address
from synthprobe.targets.guardrails import change_refusal, is_read_only, may_reach, message_refusal, sends_messages

_MAY_CHANGE = [
    *({"resourceType": kind} for kind in ("Document", "XHR", "Fetch", "Ping", "CSPViolationReport", "Other")),
    # of the other types are images, scripts and the like: always a GET, which may still ask for another method
    *({"urlPattern": f"*{name}*=*"} for name in ("ethod", "ETHOD")),
    *({"urlPattern": f"*\\?*%{letters}*"} for letters in "4567"),
]
"""What may be a change, as the browser can tell it: every other request goes its way without a stop here."""

_WORKERS = {"resourceType": "Other", "requestStage": "Response"}
"""Scripts of workers are among these answers."""


def hold_network(session: CDPSession, guard: Guard, refused: Callable[[str], None]) -> None:
    """Hold all that leaves a browser, for as long as it lives; `refused` is told each sentence."""

    def command(name: str, event: Mapping[str, Any], **how: Any) -> Any:
        with suppress(Error):  # whoever asked is gone, and the request with it
            return send_unguarded(session, f"Fetch.{name}", {"requestId": event["requestId"], **how})

    def decide(event: dict[str, Any]) -> None:
        request = event["request"]
        if "responseStatusCode" in event or "responseErrorReason" in event:
            if held := held_answer(event, guard, lambda: command("getResponseBody", event)):
                _let_connect(session)
                command("fulfillRequest", event, **held)
            else:
                command("continueRequest", event)
            return
        url, headers = request["url"], request["headers"]
        socket = told_by_worker(url)
        change = message_refusal(guard.target, socket) if socket else ""
        change = change or change_refusal(guard.target, request["method"], url, guard.mutates, headers, _sent(request))
        astray = url.startswith("http") and not may_reach(guard.target, url)
        if change and not astray:
            refused(change)
        if astray or change:
            command("failRequest", event, errorReason="NameNotResolved" if astray else "BlockedByClient")
        else:
            command("continueRequest", event)

    session.on("Fetch.requestPaused", decide)
    send_unguarded(session, "Fetch.enable", {"patterns": [*_MAY_CHANGE, _WORKERS]})


def _let_connect(session: CDPSession) -> None:
    """A browser knows no address of an answer that is ours, so it would ask a person whether the worker may connect."""
    with suppress(Error):
        for context in send_unguarded(session, "Target.getBrowserContexts")["browserContextIds"]:
            for name in ("loopback-network", "local-network"):
                how = {"permission": {"name": name}, "setting": "granted", "browserContextId": context}
                send_unguarded(session, "Browser.setPermission", how)


def _sent(request: Mapping[str, Any]) -> bytes | bool | None:
    """The body of a request that waits; true when the browser does not show it."""
    if "postDataEntries" in request:
        return b"".join(base64.b64decode(entry.get("bytes", "")) for entry in request["postDataEntries"])
    text = request.get("postData")
    return text.encode() if text else request.get("hasPostData")


_TELL = "__synthprobe_refused"
_PATH = "/synthprobe-refused"
"""Workers have no binding: what they did not send is told by a request that the browser's session stops."""

_IMPORTS = r"""(?:^|[;\n}/])\s*(?:import|export)\b[^"'`();]*["'](?:\s*(?:data|blob):|[^"'\n]*\\)"""
"""What a module imports that no request asks for, for Python and for the browser."""

_HOLD = r"""(function hold(given) {
  const [tell, path, patterns, inline] = given, send = WebSocket.prototype.send;
  if (send.held) return;
  const refused = globalThis[tell], told = new Set(), ask = fetch.bind(globalThis), blobs = new Map();
  const front = `(${Function.prototype.toString.call(hold)})(${JSON.stringify(given)});`;
  const literal = text => text.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const allowed = patterns.map(one => new RegExp(`^${literal(one).replaceAll('*', '.*').replaceAll('?', '.')}$`, 's'));
  const say = refused || (url => { try { const to = new URL(path + '?' + encodeURIComponent(url), location.origin);
    ask(to, {method: 'POST', mode: 'no-cors'}).catch(() => 0) } catch {} });
  const sayOnce = url => { if (!told.has(url)) say(url); told.add(url) };
  for (const name of [tell, 'WebTransport', 'WebSocketStream']) delete globalThis[name];
  if (globalThis.RTCDataChannel) RTCDataChannel.prototype.send = () => sayOnce('webrtc:/a-data-channel');
  WebSocket.prototype.send = function (message) {
    const path = new URL(this.url).pathname, plain = !/%(2f|5c|2e|3b|00|25)|;/i.test(path);
    if (plain && allowed.some(pattern => pattern.test(path))) return send.call(this, message);
    sayOnce(this.url) };
  WebSocket.prototype.send.held = true;
  const make = URL.createObjectURL, revoke = URL.revokeObjectURL;
  if (!make) return;
  URL.createObjectURL = what => { const url = make.call(URL, what); if (what instanceof Blob) blobs.set(url, what);
    return url };
  URL.revokeObjectURL = url => { blobs.delete(String(url)); revoke.call(URL, url) };
  const read = url => { const x = new XMLHttpRequest(); x.open('GET', url, false); x.send(); return x.responseText };
  const first = `import ${JSON.stringify('data:text/javascript,' + encodeURIComponent(front))};`;
  const module = url => { const text = read(url); return [new RegExp(inline, 'i').test(text) ? first : front, text] };
  const held = (url, how) => /^\s*(blob|data):/i.test(url)
    ? make.call(URL, new Blob(how && how.type == 'module' ? module(url) : [front, blobs.get(String(url)) || read(url)],
                              {type: 'text/javascript'})) : url;
  for (const name of ['Worker', 'SharedWorker']) if (globalThis[name]) {
    const made = new Map(), kept = (url, how) => made.get(url) || made.set(url, held(url, how)).get(url);
    globalThis[name] = new Proxy(globalThis[name], {construct: (kind, [url, ...how], as) => {
      if (arguments.length && url !== undefined) url = (name == 'Worker' ? held : kept)(url, how[0]);
      return Reflect.construct(kind, [url, ...how], as) }});
    globalThis[name].prototype.constructor = globalThis[name] }
})"""
_HOLD = " ".join(line.strip() for line in _HOLD.splitlines())  # the lines of a worker's script stay what they are


def hold_messages(context: BrowserContext, guard: Guard, refused: Callable[[str], None]) -> None:
    """Hold every document that this context opens, unless the running journey may change something."""
    if sends_messages(guard.target, "", guard.mutates):
        return
    context.expose_binding(_TELL, lambda _, url: refused(message_refusal(guard.target, str(url))))
    context.add_init_script(_script(guard))


def held_answer(event: Mapping[str, Any], guard: Guard, body_of: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """The answer that a browser is to take for the script of a worker; empty when it is none, or need not be held."""
    came = event.get("responseHeaders", ())
    headers = [pair for pair in came if pair["name"].lower() not in {"content-length", "content-encoding"}]
    kinds = [pair["value"] for pair in headers if pair["name"].lower() == "content-type"]
    is_script = event.get("responseStatusCode") == 200 and any("script" in kind.lower() for kind in kinds)
    if not is_script or sends_messages(guard.target, "", guard.mutates):
        return {}
    if not (answer := body_of()):
        return {}
    body = base64.b64decode(answer["body"]) if answer["base64Encoded"] else answer["body"].encode()
    script = _script(guard)
    # what it imports runs before its first line does, and in order
    if re.search(_IMPORTS.encode(), body, re.IGNORECASE):
        script = f'import "data:text/javascript,{quote(script)}";'
    held = base64.b64encode(script.encode() + body).decode()
    return {"responseCode": 200, "responseHeaders": headers, "body": held}


def told_by_worker(url: str) -> str:
    """The WebSocket over which a worker would have sent a message, when that is what this request tells."""
    read = read_address(url)
    return unquote(read.search[1:]) if read is not None and read.pathname == _PATH else ""


def _script(guard: Guard) -> str:
    return f"{_HOLD}({json.dumps([_TELL, _PATH, guard.target.websocket_paths, _IMPORTS])});"


_READING = ("Target.getTargets", "Target.getTargetInfo")
_BEYOND = ("Target.", "Tethering.")
_CERTIFICATES = (
    "Security.setIgnoreCertificateErrors",
    "Security.setOverrideCertificateErrors",
    "Security.handleCertificateError",
)
_SENDING = (
    "Fetch.",
    "Network.setRequestInterception",
    "Network.continueInterceptedRequest",
    "Network.loadNetworkResource",
)


def original(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Playwright's, as it was before a class was held."""
    return getattr(method, "__wrapped__", method)


def send_unguarded(session: CDPSession, method: str, params: dict[str, Any] | None = None) -> Any:
    """Send a command of ours."""
    return original(CDPSession.send)(session, method, params)


def guard_protocol(guard: Guard) -> None:
    """Refuse commands that open contexts of their own, leave out certificates, or send past the guardrails.

    Playwright makes a session anew for whoever asks, so it is the class that is held, as with routes.
    """
    send = original(CDPSession.send)

    def guarded_send(session: CDPSession, method: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        if method.startswith(_CERTIFICATES):
            guard.check_tls(f"the command {method}", "a browser")
        beyond = method.startswith(_BEYOND) and method not in _READING
        if beyond or (method.startswith(_SENDING) and is_read_only(guard.target)):
            raise ConfigurationError(
                f"The browser was to be given the command {method}, behind which the guardrails of target "
                f"{guard.target.name!r} cannot be held. Remove it; the fixtures open pages, contexts and routes."
            )
        return send(session, method, params, **options)

    guarded_send.__wrapped__ = send  # type: ignore[attr-defined]
    CDPSession.send = guarded_send  # type: ignore[assignment,method-assign]


def release_protocol() -> None:
    """Give sessions back as Playwright made them."""
    CDPSession.send = original(CDPSession.send)  # type: ignore[method-assign]
