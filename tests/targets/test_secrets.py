"""A secret has no string form, and where it should come from is said."""

import json
import pickle

import msgspec
import pytest

from synthprobe import Secret
from synthprobe.errors import SecretError
from synthprobe.targets.secrets import read_secret

PLAIN = "correct horse"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>30}".format, lambda s: f"{s!r}", lambda s: f"{[s]}"])
def test_it_shows_itself_to_nothing(show):
    assert PLAIN not in show(Secret(PLAIN, "user"))


@pytest.mark.parametrize("dump", [pickle.dumps, json.dumps, msgspec.json.encode])
def test_it_is_not_serialised(dump):
    with pytest.raises(TypeError):
        dump(Secret(PLAIN))


def test_only_reveal_gives_it_away():
    assert Secret(PLAIN).reveal() == PLAIN
    assert Secret(PLAIN) == Secret(PLAIN)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("env:MISSING", "environment variable MISSING, which is not set or empty"),
        ("file:/nonexistent/x", "cannot be read: No such file"),
        ("hunter2", "(?!.*hunter2).*env:VARIABLE or file:/path was expected"),
        ("env:SHORT", "shorter than 6 characters"),
        ("env:WORD", "looks like a word of a dictionary"),
        ("env:PIN", "a number of fewer than 8 digits"),
        ("env:COMMON", "is a common value"),
    ],
)
def test_a_source_that_cannot_be_used_is_a_sentence(source, sentence):
    with pytest.raises(SecretError, match=sentence):
        read_secret(
            "user", {"SHORT": "abc", "WORD": "Sunshine", "PIN": "480151", "COMMON": "Password123"}, source=source
        )


def test_a_file_loses_its_last_newline_only(tmp_path):
    (tmp_path / "s").write_text(" padded \n")
    assert read_secret("user", {}, source=f"file:{tmp_path / 's'}").reveal() == " padded "
