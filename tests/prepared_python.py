"""What tests start with ``python -m`` begins with its libraries loaded.

A start of ``synthprobe`` or of pytest with its plugin loads more than a thousand modules, the same each time; that is
most of what it costs. One process of each worker loads them once, and what a test starts is forked from it: a process
of its own, child of who started it, with the arguments, variables, folder and streams it was given, in which no module
of this project and no plugin of pytest is to be seen until it is imported (``prepared_modules.py``). What was started
so starts pytest the same way. With ``pytest --fresh-starts`` every start is a fresh one.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import importlib.metadata
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
import weakref
from collections.abc import Mapping, Sequence, Set
from typing import Any

from _pytest.config import default_plugins
from prepared_modules import HiddenModules
from prepared_starts import PREPARED, FromPrepared, UsualPopen, is_ours, read_at_start, received

LIBRARIES = [
    "can_ada",
    "ahocorasick_rs",
    "alembic",
    "apprise",
    "attr",
    "ctypes",
    "doctest",
    "execnet",
    "faulthandler",
    "filelock",
    "gzip",
    "http.server",
    "jinja2",
    "jsonschema",
    "markdown_it",
    "mdit_py_plugins.front_matter",
    "msgspec",
    "packaging",
    "pdb",
    "playwright.sync_api",
    "prometheus_client",
    "psutil",
    "psycopg",
    "pytest",
    "requests",
    "rich.console",
    "rich.live",
    "rich.progress",
    "rich.table",
    "slugify",
    "sqlalchemy",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sse_starlette",
    "starlette.applications",
    "starlette.staticfiles",
    "statistics",
    "tomllib",
    "typer",
    "typer._click.decorators",
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "yaml",
    "zoneinfo",
]
HIDDEN = [
    "synthprobe.browser.evidence",
    "synthprobe.browser.installation",
    "synthprobe.browser.wall",
    "synthprobe.cli.main",
    "synthprobe.cli.report",
    "synthprobe.cli.run",
    "synthprobe.history.store",
    "synthprobe.journey.api",
    "synthprobe.journey.freshness",
    "synthprobe.plugin.canaries",
    "synthprobe.plugin.collection",
    "synthprobe.plugin.fixtures",
    "synthprobe.plugin.browser_fixtures",
    "synthprobe.plugin.last_words",
    "synthprobe.plugin.quiet",
    "synthprobe.plugin.session",
    "synthprobe_demo.app",
    "synthprobe_demo.plugin",
]
"""Of this project, with all that these import; the plugins of pytest are hidden as well."""


class FromHere(UsualPopen):
    """In what was forked: a pytest that is started as a process of its own is forked once more."""

    def __init__(self, args: Any, **given: Any) -> None:
        environ, before = dict(given.get("env") or os.environ), given.get("preexec_fn")
        if is_ours(args) and read_at_start(environ) == BEGINNING.variables:

            def begin() -> None:
                gc.freeze()  # nothing of who started it is ever finalised here
                if before is not None:
                    before()
                os.closerange(3, os.sysconf("SC_OPEN_MAX"))
                BEGINNING.hide()
                become([os.fspath(word) for word in args[2:]], environ)

            given["preexec_fn"] = begin
        super().__init__(args, **given)


class Beginning:
    """What a Python that just began looks like."""

    def __init__(self, plugins: Set[str], hidden: HiddenModules) -> None:
        self.plugins, self.hidden = plugins, hidden
        self.path, self.finders, self.hooks = list(sys.path), list(sys.meta_path), list(sys.path_hooks)
        self.filters = list(warnings.filters)
        self.modules, self.variables = set(sys.modules), read_at_start(os.environ)

    def hide(self) -> None:
        """What ran here has loaded and changed modules."""
        for name in sys.modules.keys() - self.modules:
            place = getattr(sys.modules[name], "__file__", None) or ""
            ours = place and not place.startswith(_INSTALLED)
            if ours or name.partition(".")[0] in self.plugins:
                del sys.modules[name]
        self.hidden.restore()
        importlib.invalidate_caches()

    def restore(self) -> None:
        sys.path[:], sys.meta_path[:], sys.path_hooks[:] = [os.getcwd(), *self.path[1:]], self.finders, self.hooks
        warnings.filters[:] = self.filters
        sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
        threading.excepthook = threading.__excepthook__
        tempfile.tempdir = None
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)
        atexit._clear()
        weakref.finalize._registry.clear()
        weakref.finalize._registered_with_atexit = False


_INSTALLED = tuple({sys.prefix, sys.base_prefix})
BEGINNING: Beginning


def become(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Go on as ``python -m`` with these words, and never return."""
    code = 1
    try:
        os.environ.clear()
        for name in ("COLUMNS", "LINES"):
            os.unsetenv(name)  # GNU readline, once loaded, sets them behind Python's back
        os.environ.update(environ)
        BEGINNING.restore()
        for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
            stream = _stream(name, number, mode)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        subprocess.Popen = _from_sibling(command) if command[0] == "pytest" else FromHere
        sys.argv = list(command)
        sys.orig_argv = [sys.executable, *(() if command[0] == "-u" else ("-m",)), *command]
        code = _ran(command[0])
        threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    os._exit(code)


