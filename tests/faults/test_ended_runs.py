"""Whatever ends a scheduled run before its end: a verdict, an alert that the monitor is blind, `/fail`, exit code 3."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import resource
import select
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from synthprobe import loopback
from synthprobe.records.verdict import Verdict

GOOD = "def test_good(api):\n    api.get('/').expect(200)\n"
RUN = [sys.executable, "-m", "synthprobe", "run", "--slot", "now"]


class World:
    """A target, a pager and a watcher on one server, and a project whose runs are told to them."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.state, self.temp = root, root / ".synthprobe", root.with_name("temp")
        self.status = 200
        self.pages: list[str] = []
        self.beats: list[str] = []
        (root / "journeys").mkdir(parents=True)
        (root / "journeys" / "test_it.py").write_text(GOOD)
        self.temp.mkdir()
        (root / "synthprobe.toml").write_text(
            f'interval_s = 10\nsecond_attempts = 0\n[targets.demo]\nbase_url = "http://127.0.0.1:{port}"\n'
            '[heartbeat]\nurl = "env:BEAT"\n[[alerts.routes]]\nname = "all"\nto = ["env:PAGER"]\n'
        )
        self.environ = {
            **os.environ,
            "PAGER": f"json://127.0.0.1:{port}/pager",
            "BEAT": f"http://127.0.0.1:{port}/beat",
            "TMPDIR": str(self.temp),
        }

    def run(self, *command: str, **how: object) -> SimpleNamespace:
        done = subprocess.run(
            command or RUN, cwd=self.root, env=self.environ, capture_output=True, text=True, timeout=250, **how
        )  # type: ignore[call-overload]
        return SimpleNamespace(code=done.returncode, output=done.stdout + done.stderr)

    def verdicts(self) -> list[Verdict]:
        kept = [*self.state.glob("runs/demo/*/verdict.json"), *self.temp.glob("*/runs/demo/*/verdict.json")]
        return [
            msgspec.json.decode(path.read_bytes(), type=Verdict) for path in sorted(kept, key=lambda p: p.parent.name)
        ]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            self.send_response(found.status if self.command == "GET" else 200)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path.startswith("/beat"):
                found.beats.append(self.path.partition("?")[0].removeprefix("/beat").strip("/") or "success")
            else:
                found.pages.append(json.loads(body)["title"])
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = World(tmp_path / "project", server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[bool]:
    """A small real file system where this machine lets us; the caller knows another way where it does not."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "synthprobe-test", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False).returncode == 0 if os.geteuid() == 0 else False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def no_file_grows() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def without_starts(world: World) -> list[str]:
    return [beat for beat in world.beats if beat != "start"]


def test_a_full_disk_costs_no_verdict_and_is_told_once_until_it_is_over_f54(world):
    assert world.run().code == 0
    moved = world.state.rename(world.root / "moved")
    with mounted(world.state, "size=4m") as small:
        subprocess.run(["cp", "-a", f"{moved}/.", str(world.state)], check=True)
        limit = {} if small else {"preexec_fn": no_file_grows}
        fill(world.state, 65536 if small else 0)
        blind = [world.run(**limit) for _ in range(2)]
        assert not list(world.state.glob("*.damaged-*")), "a file that cannot grow is whole"
    assert not any("fault of synthprobe" in run.output for run in blind)
    assert [run.code for run in blind] == [3, 3], blind[0].output
    assert all("The verdict is in" in run.output and "Traceback" not in run.output for run in blind)
    assert without_starts(world) == ["success", "fail", "fail"]
    (page,) = world.pages
    assert page.startswith("Monitor blind demo: The run did not come to its end")
    verdicts = world.verdicts()
    assert [[journey.outcome for journey in verdict.journeys] for verdict in verdicts[-2:]] == [["unknown"]] * 2
    if small:
        world.state.rmdir()
        moved.rename(world.state)
    wait_for_next_slot(world)
    assert world.run().code == 0
    assert [page[:5] for page in world.pages] == ["Monit", "Over:"]
    assert not list(world.temp.glob("*/runs/demo/*/verdict.json")), "brought home"
    assert len(world.verdicts()) == 4


@pytest.mark.parametrize("ended", ["no inodes", "read-only"])
def test_a_folder_that_takes_no_file_costs_no_verdict_f54(world, ended):
    with mounted(world.state, "size=64m,nr_inodes=40" if ended == "no inodes" else "size=1m") as small:
        if ended == "no inodes" and small:
            fill(world.state, 0)
        elif small:
            subprocess.run(["mount", "-o", "remount,ro", str(world.state)], check=True)
        else:
            world.state.rmdir()
            world.state.touch()  # where nobody may mount, a file in the way takes no file either
        blind = world.run()
    assert (blind.code, "Traceback" in blind.output) == (3, False), blind.output
    assert without_starts(world) == ["fail"]
    (page,) = world.pages
    assert page.startswith("Monitor blind demo: The run did not come to its end")
    (verdict,) = world.verdicts()
    assert verdict.blind


NOTHING_TAKES_FILES = """
for folder in /tmp /var/tmp "$PWD" "$TMPDIR"; do
    mount --bind "$folder" "$folder" && mount -o remount,bind,ro "$folder" || exit 99
done
cd "$PWD" && exec "$@"
"""


def test_a_machine_on_which_nothing_can_be_written_still_tells_people_once(world):
    if os.geteuid() != 0:
        pytest.skip("only root may give a process file systems of its own; the rows above are without it")
    assert world.run().code == 0
    for _ in range(2):
        wait_for_next_slot(world)
        blind = world.run("unshare", "-m", "sh", "-c", NOTHING_TAKES_FILES, "sh", *RUN)
        assert (blind.code, "Traceback" in blind.output) == (3, False), blind.output
    wait_for_next_slot(world)
    assert world.run().code == 0
    assert [page[:5] for page in world.pages] == ["Monit", "Over:"]
    assert without_starts(world) == ["success", "fail", "fail", "success"]
    assert [bool(verdict.blind) for verdict in world.verdicts()] == [False, True, True, False], "brought home"
    assert not list(world.temp.glob("synthprobe-spare-*")), "and nothing stays behind"
    (known,) = incidents(world, "--all")
    assert (known["state"], known["occurrences"]) == ("resolved", 2)


def test_an_incident_that_the_history_could_not_take_is_known_to_whoever_was_told_of_it(world):
    world.status = 500
    (world.state / "history.db").mkdir(parents=True)
    assert world.run().code == 1
    (world.state / "history.db").rmdir()
    (verdict,) = world.verdicts()
    assert [verdict.journeys[0].incident] == [known["id"] for known in incidents(world)]
    assert [page[:5] for page in world.pages] == ["PAGE "]


def test_a_lost_history_repeats_no_end_and_keeps_no_new_failure_from_people(world):
    for status in (500, 200, 200, 200, 500):
        world.status = status
        world.run()
        wait_for_next_slot(world)
    assert [page[:5] for page in world.pages] == ["PAGE ", "Over:", "PAGE "]


def fill(folder: Path, size: int) -> None:
    """Until nothing goes in any more."""
    for number in range(100_000 if size or folder.is_mount() else 0):
        try:
            (folder / f"fill-{number}").write_bytes(b"x" * size)
        except OSError:
            return


def test_a_disk_that_fills_during_a_run_costs_no_verdict_f52_f53(world):
    world.state.mkdir()
    (world.root / "journeys" / "test_it.py").write_text(
        GOOD + "import pathlib\nfrom synthprobe import step\n"
        "def test_fills(api):\n    with step('fill it'):\n"
        f"        with open({str(world.state / 'fill')!r}, 'wb', buffering=0) as file:\n"
        "            try:\n                while file.write(bytes(4096)): pass\n            except OSError: pass\n"
        "def test_later(api):\n    api.get('/').expect(200)\n"
    )
    with mounted(world.state, "size=3m") as small:
        if not small:
            pytest.skip("only root may mount a small file system; the row without it is the one above")
        done = world.run()
        verdicts = world.verdicts()
    assert done.code == 3, done.output
    assert "Monitor blind: " in done.output
    (verdict,) = verdicts
    outcomes = {journey.journey.node_id.rpartition("::")[2]: journey.outcome for journey in verdict.journeys}
    assert outcomes.get("test_good", "passed") == "passed"
    assert set(outcomes) == {"test_good", "test_fills", "test_later"}
    assert verdict.blind
    assert world.beats == ["start", "fail"]
    assert world.pages[0].startswith("Monitor blind demo")


def test_what_keeps_pytest_from_starting_is_told_f78(world):
    """A conftest that cannot be imported, a plugin that is not there."""
    assert world.run().code == 0
    for file, text in (
        ("journeys/conftest.py", "import nowhere_at_all\n"),
        ("pytest.ini", "[pytest]\naddopts = -p nowhere_at_all\n"),
    ):
        (world.root / file).write_text(text)
        wait_for_next_slot(world)
        done = world.run()
        assert (done.code, "nowhere_at_all" in done.output) == (3, True), done.output
        assert world.beats[-2:] == ["start", "fail"]
        *_, verdict = world.verdicts()
        assert {journey.outcome for journey in verdict.journeys} == {"unknown"}
        assert {journey.incident for journey in verdict.journeys} == {known["id"] for known in incidents(world)}
    (known,) = incidents(world)
    assert (known["state"], known["severity"], known["occurrences"]) == ("open", "critical", 2)
    (world.root / "pytest.ini").unlink()
    (world.root / "journeys" / "conftest.py").unlink()
    wait_for_next_slot(world)
    assert (world.run().code, incidents(world)) == (0, [])
    assert world.pages.pop().startswith("Over:")
    assert [page[:18] for page in world.pages] == ["Monitor blind demo"], "told once, as it goes on"


def incidents(world: World, *options: str) -> list[dict[str, Any]]:
    """Those that a person is shown, which are open."""
    shown = world.run(sys.executable, "-m", "synthprobe", "incident", "list", "--json", *options).output
    return json.loads(shown)["incidents"]  # type: ignore[no-any-return]


def test_two_targets_that_go_blind_at_one_moment_are_two_incidents(world):
    settings = world.root / "synthprobe.toml"
    settings.write_text(
        settings.read_text().replace("[heartbeat]", '[targets.other]\nbase_url = "http://127.0.0.1:9"\n[heartbeat]')
    )
    (world.root / "journeys" / "conftest.py").write_text("import nowhere_at_all\n")
    assert [world.run(*RUN, "--target", target).code for target in ("demo", "other")] == [3, 3]
    assert [page.partition(":")[0] for page in world.pages] == ["Monitor blind demo", "Monitor blind other"]


def wait_for_next_slot(world: World) -> None:
    """Slots of ten seconds: what was judged in this one is told apart by making it another target's business."""
    for path in world.state.glob("runs/demo/*"):
        path.rename(path.with_name("0" + path.name.partition("-")[1] + path.name.partition("-")[2]))
    for path in world.state.glob("history.db*"):
        path.unlink()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import synthprobe.runner.run as run\nrun.source_revision = None\n", "fault of synthprobe"),
        ("import synthprobe.pipeline as p\np.after_run = lambda *a, **k: 1 // 0\n", "ZeroDivisionError"),
    ],
    ids=["before", "after"],
)
def test_an_exception_of_our_own_is_told(world, code, sentence):
    done = world.run(
        sys.executable, "-c", f"{code}import sys\nsys.argv[:] = {RUN[2:]}\nfrom synthprobe.cli.main import main\nmain()"
    )
    assert sentence in done.output, done.output
    assert done.code == 3, done.output
    assert world.beats == ["start", "fail"]
    assert world.pages[0].startswith("Monitor blind demo"), done.output
    (verdict,) = world.verdicts()
    assert verdict.blind
    assert not list(world.temp.glob("synthprobe-spare-*")), "the project takes its verdict"


