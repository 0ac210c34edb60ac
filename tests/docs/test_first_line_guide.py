"""The walk from an alert to green is run as it is written, against the dispatch centre."""

import json
import os
import re
import shutil
import subprocess
import threading
from http.server import HTTPServer
from pathlib import Path

import pytest

from synthprobe import loopback

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "first-line.md").read_text()
JOURNEY = "journeys/dispatch/test_dispatch.py::test_the_crew_is_told"


@pytest.fixture
def desk():
    """A receiver of alerts: what it was sent, and its address."""
    alerts = []

    class Desk(loopback.Handler):
        def do_POST(self):
            alerts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Desk) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield alerts, f"json://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def shell(tmp_path, centre, desk, shell_environ):
    """Runs a command line in a copy of this project that watches the centre."""
    for name in ("journeys", "runbooks", "fixes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    settings = (ROOT / "synthprobe.toml").read_text().replace("http://127.0.0.1:8911", centre.url)
    (tmp_path / "synthprobe.toml").write_text(f'{settings}\n[[alerts.routes]]\nname = "desk"\nto = ["env:DESK"]\n')
    environ = {**os.environ, **shell_environ, "DESK": desk[1]}

    def run(line: str, **more: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environ | more,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        return done.stdout + done.stderr

    return run


def as_written(expected: str, printed: str) -> bool:
    """Whether what is shown was printed, `…` standing for anything."""
    pattern = r"\s*".join(
        "[\\s\\S]*?".join(r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
        for line in expected.splitlines()
    )
    return re.search(pattern, printed) is not None


def commands(text: str) -> list[tuple[str, str]]:
    """Each command of a text, and what it shows after it."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(part.partition("\n")[0], part.partition("\n")[2].strip()) for part in parts]


def follow(shell, text: str, **environ: str) -> str:
    """Type the commands of a text, compare what each shows, and return what the last one printed."""
    for line, expected in commands(text):
        printed = shell(line, **environ)
        assert as_written(expected, printed), f"$ {line}\n{printed}\n\nwas expected to show:\n{expected}"
    return printed


NIGHT, OTHER_NIGHT = GUIDE.split("## 8. ")


def test_from_the_alert_to_green(centre, desk, shell, tmp_path):
    centre.fault("notify_worker_dead")
    shell(f"synthprobe run {JOURNEY} --slot now")
    [alert] = desk[0]
    [shown] = re.findall(r"^```text\n(.*?)^```", NIGHT, re.MULTILINE | re.DOTALL)
    for line in shown.splitlines():
        assert as_written(line, f"{alert['title']}\n{alert['message']}"), f"{line}\n\n{alert}"
    kept = re.search(r"^Evidence local only: (\S+)", alert["message"], re.MULTILINE)[1]
    assert (tmp_path / kept / "verdict.json").is_file(), (
        "where no site is published, the alert leads to the run's folder"
    )
    incident = re.search(r"^Incident: (\S+)", alert["message"], re.MULTILINE)[1]
    assert len(commands(NIGHT)) == 10
    follow(shell, NIGHT, INCIDENT=incident)


def test_a_page_without_a_fix_to_green(centre, shell):
    centre.fault("avl_one_frozen")
    before, after = OTHER_NIGHT.split("They do.")
    assert (len(commands(before)), len(commands(after))) == (2, 3)
    printed = follow(shell, before)
    incident = re.search(r"^(\S+) +demo +open ", printed, re.MULTILINE)[1]
    centre.fault("avl_one_frozen", on=False)
    follow(shell, after, INCIDENT=incident)
