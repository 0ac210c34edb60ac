"""Real systems that nobody here wrote: how each is installed, started and asked whether a token lets somebody in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlencode, urlsplit

USER, PASSWORD = "warden", "Kestrel-Orchard_5530"
_INSTALL_S, _START_S = 300, 60


class Trouble(Exception):
    """A system could not be had or started; the message is a sentence."""


class System:
    """A system from a registry.

    Attributes:
        name: as it is typed.
        packages: what is installed, with versions.
        home: a path that a browser gets an answer from, once the system is ready.
        journeys: the file of journeys that log in and break.
    """

    name = home = journeys = ""
    packages: tuple[str, ...] = ()

    def __init__(self, keep: Path) -> None:
        digest = hashlib.sha256(" ".join((self.name, *self.packages, sys.version)).encode()).hexdigest()[:8]
        self.installed = keep / f"{self.name}-{digest}"
        self.address = ""
        self.data = Path()

    def install(self) -> None:
        """Bring the system from its registry, unless it is there from an earlier time."""
        ready = self.installed / ".ready"
        if ready.exists():
            return
        self.installed.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            self.installer(), cwd=self.installed, capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
        if done.returncode:
            raise Trouble(
                f"{self.name} could not be installed, so nothing is known of it: {done.stderr.strip()[-400:]}"
            )
        ready.touch()

    def installer(self) -> list[str]:
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
        return [*uv, "--target", str(self.installed / "packages"), *self.packages]

    def prepare(self) -> None:
        """Make its data: one user."""

    def command(self, port: int) -> list[str]:
        raise NotImplementedError

    @contextmanager
    def started(self, data: Path) -> Iterator[System]:
        """The system on a port of its own.

        Args:
            data: an empty folder for what it keeps.
        """
        self.install()
        self.data = data
        self.prepare()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        environ = {**os.environ, "PYTHONPATH": str(self.installed / "packages"), "PYTHONWARNINGS": "ignore"}
        with (data / "output.txt").open("wb") as output:
            process = subprocess.Popen(self.command(port), cwd=data, stdout=output, stderr=output, env=environ)
        try:
            self._wait(process)
            yield self
        finally:
            process.terminate()
            process.wait(20)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _START_S
        while process.poll() is None and time.monotonic() < until:
            with suppress(OSError):
                if self.ask("GET", self.home)[0] < 500:
                    return
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)  # ends at once when the system did
        output = (self.data / "output.txt").read_text(errors="replace")[-600:]
        raise Trouble(f"{self.name} did not answer at {self.address}{self.home}: {output}")

    def ask(
        self, method: str, path: str, body: str = "", client: http.client.HTTPConnection | None = None, **headers: str
    ) -> tuple[int, bytes, list[tuple[str, str]]]:
        """One request: status, body and headers of its answer."""
        client = client or http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        client.request(method, path, body or None, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = client.getresponse()
        return answer.status, answer.read(), answer.getheaders()

    def live_tokens(self) -> set[str]:
        """Tokens that were issued and are good, from the system's own store."""
        raise NotImplementedError

    def lets_in(self, token: str, client: http.client.HTTPConnection) -> bool:
        """Whether a token opens what only the user may see."""
        raise NotImplementedError


def _cookies(headers: list[tuple[str, str]]) -> dict[str, str]:
    pairs = [text.partition(";")[0].partition("=") for name, text in headers if name.lower() == "set-cookie"]
    return {name: value for name, _, value in pairs}


_ANSWERS = """
from playwright.sync_api import Page, expect

from synthprobe import Api, step
"""


