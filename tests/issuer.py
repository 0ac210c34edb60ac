"""A real OpenID Connect issuer for tests: its keys over HTTP, tokens it signs, and a runner that hands one out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from synthprobe import loopback


class Issuer:
    """Signs tokens.

    Args:
        url: where it is asked for its keys.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = rsa.generate_private_key(65537, 2048)
        self.person = "7"

    def token(self, *, key: Any = None, kid: str = "one", **claims: Any) -> str:
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": "synthprobe",
            "iat": now,
            "exp": now + 300,
            "actor_id": self.person,
            **claims,
        }
        kept = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(kept, key or self.key, "RS256", headers={"kid": kid})

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Start an issuer on loopback, and stop it at the end."""

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            pages = {
                "/.well-known/openid-configuration": lambda: {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"},
                "/keys": issuer.keys,
            }
            if self.headers.get("Authorization") == "Bearer runner" and "audience=synthprobe" in query:
                pages["/token"] = lambda: {"value": issuer.token()}
            self.send_response(200 if path in pages else 403)
            self.end_headers()
            self.wfile.write(json.dumps(pages[path]() if path in pages else {}).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield issuer
        server.shutdown()
