"""F71, F79: behind a company's proxy the wall stays, and what goes wrong at the proxy is never the target's fault."""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from company_proxy import answering, company_proxy
from two_hosts import two_hosts

from synthprobe import Api, Target, TargetError
from synthprobe.browser.egress_proxy import EgressProxy
from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import kill_switch_reason
from synthprobe.runner.machine import ask_control
from synthprobe.targets.proxy import Proxy
from synthprobe.targets.secrets import Credentials, proxies_for

PASSWORD = "Harbour/77+Winter"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "company-network.md"
JOURNEYS = """
from playwright.sync_api import expect

def test_api(api):
    assert api.post("/page?who=api", data="x" * 70_000).expect(200).text

def test_page(page):
    page.goto("/page?who=page")
    expect(page.get_by_text("here")).to_be_visible()
    send = "fetch('/page?who=script', {method: 'POST', body: 'x'.repeat(70000)}).then(a => a.status)"
    assert page.evaluate(send) == 200
    assert page.request.get("/page?who=client").ok

def test_client(playwright, target):
    assert playwright.request.new_context(base_url=target.base_url).get("/page?who=own").ok

def test_page_elsewhere(page):
    page.goto(ELSEWHERE)

def test_many_ways(page):
    page.goto("/page?who=ways")
    page.evaluate('''async url => {
      const quietly = promise => promise.catch(() => 0)
      await quietly(fetch(url, {mode: 'no-cors'}))
      await quietly(fetch('/to?url=' + encodeURIComponent(url), {mode: 'no-cors'}))
      for (const scheme of ['ws', 'wss'])
        await new Promise(done => { const s = new WebSocket(url.replace('http', scheme)); s.onclose = done })
      const turn = url.replace('http://', 'turn:').replace(/[/]$/, '?transport=tcp')
      const call = new RTCPeerConnection({iceServers: [{urls: turn, username: 'a', credential: 'b'}]})
      call.createDataChannel('x')
      await call.setLocalDescription(await call.createOffer())
      await new Promise(done => { call.onicecandidate = found => found.candidate || done() })
    }''', ELSEWHERE)

def test_api_elsewhere(api):
    api.session.get(ELSEWHERE)
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory, new_project):
    """A run through a proxy with a password, its canaries with it: what was recorded, asked and what arrived."""
    folder = tmp_path_factory.mktemp("proxy")
    with two_hosts() as (allowed, forbidden), company_proxy(folder, "--basic-auth", f"probe:{PASSWORD}") as proxy:
        project = new_project(tmp_path_factory.mktemp("behind"))
        (text,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)[:1]
        for shown, real in (
            ("https://shop.example.org", allowed.url),
            ("http://proxy.example.org:3128", proxy.address),
            ("targets.shop", "targets.demo"),
        ):
            text = text.replace(shown, real)
        (project.root / "synthprobe.toml").write_text(text)
        project.journeys(f"ELSEWHERE = {forbidden.url + '/'!r}\n{JOURNEYS}")
        done = project.run("--canaries", "0", environ={"PROXY_PASSWORD": PASSWORD})
        asked = proxy.asked()
        yield done, asked, allowed.seen, forbidden.arrived


def test_sessions_pages_and_clients_go_through_it_and_no_farther_than_without_it_f71(ran):
    done, asked, seen, arrived = ran
    outcomes = {
        name: (result.outcome, result.failure.kind if result.failure else "") for name, result in done.results.items()
    }
    astray = ("unknown", "configuration")
    assert outcomes.pop("test_page_elsewhere") == outcomes.pop("test_api_elsewhere") == astray, done.output
    assert outcomes.pop("canary-must-fail") == ("failed", "expectation")
    assert set(outcomes.values()) == {("passed", "")}, done.output
    assert "canary-must-pass" in outcomes
    tunnelled = [path for _, path, headers, _ in seen if "Via" not in headers]
    assert len(tunnelled) == len(re.findall(r"CONNECT 127\.0\.0\.1", asked)) == 2, (tunnelled, asked)
    assert len(seen) >= 6
    assert not re.search(r"(GET|POST|CONNECT) 127\.0\.0\.2", asked)
    assert arrived == []


def test_its_password_stands_in_nothing_that_is_written_or_printed_f71(ran):
    done, *_ = ran
    pair = base64.b64encode(f"probe:{PASSWORD}".encode())
    written = dict(done.bytes_written()) | {"output": done.output.encode()}
    for value in (PASSWORD.encode(), pair, b"Harbour%2F77"):
        assert [name for name, content in written.items() if value in content] == []


def test_a_proxy_that_is_down_is_no_fault_of_the_target_f79(project):
    project.configure("http://shop.example", '[targets.demo.proxy]\naddress = "http://127.0.0.1:9"\n')
    project.journeys(
        "from synthprobe import eventually\n"
        "def test_api(api):\n    api.get('/').expect(200)\n"
        "def test_waiting(api):\n    eventually(lambda: api.get('/').expect(200), within='0.3s')\n"
        "def test_page(page):\n    page.goto('/')\n"
        "def test_client(page):\n    page.request.get('/')\n"
    )
    done = project.run()
    seen = {name: (result.outcome, result.failure and result.failure.kind) for name, result in done.results.items()}
    assert seen == dict.fromkeys(("test_api", "test_waiting", "test_page", "test_client"), ("unknown", "proxy"))
    assert [
        result.cause for result in done.results.values() if "127.0.0.1:9 cannot be reached" not in result.cause
    ] == []


ANSWERS = {
    "it knows no user": (
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        "proxy",
        "asks for a user",
    ),
    "it takes another scheme": (
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
        "proxy",
        "asks for",
    ),
    "it refuses the host": (
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        "proxy",
        "refuses shop.example",
    ),
    "it cannot reach the host": (
        b"HTTP/1.1 503 Gone\r\nContent-Length: 0\r\n\r\n",
        "no connection",
        "cannot reach shop.example",
    ),
    "it is none": (b"SSH-2.0-x\r\n", "proxy", "closed the connection"),
    "it says nothing": (None, "proxy", "did not answer CONNECT"),
}


@pytest.mark.parametrize("what", ANSWERS, ids=lambda what: f"F79-{what}")
def test_what_a_proxy_answers_is_said(what):
    answer, kind, words = ANSWERS[what]
    with answering(answer) as address:
        target = Target(
            base_url="https://shop.example", timeout_s=0.7 if answer is None else 20, proxy=Proxy(address=address)
        )
        with pytest.raises(TargetError, match=words) as caught:
            Api(target, Redactor()).get("/")
        assert caught.value.kind == kind
        assert address in str(caught.value)
        ours = EgressProxy(target, Credentials())  # what a browser is given
        with socket.create_connection(("127.0.0.1", int(ours.address.rpartition(":")[2]))) as browser:
            browser.sendall(b"CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n")
            assert browser.recv(100) == b""
        (fault,) = ours.faults().values()
        ours.close()
    assert (fault.kind, words in fault.text) == (kind, True)


def test_hosts_of_bypass_are_asked_directly_f79():
    with two_hosts() as (allowed, _), answering(b"") as address:
        proxy = Proxy(address=address, bypass=("127.0.0.1",))
        target = Target(base_url=allowed.url, allowed_hosts=("localhost",), proxy=proxy)
        Api(target, Redactor()).get("/page").expect(200)
        with pytest.raises(TargetError) as caught:
            Api(target, Redactor()).get(allowed.url.replace("127.0.0.1", "localhost"))
    assert caught.value.kind == "proxy"


@pytest.mark.parametrize(
    ("keys", "line", "words"),
    [
        (
            'address = "http://probe:Winter-77@proxy.example:3128"',
            5,
            "address = 'http://****@proxy.example:3128', which holds a",
        ),
        ('address = "http://proxy.example/proxy.pac"', 5, "a PAC file: a program that names a proxy for each address"),
        ('address = "pac+http://proxy.example/x"', 5, "a PAC file"),
        ('address = "socks5://proxy.example:1080"', 5, "of the kind socks5"),
        ('address = "proxy.example:3128"', 5, "Scheme, host and port were expected"),
        ('address = "http://proxy.example"', 5, "Scheme, host and port were expected"),
        (
            'address = "http://p.example:1"\nbypass = ["10.0.0.0/8"]',
            6,
            "the host '10.0.0.0/8' in targets.demo.proxy.bypass",
        ),
        (
            'address = "http://p.example:1"\nuser = "probe"',
            6,
            "targets.demo.proxy.user and no targets.demo.proxy.secret",
        ),
        ('address = "http://p.example:1"\nuser = "a:b"', 6, "A name without a colon"),
        ('address = "http://p.example:1"\nuser = "probe"\nsecret = "door"', 7, "which the target does not declare"),
        ('user = "probe"', 4, "has no targets.demo.proxy.address"),
        ('address = "http://p.example:1"\npac = "x"', 6, "unknown key 'targets.demo.proxy.pac'"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_with_its_line(project, keys, line, words):
    project.configure("http://shop.example", f"[targets.demo.proxy]\n{keys}\n")
    with pytest.raises(ConfigurationError) as refused:
        read_config(project.root)
    assert f"synthprobe.toml:{line} " in str(refused.value)
    assert words in str(refused.value)
    assert "Winter" not in str(refused.value)


def test_the_command_says_so_and_ends_with_2_and_doctor_names_a_proxy_that_is_down(project):
    project.configure("http://shop.example", '[targets.demo.proxy]\naddress = "http://proxy.example/proxy.pac"\n')
    command = [sys.executable, "-m", "synthprobe"]
    done = subprocess.run([*command, "run"], cwd=project.root, capture_output=True, text=True, timeout=250)
    assert (done.returncode, "PAC file" in done.stderr) == (2, True)
    project.configure("http://shop.example", '[targets.demo.proxy]\naddress = "http://127.0.0.1:9"\n')
    environ = {**os.environ, "HTTPS_PROXY": "http://elsewhere.example:1"}
    done = subprocess.run(
        [*command, "doctor"], cwd=project.root, env=environ, capture_output=True, text=True, timeout=250
    )
    output = " ".join(done.stdout.split())
    assert "The proxy http://127.0.0.1:9 cannot be reached" in output
    assert "elsewhere.example" not in output


def test_kill_switch_and_control_are_asked_through_it_as_well_f79(tmp_path):
    with two_hosts() as (allowed, _), company_proxy(tmp_path) as proxy:
        target = Target(base_url=allowed.url, proxy=Proxy(address=proxy.address))
        proxies = partial(proxies_for, target, {}, tmp_path)
        assert "is on" in kill_switch_reason(f"{allowed.url}/off", {}, proxies)
        assert ask_control("http://127.0.0.1:9/", proxies) == ""  # the proxy answers that it cannot: it is there
        assert ["Via" in headers for _, _, headers, _ in allowed.seen] == [True]
    assert "through the target's proxy" in ask_control(allowed.url, proxies)
