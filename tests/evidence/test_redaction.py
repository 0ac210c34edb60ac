"""A known secret is masked in every form it travels in, and nothing innocent is."""

import base64
import gzip
import html
import io
import json
import re
import shlex
import zipfile
import zlib
from functools import reduce
from urllib.parse import quote, quote_plus

import msgspec
import pytest

from synthprobe.browser.trace import TraceWithheld, redact_trace
from synthprobe.errors import SecretError
from synthprobe.evidence.redaction import Redactor
from synthprobe.evidence.scan import TOO_DEEP, TOO_LARGE, UNREADABLE, Scanner
from synthprobe.records.finding import Contradiction, Finding, Refusal, Skew, Throttled, Wait

SECRETS = ["Summer2026!", "p'a\"s\\s é+/=", "48151623"]
FORMS = {
    "plain": str,
    "json": lambda s: json.dumps(s)[1:-1],
    "json raw": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json twice": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "percent": lambda s: quote(s, safe=""),
    "percent lower": lambda s: re.sub("%[0-9A-F]{2}", lambda m: m[0].lower(), quote(s, safe="")),
    "form": quote_plus,
    "html": html.escape,
    "html numeric": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 inside": lambda s: base64.b64encode(b"u:" + s.encode()).decode(),
    "base64 twice, sign by sign": lambda s: f"{base64.b64encode(base64.b64encode(s.encode())).decode()} {list(s)}",
    "base64url": lambda s: base64.urlsafe_b64encode(b"user:" + s.encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "json upper": lambda s: json.dumps(s)[1:-1].replace("\\u00e9", "\\u00E9"),
    "json slash": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "html upper": lambda s: "".join(f"&#x{ord(c):X};" for c in s),
    "html named": lambda s: html.escape(s).replace("é", "&eacute;"),
    "base64 of json": lambda s: base64.b64encode(json.dumps({"k": s}).encode()).decode(),
    "base64 wide": lambda s: base64.b64encode(s.encode("utf-16-le")).decode(),
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "shell": shlex.quote,
    "shell escaped": lambda s: s.replace("'", "'\\''"),
    "bytes": lambda s: repr(s.encode())[2:-1],
    "hex spaced": lambda s: s.encode().hex(" "),
    "hex upper spaced": lambda s: s.encode().hex(" ").upper(),
    "hex escaped": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "upper": str.upper,
    "codes of a script": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "codes of a script in json": lambda s: "".join(f"\\\\u{ord(c):04X}" for c in s),
    "codes of what is no letter": lambda s: "".join(
        c if c.isascii() and c.isalnum() else f"\\u{ord(c):04X}" for c in s
    ),
    "percent of each": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
    "percent three times": lambda s: quote(quote(quote(s, safe=""), safe=""), safe=""),
    "json three times": lambda s: json.dumps(json.dumps(json.dumps(s)[1:-1])[1:-1])[1:-1],
    "base32": lambda s: base64.b32encode(s.encode()).decode().rstrip("="),
    "base32 inside, lower": lambda s: base64.b32encode(b"u:" + s.encode() + b";").decode().rstrip("=").lower(),
    "numbers of bytes": lambda s: repr(list(s.encode()))[1:-1],
    "numbers of bytes in json": lambda s: json.dumps(list(s.encode()), separators=(",", ":"))[1:-1],
    "percent of json": lambda s: quote(json.dumps(s)[1:-1], safe=""),
}


@pytest.fixture
def redactor():
    made = Redactor()
    for secret in SECRETS:
        made.add(secret, "planted")
    return made


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_masked_and_masking_twice_changes_nothing_l50(redactor, secret, form):
    text = f"before {FORMS[form](secret)} after"
    masked = redactor.text(text)
    assert "[masked]" in masked
    assert redactor.residual(masked.encode()) == []
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert redactor.text(masked) == masked, "masking twice changes nothing"


def test_base64_that_mail_broke_into_lines_is_masked(redactor):
    block = base64.encodebytes(b"x" * 50 + SECRETS[0].encode() + b"y" * 70).decode()
    innocent = base64.encodebytes(b"x" * 150).decode()
    assert redactor.text(f"said\n{block}over") == "said\n[masked]\nover"
    assert redactor.text(f"said\n{innocent}over") == f"said\n{innocent}over"


def test_what_is_left_of_a_cut_value_is_masked():
    redactor = Redactor()
    redactor.add("Plain-Zq7w-2026")
    assert redactor.text("{'a': 'Plain-Zq...', 'b': [...w-2026']} and more ...") == (
        "{'a': '[masked]...', 'b': [...[masked]']} and more ..."
    )
    assert redactor.text("<input value=Plain-Z…>") == "<input value=[masked]…>"


def test_each_line_of_a_key_and_each_telling_part_of_an_address_is_masked():
    redactor = Redactor()
    redactor.add("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----\n")
    redactor.add("https://pager:s3cr3t!x@hooks.example.org/services/8f14e45fceea167a5a36?key=c9f0f895fb98ab9159f5")
    assert redactor.text("E   MIIEvQIBADANBgkqhkiG\nE   AoIBAQC7VJTUt9Us8cKj") == "E   [masked]\nE   [masked]"
    assert redactor.text("hooks.example.org: /services/8f14e45fceea167a5a36 key=c9f0f895fb98ab9159f5 s3cr3t!x") == (
        "hooks.example.org: /services/[masked] key=[masked] [masked]"
    )


def test_a_phrase_is_masked_wherever_its_lines_were_broken():
    redactor = Redactor()
    redactor.add("correct horse battery staple")
    assert redactor.text("say correct horse\n    E    battery staple now") == "say [masked] now"
    assert redactor.text("│ correct │\n│ horse battery staple │") == "│ [masked] │"
    assert redactor.pieces(["say correct\n horse battery staple"]) == ["say [masked]"], "in traces too"
    assert redactor.residual(b"correct\r\nhorse battery staple")


def chunk(kind, data):
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def test_a_picture_says_nothing_but_what_it_shows(redactor):
    header = chunk(b"IHDR", (1).to_bytes(4) * 2 + b"\x08\0\0\0\0")
    shown = header + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    secret = SECRETS[0].encode()
    packed = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(secret)) + chunk(
        b"iTXt", b"a\0\1\0\0\0" + zlib.compress(secret)
    )
    png = b"\x89PNG\r\n\x1a\n" + header + chunk(b"tEXt", b"a\0" + secret) + packed + shown[len(header) :] + secret
    assert redactor.content(png, "image/png") == b"\x89PNG\r\n\x1a\n" + shown
    hidden = b"\x89PNG\r\n\x1a\n" + header + packed + shown[len(header) :]
    assert redactor.residual(hidden) == ["planted"], "the search looks into packed texts"
    assert redactor.content(b"\xff\xd8\xff\xe0" + secret, "image/jpeg").startswith(b"withheld"), "what is not a PNG"