class Django(System):
    """Django's admin: a session in a cookie, a token against forgery in cookie and form."""

    name, home, packages = "django", "/admin/login/", ("Django>=5.2,<5.3",)
    journeys = (
        _ANSWERS
        + """

def log_in(page, secrets):
    page.goto("/admin/")
    page.get_by_label("Username:").fill("warden")
    page.get_by_label("Password:").fill(secrets["door"].reveal())
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Site administration")).to_be_visible()

def test_the_page_breaks(page: Page, secrets):
    log_in(page, secrets)
    cookies = page.context.cookies()
    print(cookies, page.content())
    page.goto("/admin/auth/group/add/")
    hidden = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    assert page.request.get("/admin/", max_redirects=0).status == 200, "the session works"
    with step("look at " + cookies[0]["value"]):
        assert {one["name"]: one["value"] for one in cookies} == {}, f"{hidden} of {cookies}"

def test_the_api_breaks(api: Api, secrets):
    form = api.get("/admin/login/").expect(200)
    hidden = form.text.partition('csrfmiddlewaretoken" value="')[2].partition('"')[0]
    fields = {"username": "warden", "password": secrets["door"].reveal(), "csrfmiddlewaretoken": hidden}
    api.post("/admin/login/?next=/admin/", data=fields)
    assert "Site administration" in api.get("/admin/").expect(200).text, "the session works"
    cookies = dict(api.session.cookies)
    print("issued", cookies, hidden)
    assert cookies == {"nobody": hidden}, f"sessionid={cookies['sessionid']}; {api.session.headers}"
"""
    )
    _SITE = """
import os, sys
from django.conf import settings
from django.core.management import call_command
from django.urls import path
data = os.environ["SITE_DATA"]
apps = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")
middle = ("sessions.middleware.SessionMiddleware", "auth.middleware.AuthenticationMiddleware",
          "messages.middleware.MessageMiddleware")
processors = ("django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
              "django.contrib.messages.context_processors.messages")
settings.configure(
    DEBUG=True, SECRET_KEY="nobody-guesses-" + data, ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="site_of_tests",
    STATIC_URL="/static/", USE_TZ=True, INSTALLED_APPS=[f"django.contrib.{name}" for name in apps],
    MIDDLEWARE=[*(f"django.contrib.{name}" for name in middle), "django.middleware.csrf.CsrfViewMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": data + "/site.db"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                "OPTIONS": {"context_processors": list(processors)}}],
)
import django
django.setup()
from django.contrib import admin
urlpatterns = [path("admin/", admin.site.urls)]
sys.modules["site_of_tests"] = sys.modules["__main__"]
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
User.objects.create_superuser("warden", password=os.environ["SITE_PASSWORD"])
call_command("runserver", sys.argv[1], use_reloader=False)
"""

    def prepare(self) -> None:
        (self.data / "site_of_tests.py").write_text(self._SITE)

    def command(self, port: int) -> list[str]:
        values = (f"SITE_DATA={self.data}", f"SITE_PASSWORD={PASSWORD}")
        return ["env", *values, sys.executable, "site_of_tests.py", f"127.0.0.1:{port}"]

    def live_tokens(self) -> set[str]:
        with sqlite3.connect(self.data / "site.db") as store:
            return {key for (key,) in store.execute("select session_key from django_session")}

    def lets_in(self, token: str, client: http.client.HTTPConnection) -> bool:
        return self.ask("GET", "/admin/password_change/", client=client, cookie=f"sessionid={token}")[0] == 200


class Datasette(System):
    """Datasette: the user in a signed cookie."""

    name, home = "datasette", "/-/login"
    packages = ("datasette>=0.65,<0.66", "datasette-auth-passwords>=1.1,<2")
    journeys = (
        _ANSWERS
        + """

def log_in(page, secrets):
    page.goto("/-/login")
    page.get_by_label("Username").fill("warden")
    page.get_by_label("Password").fill(secrets["door"].reveal())
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("warden").first.wait_for()

def test_the_page_breaks(page: Page, secrets):
    log_in(page, secrets)
    cookies = page.context.cookies()
    print(cookies, page.content())
    assert page.request.get("/-/actor.json").json()["actor"], "the session works"
    with step("look at " + cookies[0]["value"]):
        assert {one["name"]: one["value"] for one in cookies} == {}, f"{cookies}"

def test_the_api_breaks(api: Api, secrets):
    form = api.get("/-/login").expect(200)
    hidden = form.text.partition('csrftoken" value="')[2].partition('"')[0]
    fields = {"username": "warden", "password": secrets["door"].reveal(), "csrftoken": hidden}
    api.post("/-/login", data=fields)
    assert api.get("/-/actor.json").expect(200).json["actor"], "the session works"
    cookies = dict(api.session.cookies)
    print("issued", cookies, hidden)
    assert cookies == {"nobody": hidden}, f"ds_actor={cookies['ds_actor']}"

def test_a_journey_passes(page: Page, secrets):
    log_in(page, secrets)
    print(page.context.cookies())
"""
    )

    def prepare(self) -> None:
        salt = secrets.token_hex(8)
        digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt.encode(), 480_000)
        options = {
            "warden_password_hash": f"pbkdf2_sha256$480000${salt}${base64.b64encode(digest).decode()}",
            "actors": {"warden": {"id": "warden"}},
        }
        (self.data / "metadata.json").write_text(json.dumps({"plugins": {"datasette-auth-passwords": options}}))

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "datasette", "serve", "-m", "metadata.json", "-p", str(port)]

    def live_tokens(self) -> set[str]:
        # it keeps none: the cookie is the same for each log-in, signed with the key of this process
        _, page, headers = self.ask("GET", "/-/login")
        (hidden,) = set(re.findall(rb'csrftoken" value="([^"]+)"', page))
        form = urlencode({"username": USER, "password": PASSWORD, "csrftoken": hidden.decode()})
        cookies = "; ".join(f"{name}={value}" for name, value in _cookies(headers).items())
        kind = "application/x-www-form-urlencoded"
        issued = _cookies(self.ask("POST", "/-/login", form, cookie=cookies, content_type=kind)[2])
        return {issued["ds_actor"].strip('"')}

    def lets_in(self, token: str, client: http.client.HTTPConnection) -> bool:
        body = self.ask("GET", "/-/actor.json", client=client, cookie=f"ds_actor={token}")[1]
        return json.loads(body)["actor"] is not None


