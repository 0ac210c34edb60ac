"""Mutes are owned and end; what reaches nobody is named before it matters, and a drill reads back."""

from __future__ import annotations

from datetime import date

import pytest
from test_alerts import NOW, config, environ, incident, other, receiver

from synthprobe.alerts import sending
from synthprobe.alerts.channels import AppriseChannel, read_back
from synthprobe.alerts.routes import AlertRoute, AlertsConfig, Mute, lint, read_mutes
from synthprobe.alerts.schedule import schedule
from synthprobe.errors import ConfigurationError

__all__ = ["environ", "other", "receiver"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def mute(**more: object) -> Mute:
    return Mute(
        **{
            "fingerprint": "v1:0000000000000001",
            "owner": "dispatch-desk",
            "reason": "known",
            "until": date(2026, 11, 3),
            **more,
        }
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "silent", "sentence"),
    [
        (mute(), True, ""),
        (mute(fingerprint="", journey="call-intake-1"), True, ""),
        (mute(fingerprint="v1:0000000000000002"), False, ""),
        (mute(until=date(2026, 11, 1)), False, "ended on 2026-11-01"),
        (mute(until=date(2027, 11, 1)), False, "at most 90 days"),
        (mute(until=None), False, "has no end"),
        (mute(owner=""), False, "has no owner"),
        (mute(owner="jo@example.org"), False, "a role in small letters was expected"),
        (mute(owner="Maria Lopez"), False, "a role in small letters was expected"),
        (mute(reason="  \t"), False, "has no reason"),
        (mute(fingerprint="v1:1"), False, "has a fingerprint that cannot be one"),
        (mute(reason=""), False, "has no reason"),
        (mute(fingerprint=""), False, "neither a fingerprint nor a journey"),
    ],
)
def test_mutes_are_owned_reasoned_and_ending(entry, silent, sentence):
    found = schedule([incident()], [], NOW, config(), mutes=[entry])
    assert (found.muted == ("I-1",), found.alerts == ()) == (silent, silent)
    findings = list(lint(config("env:A", "env:B"), [entry], NOW))
    assert [sentence in line for line in findings] == ([True] if sentence else [])


def test_a_broken_file_of_mutes_is_a_sentence(tmp_path):
    (tmp_path / "mutes.toml").write_text("[[mute]]\nowner_role = 'x'\n")
    with pytest.raises(ConfigurationError, match="mutes.toml cannot be used"):
        read_mutes(tmp_path / "mutes.toml")


def test_lint_names_what_reaches_nobody():
    found = list(lint(AlertsConfig(routes=(AlertRoute(name="a", to=("json://x",), target=("demo",)),)), [], NOW))
    assert "an address is a secret" in " ".join(found)
    assert sum("No route takes every" in line for line in found) == 3
    assert not any("json://x" in line for line in found)


def test_a_drill_is_read_back(environ, receiver):
    environ["BACK"] = f"http://{receiver.at}/"
    settings = AlertsConfig(routes=(AlertRoute(name="all", to=("env:PAGER",), read_back="env:BACK"),))
    read = lambda source: read_back(source, environ)  # noqa: E731
    ((_, works, sentence),) = sending.drill(settings, AppriseChannel(environ), NOW, read=read)
    assert (works, sentence) == (True, "It was read back.")
    ((_, works, sentence),) = sending.drill(settings, AppriseChannel(environ), NOW, read=lambda _: "")
    assert (works, sentence) == (False, "The channel took it, but it did not arrive.")
