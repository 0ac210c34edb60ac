"""`synthprobe init` looks at a site, makes a project that passes its own run, and overwrites nothing."""

from __future__ import annotations

import ast
import itertools
import os
import re
import shlex
import ssl
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from authority import Authority
from company_proxy import company_proxy

from synthprobe import loopback

ROOT = Path(__file__).parents[2]


def synthprobe(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synthprobe", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250, check=False)


ODD, LINKED = "/it's;$(touch,x)", '/a"+x+"b'


class Site(loopback.Handler):
    """A small site: a page with a title, a heading and a script, data beside it, and pages of other kinds."""

    title = "Orchard shop"
    shown = itertools.count()

    def do_GET(self) -> None:
        number = next(self.shown)
        status, kind, body = {
            "/": (200, "text/html", f"<title>{self.title}</title><div></div><script>{SCRIPT}</script>"),
            "/clock": (200, "text/html", f"<title>It is {number}</title><p>Nothing else</p>"),
            "/stock.json": (200, "application/json", '{"apples": 12}'),
            "/healthz": (200, "text/html", "every path is answered with a page"),
            ODD: (200, "text/html", "<title>Odd</title>"),
            LINKED: (200, "application/json", "[]"),
        }.get(unquote(self.path), (404, "text/plain", "not here"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if unquote(self.path) == ODD:
            self.send_header("Link", f'<{LINKED}>; type="application/json"')
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.server.changed = True  # type: ignore[attr-defined]
        self.do_GET()


SCRIPT = (
    "fetch('/basket', {method: 'POST'}).catch(() => 0); fetch('/stock.json').then(answer => answer.json())"
    ".then(stock => document.querySelector('div').innerHTML = '<h1>Apples and pears</h1>')"
)


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.changed = False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_site_of_an_authority_of_ones_own_is_seen_with_the_variables_of_the_machine(tmp_path, site, monkeypatch):
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.pem("localhost"))
    site.socket = context.wrap_socket(site.socket, server_side=True)
    unseen = synthprobe(tmp_path, "init", "unseen", "--base-url", f"https://localhost:{site.server_port}")
    assert "signed by an authority that is not known here" in " ".join(unseen.stdout.split())
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(authority.file))
    made = synthprobe(tmp_path, "init", "watch", "--base-url", f"https://localhost:{site.server_port}")
    assert 'title "Orchard shop"; heading "Apples and pears"; data at /stock.json' in made.stdout, made.stdout


def test_a_site_of_ones_own_is_green_after_two_commands_and_red_once_it_is_another(tmp_path, site, monkeypatch):
    address = f"http://127.0.0.1:{site.server_port}"
    made = synthprobe(tmp_path, "init", "--base-url", address)
    assert made.returncode == 0, made.stderr
    assert 'title "Orchard shop"; heading "Apples and pears"; data at /stock.json' in made.stdout
    assert not site.changed, "a look changes nothing"
    journey = (tmp_path / "journeys" / "test_home_page.py").read_text()
    assert set(re.findall(r"^(?:from|import) (\S+)", journey, re.M)) == {"pytest", "playwright.sync_api", "synthprobe"}
    pins = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["dependencies"]
    assert all("==" in pin for pin in pins)
    ran = synthprobe(tmp_path, "run", "--slot", "now")
    assert (ran.returncode, "The only journey passes on local" in ran.stdout) == (0, True), ran.stdout + ran.stderr
    linted = synthprobe(tmp_path, "doctor", "runbooks")
    assert linted.returncode == 0, linted.stdout
    monkeypatch.setattr(Site, "title", "Placeholder")
    broken = subprocess.run([sys.executable, "-m", "pytest"], cwd=tmp_path, capture_output=True, text=True, timeout=250)
    assert broken.returncode == 1
    assert "✗ failed home-page: open the home page" in broken.stdout
    assert "\n  Page title expected to be 'Orchard shop', got 'Placeholder'\n" in broken.stdout


def test_behind_a_companys_proxy_a_project_begins_with_one_command(tmp_path, site, monkeypatch):
    address = f"http://127.0.0.1:{site.server_port}"
    monkeypatch.setenv("PROXY_PASSWORD", "hush-hush-9")
    with company_proxy(tmp_path, "--basic-auth", "probe:hush-hush-9") as proxy:
        named = proxy.address.replace("//", "//probe@")
        made = synthprobe(tmp_path, "init", "shop", "--base-url", address, "--proxy", named)
        wrong = synthprobe(tmp_path, "init", "wrong", "--base-url", address, "--proxy", named.replace("probe", "other"))
    assert made.returncode == 0, made.stderr
    assert 'title "Orchard shop"; heading "Apples and pears"; data at /stock.json' in made.stdout
    assert f"Looking through the proxy {proxy.address}, as probe. It is written into synthprobe.toml" in made.stdout
    assert proxy.asked().count(f"127.0.0.1:{site.server_port}") > 3
    assert tomllib.loads((tmp_path / "shop" / "synthprobe.toml").read_text())["targets"]["local"] == {
        "base_url": address,
        "proxy": {"address": proxy.address, "user": "probe", "secret": "proxy"},
        "secrets": {"proxy": "env:PROXY_PASSWORD"},
    }
    assert "does not take the user 'other'" in wrong.stdout
    assert "Set the password of the proxy first" not in made.stdout
    workflow = yaml.safe_load((tmp_path / "shop" / ".github" / "workflows" / "journeys.yml").read_text())
    given = [step.get("env", {}) for job in workflow["jobs"].values() for step in job["steps"]]
    assert given.count({"PROXY_PASSWORD": "${{ secrets.PROXY_PASSWORD }}"}) == 2, "to run and to sweep"
    monkeypatch.delenv("PROXY_PASSWORD")
    monkeypatch.setenv("http_proxy", "http://probe@127.0.0.1:9")
    down = synthprobe(tmp_path, "init", "down", "--base-url", "http://shop.example")
    assert "Looking through the proxy that this machine names: http://127.0.0.1:9, as probe." in down.stdout
    assert (
        "The proxy http://127.0.0.1:9 cannot be reached (nothing listens there), so the target was not asked."
        in down.stdout
    )
    assert "Set the password of the proxy first: export PROXY_PASSWORD=" in down.stdout
    assert "[targets.production.proxy]" in (tmp_path / "down" / "synthprobe.toml").read_text()
    for given, why in (
        ("socks5://127.0.0.1:9", "a proxy of the kind socks5"),
        ("", "Scheme, host and port were expected"),
    ):
        refused = synthprobe(tmp_path, "init", "none", "--base-url", address, "--proxy", given)
        assert (refused.returncode, "--proxy is" in refused.stderr, why in refused.stderr) == (2, True, True)
    assert not (tmp_path / "none").exists()


def test_what_differs_each_time_is_not_checked_and_data_alone_needs_no_browser(tmp_path, site):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'mine'\nversion = '1'\n")
    address = f"http://127.0.0.1:{site.server_port}"
    made = synthprobe(tmp_path, "init", "--base-url", f"{address}/clock")
    assert "kept  pyproject.toml, which is there already; add synthprobe==" in made.stdout
    assert "mine" in (tmp_path / "pyproject.toml").read_text()
    journey = (tmp_path / "journeys" / "test_home_page.py").read_text()
    assert "have_title" not in journey
    assert 'page.goto("/clock")' in journey
    (tmp_path / ".git").mkdir()
    made = synthprobe(tmp_path, "init", "Prüfung 1", "--base-url", f"{address}/stock.json")
    assert f"GitHub runs only the workflows in {tmp_path}/.github/workflows." in " ".join(made.stdout.split())
    assert "cd 'Prüfung 1' && synthprobe run" in made.stdout
    assert tomllib.loads((tmp_path / "Prüfung 1" / "pyproject.toml").read_text())["project"]["name"] == "pr-fung-1"
    journey = (tmp_path / "Prüfung 1" / "journeys" / "test_home_page.py").read_text()
    assert 'api.get("/stock.json").expect(200)' in journey
    assert "playwright" not in journey


def test_no_path_of_the_site_becomes_code_or_a_command(tmp_path, site):
    synthprobe(tmp_path, "init", "--base-url", f"http://127.0.0.1:{site.server_port}{ODD}")
    journey = ast.parse((tmp_path / "journeys" / "test_home_page.py").read_text())
    texts = {node.value for node in ast.walk(journey) if isinstance(node, ast.Constant)}
    assert {ODD, f"ask for {LINKED}"} <= texts
    page = (tmp_path / "runbooks" / "home-page.md").read_text()
    commands = [shlex.split(line) for line in page.splitlines() if "synthprobe http GET" in line]
    assert {command[3] for command in commands if command[0] == "synthprobe"} == {ODD}


def test_what_cannot_be_seen_is_said_and_what_is_not_said_is_asked_for(tmp_path):
    asked = synthprobe(tmp_path, "init")
    assert (asked.returncode, "synthprobe init --base-url https://" in asked.stderr) == (2, True)
    both = synthprobe(tmp_path, "init", "--demo", "--base-url", "http://127.0.0.1:9")
    assert (both.returncode, "not both" in " ".join(both.stderr.split())) == (2, True)
    wrong = synthprobe(tmp_path, "init", "--base-url", "shop.example.org")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False)
    assert list(tmp_path.iterdir()) == []
    away = synthprobe(tmp_path, "init", "--base-url", "http://127.0.0.1:9")
    assert (away.returncode, "was not seen: It did not answer" in away.stdout) == (0, True)
    outside = synthprobe(tmp_path.parent, "run")
    assert (outside.returncode, "Begin with: synthprobe init" in outside.stderr) == (2, True)


