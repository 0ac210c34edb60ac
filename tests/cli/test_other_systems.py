"""Authors on macOS and Windows: all they use works where Python lacks what only Linux, or only Unix, has."""

from __future__ import annotations

import json
import subprocess
import sys

from synthprobe import pipeline
from synthprobe.testing import FakeTarget

WITHOUT = '''
"""Takes away what Windows does not have: modules from synthprobe, and what os and signal offer from everybody."""

import builtins, os, signal, sys

GONE = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix"}
imported = builtins.__import__

def without(name, given=None, *rest, **more):
    if name.partition(".")[0] in GONE and (given or {}).get("__name__", "").startswith("synthprobe"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return imported(name, given, *rest, **more)

import platformdirs  # other libraries look once which system it is

builtins.__import__ = without
for name in ("SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "setitimer", "ITIMER_REAL", "alarm", "pause"):
    vars(signal).pop(name, None)
for name in ("killpg", "setsid", "getpgid", "setpgid", "fork", "getuid", "geteuid", "getgid", "getloadavg", "chown"):
    vars(os).pop(name, None)

import pytest
from synthprobe.cli.main import main

codes = {}
for words in json_words:
    print("$", *words, flush=True)
    try:
        if words[0] == "pytest":
            codes[words[0]] = int(pytest.main(words[1:]))
        else:
            sys.argv = ["synthprobe", *words]
            main()
    except SystemExit as ended:
        codes[words[0]] = ended.code or 0
print(codes)
'''

JOURNEYS = """
import pytest
from synthprobe import step

def test_the_shop_is_open(api):
    with step("ask for its health"):
        api.get("/healthz").expect(200)

@pytest.mark.timeout(1)
def test_it_never_ends():
    with step("wait for ever"):
        while True:
            pass

def test_it_is_shut(api):
    with step("ask for what is not there"):
        api.get("/gone").expect(200)
"""


def test_help_doctor_journeys_and_report_work_without_what_only_unix_has(tmp_path):
    commands = [["--help"], ["doctor"], ["pytest", "journeys", "-q", "-p", "no:cacheprovider"], ["report"]]
    with FakeTarget() as target:
        target.answers("GET", "/healthz", body={"state": "up"})
        (tmp_path / "synthprobe.toml").write_text(
            f'[targets.demo]\nbase_url = "{target.url}"\nrequests_per_second = 50\n'
        )
        (tmp_path / "journeys").mkdir()
        (tmp_path / "journeys" / "test_it.py").write_text(JOURNEYS)
        script = tmp_path / "without.py"
        script.write_text(WITHOUT.replace("json_words", json.dumps(commands)))
        done = subprocess.run(
            [sys.executable, script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    codes = done.stdout.splitlines()[-1]
    assert codes == str({"--help": 0, "doctor": 0, "pytest": 1, "report": 0}), output
    (run,) = (tmp_path / ".synthprobe" / "runs" / "demo").iterdir()
    results = {result.journey.id.rpartition("_")[2]: result for result in pipeline.read_results(run)}
    assert {name: result.outcome for name, result in results.items()} == {
        "open": "passed", "ends": "unknown", "shut": "failed"
    }  # fmt: skip
    assert "deadline of 1 s" in results["ends"].cause
    assert (tmp_path / ".synthprobe" / "site" / "index.html").is_file()
