"""A system that issues tokens on every way a browser can be given one, and knows which work."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import ClassVar

from synthprobe import loopback

CODE = "482913"
PAGE = """<!doctype html><meta name="csrf-token" content="{meta}"><title>issuer</title>
<form><input type="hidden" name="csrfmiddlewaretoken" value="{hidden}">
<input type="hidden" name="state" value="{state}">
<label>Code <input autocomplete="one-time-code" id="code"></label></form><p id="out"></p>
<script>
window.name = '{window}'; history.replaceState({{access_token: '{history}'}}, '');
sessionStorage.setItem('tab', '{tab}'); localStorage.setItem('kept', JSON.stringify({{access_token: '{kept}'}}));
console.log('bearer', '{spoken}'); console.log('Bearer ' + '{logged_a}' + '{logged_b}');
const indexed = '{indexed_a}' + '{indexed_b}', cached = '{cached_a}' + '{cached_b}';
const kept = new Promise(done => {{ const open = indexedDB.open('auth'); open.onupgradeneeded = () =>
  open.result.createObjectStore('users').put({{of: {{accessToken: indexed}}}}, 'probe'); open.onsuccess = done }})
  .then(() => caches.open('v1')).then(cache => cache.put('/who', new Response(JSON.stringify({{token: cached}}),
    {{headers: {{'Content-Type': 'application/json'}}}})));
fetch('/auth/token', {{method: 'POST', headers: {{'Content-Type': 'application/x-www-form-urlencoded'}},
  body: 'client_id=editor&refresh_token={refresh}'}}).then(answer => answer.json()).then(async issued => {{
  await kept;
  const packed = new TextDecoder().decode(await (await fetch('/packed')).arrayBuffer());
  fetch('/me?sid=' + issued.sid,
    {{headers: {{'Authorization': 'Bearer ' + issued.access_token, 'X-Session': issued.extra}}}});
  const socket = new WebSocket('ws://' + location.host + '/comms', ['bearer', '{protocol}']);
  socket.binaryType = 'arraybuffer';
  const heard = [];
  socket.onopen = () => socket.send(JSON.stringify({{auth: issued.access_token}}));
  socket.onmessage = message => {{
    heard.push(typeof message.data === 'string' ? message.data : new TextDecoder().decode(message.data));
    if (heard.length < 4) return;
    console.log('logged in with ' + issued.access_token + heard.join(''));
    location.hash = 'access=' + issued.jwt;
    document.getElementById('out').textContent = ['tokens', ...Object.values(issued), heard.join('')].join(' ') +
      document.cookie + packed + ` {protocol} ${{indexed}} ${{cached}} ` + window.name + JSON.stringify(history.state) +
      JSON.stringify(localStorage) + JSON.stringify(sessionStorage);
  }};
}});
</script>"""


class Issuer(loopback.Handler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    issued: ClassVar[dict[str, str]] = {}

    def new(self, name: str) -> str:
        return self.issued.setdefault(name, secrets.token_urlsafe(18))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        jwt = ".".join(base64.urlsafe_b64encode(secrets.token_bytes(24)).decode() for _ in range(3))
        issued = {name: self.new(name) for name in ("access_token", "sid", "extra")}
        self.answer(json.dumps({**issued, "jwt": self.issued.setdefault("jwt", jwt)}).encode(), "application/json")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/comms":
            self.messages()
        elif path == "/key":
            self.answer(f"KEY={self.new('key')[:0]}\nAPI_KEY={self.new('key')}\n".encode(), "application/octet-stream")
        elif path == "/packed":  # CBOR: a map of one text
            name, value = (b"%c%c" % (0x78, len(text)) + text for text in (b"access_token", self.new("cbor").encode()))
            self.answer(b"\xa1" + name + value, "application/cbor")
        elif path == "/security":  # under a name that says nothing of it
            self.answer(json.dumps({"result": self.new("csrf")}).encode(), "application/json")
        elif path == "/api":
            self.answer(f"<a><authToken>{self.new('xml')}</authToken></a>".encode(), "application/xml")
        else:
            names = ("meta", "hidden", "state", "tab", "kept", "refresh", "window", "history", "protocol")
            parts = {"spoken": self.issued.setdefault("spoken", secrets.token_hex(12))}
            # the page holds others in halves; letters and digits alone, so that no half is its longest word
            for name in ("indexed", "cached", "logged"):
                whole = self.issued.setdefault(name, secrets.token_hex(12))
                parts |= {f"{name}_a": whole[:12], f"{name}_b": whole[12:]}
            self.answer(PAGE.format(**parts, **{name: self.new(name) for name in names}).encode(), "text/html")

    def messages(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Protocol", "bearer")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        whole = json.dumps({"ticket": self.new("split")}).encode()
        binary = json.dumps({"session": self.new("binary")}).encode()
        text = json.dumps([{"topic": "auth", "data": {"secret": self.new("message")}}]).encode()
        for kind, data in ((1, whole[:20]), (1, whole[20:]), (2, binary), (1, text)):
            self.wfile.write(bytes([0x80 | kind, len(data)]) + data)
        self.wfile.flush()
        while self.rfile.read(1):
            pass

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", f"ds_csrftoken={self.new('cookie')}; Path=/")
        self.send_header("Set-Cookie", f"plain={self.new('other-cookie')}; HttpOnly")
        self.send_header("X-Subject-Token", self.new("header"))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def issuer() -> Iterator[str]:
    """The address of such a system."""
    Issuer.issued.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    server.daemon_threads = True
    threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