def test_a_header_in_an_unknown_form_is_masked_and_the_others_stay(redactor):
    odd = base64.b64encode(gzip.compress(SECRETS[0].encode() * 3)).decode()
    assert redactor.headers({"X-Odd": odd, "X-Build": "4711"}) == {"X-Odd": "[masked]", "X-Build": "4711"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"list": [{"accessToken": "hunter22-x9Kq", "cut off', "application/json"),
        ('{"a": 1}\n{"refresh": "hunter22-x9Kq"}\n', "application/x-ndjson"),
        ('data: {"jwt": "hunter22-x9Kq"}\n\n', "text/event-stream"),
        ("a=1&session_id=hunter22-x9Kq", "application/x-www-form-urlencoded"),
        ('--B1\r\nContent-Disposition: form-data; name="passphrase"\r\n\r\nhunter22-x9Kq\r\n--B1--\r\n', "multipart/x"),
        ('<s:Envelope><wsse:Password Type="t">hunter22-x9Kq</wsse:Password></s:Envelope>', "text/xml"),
        ('<login ticket="hunter22-x9Kq"/>', "application/xml"),
        ('<input type="hidden" name="csrf_token" value="hunter22-x9Kq">', "text/html"),
        ('<input autocomplete="one-time-code" value="hunter22-x9Kq">', "text/html"),
        ("var config = {privateKey: 'hunter22-x9Kq-long-enough'}", "text/javascript"),
        ('{"note": "' + "x" * 200_000 + '", "X-Auth-Token": "hunter22-x9Kq"}', "application/json"),
    ],
    ids=["cut", "lines", "events", "form", "multipart", "xml", "attribute", "hidden", "code", "script", "large"],
)
def test_a_body_of_any_type_is_masked_by_names_and_learned_from(text, kind):
    redactor = Redactor()
    assert "hunter22" not in redactor.body(text, kind)
    redactor.learn_from_body(text.encode(), kind)
    assert redactor.text("say hunter22-x9Kq-long-enough").replace("-long-enough", "") == "say [masked]"


@pytest.mark.parametrize(
    "name",
    ["session_id", "sid", "jwt", "bearer", "authorization", "signature", "refresh", "csrf", "nonce", "ticket",
     "private_key", "passphrase", "X-Auth-Token", "X-Subject-Token", "ds_csrftoken", "csrfmiddlewaretoken",
     "PHPSESSID", "connect.sid", "__RequestVerificationToken", "user_pin", "otp"],
)  # fmt: skip
def test_names_of_secrets(name):
    masked = Redactor().body(json.dumps({name: "hunter22"}), "application/json")
    assert json.loads(masked) == {name: "[masked]"}


@pytest.mark.parametrize(
    "name",
    ["footprint", "spinner", "opinion", "hotpot", "secretary", "token_type", "passwordPolicy", "expires_in", "author",
     "compass", "tokenizer", "session_count", "keyboard", "client_token", "sidebar", "pinned", "refresh_interval"],
)  # fmt: skip
def test_names_that_only_sound_like_secrets(name):
    assert json.loads(Redactor().body(json.dumps({name: "hunter22"}), "application/json")) == {name: "hunter22"}


def test_tokens_in_addresses_are_masked_and_learned():
    redactor = Redactor()
    address = "https://x.example/back?code=8f14e45fceea167a5a36&view=call-intake#access_token=c9f0f895fb98ab9159f5"
    assert redactor.headers({"Location": address})["Location"] == (
        "https://x.example/back?code=[masked]&view=call-intake#access_token=[masked]"
    )
    redactor.learn_from_response_headers({"Location": address})
    assert redactor.text("8f14e45fceea167a5a36 c9f0f895fb98ab9159f5 call-intake") == "[masked] [masked] call-intake"


def test_innocent_text_is_left_alone(redactor):
    text = '{"number": "HV-26-003012", "status": "Active"}'
    assert redactor.text(text) == text
    assert json.loads(redactor.body('{"client_token": "abc", "note": 1}', "application/json"))["client_token"] == "abc"


@pytest.mark.parametrize(
    "name",
    ["password", "passwd", "pwd", "client_secret", "access_token", "api-key", "apiKey", "session", "sessionId", "otp",
     "user_pin", "credentials", "PASSWORD", "pass\\u0077ord"],
)  # fmt: skip
def test_every_field_that_is_secret_by_its_name_is_masked_and_learned(redactor, name):
    body = f'{{"a": [{{"{name}": "hunter22-x9Kq"}}]}}'
    assert "hunter22" not in redactor.body(body, "application/json")
    assert redactor.text("hunter22-x9Kq") == "hunter22-x9Kq"
    for code in ("utf-8", "utf-16"):
        learned = Redactor()
        learned.learn_from_body(body.encode(code))
        assert learned.text("say hunter22-x9Kq") == "say [masked]"


def test_fields_and_headers_are_masked_by_name(redactor):
    assert "hunter22" not in redactor.body('{"user": {"password": "hunter22"}}', "application/json")
    assert "hunter22" not in redactor.body("name=x&password=hunter22", "application/x-www-form-urlencoded")
    assert "hunter22" not in redactor.url("http://x/?access_token=hunter22&a=1")
    sent = {"Authorization": "Basic x", "Proxy-Authorization": "x", "Accept": "y"}
    shown = {"Authorization": "Basic [masked]", "Proxy-Authorization": "[masked]", "Accept": "y"}
    assert redactor.headers(sent) == shown, "the scheme is no secret"


def test_a_short_secret_is_refused_l48():
    with pytest.raises(SecretError, match="shorter than 6"):
        Redactor().add("abc", "pin")


def test_what_is_left_is_found_inside_zip_and_gzip(redactor):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", f"x {SECRETS[0]}")
    assert redactor.residual(held.getvalue()) == ["planted"]
    assert redactor.residual(gzip.compress(SECRETS[1].encode())) == ["planted"]
    assert redactor.residual(b"nothing") == []


def test_credentials_that_are_sent_are_learned_l46():
    redactor = Redactor()
    redactor.learn_from_request_headers(
        {"Cookie": "a=1; sid=f00dfeedbeef", "Authorization": "Basic " + base64.b64encode(b"probe:s3cr3t!x").decode()}
    )
    redactor.learn_from_json([{"list": [{"access_token": "tok-99-abcdef"}]}])
    assert redactor.text("f00dfeedbeef s3cr3t!x tok-99-abcdef probe") == "[masked] [masked] [masked] probe"


def test_pieces_of_a_value_are_masked_and_nothing_else():
    redactor = Redactor()
    redactor.add("Summer2026!")
    assert redactor.pieces(["hi Sum", "mer20", "26! bye"]) == ["hi [masked]", "[masked]", "[masked] bye"]
    assert redactor.pieces([*"Summer2", "Tab"]) == [*["[masked]"] * 7, "Tab"], "a beginning of six or more counts"
    assert redactor.pieces([*"Summe"]) == [*"Summe"]
    redactor.learn_from_json({"refresh": "depot-refresh", "token": "q7Zt2LmX9vB4kR8nW1cY"})
    names = {"depot-search.svg": "depot-search.svg", "depot-re": "[masked]", "q7Zt2LmX9vBs.svg": "[masked]s.svg"}
    assert {name: redactor.pieces([name])[0] for name in names} == names, "other words may begin alike"
    redactor.add("http://shop.example:8080/hook/7d0c1a")
    assert redactor.pieces(["http://shop.example:8080/orders"]) == ["http://shop.example:8080/orders"], (
        "its host is known"
    )
    assert redactor.text("GET http…") == "GET http…"
    assert redactor.pieces(["http://shop.example:8080/hook/7d"]) == ["[masked]"]


@pytest.mark.parametrize(
    ("packed", "rule"),
    [
        (lambda: base64.b64encode(gzip.compress(b"x Summer2026! y" * 9)), "planted"),
        (lambda: gzip.compress(gzip.compress(b"Summer2026!")), "planted"),
        (lambda: "Summer2026!".encode("utf-16"), "planted"),
        (lambda: base64.encodebytes(b"-" * 50 + b"Summer2026!" + b"-" * 50), "planted"),
        (lambda: gzip.compress(bytes(2_000_000)), TOO_LARGE),
        (lambda: reduce(lambda held, _: gzip.compress(held), range(6), b"clean"), TOO_DEEP),
        (lambda: gzip.compress(b"clean" * 99)[:-12], UNREADABLE),
        (lambda: b"PK\x03\x04 and no zip", UNREADABLE),
    ],
    ids=["base64 of gzip", "gzip of gzip", "utf-16", "wrapped base64", "bomb", "too deep", "cut gzip", "broken zip"],
)
def test_the_scan_looks_into_containers_and_fails_closed(packed, rule):
    assert Scanner(
        {b"Summer2026!": "planted", "Summer2026!".encode("utf-16-le"): "planted"}, largest=1_000_000
    ).content(packed()) == [rule]


def trace(path, lines, resources=()):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("trace.trace", "\n".join(json.dumps(line) for line in lines))
        for name, content in resources:
            archive.writestr(f"resources/{name}", content)
    return path


def test_an_unknown_trace_version_is_withheld(tmp_path, redactor):
    source = trace(tmp_path / "raw.zip", [{"type": "context-options", "version": 99}])
    with pytest.raises(TraceWithheld, match="version is 99"):
        redact_trace(source, tmp_path / "out.zip", redactor)
    assert not (tmp_path / "out.zip").exists()


def test_a_damaged_trace_is_withheld(tmp_path, redactor):
    (tmp_path / "raw.zip").write_bytes(b"PK not a zip")
    with pytest.raises(TraceWithheld, match="could not be redacted"):
        redact_trace(tmp_path / "raw.zip", tmp_path / "out.zip", redactor)


def test_a_trace_keeps_its_actions_and_loses_its_secrets_l17(tmp_path, redactor):
    snapshot = ["HTML", {}, ["INPUT", {"type": "password", "__playwright_value_": "never-registered"}]]
    lines = [
        {"type": "context-options", "version": 8},
        {"type": "before", "callId": "1", "params": {"value": SECRETS[0]}},
        {"type": "frame-snapshot", "snapshot": {"html": snapshot}},
        {"type": "x", "headers": [{"name": "Cookie", "value": "session=never-registered"}], "_sha1": "abc.json"},
    ]
    source = trace(tmp_path / "raw.zip", lines, [("abc.json", json.dumps({"k": SECRETS[1]}))])
    redact_trace(source, tmp_path / "out.zip", redactor)
    content = (tmp_path / "out.zip").read_bytes()
    assert redactor.residual(content) == []
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        kept = archive.read("trace.trace")
        entries = [json.loads(line) for line in kept.splitlines()]
        assert [entry["type"] for entry in entries] == [line["type"] for line in lines]
        assert b"never-registered" not in kept
        assert f"resources/{entries[3]['_sha1']}" in archive.namelist(), "references follow the renamed resource"
        assert "resources/abc.json" not in archive.namelist(), "a name that is a hash of the secret is gone"


def test_keys_frames_and_pictures_of_a_trace_hold_nothing_l02_l09_l16(tmp_path, redactor):
    """Values spread over actions, over messages, and in what is no text."""
    typed = [
        {"type": "before", "method": "press", "params": {"selector": "input", "key": key}}
        for key in (*SECRETS[0][:4], "Shift", *SECRETS[0][4:])
    ]
    half = base64.b64encode(SECRETS[1].encode()[:7]).decode(), base64.b64encode(SECRETS[1].encode()[7:]).decode()
    messages = [
        {"type": "send", "opcode": 1, "data": "x" + SECRETS[0][:5]},
        {"type": "receive", "opcode": 1, "data": "kept"},
        {"type": "send", "opcode": 1, "data": SECRETS[0][5:] + "y"},
        *({"type": "receive", "opcode": 2, "data": data} for data in half),
    ]
    lines = [
        {"type": "context-options", "version": 8},
        *typed,
        {"type": "snapshot", "attributes": {"__playwright_value_": SECRETS[0][:7]}},
        {"type": "resource-snapshot", "snapshot": {"_webSocketMessages": messages}},
    ]
    source = trace(tmp_path / "raw.zip", lines, [("a.png", b"\x89PNG" + SECRETS[0].encode())])
    redact_trace(source, tmp_path / "out.zip", redactor)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        entries = [json.loads(line) for line in archive.read("trace.trace").splitlines()]
        resources = [archive.read(name) for name in archive.namelist() if name.startswith("resources/")]
    assert [entry["type"] for entry in entries] == [line["type"] for line in lines], "every action is still there"
    keys = [entry["params"]["key"] for entry in entries if entry["type"] == "before"]
    assert keys == ["[masked]"] * 4 + ["Shift"] + ["[masked]"] * (len(SECRETS[0]) - 4)
    assert entries[-2]["attributes"]["__playwright_value_"] == "[masked]"
    data = [message["data"] for message in entries[-1]["snapshot"]["_webSocketMessages"]]
    assert data[:3] == ["x[masked]", "kept", "[masked]y"]
    assert {base64.b64decode(payload) for payload in data[3:]} == {b"[masked]"}
    assert resources == [b""]


def test_sources_and_screencast_of_a_trace_are_left_out_l15_l16(tmp_path, redactor):
    source = trace(tmp_path / "raw.zip", [{"type": "context-options", "version": 8}])
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("src/1a2b.py", "everything about us")
        archive.writestr("screencast/page-1.jpeg", b"\xff\xd8 what the page showed")
    redact_trace(source, tmp_path / "out.zip", redactor)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert not [name for name in archive.namelist() if not name.startswith("trace.")]


def test_a_trace_without_a_version_is_withheld(tmp_path, redactor):
    source = trace(tmp_path / "raw.zip", [{"type": "before", "callId": "1"}])
    with pytest.raises(TraceWithheld, match="does not say which format version"):
        redact_trace(source, tmp_path / "out.zip", redactor)


def test_a_finding_is_masked_in_every_text_as_its_sentence_is():
    redactor = Redactor()
    redactor.add("kE7-winter-4711")
    found = Finding(
        contradiction=Contradiction(
            about="json", expected="a kE7-winter-4711", got="kE7-winter-4711", url="/kE7-winter-4711"
        ),
        refusal=Refusal(
            kind="dns", url="http://kE7-winter-4711/", tried=("kE7-winter-4711",), reason="kE7-winter-4711"
        ),
        throttled=Throttled(status=429, after="kE7-winter-4711"),
        skew=Skew(what="kE7-winter-4711", ahead_s=3.0),
        wait=Wait(within_s=1.0, attempts=2, reason="kE7-winter-4711", seen=(("kE7-winter-4711", 2),)),
    )
    masked = redactor.record(found)
    assert b"winter" not in msgspec.json.encode(masked)
    assert (masked.refusal.kind, masked.wait.seen[0][1]) == ("dns", 2)


def test_half_a_letter_that_a_target_sends_breaks_nothing_and_hides_no_token():
    """JSON may hold one; nothing that is written as UTF-8 can."""
    redactor = Redactor()
    token, named = "q7Rk2Vn9\ud800Xb4Lw8Zt3Hp6", "Zt3Hp6q7Rk2Vn9Xb4Lw8"
    body = {"access_token": token, "note": f"\udfff token = {named}"}
    redactor.learn_from_body(json.dumps(body).encode())
    redactor.learn_from_storage([("kept", json.dumps(body)), ("tab", token)])
    redactor.learn_from_response_headers({"X-Session": token})
    redactor.learn_cookie("sid", token)
    shown = redactor.text(f"{token} {named} \ud800")
    assert shown.encode().decode() == "[masked] [masked] \ufffd"
