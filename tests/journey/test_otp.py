"""One-time codes: each is given out once, a second attempt waits for the next, and none is written anywhere."""

import json
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer

import pyotp
import pytest

from synthprobe import ConfigurationError, Redactor, Secret, loopback, pipeline
from synthprobe.errors import ToolError
from synthprobe.journey.otp import Otp

KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
JOURNEY = """
from synthprobe import step

def test_it(api, otp):
    with step("log in with a code", budget="1s"):
        code = otp("authenticator")
        print("the code is", code)
        answer = api.post("/login", json={"code": code, "number": int(code)})
        assert answer.status == 200, f"refused {code}, as in /login?code={code}"
"""


class Door:
    """A log-in that takes each code once, and is broken at the first."""

    def __init__(self):
        self.seen: list[str] = []
        totp, door = pyotp.TOTP(KEY, interval=3), self

        class Answers(loopback.Handler):
            def do_POST(self):
                code = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["code"]
                fits = totp.verify(code, valid_window=1) and code not in door.seen
                door.seen.append(code)
                body = json.dumps({"code": code, "said": f"{code} was sent"}).encode()
                self.answer(200 if fits and len(door.seen) > 1 else 403, body, {"Content-Type": "application/json"})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_l51_a_second_attempt_has_a_code_of_its_own_and_no_code_is_written(project, monkeypatch):
    door = Door()
    monkeypatch.setenv("AUTHENTICATOR", f"otpauth://totp/probe?secret={KEY}&period=3")
    project.configure(
        f"http://127.0.0.1:{door.server.server_port}", '[targets.demo.secrets]\nauthenticator = "env:AUTHENTICATOR"\n'
    )
    toml = project.root / "synthprobe.toml"
    toml.write_text(f"second_attempt_delay_s = 0\n{toml.read_text()}")
    project.journeys(JOURNEY)
    command = [sys.executable, "-m", "synthprobe", "run", "-v"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)
    door.server.shutdown()
    assert done.returncode == 0, done.stdout
    [judged] = pipeline.read_verdict(pipeline.newest_run(project.root, ".synthprobe") / "verdict.json").journeys
    assert [result.outcome for result in judged.results] == ["failed", "passed"], "the wait for a code is in no budget"
    assert len(set(door.seen)) == 2
    for code in door.seen:
        assert code not in done.stdout + done.stderr
        leaks = [
            path
            for path in (project.root / ".synthprobe").rglob("*")
            if path.is_file() and code.encode() in path.read_bytes()
        ]
        assert leaks == []


class Clock:
    """Seconds that pass when somebody waits."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def otp(folder, clock, key=KEY, mask=lambda _: None) -> Otp:
    return Otp({"key": Secret(key, "key")}, folder, mask, clock, clock.wait)


def test_workers_and_runs_never_share_a_code_and_none_waits_for_ever(tmp_path):
    clock, totp, masked = Clock(1_790_000_005.0), pyotp.TOTP(KEY), []
    codes = [otp(tmp_path, clock, mask=masked.append)("key") for _ in range(3)]
    assert codes == [totp.at(1_790_000_005 + 30 * number) for number in range(3)] == masked
    with pytest.raises(ToolError, match="Every code of 'key' until then was given out to others"):
        otp(tmp_path, clock)("key", within="1s")
    clock.now = 1_790_009_999.5
    assert otp(tmp_path, clock)("key") == totp.at(1_790_010_000), "a code that ends at once is of no use"
    assert not any(code in path.read_text() for code in codes for path in tmp_path.iterdir())


@pytest.mark.parametrize("key", ["not base32 at all!", f"otpauth://hotp/x?secret={KEY}&counter=1", "otpauth://totp/x"])
def test_what_is_no_authenticators_key_is_said_without_it(tmp_path, key):
    with pytest.raises(ConfigurationError, match="The secret 'key' is no key of an authenticator") as raised:
        otp(tmp_path, Clock(1_790_000_005.0), key)("key")
    assert key not in str(raised.value)


def test_l51_a_code_is_masked_alone_typed_key_by_key_and_as_a_number_but_not_within_other_digits():
    redactor = Redactor()
    redactor.add_code("730914")
    for text in ("code=730914&x", "a%20730914", '{"code": 730914}', "730914", "is 730914."):
        assert "730914" not in redactor.text(text), text
        assert redactor.residual(text.encode()) == ["one-time code"], text
    assert redactor.text("order 1730914, 7309145") == "order 1730914, 7309145"
    assert redactor.data({"code": 730914, "count": 7}) == {"code": "[masked]", "count": 7}
    assert not set("".join(redactor.pieces(list("730914")))) & set("730914")
