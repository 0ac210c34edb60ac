"""One journey never spoils another: what its body left changed of the process is put back, and said."""

import pytest

JOURNEYS = """
import builtins, io, logging, os, signal, socket, sys, tempfile, threading, time

def now():
    signals = [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)]
    limits = [sys.getrecursionlimit(), socket.getdefaulttimeout(), logging.root.manager.disable]
    os.umask(mask := os.umask(0o077))
    return [signals, sys.excepthook, limits, mask, os.getcwd(), print, open, socket.socket, time.time]

def test_first(api):
    api.get("/healthz").expect(200)
    now.first = now()

def test_values(api):
    api.get("/healthz").expect(200)
    os.umask(0o777)
    os.chdir(tempfile.mkdtemp())
    socket.setdefaulttimeout(0.000001)
    sys.setrecursionlimit(200)
    logging.disable(logging.CRITICAL)
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, signal.SIG_IGN)

def test_names(api):
    api.get("/healthz").expect(200)
    sys.excepthook = threading.excepthook = builtins.print = builtins.open = socket.socket = None
    time.time = lambda: 0.0

def test_failed(api):
    builtins.print = None
    api.get("/healthz").expect(404)

def test_closed_output(api):
    api.get("/healthz").expect(200)
    sys.stdout.close()
    sys.stderr.close()

def test_other_output(api):
    api.get("/healthz").expect(200)
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, "utf-8")

def test_no_output(api):
    api.get("/healthz").expect(200)
    sys.stdout = sys.stderr = None

def test_last(api):
    print("all is well")
    api.get("/healthz").expect(200)
    assert now() == now.first
"""


@pytest.mark.parametrize("options", [(), ("-s",), ("--alluredir=out", "--capture=sys")])
def test_the_next_journey_finds_the_process_as_it_was(project, centre, options):
    project.configure(centre.url)
    project.journeys(JOURNEYS)
    ran = project.run(*options)
    found = {name: result.outcome for name, result in ran.results.items()}
    assert found == dict.fromkeys(found, "passed") | {"test_failed": "failed"}, ran.output
    notes = {name: " ".join(result.notes) for name, result in ran.results.items()}
    assert "socket.socket" in notes["test_names"]
    assert "builtins.print" in notes["test_failed"]
    assert all(word in notes["test_values"] for word in ("umask", "folder", "SIGINT", "recursion"))
    assert not notes["test_first"] + notes["test_last"]
