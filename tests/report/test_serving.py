"""What serves a site: to this machine's names only, no folders, nothing outside it, no scripts of a target."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator

import pytest

from synthprobe.report.site import serve

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
