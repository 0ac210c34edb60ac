"""Alerts and the heartbeat against real receivers: what is due is said once, and nothing is lost."""
# ruff: noqa: N802 - the names carry the rows' ids

from __future__ import annotations

import json
import smtplib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from types import SimpleNamespace

import msgspec
import pytest
from aiosmtpd.controller import Controller

from synthprobe import loopback
from synthprobe.alerts import sending
from synthprobe.alerts.channels import AppriseChannel
from synthprobe.alerts.message import Background
from synthprobe.alerts.outbox import Outbox
from synthprobe.alerts.routes import AlertRoute, AlertsConfig
from synthprobe.evidence.redaction import Redactor
from synthprobe.records.incident import Incident, Triage, event

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
NOW = datetime(2026, 11, 2, 3, 12, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=12)


class Receiver:
    """An HTTP receiver that is well, slow, dripping, or answers with a status."""

    def __init__(self) -> None:
        self.requests: list[SimpleNamespace] = []
        self.how: int | str = 200
        self.end = threading.Event()
        outer = self

        class Handler(loopback.Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                outer.requests.append(SimpleNamespace(path=self.path, body=body))
                if outer.how == "slow":
                    outer.end.wait(20)
                elif outer.how == "dripping":
                    while not outer.end.wait(0.05):
                        self.wfile.write(b"H")
                else:
                    self.send_response(int(outer.how))
                    self.send_header("Location", "/elsewhere")
                    self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write("\n".join(request.body for request in outer.requests).encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.at = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=lambda: self.server.serve_forever(0.01), daemon=True).start()

    @property
    def messages(self) -> list[dict[str, str]]:
        return [json.loads(request.body) for request in self.requests]

    def stop(self) -> None:
        self.end.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.stop()


@pytest.fixture
def other() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.stop()


@pytest.fixture
def environ(receiver, other) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        down = free.getsockname()[1]
    return {
        "PAGER": f"json://user:hush-hush-7@{receiver.at}/pager",
        "OTHER": f"json://{other.at}/other",
        "DOWN": f"json://user:hush-hush-7@127.0.0.1:{down}/pager",
        "NONSENSE": "hush-hush-7 is no address",
    }


def config(to: str = "env:PAGER", second: str = "", timeout_s: float = 20.0, **more: object) -> AlertsConfig:
    routes = (AlertRoute(name="all", to=(to,), second=(second,) if second else ()),)
    return AlertsConfig(routes=routes, timeout_s=timeout_s, **more)  # type: ignore[arg-type]


def incident(number: int = 1, **more: object) -> Incident:
    known = {
        "id": f"I-{number}", "target": "production", "kind": "failing", "state": "open",
        "fingerprint": f"v1:{number:016}",
        "signature": "s", "title": "Call intake, 'take the call': the button Create does nothing", "opened_at": BEGAN,
        "first_seen_at": BEGAN, "last_seen_at": NOW, "journeys": (f"call-intake-{number}",), "occurrences": 3,
        "owner": "dispatch-desk", "severity": "critical",
        "triage": Triage(cause_class="code", rule="page error", why="A page error came with it.", sure="high"),
    }  # fmt: skip
    return msgspec.convert({**known, **more}, Incident)


@pytest.fixture
def outbox(tmp_path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "history.db") as opened:
        yield opened


def tell(outbox, environ, incidents, now=NOW, settings=None, **more):
    settings = settings or config()
    found = sending.decide(incidents, settings, outbox, now, **more)
    channel = AppriseChannel(environ, settings.timeout_s)
    return found, sending.deliver(outbox, settings, channel, now, unrouted=found.unrouted)


def test_the_first_line_says_it_and_the_rest_what_to_do(outbox, environ, receiver):
    background = Background(
        fallback="take calls on paper cards", runbook_url="https://site/runbooks/dead-button.html",
        report_url="https://site/run/7/", trace_url="https://site/trace/7", changed="build 2026.11.2 → 2026.11.3",
        journey="Call intake", sentence="the button Create does nothing",
    )  # fmt: skip
    tell(outbox, environ, [incident()], background={"I-1": background})
    (message,) = receiver.messages
    assert message["title"] == ("PAGE production: Call intake: the button Create does nothing · since 02 Nov 03:00 UTC")
    assert message["message"].splitlines()[:9] == [
        "Do now: take calls on paper cards",
        "Who: dispatch-desk; nobody has it",
        "Runbook: https://site/runbooks/dead-button.html",
        "Report: https://site/run/7/",
        "Trace: https://site/trace/7",
        "What changed: build 2026.11.2 → 2026.11.3",
        "What is wrong: Call intake, 'take the call': the button Create does nothing",
        "Seen: in 3 runs, 12 min",
        "Likely cause: code, confidence high: A page error came with it.",
    ]
    assert message["type"] == "failure"


@pytest.mark.parametrize("number", ["billing", "ledger"])
def test_the_first_line_says_of_which_parameters_and_that_nobody_checks_it_any_more(outbox, environ, receiver, number):
    background = Background(
        journey=f"A developer of the team finds the newest release [{number}]", sentence=60 * "x y "
    )
    tell(outbox, environ, [incident()], background={"I-1": background})
    tell(
        outbox,
        environ,
        [incident(state="resolved", resolved_at=NOW, removed=("search",), events=(event(NOW, "Removed."),))],
    )
    opened, ended = (message["title"] for message in receiver.messages)
    assert f"… [{number}]: x y" in opened
    assert len(opened) <= 120
    assert ended.startswith("No longer checked: PAGE")
    assert "Resolved: Removed." in receiver.messages[-1]["message"]


def test_said_once_repeated_after_a_while_taken_and_over(outbox, environ, receiver):
    def titles(minutes, **more):
        before = len(receiver.requests)
        tell(outbox, environ, [incident(**more)], NOW + timedelta(minutes=minutes))
        return [message["title"].split(" production")[0] for message in receiver.messages[before:]]

    assert titles(0) == ["PAGE"]
    assert titles(5) == []
    assert titles(61) == ["Still: PAGE"]
    assert titles(130, state="acknowledged") == []
    over = {"state": "resolved", "resolved_at": NOW, "resolved_how": "fix"}
    assert titles(131, **over) == ["Over: PAGE"]
    assert titles(132, **over) == []
    assert titles(133) == ["PAGE"]


def test_urgency_and_route(outbox, environ, receiver, other):
    settings = AlertsConfig(
        routes=(
            AlertRoute(name="pager", to=("env:PAGER",), urgency=("page",)),
            AlertRoute(name="probe", to=("env:OTHER",), owner=("monitoring",)),
        )
    )
    incidents = [incident(1), incident(2, kind="monitor blind"), incident(3, kind="degraded")]
    found, delivery = tell(outbox, environ, incidents, settings=settings)
    assert [message["title"][:4] for message in receiver.messages] == ["PAGE"]
    assert [message["title"][:13] for message in other.messages] == ["Monitor blind"]
    assert found.unrouted == ("I-3",)
    assert "No route takes the incidents I-3" in delivery.sentences[-1]


def test_degraded_pages_where_the_config_says_so(outbox, environ, receiver):
    settings = AlertsConfig(
        routes=(AlertRoute(name="pager", to=("env:PAGER",), urgency=("page",)),), page_degraded=("critical",)
    )
    slow = [incident(1, kind="degraded", severity="critical"), incident(2, kind="degraded", severity="normal")]
    found, _ = tell(outbox, environ, slow, settings=settings)
    assert [message["title"][:4] for message in receiver.messages] == ["PAGE"]
    assert found.alerts[0].incidents == ("I-1",)
    assert found.unrouted == ("I-2",)


def test_a_ticket_that_becomes_a_page_is_told(outbox, environ, receiver):
    tell(outbox, environ, [incident(kind="intermittent")])
    tell(outbox, environ, [incident()], NOW + timedelta(minutes=5))
    assert [message["title"][:6] for message in receiver.messages] == ["Ticket", "Worse:"]


@pytest.mark.parametrize(
    ("published", "line"),
    [(False, "Evidence local only: runs/production/7"), (True, "Evidence also in: runs/production/7")],
)
@pytest.mark.parametrize("storm", [False, True])
def test_F61_an_alert_leads_to_the_job_and_to_the_evidence_when_publishing_fails(
    outbox, environ, receiver, published, line, storm
):
    job = "https://forge/ops/watch/actions/runs/7"
    background = Background(job_url=job, evidence="runs/production/7", published=published)
    many = [incident(number) for number in range(1, 31 if storm else 2)]
    tell(outbox, environ, many, background={new_incident.id: background for new_incident in many})
    lines = receiver.messages[0]["message"].splitlines()
    assert {line, f"Job: {job}"} <= set(lines)


def test_F63_a_storm_is_one_message(outbox, environ, receiver):
    many = [incident(number) for number in range(1, 31)]
    tell(outbox, environ, many)
    (message,) = receiver.messages
    assert "30 incidents at once" in message["title"]
    assert "and 18 more" in message["message"]
    tell(outbox, environ, many, NOW + timedelta(minutes=5))
    over = {"state": "resolved", "resolved_at": NOW}
    tell(outbox, environ, [incident(n, **over) for n in range(1, 31)], NOW + timedelta(minutes=9))
    assert len(receiver.requests) == 2


def test_F64_flapping_says_no_more_than_the_incident_does(outbox, environ, receiver):
    for minute in range(0, 50, 5):
        tell(outbox, environ, [incident(flapping=True, occurrences=minute)], NOW + timedelta(minutes=minute))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("how", ["down", "slow", "dripping", 500, 302, "nonsense", "missing"])
def test_F62_channel_that_fails_then_the_second(outbox, environ, receiver, other, how):
    source = {"down": "env:DOWN", "nonsense": "env:NONSENSE", "missing": "env:MISSING"}.get(str(how), "env:PAGER")
    receiver.how = how if how in {"slow", "dripping", 500, 302} else 200
    limit_s = 2.0 if how in {"slow", "dripping"} else 20.0
    _, delivery = tell(outbox, environ, [incident()], settings=config(source, "env:OTHER", limit_s))
    assert len(other.requests) == 1
    assert len(delivery.delivered) == 1
    assert not delivery.complete, "the first channel's failure is told"
    assert not [sentence for sentence in delivery.sentences if "hush-hush-7" in sentence or "127.0.0.1" in sentence]
    assert source in delivery.sentences[0]
    assert (how == 302) == ("(302)" in delivery.sentences[0]), "where it leads is for somebody to look at"


@pytest.mark.parametrize("answer", [None, False])
def test_F62_what_apprise_does_not_confirm_is_not_delivered(outbox, environ, monkeypatch, answer):
    monkeypatch.setattr("apprise.Apprise.notify", lambda *_, **__: answer)
    _, delivery = tell(outbox, environ, [incident()])
    assert len(delivery.waiting) == 1


def test_F62_waits_backs_off_and_is_sent_when_the_channel_is_back(outbox, environ, receiver, tmp_path):
    receiver.how = 500
    tell(outbox, environ, [incident()])
    tried = len(receiver.requests)
    tell(outbox, environ, [incident()], NOW + timedelta(seconds=30))
    assert len(receiver.requests) == tried, "it waits a minute first"
    receiver.how = 200
    later = Outbox(tmp_path / "history.db")
    _, delivery = tell(later, environ, [incident()], NOW + timedelta(minutes=2))
    assert len(delivery.delivered) == 1
    assert len(receiver.requests) == tried + 1
    assert tell(later, environ, [incident()], NOW + timedelta(minutes=3))[1].waiting == ()


def test_F62_a_crash_before_sending_loses_nothing(outbox, environ, receiver, tmp_path):
    def dies(source, alert):
        raise KeyboardInterrupt

    sending.decide([incident()], config(), outbox, NOW)
    with pytest.raises(KeyboardInterrupt):
        sending.deliver(outbox, config(), dies, NOW)
    tell(Outbox(tmp_path / "history.db"), environ, [incident()], NOW + timedelta(minutes=5))
    assert [message["title"][:4] for message in receiver.messages] == ["PAGE"]


def test_F62_a_file_that_takes_nothing_costs_no_message_and_has_it_later(environ, receiver, tmp_path):
    place, spare = tmp_path / "history.db", tmp_path / "spare.db"
    place.mkdir()
    for kept in (False, True):  # told once, by two runs
        with Outbox(place, lambda: spare, kept=spare if kept else None) as elsewhere:
            tell(elsewhere, environ, [incident()])
    assert "Messages are kept in the spare folder" in elsewhere.notes[0] if elsewhere.notes else True
    place.rmdir()
    with Outbox(place, lambda: spare, kept=spare) as back:
        tell(back, environ, [incident()], NOW + timedelta(minutes=5))
    with Outbox(place) as home:
        assert [letter.done for letter in home.letters()] == [NOW]
    assert (len(receiver.requests), list(tmp_path.glob("spare.db*"))) == (1, [])


def test_delivered_messages_are_kept_a_month(outbox, environ, receiver):
    tell(outbox, environ, [incident()])
    assert outbox.history.prune(NOW + timedelta(days=29))["letters"] == 0
    assert outbox.history.prune(NOW + timedelta(days=31))["letters"] == 1
    assert outbox.letters() == []


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[str] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:
        self.mails.append(envelope.content.decode())
        return self.answer


@pytest.mark.parametrize("answer", ["250 OK", "451 later", "550 no"])
def test_F62_mail(outbox, answer):
    box = Mailbox()
    box.answer = answer
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        assert smtplib.SMTP("127.0.0.1", port).quit()[0] == 221
        mail = {"MAIL": f"mailto://127.0.0.1:{port}?from=probe@example.org&to=desk@example.org&mode=insecure"}
        shown = incident(title="<script>x</script> is shown")
        _, delivery = tell(outbox, mail, [shown], settings=config("env:MAIL"))
    finally:
        server.stop()
    assert bool(delivery.delivered) == (answer == "250 OK")
    assert box.mails
    assert "<script>" not in box.mails[0]


def test_L40_text_is_masked_cut_and_without_markup(outbox, environ, receiver):
    redactor = Redactor()
    redactor.add("correct horse")
    bad = incident(title="<img src=x> @channel correct horse \x1b[31m\r\nBcc: x " + "y" * 5000)
    tell(outbox, environ, [bad], mask=redactor.text)
    (message,) = receiver.messages
    whole = message["title"] + message["message"]
    assert "correct horse" not in whole
    assert "<img" not in whole
    assert "@channel" not in whole
    assert "\x1b" not in whole
    assert "\n" not in message["title"]
    assert len(message["title"]) <= 120


def test_L41_addresses_stay_secret_on_the_disk(outbox, environ, receiver, tmp_path):
    receiver.how = 500
    tell(outbox, environ, [incident()])
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"env:PAGER" in written
    assert b"hush-hush-7" not in written
