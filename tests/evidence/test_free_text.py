"""Credentials that no syntax names are learned all the same; what only looks a little like one is not."""

import base64
import json

import pytest

from synthprobe.evidence.redaction import Redactor

TOKEN = "q7Rk2Vn9Xb4Lw8Zt3Hp6"
PACKED = base64.b64encode(json.dumps({"user": "probe", "access_token": TOKEN}).encode()).decode()
HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
JWT = f"{HEADER}.{'aB3' * 8}.{'xY7-' * 6}"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(f"A=1\nexport API_TOKEN={TOKEN}\nB=2\n", "text/plain", id="settings of a shell"),
        pytest.param(f"users:\n- name: probe\n  token: {TOKEN}\n", "application/yaml", id="YAML"),
        pytest.param(f"user,api_token\nprobe,{TOKEN}\n", "text/csv", id="a table"),
        pytest.param(f'curl -H "Authorization: Bearer {TOKEN}" http://shop/', "text/plain", id="a command"),
        pytest.param(f"<a href='/out?a=1&amp;authenticity_token={TOKEN}'>out</a>", "text/html", id="a link"),
        pytest.param(f'<form action="/save?sesskey={TOKEN}">', "text/html", id="where a form goes"),
        pytest.param(f'<a href="/app;jsessionid={TOKEN}?x=1">', "text/html", id="a parameter of a path"),
        pytest.param(f'{{"next": "/password/reset/{TOKEN}/"}}', "application/json", id="a part of a path"),
        pytest.param(f'<img src="data:,otpauth://totp/x?secret={TOKEN}&amp;issuer=x">', "text/html", id="a QR code"),
        pytest.param(f"<tr><th>API key</th><td> {TOKEN}</td></tr>", "text/html", id="a label"),
        pytest.param(f'<code class="x" id=token>{TOKEN}</code>', "text/html", id="an element"),
        pytest.param(f"<textarea name=access_token>{TOKEN}</textarea>", "text/html", id="an area of text"),
        pytest.param(
            f'<input aria-label="API token" readonly value="{TOKEN}">', "text/html", id="what a reader is read"
        ),
        pytest.param(f'<input name="f1" id="apiToken" value="{TOKEN}">', "text/html", id="an id beside a name"),
        pytest.param(f'<div data-page=\'{{"csrf_token": "{TOKEN}"}}\'>', "text/html", id="an attribute"),
        pytest.param(f'<div data-page="{{&quot;csrf_token&quot;:&quot;{TOKEN}&quot;}}">', "text/html", id="escaped"),
        pytest.param(f"const apiKey = `{TOKEN}`;", "text/javascript", id="a template of a script"),
        pytest.param(f'go(JSON.parse(\'{{\\"sid\\": \\"{TOKEN}\\"}}\'))', "text/javascript", id="JSON in a script"),
        pytest.param(f"<password><![CDATA[{TOKEN}]]></password>", "application/xml", id="CDATA"),
        pytest.param(json.dumps({"data": PACKED}), "application/json", id="base64"),
        pytest.param(f"go(atob('{PACKED}'))", "text/html", id="base64 in a script"),
        pytest.param("payload=" + json.dumps({"refresh_token": TOKEN}), "application/x-www-form-urlencoded", id="form"),
        pytest.param(json.dumps([{"name": "csrf", "value": TOKEN}]), "application/json", id="a name and a value"),
        pytest.param(json.dumps({"key": {"id": 7, "value": TOKEN}}), "application/json", id="the value of a key"),
        pytest.param(f"<!-- token: {TOKEN} --><p>hi", "text/html", id="a comment"),
        pytest.param(f"<p>Your token: {TOKEN}</p>", "text/html", id="a sentence"),
        pytest.param(f"| token | {TOKEN} |\n", "text/markdown", id="a table of Markdown"),
        pytest.param(f"name\tapi_key\nprobe\t{TOKEN}\n", "text/tab-separated-values", id="a table with tabs"),
        pytest.param(json.dumps([["token", TOKEN]]), "application/json", id="a pair"),
        pytest.param(json.dumps([{"key": "session_token", "val": TOKEN}]), "application/json", id="a key and a val"),
        pytest.param(
            json.dumps({"credentials": {"of": {"desk": TOKEN}}}), "application/json", id="deep in credentials"
        ),
        pytest.param(json.dumps({"kennwort": TOKEN}), "application/json", id="German"),
        pytest.param(json.dumps({"mot_de_passe": TOKEN}), "application/json", id="French"),
        pytest.param(json.dumps({"contraseña": TOKEN}, ensure_ascii=False), "application/json", id="Spanish"),
        pytest.param(f"https://shop/b?sv=1&sig={TOKEN}", "text/plain", id="a signed address"),
        pytest.param(f'token=3D"{TOKEN[:9]}=\n{TOKEN[9:]}"\n', "text/plain", id="quoted-printable"),
        pytest.param(f'setItem("token", "{TOKEN}")', "text/javascript", id="an argument"),
        pytest.param(f"x.setRequestHeader('X-Api-Key', '{TOKEN}')", "text/javascript", id="a header that a page sends"),
        pytest.param(f"state['token'] = '{TOKEN}'", "text/javascript", id="a place of an array"),
        pytest.param(
            f"<label for=f1>API token</label><input id=f1 value={TOKEN}>", "text/html", id="a label elsewhere"
        ),
        pytest.param(f"<param name=token value={TOKEN}>", "text/html", id="an element of another kind"),
        pytest.param(f"<th>name<th>token<tr><td>probe<td>{TOKEN}", "text/html", id="a column"),
        pytest.param(f"<svg><text>Token: {TOKEN}</text></svg>", "image/svg+xml", id="a picture of text"),
        pytest.param(f'<add key="ApiKey" value="{TOKEN}"/>', "application/xml", id="a setting in XML"),
        pytest.param(f"<key>token</key><string>{TOKEN}</string>", "application/xml", id="a list of properties"),
        pytest.param(f"token: >-\n  {TOKEN}\n", "application/yaml", id="YAML on the next line"),
        pytest.param(f"- name: API_TOKEN\n  value: {TOKEN}\n", "application/yaml", id="YAML of a container"),
        pytest.param(f"machine shop login probe password {TOKEN}", "text/plain", id="netrc"),
        pytest.param(f"postgres://probe:{TOKEN}@db/shop", "text/plain", id="an address of a database"),
        pytest.param(f"Your API key is {TOKEN}.", "text/plain", id="the end of a sentence"),
        pytest.param(f":token=>\"{TOKEN}\", b'x'", "text/plain", id="Ruby"),
        pytest.param(json.dumps({"message": f"Session {TOKEN} began"}), "application/json", id="a message"),
        pytest.param(f'{{"next": "https%3A%2F%2Fx%2F%3Ftoken%3D{TOKEN}"}}', "application/json", id="a coded address"),
        pytest.param(json.dumps({"cookies": {"whatever": TOKEN}}), "application/json", id="cookies"),
        pytest.param(f"https://shop/verify/{TOKEN}", "text/plain", id="a link of a mail"),
        pytest.param(
            f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{TOKEN}\n-----END PGP", "text/plain", id="a key of PGP"
        ),
        pytest.param(f"-----BEGIN PRIVATE KEY-----\n{TOKEN}\n-----END PRIVATE KEY-----", "text/plain", id="a key"),
        pytest.param(f"https://hooks.shop/T0A1B2C3D/B0E5F6G7H/{TOKEN}", "text/plain", id="the address of a webhook"),
        pytest.param(
            json.dumps({"webhook": f"https://shop/in/{TOKEN}"}), "application/json", id="a field of a webhook"
        ),
        pytest.param(f'Variable $token got invalid value "{TOKEN}"', "text/plain", id="quoted in an error"),
        pytest.param(f"Unknown session with id {TOKEN}", "text/plain", id="behind the word id"),
        pytest.param(f"Token for desk@example.org: {TOKEN}", "text/plain", id="behind whose it is"),
        pytest.param(f'attachment; filename="export-token-{TOKEN}.csv"', "text/plain", id="the name of a file"),
        pytest.param(f"session_{TOKEN}.json", "text/plain", id="the name of a file with an underscore"),
        pytest.param(f"<p>Token:</p><pre>\n{'x8Kq' * 6}\n{TOKEN}\n</pre>", "text/html", id="a second line"),
        pytest.param(f"<p>Token: <i>{'x8Kq' * 6}<wbr>{TOKEN}</i>", "text/html", id="behind where a word may break"),
        pytest.param(f"<p>Token: <i>{TOKEN[:9]}&shy;{TOKEN[9:]}</i>", "text/html", id="a soft hyphen within"),
        pytest.param(f'<button data-clipboard-text="{TOKEN}">Copy token', "text/html", id="a button that copies it"),
        pytest.param(f'<x-copy value="{TOKEN}" aria-label="Copy token">', "text/html", id="a labelled copy"),
        pytest.param(f"<td>SECRET_KEY<td><pre>&#x27;{TOKEN}&#x27;</pre>", "text/html", id="a page of settings"),
        pytest.param(f'token|s:20:"{TOKEN}";user|s:5', "text/plain", id="a session of PHP"),
        pytest.param(f"CONNECT\nlogin:desk\npasscode:{TOKEN}\n\n\0", "text/plain", id="a frame that ends in NUL"),
        pytest.param(
            json.dumps({"auth": base64.b64encode(f"desk:{TOKEN}".encode()).decode()}),
            "application/json",
            id="a pair in base64",
        ),
        pytest.param(f"grant_type=x&assertion={TOKEN}", "application/x-www-form-urlencoded", id="an assertion"),
        pytest.param(json.dumps({"пароль": TOKEN}, ensure_ascii=False), "application/json", id="Russian"),
        pytest.param(f"<p>访问令牌：{TOKEN}</p>", "text/html", id="Chinese"),
    ],
)
def test_a_credential_in_free_text_is_learned(text, kind):
    redactor = Redactor()
    redactor.learn_from_body(text.encode(), kind)
    assert redactor.text(f"it said {TOKEN}.") == "it said [masked]."