def test_without_the_extra_all_but_the_demo_works(tmp_path):
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in Path(pytest.__file__).parents[1].iterdir():
        if not entry.name.lower().startswith(("uvicorn", "starlette", "sse_starlette")):
            (packages / entry.name).symlink_to(entry)
    environ = {**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{ROOT / 'src'}"}
    program = "import sys; from synthprobe.cli.main import main; sys.argv = ['synthprobe', *sys.argv[1:]]; main()"

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-c", program, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=250, env=environ)

    for words in (("demo",), ("demo", "serve")):
        missing = call(*words)
        assert (missing.returncode, "pip install 'synthprobe[demo]'" in missing.stderr) == (2, True), missing.stderr
        assert "Traceback" not in missing.stderr
    made = call("init", "--base-url", "http://127.0.0.1:9", "mine")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "mine" / "synthprobe.toml").exists()


def test_the_scaffold_passes_its_own_run_against_the_demo(tmp_path):
    made = synthprobe(tmp_path, "init", "--demo")
    assert made.returncode == 0, made.stderr
    linted = synthprobe(tmp_path, "doctor", "runbooks")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    ran = synthprobe(tmp_path, "run", "--slot", "now")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The only journey passes on demo" in ran.stdout


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "synthprobe.toml").write_text("mine = true")
    made = synthprobe(tmp_path, "init", "--demo")
    assert made.returncode == 2
    assert "synthprobe.toml is there already" in made.stderr
    assert (tmp_path / "synthprobe.toml").read_text() == "mine = true"
    assert [path.name for path in tmp_path.iterdir()] == ["synthprobe.toml"]


def made_wheel(path):
    info = f"{path.name.split('-')[0]}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nothing-of-that-name\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_the_workflow_installs_only_what_a_lockfile_names_with_its_hash(tmp_path):
    made = synthprobe(tmp_path, "init", "--demo")
    assert "uv pip compile --generate-hashes" in made.stdout
    assert "synthprobe[alerts,demo]==" in (tmp_path / "pyproject.toml").read_text()
    workflow = yaml.safe_load((tmp_path / ".github" / "workflows" / "journeys.yml").read_text())
    steps = {step.get("id"): step.get("run", "") for step in workflow["jobs"]["journeys"]["steps"]}
    assert [step for step in steps.values() if "pip install" in step] == [steps["install"]]
    made_wheel(tmp_path / "nothing_of_that_name-1.0-py3-none-any.whl")
    (tmp_path / "requirements.lock").write_text("nothing-of-that-name==1.0\n")
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PATH": python}
    done = subprocess.run(
        steps["install"],
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env=environ,
    )
    assert done.returncode != 0
    assert "Hashes are required" in done.stderr
