"""A real system that nobody here wrote: no string of what a run with broken journeys wrote is a token that works."""

import base64
import gzip
import io
import json
import sqlite3
import zipfile

import pytest
from foreign import watch
from foreign_systems import Django, Trouble
from packed_texts import candidates

TOKEN = "q7Zt2LmX9vB4kR8nW1cY"


@pytest.mark.long
@pytest.mark.timeout(300)  # the first time it is downloaded
def test_no_string_of_the_artefacts_lets_anybody_into_django():
    watched = watch("django")  # the others every night
    assert watched.leaks == [], watched
    assert watched.live >= 2, "each journey was issued a session, which still works"
    assert watched.tried > 500


def test_a_system_that_cannot_be_started_is_a_sentence(tmp_path):
    with pytest.raises(Trouble, match=r"django did not answer at http://127\.0\.0\.1:\d+/admin/login/: "):
        with Broken(tmp_path / "kept").started(tmp_path):
            pass


class Broken(Django):
    def install(self) -> None: ...  # so that there is nothing to start


def packed() -> dict[str, bytes]:
    archive, store = io.BytesIO(), sqlite3.connect(":memory:")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jsonl", '{"a": 1}\n' + json.dumps({"b": json.dumps({"c": f"x\n{TOKEN}"})}))
    store.execute("create table kept (cell)")
    store.execute("insert into kept values (?)", (gzip.compress(f"sid={TOKEN}; path".encode()),))
    return {
        "archive": archive.getvalue(),
        "database": store.serialize(),
        "base64 of an archive": b"data:application/zip;base64," + base64.b64encode(archive.getvalue()),
        "HTML": f"&quot;{TOKEN}&quot;".encode(),
        "percent": f"next%3D%2Fa%3Fsid%3D{TOKEN}".encode(),
        "digits": TOKEN.encode().hex().encode(),
        "UTF-16": TOKEN.encode("utf-16-le"),
        "an escape before it": f"'a\\n{TOKEN}'".encode(),
    }


@pytest.mark.parametrize("way", packed())
def test_a_token_is_found_however_it_is_packed(way):
    assert TOKEN in set(candidates(packed()[way]))