def test_what_people_read_under_an_everyday_name_is_left_alone():
    redactor = Redactor()
    redactor.learn_from_json({"session": "Morning Yoga", "ticket": "Day ticket", "list": [{"pin": "Old harbour"}]})
    assert redactor.text("Morning Yoga: Day ticket, Old harbour") == "Morning Yoga: Day ticket, Old harbour"
    redactor.learn_from_json({"session": "q7Zt2LmX9vB4kR8nW1cY", "user_session": "Evening Yoga"})
    assert redactor.text("q7Zt2LmX9vB4kR8nW1cY Evening Yoga") == "[masked] [masked]"


@pytest.mark.parametrize(
    "issued",
    [
        "ghp_" + TOKEN + "Ab12Cd34Ef56Gh78",
        "sk_live_" + TOKEN,
        "xoxb-1234567890-" + TOKEN,
        "AIza" + TOKEN + "-7eZSW0jkF",
        "sk-proj-" + TOKEN,
        "shpat_" + TOKEN,
        "bot123456789:AA" + TOKEN + "Ab12Cd34Ef5",
    ],
)
def test_a_token_that_says_whose_it_is_is_learned_without_a_name(issued):
    redactor = Redactor()
    redactor.learn_from_body(json.dumps({"result": f"{issued}"}).encode(), "application/json")
    assert redactor.text(f"it said {issued}.") == "it said [masked]."


