"""What tests/report/test_bucket.py expects of publishing, at Azure's store: every night, since it is installed for it.

python -m pytest tests/foreign/azure_store.py
"""

import os
import sys
from pathlib import Path

import pytest
from foreign import KEPT
from foreign_systems import Azurite

sys.path.append(str(Path(__file__).parents[1] / "report"))
from test_bucket import (
    published,
    test_a_place_that_refuses_strangers_is_private,
    test_a_run_costs_few_requests_and_what_is_there_already_is_not_written_again,
    test_an_object_that_is_gone_hides_no_other_where_the_store_calls_that_an_error,
    test_publishers_at_once_lose_nothing,
    written,
)

from synthprobe.errors import ReportError
from synthprobe.report.store import open_store

__all__ = [
    "test_a_place_that_refuses_strangers_is_private",
    "test_a_run_costs_few_requests_and_what_is_there_already_is_not_written_again",
    "test_an_object_that_is_gone_hides_no_other_where_the_store_calls_that_an_error",
    "test_publishers_at_once_lose_nothing",
]

pytestmark = pytest.mark.timeout(300)  # the first time it is downloaded


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    with Azurite(KEPT).started(tmp_path_factory.mktemp("azurite")) as started:
        started.make_container("watch")
        yield started


@pytest.fixture
def place(azurite, monkeypatch, request):
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azurite.account)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azurite.key)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{azurite.address}/{azurite.account}")
    return f"az://watch/{request.node.name}"


def test_a_key_that_is_refused_is_a_sentence_without_it(place, tmp_path, monkeypatch):
    key = "b3RoZXItb3RoZXItb3RoZXI="
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", key)
    with pytest.raises(ReportError, match=r"refused to read index\.html: the credentials of this machine") as refused:
        published(place, *written(tmp_path, "run"))
    assert key not in str(refused.value)


def test_what_is_kept_no_longer_is_removed_and_listed_by_its_time(place):
    store = open_store(place)
    store.put("evidence/a", b"a")
    store.put("evidence/b", b"b")
    store.delete(["evidence/a", "evidence/gone"])
    assert [seen.path for seen in store.listed("evidence")] == ["evidence/b"]


def test_a_container_that_is_not_there_is_a_sentence(place, tmp_path):
    with pytest.raises(ReportError, match="has no such bucket. Make it, or correct"):
        published(place.replace("watch", "nowhere"), *written(tmp_path, "run"))
