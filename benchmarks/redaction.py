"""What tokens that change with each answer cost: milliseconds of CPU a request, and what a step is charged with.

Prints a table; the last column is the ratio of a request late in a run to one at its beginning.
"""

from __future__ import annotations

import json
import secrets
import statistics
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from synthprobe import Api, step
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.steps import Recorder, recording
from synthprobe.records.journey import Journey
from synthprobe.targets.target import Target

TOKENS = 300
ROUNDS = 3
_ROWS = [{"id": number, "status": "Available"} for number in range(20)]
KINDS: dict[str, Callable[[], str]] = {
    "no token": lambda: "",
    "a token of 24 bytes": lambda: secrets.token_urlsafe(24),
    "a JWT of 600 bytes": lambda: ".".join(secrets.token_urlsafe(size) for size in (27, 300, 32)),
}


class Rotating(BaseHTTPRequestHandler):
    """Issues another token with each answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet, or the kernel waits 40 ms between them
    make: Callable[[], str] = staticmethod(KINDS["no token"])

    def do_GET(self) -> None:
        token = type(self).make()
        body = json.dumps({"rows": _ROWS} | ({"token": token} if token else {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def requests_ms(url: str, make: Callable[[], str]) -> list[tuple[float, float]]:
    """CPU time of each request, and what its step was charged with."""
    Rotating.make = staticmethod(make)
    took = []
    api = Api(Target(name="bench", base_url=url), Redactor())
    with recording(Recorder(Journey(id="x", node_id="x", title="x"))) as recorder:
        for number in range(TOKENS):
            began = time.process_time()
            with step(f"request {number}"):
                api.get("/")
            took.append(((time.process_time() - began) * 1000, recorder.steps[-1].duration_s * 1000))
    return took


def sum_of_cpu(times: list[tuple[float, float]]) -> float:
    """Milliseconds of CPU that all requests took."""
    return sum(cpu for cpu, _ in times)


def main() -> None:
    """Measure and print."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rotating)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    requests_ms(url, KINDS["no token"])  # what is imported at first use
    rounds = [{name: requests_ms(url, make) for name, make in KINDS.items()} for _ in range(ROUNDS)]
    took = {name: min((each[name] for each in rounds), key=sum_of_cpu) for name in KINDS}
    print(f"best of {ROUNDS} alternating rounds of {TOKENS} requests")
    print(f"{'issued with each answer':24} {'CPU ms':>8} {'more':>8} {'in the step':>12} {'late / early':>13}")
    plain = sum_of_cpu(took["no token"]) / TOKENS
    for name, times in took.items():
        cpu = sum_of_cpu(times) / TOKENS
        charged = statistics.median(wall for _, wall in times)
        late = sum_of_cpu(times[TOKENS // 2 :]) / sum_of_cpu(times[: TOKENS // 2])
        print(f"{name:24} {cpu:8.2f} {cpu - plain:8.2f} {charged:12.2f} {late:13.2f}")
    server.shutdown()


if __name__ == "__main__":
    main()
