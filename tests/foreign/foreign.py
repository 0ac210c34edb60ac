"""Watches real systems with broken journeys, then tries every string of what was written as a token.

    python tests/foreign/foreign.py [NAME ...] [--keep FOLDER] [--report]

Each system comes from its registry, into a folder that is kept for the next time. Two journeys log in, in a browser and
by the API, show in every way what they were issued, and break; others pass. Exit code 0: tokens that were issued work,
and no string of the artefacts does. 1: there is a leak. 2: a system could not be had, or was not watched.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from foreign_systems import PASSWORD, SYSTEMS, System, Trouble
from packed_texts import candidates

from synthprobe import loopback
from synthprobe.evidence.redaction import Redactor

KEPT = Path.home() / ".cache" / "synthprobe" / "foreign"
_RUN_S, _REPORT_S, _CLIENTS = 240, 120, 4
LONGEST = 8_000
"""Servers take no header that is longer, and some end the connection."""
_EXPECTED = {"the page breaks": "failed", "the api breaks": "failed", "a journey passes": "passed"}


class Watch(NamedTuple):
    """What came of watching a system.

    Attributes:
        name: of the system.
        files: how many files, outputs and messages were searched.
        tried: how many strings were tried.
        live: how many tokens that were issued work.
        leaks: where a string stands that lets somebody in, or another form of a token.
        seconds: how long it took.
    """

    name: str
    files: int
    tried: int
    live: int
    leaks: list[str]
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.files} files, outputs and messages; {self.tried} strings tried, {self.live} issued "
            f"tokens work, {len(self.leaks)} leaks, {self.seconds:.0f} s"
        )


@contextmanager
def messages() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a receiver of alerts, and what it received."""
    received: list[bytes] = []

    class Receiver(loopback.Handler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"json://127.0.0.1:{server.server_port}/", received
    finally:
        server.shutdown()
        server.server_close()


def written(system: System, folder: Path, *, report: bool) -> dict[str, bytes]:
    """Run the journeys as a schedule does: all that is written, printed and sent, by its name.

    Raises:
        Trouble: when the journeys did not end as they must.
    """
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeys" / "test_doors.py").write_text(system.journeys)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environ |= {"FOREIGN_DOOR": PASSWORD, "GITHUB_STEP_SUMMARY": str(folder / ".synthprobe" / "job.md")}
    found: dict[str, bytes] = {}

    def call(name: str, *arguments: str, within_s: int = _REPORT_S) -> None:
        command = [sys.executable, "-m", "synthprobe", name, *arguments]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=within_s, check=False)
        found[f"output of {name} {' '.join(arguments)}"] = done.stdout + done.stderr

    with messages() as (channel, received):
        environ["FOREIGN_CHANNEL"] = channel
        (folder / "synthprobe.toml").write_text(
            f'default_target = "watched"\nsecond_attempts = 0\n[targets.watched]\nbase_url = "{system.address}"\n'
            "action_timeout_s = 10\n[targets.watched.secrets]\ndoor = 'env:FOREIGN_DOOR'\n"
            "[alerts]\n[[alerts.routes]]\nname = 'all'\nto = ['env:FOREIGN_CHANNEL']\n"
        )
        extra = ("--junitxml=.synthprobe/junit.xml", "--showlocals", "-o", "log_file=.synthprobe/pytest.log")
        call("run", "--slot", "now", "--", *extra, "-o", "log_file_level=DEBUG", within_s=_RUN_S)
        found |= {f"message {number}": body for number, body in enumerate(received)}
    if report:
        call("incident", "list", "--json")
        call("report")
    state = folder / ".synthprobe"
    files = {str(path.relative_to(state)): path for path in state.rglob("*") if path.is_file()}
    found |= {name: path.read_bytes() for name, path in files.items()}
    verdicts = [json.loads(content) for name, content in found.items() if name.endswith("verdict.json")]
    ends = {journey["journey"]["title"]: journey["outcome"] for verdict in verdicts for journey in verdict["journeys"]}
    wanted = ("trace.zip", "screenshot.png", "junit.xml", "pytest.log", "history.db", "job.md", "message 0")
    missing = [name for name in wanted if not any(written.endswith(name) for written in found)]
    if ends != {title: outcome for title, outcome in _EXPECTED.items() if title in ends} or len(ends) < 2 or missing:
        shown = found["output of " + next(name for name in found if name.startswith("output of run"))[10:]]
        raise Trouble(f"the journeys ended as {ends}, without {missing}: {shown.decode()[-3000:]}")
    return found


def that_work(system: System, strings: Iterable[str]) -> set[str]:
    """Those strings that let somebody in."""
    place = threading.local()

    def works(string: str) -> bool:
        error: Exception | None = None
        for _ in range(3):  # a server closes a connection when it likes
            if not hasattr(place, "client"):
                place.client = http.client.HTTPConnection(urlsplit(system.address).netloc, timeout=20)
            try:
                return system.lets_in(string, place.client)
            except (ValueError, UnicodeError):  # no header can carry it
                place.client.close()
                return False
            except (http.client.HTTPException, OSError) as broken:
                error = broken
                place.client.close()
                del place.client
        raise Trouble(f"{system.name} answers no more: {error!r} at {string[:200]!r}")

    listed = list(strings)
    with ThreadPoolExecutor(_CLIENTS) as pool:
        return {string for string, good in zip(listed, pool.map(works, listed), strict=True) if good}


def watch(name: str, keep: Path = KEPT, *, report: bool = False) -> Watch:
    """Watch a system, and try every string of what was written.

    Args:
        name: of the system.
        keep: where systems are installed.
        report: whether pages and the Allure report are made too.

    Returns:
        What came of it.

    Raises:
        Trouble: when it could not be had, or nothing would be proven.
    """
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="foreign-") as place,
        SYSTEMS[name](keep).started(Path(place)) as system,
        tempfile.TemporaryDirectory(prefix="watched-") as project,
    ):
        found = written(system, Path(project) / "project", report=report)
        live = that_work(system, system.live_tokens())
        if not live:
            raise Trouble("no token that was issued works, so it would prove nothing that none is found")
        where: dict[str, list[str]] = {}
        for file, content in found.items():
            for string in {candidate for candidate in candidates(content) if len(candidate) <= LONGEST}:
                where.setdefault(string, []).append(file)
        leaks = [
            f"a string of {len(word)} characters lets in, in {where[word][:4]}" for word in that_work(system, where)
        ]
        redactor = Redactor()
        for token in live:
            redactor.add(token, "token")
        leaks += [f"a form of a token: {file}" for file, content in found.items() if redactor.residual(content)]
        if that_work(system, live) != live:
            raise Trouble("its tokens ended while strings were tried, so it proves nothing that none worked")
    return Watch(name, len(found), len(where), len(live), leaks, time.monotonic() - began)


def main(arguments: Sequence[str]) -> int:
    """Watch systems, and print a line for each and each leak."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=[*SYSTEMS], metavar="NAME", help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--keep", type=Path, default=KEPT, help="folder in which systems are installed")
    parser.add_argument("--report", action="store_true", help="make pages and the Allure report, and search them too")
    given = parser.parse_args(arguments)
    code = 0
    for name in given.names:
        try:
            watched = watch(name, given.keep, report=given.report)
        except (Trouble, subprocess.TimeoutExpired) as trouble:
            print(f"{name}: {trouble}", flush=True)
            code = 2
            continue
        print(watched, *watched.leaks, sep="\n  ", flush=True)
        code = max(code, 1 if watched.leaks else 0)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
