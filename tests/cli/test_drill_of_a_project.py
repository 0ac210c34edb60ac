"""A project that `init` made drills a system of its own, and bad plugins are refused in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from synthprobe.fault_proxy import Break, proxy_drill
from synthprobe.hooks import Fault


def typed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synthprobe", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250, check=False)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    assert typed(folder, "init", "--demo").returncode == 0
    return folder


def test_the_example_drill_proves_the_example_runbook(begun):
    done = typed(begun, "drill", "--all", "--workers", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ sign_in_page_gone: " in done.stdout
    assert ", sign-in-page: confirmed, no fix: healed by the drill, verified" in done.stdout
    assert "1 of 1 held." in done.stdout


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        ("absent.module", "plugins names 'absent.module', and it cannot be imported: ModuleNotFoundError"),
        ("gone.py", "plugins names 'gone.py', and it cannot be imported: FileNotFoundError"),
        ("misspelt.py", "implements synthprobe_dril, and there is no such hook. Did you mean 'synthprobe_drill'?"),
    ],
)
def test_a_bad_plugin_is_refused_in_a_sentence(begun, tmp_path, plugin, sentence):
    (tmp_path / "misspelt.py").write_text(
        "from synthprobe.hooks import hookimpl\n@hookimpl\ndef synthprobe_dril():\n    return None\n"
    )
    (tmp_path / "synthprobe.toml").write_text(
        f'plugins = ["{plugin}"]\n[targets.demo]\nbase_url = "http://127.0.0.1:9"\n'
    )
    done = typed(tmp_path, "drill", "--all")
    assert done.returncode == 2
    assert sentence in " ".join((done.stdout + done.stderr).split())


LEAVES = """
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from synthprobe.hooks import DrillPlan, Fault, hookimpl


class System(ThreadingHTTPServer):
    broken_by = frozenset()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def broken(self, fault):
        self.broken_by |= {fault}  # what it left stays
        yield

    def environment(self, secret):
        return {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if self.path.removeprefix("/") in self.server.broken_by else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_): ...


@contextmanager
def start():
    with System(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@hookimpl
def synthprobe_drill():
    faults = tuple(Fault(name=name, cause="code") for name in ("bills", "orders", "stock"))
    return DrillPlan(target="demo", faults=faults, start=start)
"""


def test_what_a_pair_left_behind_is_not_found_in_the_next(tmp_path):
    (tmp_path / "drills.py").write_text(LEAVES)
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "test_them.py").write_text(
        "import pytest\n@pytest.mark.parametrize('what', ['bills', 'orders', 'stock'])\n"
        "def test_it(api, what):\n    api.get(f'/{what}').expect(200)\n"
    )
    (tmp_path / "synthprobe.toml").write_text(
        'plugins = ["drills.py"]\n[targets.demo]\nbase_url = "http://127.0.0.1:9"\n'
    )
    done = typed(tmp_path, "drill", "--pairs", "bills", "orders", "stock", "--workers", "0")
    assert "6 incidents for 3 pairs: 2.00 per pair" in done.stdout, done.stdout + done.stderr


def test_a_production_target_is_never_broken(begun, tmp_path):
    (tmp_path / "drills.py").write_text((begun / "drills.py").read_text())
    (tmp_path / "synthprobe.toml").write_text(
        'plugins = ["drills.py"]\ndefault_target = "demo"\n'
        '[targets.demo]\nbase_url = "https://example.invalid"\nproduction = true\n'
    )
    done = typed(tmp_path, "drill", "--all")
    assert done.returncode == 2
    assert "is a production target" in " ".join((done.stdout + done.stderr).split())


def test_a_project_without_a_drill_says_how_to_write_one(tmp_path):
    (tmp_path / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:9"\n')
    done = typed(tmp_path, "drill", "--all")
    assert done.returncode == 2
    assert "No plugin of this project offers a drill." in done.stdout + done.stderr


SLOW = Fault(name="slow", cause="infra")
GONE = Fault(name="gone", cause="code")
CUT = Fault(name="cut", cause="infra")
WRONG = Fault(name="wrong", cause="data")
LOST = Fault(name="lost", cause="data")
RULES = {
    LOST: Break(path="^/login", rewrite=lambda body: body[:20]),
    SLOW: Break(path="^/", delay_s=0.3),
    GONE: Break(path="^/login", method="GET", status=404, body="no such page"),
    CUT: Break(path="^/login", drop=True),
    WRONG: Break(path="^/login", substitute=("Log in", "Sign in")),
}


def test_the_proxy_breaks_what_its_rules_say_and_heals(centre):
    plan = proxy_drill("demo", centre.url, RULES)
    with plan.start() as system:
        login = f"{system.base_url}/login"
        whole = requests.get(login, timeout=10)
        assert (whole.status_code, "Log in" in whole.text) == (200, True)
        with system.broken("gone"):
            assert (requests.get(login, timeout=10).status_code, requests.get(login, timeout=10).text) == (
                404,
                "no such page",
            )
            assert requests.post(login, timeout=10).status_code != 404
        with system.broken("cut"), pytest.raises(requests.ConnectionError):
            requests.get(login, timeout=10)
        with system.broken("wrong"):
            assert "Sign in" in requests.get(login, timeout=10).text
        with system.broken("slow"):
            assert requests.get(login, timeout=10).elapsed.total_seconds() >= 0.3
        with system.broken("lost"):
            assert requests.get(login, timeout=10).text == whole.text[:20]
        assert requests.get(login, timeout=10).text == whole.text
        sent_by_both = requests.get(f"{centre.url}/login", timeout=10).headers
        assert len(whole.headers["Date"]) == len(sent_by_both["Date"]), "no second date"