@pytest.mark.parametrize("codes", [{"recovery_codes": ["k3f9-x8q2-77ab"]}, {"backupCodes": ["k3f9-x8q2-77ab"]}])
def test_codes_that_stand_in_for_a_second_factor_are_learned(codes):
    redactor = Redactor()
    redactor.learn_from_body(json.dumps(codes).encode(), "application/json")
    assert redactor.text("it said k3f9-x8q2-77ab.") == "it said [masked]."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WWW-Authenticate", f'Digest realm="desk", nonce="{TOKEN}"'),
        ("Authentication-Info", f'nextnonce="{TOKEN}"'),
        ("X-Session-Info", f'user="probe"; token="{TOKEN}"'),
        ("Authorization", f"Bearer {TOKEN}"),
        ("X-Data", json.dumps({"token": TOKEN})),
        ("X-Download", f"https://shop/b?sig={TOKEN}"),
    ],
)
def test_a_credential_among_the_parameters_of_a_header_is_learned(name, text):
    redactor = Redactor()
    redactor.learn_from_response_headers({name: text})
    assert redactor.text(f"it said {TOKEN}.") == "it said [masked]."


def test_a_jwt_is_known_by_its_form_whoever_names_it():
    redactor = Redactor()
    redactor.learn_from_body(json.dumps({"login": JWT}).encode())
    assert JWT.rpartition(".")[2] not in redactor.text(f"{JWT} {JWT.rpartition('.')[2]}")