def test_a_broken_pipe_ends_nothing_and_a_closed_terminal_is_a_cancelled_run_f40(world):
    journeys = (
        GOOD
        + "def test_noise(api):\n    api.get('/').expect(200)\n    assert not print('x' * 200_000)\n    assert False\n"
    )
    (world.root / "journeys" / "test_it.py").write_text(journeys)
    read, write = os.pipe()
    run = subprocess.Popen(RUN, cwd=world.root, env=world.environ, stdout=write, stderr=write)
    os.close(write)
    os.close(read)
    assert run.wait(timeout=250) == 1
    (verdict,) = world.verdicts()
    outcomes = {journey.journey.node_id.rpartition("::")[2]: journey.outcome for journey in verdict.journeys}
    assert outcomes == {"test_good": "passed", "test_noise": "failed"}
    assert world.pages[0].startswith("PAGE demo")
    assert world.beats == ["start", "success"]
    ready = world.root / "ready"
    waits = (
        "import pathlib, threading\ndef test_waits(api):\n    api.get('/').expect(200)\n"
        f"    pathlib.Path({str(ready)!r}).touch()\n    threading.Event().wait()\n"
    )
    (world.root / "journeys" / "test_it.py").write_text(waits)
    wait_for_next_slot(world)
    run, terminal = in_a_terminal(world)
    while not ready.exists() and run.poll() is None:
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 65536)
    os.close(terminal)
    assert run.wait(timeout=8) == 3
    assert world.beats[2:] == ["start", "fail"]
    verdict = world.verdicts()[-1]
    assert (verdict.run.ended, verdict.blind) == ("cancelled", "")
    assert "cancelled" in verdict.journeys[0].cause


def in_a_terminal(world: World) -> tuple[subprocess.Popen[bytes], int]:
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        RUN,
        cwd=world.root,
        env=world.environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    return run, ours
