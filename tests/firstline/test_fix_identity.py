"""Who applies a fix is known by what nobody types."""

from __future__ import annotations

import os
import pwd

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from issuer import running_issuer
from msgspec.structs import replace
from signing_keys import make_keys

from synthprobe.cli.lookup import fixing_actor, signatures_of
from synthprobe.config import Config, read_config
from synthprobe.errors import ConfigurationError, FixRefused
from synthprobe.firstline.identity import IdentityConfig, identity
from synthprobe.project import Project


@pytest.fixture(scope="module")
def issuer():
    with running_issuer() as running:
        yield running


@pytest.fixture
def oidc(issuer):
    issuer.person = "7"
    return IdentityConfig(kind="oidc", issuer=issuer.url, source="env:CI_TOKEN")


def test_no_variable_makes_somebody_else_of_an_account(tmp_path, monkeypatch):
    before = fixing_actor("first-line", Project(tmp_path, Config()))
    for name in ("SYNTHPROBE_WHO", "LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER", "SUDO_UID", "GITHUB_ACTOR"):
        monkeypatch.setenv(name, "somebody-else")
    assert fixing_actor("first-line", Project(tmp_path, Config())) == before
    assert before.who.startswith("account:")
    assert before.who.removeprefix("account:") in {account.pw_name for account in pwd.getpwall()} | {str(os.getuid())}


def test_a_claim_that_ci_signed_tells_two_people_apart(issuer, oidc, tmp_path):
    first = identity(oidc, {"CI_TOKEN": issuer.token()})
    assert first == identity(oidc, {"CI_TOKEN": issuer.token(), "GITHUB_ACTOR": "x", "SYNTHPROBE_WHO": "x"})
    assert first != identity(oidc, {"CI_TOKEN": issuer.token(actor_id="8")})
    (tmp_path / "token").write_text(issuer.token())
    assert first == identity(replace(oidc, source="file:token"), {}, tmp_path)
    runner = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.url}/token?a=b", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner"}
    assert first == identity(replace(oidc, source="github"), runner)


FORGED = {
    "another key": {"key": rsa.generate_private_key(65537, 2048)},
    "a key that is not the issuer's": {"kid": "two"},
    "another issuer": {"iss": "https://elsewhere.example"},
    "another audience": {"aud": "sts.example"},
    "over": {"exp": 1},
    "without an end": {"exp": None},
    "without the claim": {"actor_id": None},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_token_that_does_not_hold_is_nobody(issuer, oidc, how):
    with pytest.raises(FixRefused, match="not known who acts"):
        identity(oidc, {"CI_TOKEN": issuer.token(**FORGED[how])})


def test_what_is_no_token_or_does_not_answer_is_nobody(issuer, oidc):
    runner = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.url}/token?a=b", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "typed"}
    for config, environ, sentence in (
        (oidc, {"CI_TOKEN": "typed-by-hand"}, "does not hold"),
        (oidc, {}, "CI_TOKEN, which is not set"),
        (replace(oidc, source="github"), {}, "permission id-token: write"),
        (replace(oidc, source="github"), runner, "did not say who this is"),
        (replace(oidc, issuer="http://127.0.0.1:9"), {"CI_TOKEN": issuer.token()}, "did not say who this is"),
    ):
        with pytest.raises(FixRefused, match=sentence):
            identity(config, environ)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('kind = "variable"', "fixes.identity.kind"),
        ('kin = "oidc"', "kin"),
        ('approval = "pgp"', "fixes.identity.approval"),
        ('issuer = "http://issuer.example"', "fixes.identity.issuer is 'http://issuer.example'; an https address"),
        ('source = "GITHUB_ACTOR"', "fixes.identity.source is 'GITHUB_ACTOR'; github, env:VARIABLE or file:PATH"),
    ],
)
def test_a_table_that_cannot_be_used_is_a_sentence(tmp_path, table, sentence):
    (tmp_path / "synthprobe.toml").write_text(f"[fixes.identity]\n{table}\n")
    with pytest.raises(ConfigurationError, match=sentence):
        config = read_config(tmp_path)
        identity(replace(config.fixes.identity, kind="oidc"), {})


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    lines = make_keys(folder, ("first", "second"))
    (folder / "old").write_text("".join(line.replace(" ssh-", ',valid-before="20200101" ssh-', 1) for line in lines))
    (folder / "others").write_text("".join(line.replace("synthprobe", "git", 1) for line in lines))
    return folder


def test_a_person_s_key_tells_two_apart_who_share_an_account(keys, monkeypatch):
    monkeypatch.setenv("SSH_USER_AUTH", "/dev/null")
    who = {
        name: identity(IdentityConfig(kind="ssh", key=name, signers="signers"), {}, keys)
        for name in ("first", "second")
    }
    assert who == {"first": "ssh:first@desk", "second": "ssh:second@desk"}
    (keys / "synthprobe.toml").write_text('[fixes.identity]\napproval = "ssh"\nkey = "first"\nsigners = "signers"\n')
    config = read_config(keys)
    applies, approves = (fixing_actor("engineer", Project(keys, config), approves=how).who for how in (False, True))
    assert (applies.partition(":")[0], approves) == ("account", "ssh:first@desk")
    assert signatures_of(Project(keys, config)) is not None
    assert signatures_of(Project(keys, Config())) is None


@pytest.mark.parametrize(
    ("key", "signers", "sentence"),
    [
        ("stranger", "signers", "signers does not know the key stranger"),
        ("first.pub", "signers", "the key first.pub did not sign"),
        ("nobody", "signers", "the key nobody did not sign"),
        ("first", "old", "old does not know the key first"),
        ("first", "others", "others does not know the key first"),
        ("first", "none", "none does not know the key first"),
    ],
)
def test_a_key_that_does_not_count_is_nobody(keys, monkeypatch, key, signers, sentence):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    if key == "first.pub":
        (keys / "alone").mkdir(exist_ok=True)
        (keys / "alone" / "first.pub").write_text((keys / "first.pub").read_text())
        key, sentence = "alone/first.pub", "the key alone/first.pub did not sign"
    with pytest.raises(FixRefused, match=f"not known who acts: {sentence}"):
        identity(IdentityConfig(kind="ssh", key=key, signers=signers), {}, keys)
