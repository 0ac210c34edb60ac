"""A shop whose first requests wait: while one does, something happens to whoever asked."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import ThreadingHTTPServer

from synthprobe import loopback


class WaitingShop:
    """Answers every request with 200, the first ones only when they may be answered."""

    def __init__(self, waiting: int = 1) -> None:
        self.asked, self.may_answer = ([threading.Event() for _ in range(waiting)] for _ in range(2))
        self.requests: list[str] = []
        shop = self

        class Answer(loopback.Handler):
            def do_GET(self) -> None:
                number = len(shop.requests)
                shop.requests.append(self.path)
                if number < waiting:
                    shop.asked[number].set()
                    shop.may_answer[number].wait(60)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                with suppress(OSError):
                    self.end_headers()

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