class NodeRed(System):
    """Node-RED: a bearer token in JSON, in the page's storage, and sent through a WebSocket."""

    name, home, packages = "node-red", "/", ("node-red@4.1.x",)
    journeys = (
        _ANSWERS
        + """

def log_in(page, secrets):
    page.goto("/")
    page.get_by_label("Username").fill("warden")
    page.get_by_label("Password").fill(secrets["door"].reveal())
    page.get_by_role("button", name="Login").click()
    expect(page.locator("#red-ui-workspace")).to_be_visible(timeout=20_000)

def test_the_page_breaks(page: Page, secrets):
    log_in(page, secrets)
    kept = page.evaluate("() => Object.entries({...localStorage})")
    print(kept)
    token = page.evaluate("() => RED.settings.get('auth-tokens').access_token")
    answer = page.request.get("/flows", headers={"Authorization": "Bearer " + token})
    assert answer.status == 200, "the token works"
    with step("look at " + token):
        expect(page.locator("#red-ui-workspace-tabs")).to_contain_text(token, timeout=500)

def test_the_api_breaks(api: Api, secrets):
    body = {"client_id": "node-red-admin", "grant_type": "password", "scope": "*", "username": "warden",
            "password": secrets["door"].reveal()}
    issued = api.post("/auth/token", json=body).expect(200).json
    token = issued["access_token"]
    api.session.headers["Authorization"] = f"Bearer {token}"
    print("issued", issued, "a", token, "b")
    api.get("/flows").expect(200)
    assert issued == {}, f"nobody wants {token} of {api.session.headers}"

def test_a_journey_passes(page: Page, secrets):
    log_in(page, secrets)
    print(page.evaluate("() => Object.entries({...localStorage})"))
"""
    )

    def installer(self) -> list[str]:
        return ["npm", "install", "--no-audit", "--no-fund", "--omit=optional", "--prefix", ".", *self.packages]

    def prepare(self) -> None:
        hashed = subprocess.run(
            ["node", "-e", "console.log(require('bcryptjs').hashSync(process.argv[1], 8))", PASSWORD],
            cwd=self.installed,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        user = {"username": USER, "password": hashed, "permissions": "*"}
        settings = {
            "uiHost": "127.0.0.1",
            "flowFile": "flows.json",
            "credentialSecret": secrets.token_hex(8),
            "adminAuth": {"type": "credentials", "users": [user]},
            "telemetry": {"enabled": False},
            "editorTheme": {"tours": False},
        }
        (self.data / "settings.js").write_text(f"module.exports = {json.dumps(settings)}")

    def command(self, port: int) -> list[str]:
        program = self.installed / "node_modules" / "node-red" / "red.js"
        return ["node", str(program), "-u", ".", "-s", "settings.js", "-p", str(port)]

    def live_tokens(self) -> set[str]:
        return set(json.loads((self.data / ".sessions.json").read_text()))

    def lets_in(self, token: str, client: http.client.HTTPConnection) -> bool:
        return self.ask("GET", "/settings", client=client, authorization=f"Bearer {token}")[0] == 200


class Azurite(System):
    """Azure's store, by the emulator of its makers: what is put there is gone when it ends."""

    name, home, packages = "azurite", "/", ("azurite@3.37.x",)
    account = "devstoreaccount1"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    """Written in its handbook; it opens nothing else."""

    installer = NodeRed.installer

    def command(self, port: int) -> list[str]:
        program = self.installed / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
        options = "--silent", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"
        return ["node", str(program), "--blobPort", str(port), *options]

    def make_container(self, name: str) -> None:
        """Make a place to put objects into, by a request that is signed as Azure wants it."""
        date, version = formatdate(usegmt=True), "2021-12-02"
        resource = f"/{self.account}/{self.account}/{name}\nrestype:container"
        asked = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
        signed = base64.b64encode(hmac.digest(base64.b64decode(self.key), asked.encode(), "sha256")).decode()
        headers = {"x_ms_date": date, "x_ms_version": version, "authorization": f"SharedKey {self.account}:{signed}"}
        status, body, _ = self.ask("PUT", f"/{self.account}/{name}?restype=container", content_length="0", **headers)
        assert status == 201, body


SYSTEMS: dict[str, type[System]] = {kind.name: kind for kind in (Django, Datasette, NodeRed)}
