"""What serves a site: to this machine's names only, no folders, nothing outside it, no scripts of a target."""

from __future__ import annotations

import gzip
import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_site import serve
from typer.testing import CliRunner

from synthprobe.cli.main import app
from synthprobe.report.serving import serve as serve_store
from synthprobe.report.store import FolderStore

SCRIPT = "<script>document.title = 'taken'</script>"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("served")
    site, evidence = folder / "site", folder / "site/runs/demo/1/evidence"
    attachments = folder / "site/runs/demo/1/allure/data/attachments"
    for place in (evidence, attachments):
        place.mkdir(parents=True)
        (place / "page.html").write_text(SCRIPT)
        (place / "picture.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>")
    (site / "index.html").write_text("the page")
    (folder / "secret.txt").write_text("outside")
    (site / "link.txt").symlink_to(folder / "secret.txt")
    (site / "up").symlink_to(folder)
    (site / "inside.html").symlink_to(site / "index.html")
    server = serve(site)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def ask(port: int, path: str, host: str | None = None, method: str = "GET") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, dict(answer.headers), answer.read().decode()


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}", "[::1]:{}", "127.0.0.1"])
def test_this_machines_own_names_are_served(port: int, host: str) -> None:
    assert ask(port, "/", host.format(port))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{}", "127.0.0.1.evil.example", "localhost.evil.example:{}", "", "evil@localhost"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_another_name_that_was_given_this_address_is_refused(port: int, host: str, method: str) -> None:
    status, _, text = ask(port, "/", host.format(port), method)
    assert status == 421
    assert "the page" not in text


@pytest.mark.parametrize(
    "path", ["/link.txt", "/up/secret.txt", "/up/", "/../secret.txt", "/%2e%2e/secret.txt", "/runs/", "/runs/demo"]
)
def test_no_folder_is_listed_and_no_link_leads_out_of_the_site(port: int, path: str) -> None:
    status, _, text = ask(port, path)
    assert (status, "outside" in text, "<li>" in text) in {(404, False, False), (301, False, False)}


def test_a_link_inside_the_site_is_followed(port: int) -> None:
    assert ask(port, "/inside.html")[2] == "the page"


@pytest.mark.parametrize("folder", ["evidence", "allure/data/attachments", "allure/data/%61ttachments"])
@pytest.mark.parametrize("name", ["page.html", "picture.svg"])
def test_what_a_target_may_have_written_runs_no_script(port: int, folder: str, name: str) -> None:
    status, headers, _ = ask(port, f"/runs/demo/1/{folder}/{name}")
    policy = headers["Content-Security-Policy"]
    assert status == 200
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy


def fetch(port: int, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/index.html", headers=headers)
    return connection.getresponse()


@pytest.mark.parametrize(
    ("asked", "status", "shown", "text"),
    [
        ("bytes=4-7", 206, "bytes 4-7/8", "page"),
        ("bytes=4-", 206, "bytes 4-7/8", "page"),
        ("bytes=-4", 206, "bytes 4-7/8", "page"),
        ("bytes=0-99", 206, "bytes 0-7/8", "the page"),
        ("bytes=8-", 416, "bytes */8", ""),
        ("lines=1-2", 200, None, "the page"),
    ],
)
def test_parts_of_a_file_are_served(port: int, asked: str, status: int, shown: str | None, text: str) -> None:
    answer = fetch(port, Range=asked)
    assert (answer.status, answer.headers["Content-Range"], answer.read().decode()) == (status, shown, text)


def test_text_is_packed_for_whom_it_serves(port: int) -> None:
    answer = fetch(port, **{"Accept-Encoding": "gzip, br"})
    assert (answer.headers["Content-Encoding"], gzip.decompress(answer.read())) == ("gzip", b"the page")


def test_nothing_is_written_through_it(port: int) -> None:
    assert [ask(port, "/index.html", method=method)[0] for method in ("PUT", "POST", "DELETE")] == [501] * 3


def test_a_name_of_a_proxy_is_answered_when_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("the page")
    server = serve_store(FolderStore(tmp_path), names=["Watch.example"])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    answers = [ask(server.server_port, "/", host)[0] for host in ("watch.example", "other.example")]
    server.shutdown()
    server.server_close()
    assert answers == [200, 421]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["."], "There is no page in"),
        (["ftp://host/x"], "cannot be served"),
        ([".", "--host", "0.0.0.0"], "Say by which name with --name"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in str(CliRunner().invoke(app, ["serve", *words]).exception)
