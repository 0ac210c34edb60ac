"""F71: an address that programs read differently is not sent, whoever wrote it; none is read as another host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from two_hosts import Allowed, Forbidden, two_hosts

from synthprobe import Api, ConfigurationError, Target, TargetError
from synthprobe.config import Config
from synthprobe.evidence.redaction import Redactor

ODD = {
    "backslash before the host": r"http://{bad}\@{good}/x",
    "backslash after the host": r"http://{good}\@{bad}/x",
    "backslashes for slashes": r"http:\\{bad}\x",
    "tab in the host": "http://127.0.0\t.2:{port}/x",
    "line break in the path": "http://{good}/x\n/y",
    "number for an address": "http://2130706434:{port}/x",
    "hexadecimal address": "http://0x7f.2:{port}/x",
    "short address": "http://127.2:{port}/x",
    "letters of full width": "http://１２７.0.0.2:{port}/x",
    "percent in the host": "http://%31%32%37.0.0.2:{port}/x",
    "no such port": "http://{good}0000/x",
    "another host in the credentials' place": "http://{good}@{bad}/x",
    "three slashes": "http:///{bad}/x",
}


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Allowed, Forbidden]]:
    with two_hosts() as both:
        yield both


def written(form: str, allowed: Allowed, forbidden: Forbidden) -> str:
    bad, good = (server.url.removeprefix("http://") for server in (forbidden, allowed))
    return form.format(bad=bad, good=good, port=forbidden.port)


@pytest.mark.parametrize("form", ODD.values(), ids=[f"F71-{name}" for name in ODD])
def test_an_api_session_sends_it_nowhere(form, hosts):
    allowed, forbidden = hosts
    address = written(form, *hosts)
    api = Api(Target(base_url=allowed.url, name="here"), Redactor())
    for send in (api.get, api.session.get):
        with pytest.raises(ConfigurationError, match="nothing was sent|Write|Correct"):
            send(address)
    for send in (api.get, api.session.get) if "\n" not in address else ():  # no header holds a line break
        with pytest.raises(TargetError) as caught:
            send(allowed.to(address))
        assert caught.value.kind == "egress"
    assert forbidden.arrived == []
    assert {path for _, path, _, _ in allowed.seen} <= {"/to"}


def test_half_a_letter_of_an_answer_is_sent_nowhere(hosts):
    allowed, _ = hosts
    api = Api(Target(base_url=allowed.url, name="here"), Redactor())
    with pytest.raises(ConfigurationError, match="nothing was sent|no browser can read it"):
        api.get("/calls/\ud83d")


def test_a_page_s_requests_and_its_journey_s_routes_send_it_nowhere_f71(project, hosts):
    allowed, forbidden = hosts
    allowed.seen.clear()
    project.configure(allowed.url)
    forms = [written(form, *hosts) for form in ODD.values()]
    project.journeys(
        "import pytest\nfrom synthprobe import ConfigurationError, TargetError\n"
        f"FORMS = {forms!r}\nTO = {allowed.url + '/to?url='!r}\n"
        "from urllib.parse import quote\n\n"
        "def test_it(page, context):\n"
        "    for form in FORMS:\n"
        "        for ask in (page.request.get, context.request.fetch):\n"
        "            with pytest.raises(ConfigurationError):\n                ask(form)\n"
        "        if '\\n' not in form:\n"
        "            with pytest.raises(TargetError):\n                page.request.get(TO + quote(form))\n"
        "        kept = []\n"
        "        def answer(route):\n"
        "            try:\n                route.fetch(url=form)\n"
        "            except ConfigurationError as error:\n                kept.append(error)\n"
        "        page.route('**/asked', answer)\n"
        "        with pytest.raises(Exception):\n            page.goto('/asked')\n"
        "        page.unroute('**/asked')\n"
        "        assert len(kept) == 1, form\n"
    )
    result = project.run().results["test_it"]
    assert result.outcome == "passed", result.failure
    assert forbidden.arrived == []
    assert {path for _, path, _, _ in allowed.seen} <= {"/to"}


def test_a_target_s_own_address_is_read_in_one_way_only_f71():
    for address in (r"http://evil.test\@cad.example.org", "http://2130706433:80", "http://cad.example\t.org"):
        config = Config(targets={"demo": Target(base_url=address)})
        with pytest.raises(ConfigurationError, match="base URL"):
            config.target("demo")


def test_the_host_of_a_header_is_held_as_that_of_an_address_f71(hosts):
    allowed, _ = hosts
    allowed.seen.clear()
    api = Api(Target(base_url=allowed.url, name="here"), Redactor())
    for name in ("Host", "host"):
        for send in (api.get, lambda path, **how: api.session.get(allowed.url + path, **how)):
            with pytest.raises(ConfigurationError, match="'another.example' is not one"):
                send("/x", headers={name: "another.example"})
    assert allowed.seen == []
    api.get("/x", headers={"Host": allowed.url.removeprefix("http://")}).expect(200)


def test_a_name_in_other_letters_is_a_name():
    target = Target(base_url="https://bücher.example", name="here")
    with pytest.raises(TargetError) as caught:
        Api(target, Redactor()).get("https://xn--bcher-kva.example:1/")
    assert caught.value.kind != "egress"