def test_an_answer_that_is_nothing_but_a_token_is_one_where_its_address_says_so():
    redactor = Redactor()
    redactor.learn_from_body(f'"{TOKEN}"'.encode(), "text/plain", "http://shop/api/csrf-token?x=1")
    assert redactor.text(TOKEN) == "[masked]"


@pytest.mark.parametrize("token", ["IrowdtWexmclywUNuYDPelzc", "BRJQKvYllvZXvjtpfmzcM_aa", "-UEWKpoae_ehYNPbolSCwyii"])
def test_a_token_that_drew_no_digit_is_one_and_a_name_in_code_is_none(token):
    redactor = Redactor()
    redactor.learn_from_storage([("tab", token), ("view", "dispatchBoardLayout"), ("by", "XMLHttpRequestFactory")])
    assert redactor.issued == {token}


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("4f2a9c1be07d4f2a9c1be07d", "text/plain", "http://shop/version"),
        ("Token: required\npassword: at-least-eight-characters\n", "text/plain", ""),
        ("<th>API key</th><td>none</td><th>Order</th><td>4f2a9c1be07d4f2a9c1b</td>", "text/html", ""),
        ('{"build": "4f2a9c1be07d4f2a9c1b", "see": "/orders/4f2a9c1be07d4f2a9c1b"}', "application/json", ""),
        ("The bearer of good news, a basic explanation of tokens", "text/plain", ""),
        ("name,value\nsort,4f2a9c1be07d4f2a9c1b\n", "text/csv", ""),
        ('[{"name": "API token", "created": "2026-11-02", "place": "/orders/board"}]', "application/json", ""),
        ("<p>Order: 4f2a9c1be07d4f2a9c1b, token: required</p>", "text/html", ""),
        ("https://shop/?page=4f2a9c1be07d4f2a9c1b&view=call-intake", "text/plain", ""),
        ('<script src="/assets/session-4f2a9c1be07d4f2a9c1b.js">', "text/html", ""),
        ("The session of order 4f2a9c1be07d4f2a9c1b is over", "text/plain", ""),
        ('<button data-id="4f2a9c1be07d4f2a9c1b">Copy order</button>', "text/html", ""),
        ("Token required; order Kx8Qp2Zm9Lv4Rt7Yw1Nb is late", "text/plain", ""),
        ("sk-learn-model-of-orders, secret_manager_of_the_desk_v2", "text/plain", ""),
    ],
)
def test_what_only_looks_a_little_like_a_credential_is_not_learned(text, kind, address):
    redactor = Redactor()
    redactor.learn_from_body(text.encode(), kind, address)
    assert redactor.issued == set()


def test_a_cookie_that_is_a_time_is_no_secret_as_whatever_is_recorded_then_holds_it():
    redactor = Redactor()
    for name, value in (
        ("seen", "1795864066"),
        ("seen-ms", "1795864066055"),
        ("sid", "1795864067"),
        ("a", "2795864068"),
    ):
        redactor.learn_cookie(name, value)
    assert redactor.residual(b'{"wallTime":1795864066055}') == []
    assert redactor.text("1795864066, 1795864067, 2795864068") == "1795864066, [masked], [masked]"