def _from_sibling(command: Sequence[str]) -> type[subprocess.Popen[Any]]:
    """Who starts the workers of this pytest, if it has some: a fork of this process as it is before it begins."""
    if not any(word.startswith(("-n", "--numprocesses")) for word in command):
        return UsualPopen
    ours, theirs = socket.socketpair()
    if not os.fork():
        ours.close()
        signal.signal(signal.SIGINT, lambda *_: None)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        serve(theirs)
        os._exit(0)
    theirs.close()
    PREPARED.found(ours, BEGINNING.variables)
    return FromPrepared


def _stream(name: str, number: int, mode: str) -> Any:
    usual = getattr(sys, f"__{name}__")
    try:
        return open(
            number,
            mode,
            encoding=usual.encoding,
            errors=usual.errors,
            buffering=1 if os.isatty(number) or name == "stderr" else -1,
            closefd=False,
        )
    except OSError:
        return None


def _ran(program: str) -> int:
    try:
        if program == "-u":
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            code, sys.argv = sys.argv[2], ["-c"]
            exec(code, vars(main))
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        sys.stderr.write(f"{end.code}\n")
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _ordered(line: socket.socket) -> tuple[dict[str, Any], Sequence[int]] | None:
    head, rights, _, _ = line.recvmsg(4, socket.CMSG_SPACE(3 * 4))
    if not head:
        return None
    streams = array.array("i")
    streams.frombytes(rights[0][2])
    return json.loads(received(line, struct.unpack("!I", head)[0])), streams


def _wait_for(line: socket.socket) -> None:
    """In a fork: begin what a shell ordered, and say how it ended."""
    order, streams = _ordered(line) or ({}, ())
    code = -1
    if order and read_at_start(order["environ"]) == BEGINNING.variables:
        if not (child := os.fork()):
            _go_on(order, streams)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        code = code if code >= 0 else 128 - code  # as a shell says it
    line.sendall(struct.pack("!i", code))
    os._exit(0)


def serve(line: socket.socket, door: socket.socket | None = None) -> None:
    """Fork what is ordered, until nobody orders any more."""
    while True:
        ready, _, _ = select.select([line, *([door] if door is not None else [])], [], [])
        if door is not None and door in ready:
            caller, _ = door.accept()
            if not os.fork():
                if os.fork():
                    os._exit(0)
                _wait_for(caller)
            os.wait()
            caller.close()
        if line not in ready:
            continue
        ordered = _ordered(line)
        if ordered is None:
            return
        order, streams = ordered
        reply, tell = os.pipe()
        between = os.fork()
        if not between:
            _begin(order, streams, tell)
        os.waitpid(between, 0)  # now the fork of the fork is a child of who ordered it
        line.sendall(os.read(reply, 4))
        for number in (reply, tell, *streams):
            os.close(number)


def _begin(order: Mapping[str, Any], streams: Sequence[int], tell: int) -> None:
    between = os.getpid()
    if child := os.fork():
        os.write(tell, struct.pack("!i", child))
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0.0005)
    _go_on(order, streams)


def _go_on(order: Mapping[str, Any], streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if order["new_session"]:
        os.setsid()
    os.chdir(order["cwd"])
    become(order["command"], order["environ"])


def _read_installed() -> None:
    """What is installed says its plugins in some 160 files, which each pytest reads twice, with the files of these."""
    place = importlib.metadata.PathDistribution
    usual = {"entry_points": place.entry_points.fget, "files": place.files.fget}
    known: dict[tuple[str, str], Any] = {}
    for found in importlib.metadata.distributions():
        known["entry_points", os.fspath(found._path)] = entries = found.entry_points
        if entries.select(group="pytest11"):
            known["files", os.fspath(found._path)] = found.files

    def read(name: str) -> property:
        return property(lambda self: known.get((name, os.fspath(self._path))) or usual[name](self))

    place.entry_points, place.files = read("entry_points"), read("files")


def main() -> None:
    global BEGINNING
    for name in (*LIBRARIES, *(f"_pytest.{name}" for name in default_plugins)):
        with contextlib.suppress(ImportError):  # older versions have other modules
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        importlib.import_module("apprise").Apprise().add("json://127.0.0.1")  # then it knows all its channels
    entries = importlib.metadata.entry_points(group="pytest11")
    plugins = {entry.module.partition(".")[0] for entry in entries}  # pytest warns of one that was loaded before it
    hidden = HiddenModules()
    used = [entry.module for entry in entries if not entry.module.startswith(("_hypothesis", "pytest_bdd"))]
    hidden.load([*used, *HIDDEN], {*plugins, "allure_commons", "synthprobe_demo"})
    hidden.restore()
    BEGINNING = Beginning(plugins, hidden)
    _read_installed()
    gc.collect()
    gc.freeze()
    serve(*(socket.socket(fileno=int(number)) for number in sys.argv[1:]))


if __name__ == "__main__":
    main()
